"""A decoder of codes into tri-planes: three planes of features, and a small network that reads them at a point.

Chan, Lin, Chan, Nagano, Pan, De Mello, Gallo, Guibas, Tremblay, Khamis, Karras, Wetzstein: Efficient Geometry-aware 3D
Generative Adversarial Networks, CVPR 2022, arXiv 2112.07945, section 3.2, for the planes; codes without an encoder as
in DeepSDF. What a code means is computed once for a shape, and a point costs a hundredth of what it costs in DeepSDF's
decoder; so many more points are seen in the same time.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from shapeyard.networks.code_decoder import CodeDecoder
from shapeyard.networks.code_decoder import onnx_interface as onnx_interface

TITLE = "tri-plane decoder"
PLANES = ((0, 1), (1, 2), (2, 0))
"""The axes of each plane."""
START = 4
"""Cells along a side of the first level."""


class Triplane(CodeDecoder):
    """Codes (B,C) and points (B,N,3) → signed distances (B,N).

    Args:
        code_length: C.
        width: channels of the finest planes' level and of the hidden layers of the network that reads them.
        features: channels of each plane.
        resolution: cells along a plane's side, 4 times a power of two.
    """

    def __init__(self, code_length: int = 128, width: int = 64, features: int = 16, resolution: int = 64) -> None:
        super().__init__()
        self.code_length, self.features = code_length, features
        levels = (resolution // START).bit_length() - 1
        channels = [min(width * 2 ** (levels - level), 4 * width) for level in range(levels + 1)]
        self.start = nn.Linear(code_length, channels[0] * START**2)
        self.levels = nn.ModuleList(
            nn.Sequential(
                nn.Upsample(scale_factor=2, mode="nearest"), nn.Conv2d(c_in, c, 3, padding=1), nn.GroupNorm(8, c),
                nn.SiLU(inplace=True),
            )
            for c_in, c in pairwise(channels)
        )  # fmt: skip
        self.planes = nn.Conv2d(channels[-1], 3 * features, 1)
        last = nn.Linear(width, 1)
        with torch.no_grad():  # near 0 at first: beyond the clamped distance there is no gradient
            last.weight.mul_(0.1)
            last.bias.zero_()
        self.read = nn.Sequential(
            nn.Linear(3 * features + 3, width), nn.SiLU(inplace=True), nn.Linear(width, width), nn.SiLU(inplace=True),
            last,
        )  # fmt: skip

    def condition(self, codes: Tensor) -> Tensor:
        """(B,C) → the planes (B,3,F,R,R)."""
        x = functional.silu(self.start(codes)).view(codes.shape[0], -1, START, START)  # (B,W·2^L,4,4)
        for level in self.levels:
            x = level(x)  # (B,W·2^i,R/2^i,R/2^i)
        planes: Tensor = self.planes(x)  # (B,3F,R,R)
        return planes.view(codes.shape[0], 3, self.features, *planes.shape[2:])

    def distance(self, condition: Tensor, points: Tensor) -> Tensor:
        """(B,3,F,R,R), (B,N,3) → (B,N)."""
        batch, count = points.shape[:2]
        places = torch.stack([points[..., axes] for axes in PLANES], dim=1)  # (B,3,N,2)
        found = functional.grid_sample(
            condition.flatten(0, 1), places.flatten(0, 1)[:, :, None], padding_mode="border", align_corners=False
        )  # (3B,F,N,1)
        features = found.view(batch, 3 * self.features, count).transpose(1, 2)  # (B,N,3F)
        result: Tensor = self.read(torch.cat([features, points], dim=2))[..., 0]  # (B,N)
        return result


NETWORK = Triplane
