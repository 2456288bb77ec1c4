"""DeepSDF's decoder.

Park, Florence, Straub, Newcombe, Lovegrove: DeepSDF: Learning Continuous Signed Distance Functions for Shape
Representation, CVPR 2019, arXiv 1901.05103, section 4 and figure 4: eight fully connected hidden layers of 512 with
weight normalization, ReLU and dropout of 0.2, the input once more at the fifth, tanh at the end.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from shapeyard.networks.code_decoder import CodeDecoder
from shapeyard.networks.code_decoder import onnx_interface as onnx_interface

TITLE = "DeepSDF"
LAYERS = 8
SKIP = 4
"""The hidden layer, counted from 0, that sees the input again."""


class DeepSDF(CodeDecoder):
    """Codes (B,C) and points (B,N,3) → signed distances (B,N) in (−1, 1).

    Args:
        code_length: C.
        width: of the hidden layers, more than C + 3.
        dropout: share of the hidden units that are dropped in training, 0 to 1.
    """

    def __init__(self, code_length: int = 256, width: int = 512, dropout: float = 0.2) -> None:
        super().__init__()
        self.code_length = code_length
        seen = code_length + 3
        # the layer before the skip is narrower, so that with the input it is as wide as the others
        widths = [width - seen if layer == SKIP - 1 else width for layer in range(LAYERS)]
        inputs = [seen, *(width for _ in range(LAYERS - 1))]
        self.hidden = nn.ModuleList(weight_norm(nn.Linear(i, o)) for i, o in zip(inputs, widths, strict=True))
        self.out = nn.Linear(width, 1)
        self.dropout = nn.Dropout(dropout)

    def condition(self, codes: Tensor) -> Tensor:
        """The codes themselves (B,C)."""
        return codes

    def distance(self, condition: Tensor, points: Tensor) -> Tensor:
        """(B,C), (B,N,3) → (B,N)."""
        code = condition[:, None].expand(-1, points.shape[1], -1)  # (B,N,C)
        seen = torch.cat([code, points], dim=2)  # (B,N,C+3)
        x = seen
        for layer, linear in enumerate(self.hidden):
            x = torch.cat([x, seen], dim=2) if layer == SKIP else x  # (B,N,W)
            x = self.dropout(linear(x).relu())  # (B,N,W), before the skip (B,N,W−C−3)
        result: Tensor = self.out(x)[..., 0].tanh()  # (B,N)
        return result


NETWORK = DeepSDF
