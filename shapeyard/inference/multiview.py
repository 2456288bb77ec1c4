"""What 3D-R2N2 makes of one, two and more images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from shapeyard.networks.r2n2 import R2N2


def composite(rgba: NDArray[np.uint8], backgrounds: NDArray[np.float32]) -> Tensor:
    """Images (B,T,S,S,4), straight alpha composited on colours (B,T,3) in 0…1 → (B,T,3,S,S) float32 in 0…1."""
    pixels = torch.from_numpy(rgba).permute(0, 1, 4, 2, 3).float().div(255)  # (B,T,4,S,S)
    alpha = pixels[:, :, 3:]
    return pixels[:, :, :3] * alpha + torch.from_numpy(backgrounds)[..., None, None] * (1 - alpha)


def predict_shapes(network: R2N2, images: Tensor, numbers: Sequence[int], half: bool) -> NDArray[np.uint8]:
    """Images (B,T,3,S,S) → probabilities (B,N,32,32,32), 0…255 for 0…1, after each of N numbers of views up to T."""
    device = next(network.parameters()).device
    network.eval()
    with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=half):
        shown = network.encode_sequence(images.to(device))
        logits = torch.stack([network.decode(shown[number - 1]) for number in numbers], dim=1)
        whole = (logits.float().sigmoid() * 255).round().to(torch.uint8)
    made: NDArray[np.uint8] = whole.cpu().numpy()
    return made
