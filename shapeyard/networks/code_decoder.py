"""What every network is that holds shapes as codes: a code and a point in, the signed distance out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from shapeyard.networks.onnx_interface import OnnxInterface


class CodeDecoder(nn.Module, ABC):
    """A function of codes and points whose zeros are the shapes' surfaces.

    What depends on a code alone is computed once for all of its points: `condition`, then `distance` for any points.

    Attributes:
        code_length: C.
    """

    code_length: int

    @abstractmethod
    def condition(self, codes: Tensor) -> Tensor:
        """Codes (B,C) → what `distance` needs of them (B,…)."""

    @abstractmethod
    def distance(self, condition: Tensor, points: Tensor) -> Tensor:
        """Signed distances (B,N), negative inside, of points (B,N,3) in the unit sphere; `condition` of B codes."""

    def forward(self, codes: Tensor, points: Tensor) -> Tensor:
        """Codes (B,C) and points (B,N,3) → signed distances (B,N)."""
        return self.distance(self.condition(codes), points)


class DistanceOfRows(nn.Module):
    """A decoder as DeepSDF's original was called: the code stands beside each point."""

    def __init__(self, decoder: CodeDecoder) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(self, rows: Tensor) -> Tensor:
        """Code and point (B,N,C+3), of each shape one code → signed distances (B,N)."""
        length = self.decoder.code_length
        distance: Tensor = self.decoder(rows[:, 0, :length], rows[..., length:])
        return distance


def onnx_interface(network: CodeDecoder, _config: Mapping[str, Any], _views: int) -> OnnxInterface:
    """code_and_point (B,N,C+3) → distance (B,N)."""
    batch, points = (torch.export.Dim(name, min=1, max=most) for name, most in (("batch", 1024), ("points", 2**20)))
    shape = (2, 5, network.code_length + 3)
    return OnnxInterface(DistanceOfRows(network), "code_and_point", shape, {0: batch, 1: points}, "distance")
