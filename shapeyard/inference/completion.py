"""What 3D-RecGAN++ makes of a 2.5D grid."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from shapeyard.networks.recgan import Generator

FRAMING = "visible extent"
"""What the cubes of our pairs are put around (see `shapeyard.geometry.lifting`)."""


def predict_grid(generator: Generator, grids: torch.Tensor, precision: torch.dtype) -> NDArray[np.uint8]:
    """2.5D grids (B,R,R,R) → probabilities (B,4R,4R,4R), 0…255 for 0…1."""
    device = next(generator.parameters()).device
    reduced = torch.autocast(device.type, precision, enabled=precision != torch.float32)
    with torch.inference_mode(), reduced:
        probability = generator(grids.to(device).float()).float().sigmoid()
    whole: NDArray[np.uint8] = (probability * 255).round().to(torch.uint8).cpu().numpy()
    return whole
