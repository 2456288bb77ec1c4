"""The U-Net that estimates depth from one RGBA view.

Ronneberger, Fischer, Brox: U-Net: Convolutional Networks for Biomedical Image Segmentation, 2015, arXiv 1505.04597;
here with three convolutions a level, batch normalization at each level's end and padding that keeps the image's size.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from shapeyard.networks.onnx_interface import OnnxInterface

TITLE = "U-Net"
LEVELS = 4
SIZE_MULTIPLE = 2 ** (LEVELS - 1)
"""Images must divide by this: every level but the first halves them."""


class UNet(nn.Module):
    """RGBA (B,4,H,W) in 0…1 → standardized depth (B,1,H,W); H and W divide by 8.

    `width` is the number of channels of the first level; each further level doubles it: 64, 128, 256, 512.
    """

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        channels = [width * 2**level for level in range(LEVELS)]
        self.down = nn.ModuleList(_level(c_in, c) for c_in, c in zip([4, *channels[:-1]], channels, strict=True))
        self.pool = nn.MaxPool2d(2)
        self.enlarge = nn.ModuleList(nn.ConvTranspose2d(2 * c, c, 2, stride=2) for c in reversed(channels[:-1]))
        self.up = nn.ModuleList(_level(2 * c, c) for c in reversed(channels[:-1]))
        self.out = nn.Conv2d(width, 1, 1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]

    def forward(self, rgba: Tensor) -> Tensor:
        """(B,4,H,W) → (B,1,H,W)."""
        skips = []
        x = torch.cat([(rgba[:, :3] - 0.5) * rgba[:, 3:], rgba[:, 3:]], dim=1)  # 0 outside the object, as padding is
        for index, level in enumerate(self.down):
            x = level(x if index == 0 else self.pool(x))  # (B,w·2^i,H/2^i,W/2^i)
            skips.append(x)
        skips.pop()
        for enlarge, level in zip(self.enlarge, self.up, strict=True):
            x = level(torch.cat([enlarge(x), skips.pop()], dim=1))  # (B,w·2^i,H/2^i,W/2^i)
        with torch.autocast(x.device.type, enabled=False):  # 8 bits of mantissa would be steps in the depth
            depth: Tensor = self.out(x.float())
        return depth


NETWORK = UNet


class DepthInUnits(nn.Module):
    """RGBA (B,4,H,W) in 0…1 → depth (B,H,W) in canonical units; what it says outside the object means nothing."""

    def __init__(self, network: nn.Module, mean: float, std: float) -> None:
        super().__init__()
        self.network, self.mean, self.std = network, mean, std

    def forward(self, rgba: Tensor) -> Tensor:
        """(B,4,H,W) → (B,H,W)."""
        depth: Tensor = self.network(rgba)[:, 0] * self.std + self.mean
        return depth


def onnx_interface(network: UNet, config: Mapping[str, Any], _views: int) -> OnnxInterface:
    """rgba (B,4,H,W) → depth (B,H,W) in canonical units; H and W divide by 8."""
    batch = torch.export.Dim("batch", min=1, max=1024)
    rows, columns = (SIZE_MULTIPLE * torch.export.Dim(name, min=1, max=512) for name in ("rows", "columns"))
    with_units = DepthInUnits(network, config["depth_mean"], config["depth_std"])
    shape = (2, 4, 4 * SIZE_MULTIPLE, 5 * SIZE_MULTIPLE)
    return OnnxInterface(with_units, "rgba", shape, {0: batch, 2: rows, 3: columns}, "depth")


def masked_squared_error(estimate: Tensor, depth: Tensor, mean: float, std: float) -> Tensor:
    """Mean squared error over an object's pixels, then over the images, in standardized units.

    Args:
        estimate: (B,1,H,W), standardized.
        depth: (B,H,W) in canonical units, inf outside the object; an image without a pixel counts as without error.
        mean: the constants of the standardization, canonical units.
        std: as `mean`.
    """
    mask = torch.isfinite(depth)
    target = torch.where(mask, (depth - mean) / std, 0.0)
    return _over_pixels(torch.where(mask, estimate[:, 0] - target, 0.0).square(), mask).mean()


def scale_invariant_error(estimate: Tensor, depth: Tensor, mean: float, std: float) -> Tensor:
    """What is left of the error when the best common factor of an image's depth is forgiven, in standardized units.

    The variance of log d − log d* over the object's pixels, then the mean over the images: equation 1 of Eigen,
    Puhrsch, Fergus, 2014, arXiv 1406.2283 (their training loss is half of the squared error and half of this). An error
    of the logarithm is one of `mean` in depth at the mean depth, so it is given times (mean / std)².

    Args and units as for `masked_squared_error`; an estimate below a tenth of the mean counts as that.
    """
    mask = torch.isfinite(depth)
    estimated = (estimate[:, 0] * std + mean).clamp(min=0.1 * mean)
    difference = torch.where(mask, estimated.log() - torch.where(mask, depth, 1.0).log(), 0.0)
    variance = _over_pixels(difference.square(), mask) - _over_pixels(difference, mask).square()
    return (mean / std) ** 2 * variance.mean()


def _over_pixels(values: Tensor, mask: Tensor) -> Tensor:
    """(B,H,W), 0 outside the mask → the mean over each image's mask (B,)."""
    return values.sum(dim=(1, 2)) / mask.sum(dim=(1, 2)).clamp(min=1)


def _level(channels_in: int, channels: int) -> nn.Sequential:
    """Three 3×3 convolutions with ReLU, then batch normalization; the size stays."""
    return nn.Sequential(
        nn.Conv2d(channels_in, channels, 3, padding=1), nn.ReLU(inplace=True),
        nn.Conv2d(channels, channels, 3, padding=1), nn.ReLU(inplace=True),
        nn.Conv2d(channels, channels, 3, padding=1), nn.ReLU(inplace=True),
        nn.BatchNorm2d(channels, momentum=0.05),
    )  # fmt: skip
