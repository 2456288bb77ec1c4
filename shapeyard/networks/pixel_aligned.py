"""The pixel-aligned occupancy network: one RGBA view and points in the camera's frame in, occupancy out.

Saito, Huang, Natsume, Morishima, Kanazawa, Li: PIFu: Pixel-Aligned Implicit Function for High-Resolution Clothed Human
Digitization, ICCV 2019, arXiv 1905.05172, for the features of the pixel that a point projects to; Xu, Wang, Ceylan,
Mech, Neumann: DISN: Deep Implicit Surface Network for High-quality Single-view 3D Reconstruction, NeurIPS 2019, arXiv
1905.10711, for features of several levels and a global vector beside them; Mildenhall et al.: NeRF, ECCV 2020, arXiv
2003.08934, for the Fourier features of a point. The same features give the depth of the visible surface: a second task.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from shapeyard.networks.onnx_interface import OccupancyProbability, OnnxInterface

TITLE = "pixel-aligned occupancy network"
CHANNELS = (1, 2, 4, 8, 8)
"""Of the encoder's levels, times the width; the first has half the image's size, each further one half the last's."""
SIZE_MULTIPLE = 2 ** len(CHANNELS)
"""Images are padded to a multiple of this, on the right and below."""
EXPORTED_SIDE, EXPORTED_RESOLUTION = 1.25, 32
"""Of the cube that an exported network fills, canonical units and voxels."""
OCTAVES = 6
BLOCKS = 2
POINT_SCALE = 2.0
"""Canonical units to those of the Fourier features: an object is about 1 long, so its points come to lie in ±1."""


class Features(NamedTuple):
    """What the network sees in B views."""

    pixels: Tensor
    """(B,F,h,w), half of the padded images' size"""
    depth: Tensor
    """(B,H,W) of the visible surface, standardized; it means nothing outside the object"""
    size: tuple[int, int]
    """of the padded images, rows and columns"""


class PixelAligned(nn.Module):
    """RGBA (B,4,H,W) in 0…1 and points (B,N,3) in camera axes → logits of occupancy (B,N).

    Args:
        width: channels of the encoder's first level: 16 to 128 with five levels at 16.
        hidden: features of a pixel, and units of the perceptron that reads them.
        depth_mean: of the training objects, canonical units: where the points' frame has its origin.
    """

    def __init__(self, width: int = 16, hidden: int = 160, depth_mean: float = 2.1) -> None:
        super().__init__()
        self.depth_mean = depth_mean
        channels = [width * factor for factor in CHANNELS]
        self.stem = nn.Sequential(
            nn.Conv2d(4, width, 5, stride=2, padding=2, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True)
        )
        self.down = nn.ModuleList(_level(c_in, c) for c_in, c in zip([width, *channels[:-1]], channels, strict=True))
        self.up = nn.ModuleList(
            _level(below + c, c) for below, c in zip(channels[:0:-1], channels[-2::-1], strict=True)
        )
        self.pixel = nn.ModuleList(nn.Conv2d(c, hidden, 1, bias=False) for c in channels[-2::-1])
        self.whole = nn.Linear(channels[-1], hidden)
        self.depth = nn.Conv2d(width, 1, 1)
        self.point = nn.Linear(3 + 6 * OCTAVES, hidden)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, hidden))
            for _ in range(BLOCKS)
        )
        self.out = nn.Sequential(nn.ReLU(), nn.Linear(hidden, 1))

    def encode(self, rgba: Tensor) -> Features:
        """RGBA (B,4,H,W) in 0…1 → what can be asked about it."""
        height, width = rgba.shape[2:]
        x = torch.cat([(rgba[:, :3] - 0.5) * rgba[:, 3:], rgba[:, 3:]], dim=1)  # 0 outside the object, as padding is
        x = functional.pad(x, (0, -width % SIZE_MULTIPLE, 0, -height % SIZE_MULTIPLE))
        size = (int(x.shape[2]), int(x.shape[3]))
        x = self.stem(x)  # (B,w,H/2,W/2)
        skips = []
        for index, level in enumerate(self.down):
            x = level(x if index == 0 else functional.max_pool2d(x, 2))  # (B,C_i,H/2^(i+1),W/2^(i+1))
            skips.append(x)
        whole = self.whole(skips.pop().mean(dim=(2, 3)))  # (B,F)
        pixels = whole[:, :, None, None]
        for index, (level, project) in enumerate(zip(self.up, self.pixel, strict=True)):
            x = level(torch.cat([functional.interpolate(x, scale_factor=2.0), skips.pop()], dim=1))
            coarser = functional.interpolate(pixels, scale_factor=2.0, mode="bilinear") if index else pixels
            pixels = coarser + project(x)  # (B,F,H/2^i,W/2^i), i from 4 to 1
        with torch.autocast(x.device.type, enabled=False):  # 8 bits of mantissa would be steps in the depth
            depth = functional.interpolate(self.depth(x.float()), scale_factor=2.0, mode="bilinear")
        return Features(pixels, depth[:, 0, :height, :width], size)

    def occupancy(self, features: Features, points: Tensor, intrinsics: Tensor) -> Tensor:
        """The logits (B,N) of points.

        Args:
            features: of B views.
            points: (B,N,3), camera axes, canonical units, z above 0.
            intrinsics: (B,3,3) of the views, pixels.
        """
        rows, columns = features.size
        u, v = (
            intrinsics[:, axis, axis, None] * points[..., axis] / points[..., 2] + intrinsics[:, axis, 2, None]
            for axis in (0, 1)
        )  # (B,N) pixels
        x = read_pixels(
            features.pixels, u * (features.pixels.shape[3] / columns), v * (features.pixels.shape[2] / rows)
        )
        x = x + self.point(self._fourier(points))  # (B,N,F)
        for block in self.blocks:
            x = x + block(x)
        logits: Tensor = self.out(x)[..., 0].float()
        return logits

    def forward(self, rgba: Tensor, points: Tensor, intrinsics: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (B,N) and standardized depth (B,H,W), see `Features` and `occupancy`."""
        features = self.encode(rgba)
        return self.occupancy(features, points, intrinsics), features.depth

    def _fourier(self, points: Tensor) -> Tensor:
        """(B,N,3) → (B,N,3+6·OCTAVES): the point itself, and sine and cosine of each coordinate in each octave."""
        x = (points - points.new_tensor([0.0, 0.0, self.depth_mean])) * POINT_SCALE
        angles = (x[..., None] * (math.pi / 2 * 2.0 ** torch.arange(OCTAVES, device=x.device))).flatten(2)
        return torch.cat([x, angles.sin(), angles.cos()], dim=-1)


NETWORK = PixelAligned


def read_pixels(features: Tensor, u: Tensor, v: Tensor) -> Tensor:
    """Features (B,F,h,w), bilinear at places (B,N) → (B,N,F); what lies outside has those of the border.

    As `grid_sample` gives it in a quarter of the time: a weighted sum of four rows.

    Args:
        features: best channels last in memory, at least 2 × 2.
        u: columns, the first one's middle at 0.5.
        v: rows, the same.
    """
    count, channels, height, width = features.shape
    column, row = (u - 0.5).clamp(0, width - 1), (v - 0.5).clamp(0, height - 1)
    left, above = column.floor().clamp(max=width - 2), row.floor().clamp(max=height - 2)
    right_share, below_share = (column - left).float(), (row - above).float()
    first = torch.arange(count, device=u.device)[:, None] * (height * width) + above.long() * width + left.long()
    places = torch.stack([first, first + 1, first + width, first + width + 1], dim=-1)  # (B,N,4)
    across, down = torch.stack([1 - right_share, right_share], -1), torch.stack([1 - below_share, below_share], -1)
    weights = (down[..., :, None] * across[..., None, :]).flatten(2)  # (B,N,4)
    rows = features.permute(0, 2, 3, 1).reshape(-1, channels).float()
    if torch.compiler.is_exporting():  # ONNX has no such operator
        return (rows[places] * weights[..., None]).sum(dim=2)
    read = functional.embedding_bag(places.flatten(0, 1), rows, mode="sum", per_sample_weights=weights.flatten(0, 1))
    return read.view(count, -1, channels)


class LogitsInCube(nn.Module):
    """RGBA (B,4,S,S) in 0…1 → logits (B,D,D,D) in a cube in camera axes around where objects stand in training.

    Args:
        network: the network.
        intrinsics: (3,3) of the images, pixels.
        resolution: D.
    """

    points: Tensor
    intrinsics: Tensor

    def __init__(self, network: PixelAligned, intrinsics: Tensor, resolution: int) -> None:
        super().__init__()
        self.network, self.resolution = network, resolution
        axis = EXPORTED_SIDE * ((torch.arange(resolution) + 0.5) / resolution - 0.5)
        places = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), dim=-1).reshape(1, -1, 3)
        self.register_buffer("points", places + torch.tensor([0.0, 0.0, network.depth_mean]))
        self.register_buffer("intrinsics", intrinsics[None])

    def forward(self, rgba: Tensor) -> Tensor:
        """(B,4,S,S) → (B,D,D,D), index order x,y,z."""
        count, sides = rgba.shape[0], (self.resolution,) * 3
        features = self.network.encode(rgba)
        points, intrinsics = self.points.expand(count, -1, -1), self.intrinsics.expand(count, -1, -1)
        return self.network.occupancy(features, points, intrinsics).view(count, *sides)


def onnx_interface(network: PixelAligned, config: Mapping[str, Any], _views: int) -> OnnxInterface:
    """rgba (B,4,S,S) → probability (B,32,32,32) in the cube in camera axes of side 1.25 around (0, 0, depth_mean)."""
    size = int(config["image_size"])
    focal = size * float(config["focal_length"])
    intrinsics = torch.tensor([[focal, 0.0, size / 2], [0.0, focal, size / 2], [0.0, 0.0, 1.0]])
    exported = OccupancyProbability(LogitsInCube(network, intrinsics, EXPORTED_RESOLUTION))
    batch = torch.export.Dim("batch", min=1, max=1024)
    return OnnxInterface(exported, "rgba", (2, 4, size, size), {0: batch}, "probability")


def occupancy_loss(logits: Tensor, occupied: Tensor) -> Tensor:
    """Mean cross entropy of logits (B,N) with the truth (B,N), 0 or 1."""
    return functional.binary_cross_entropy_with_logits(logits, occupied.to(logits.dtype))


def _level(channels_in: int, channels: int) -> nn.Sequential:
    """Two 3×3 convolutions, each with batch normalization and ReLU; the size stays."""
    layers: list[nn.Module] = []
    for c_in in (channels_in, channels):
        layers += [nn.Conv2d(c_in, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)
