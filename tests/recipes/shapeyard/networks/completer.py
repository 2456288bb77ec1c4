"""A network that completes a voxel grid: two convolutions, no paper."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from shapeyard.networks.onnx_interface import OccupancyProbability, OnnxInterface

TITLE = "Completer"


class Completer(nn.Module):
    """Occupancy (B,1,D,D,D) in 0…1 → logits (B,D,D,D); `width` channels in between."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.first = nn.Conv3d(1, width, 3, padding=1)
        self.last = nn.Conv3d(width, 1, 3, padding=1)

    def forward(self, occupancy: Tensor) -> Tensor:
        """(B,1,D,D,D) → (B,D,D,D)."""
        x = self.first(occupancy).relu()  # (B,w,D,D,D)
        logits: Tensor = self.last(x)[:, 0]
        return logits


NETWORK = Completer


def onnx_interface(network: Completer, _config: Mapping[str, Any], _views: int) -> OnnxInterface:
    """occupancy (B,1,32,32,32) → probability (B,32,32,32)."""
    batch = torch.export.Dim("batch", min=1, max=1024)
    return OnnxInterface(OccupancyProbability(network), "occupancy", (2, 1, 32, 32, 32), {0: batch}, "probability")
