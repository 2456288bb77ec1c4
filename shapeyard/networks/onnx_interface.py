"""What a network says of itself to be exported as ONNX."""

from __future__ import annotations

from typing import Any, NamedTuple

from torch import Tensor, nn


class OnnxInterface(NamedTuple):
    """What goes into an exported network and what comes out."""

    network: nn.Module
    """of one input and one output"""
    input_name: str
    input_shape: tuple[int, ...]
    """of an example"""
    dynamic_axes: dict[int, Any]
    """the input's axes that may have any size, as `torch.export.Dim`"""
    output_name: str


class OccupancyProbability(nn.Module):
    """A network of logits → the probability that each voxel is occupied, 0 to 1."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, seen: Tensor) -> Tensor:
        """What the network takes → (B,D,D,D)."""
        probability: Tensor = self.network(seen).sigmoid()
        return probability
