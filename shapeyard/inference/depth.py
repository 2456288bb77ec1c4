"""What the U-Net says of a view: the depth of the object in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from shapeyard.errors import require
from shapeyard.networks.unet import SIZE_MULTIPLE, UNet

View = tuple[NDArray[np.uint8], NDArray[np.float32]]
"""rgba (H,W,4) and depth (H,W), inf outside the object."""


class Standardization(NamedTuple):
    """Mean and standard deviation of the object's depth, canonical units."""

    mean: float
    std: float


class Window(NamedTuple):
    """The part of all images in which objects are seen: the rest says nothing and costs as much.

    One window serves all views, in training and in use: where the borders are is something that the network sees.
    """

    top: int
    bottom: int
    left: int
    right: int

    @classmethod
    def around(cls, visible: NDArray[np.bool_]) -> Window:
        """Around what is visible in any of (N,H,W), and its mirror image; the bounds divide by 8."""
        anywhere = visible.any(axis=0)
        return cls(*_bounds(anywhere.any(axis=1)), *_bounds(anywhere.any(axis=0) | anywhere.any(axis=0)[::-1]))

    def with_all_of(self, other: Window) -> Window:
        """The window around both."""
        lower, upper = np.minimum(self, other), np.maximum(self, other)
        return Window(int(lower[0]), int(upper[1]), int(lower[2]), int(upper[3]))

    @property
    def slices(self) -> tuple[slice, slice]:
        """Rows and columns."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def cut(self, view: View) -> View:
        """The part of a view."""
        return view[0][self.slices], view[1][self.slices]


class DepthEstimator(NamedTuple):
    """A network with what it was trained to be given."""

    network: UNet
    standardization: Standardization
    window: Window
    half: bool
    """whether it computes in bfloat16"""


def predict_depth(estimator: DepthEstimator, views: Sequence[View]) -> NDArray[np.float32]:
    """(N,H,W) predicted depth in canonical units, inf outside the object.

    It is the mean of two answers, to a view and to its mirror image, from which the network learned as well. The
    silhouette is taken as given: the object's pixels are those where the view's own depth is finite.
    """
    network, (mean, std), window, half = estimator
    window = window.with_all_of(Window.around(np.isfinite([depth for _, depth in views])))
    rgba, depth = stack([window.cut(view) for view in views])
    device = network.out.weight.device
    network.eval()
    with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=half):
        images = rgba.to(device)
        estimate = ((network(images) + network(images.flip(3)).flip(3)) / 2)[:, 0].cpu().numpy()
    predicted = np.full((len(views), *views[0][1].shape), np.inf, dtype=np.float32)
    inside = np.isfinite(depth.numpy())
    predicted[:, *window.slices] = np.where(inside, estimate * std + mean, np.inf)
    return predicted


def require_size(height: int, width: int) -> None:
    """Raise `ParameterError` for an image that the network's levels can't halve."""
    require(
        height % SIZE_MULTIPLE == 0 and width % SIZE_MULTIPLE == 0,
        f"expected image sizes that divide by {SIZE_MULTIPLE}, got {height} × {width}: render with another image_size",
    )


def stack(views: Sequence[View]) -> tuple[Tensor, Tensor]:
    """A batch of views: rgba (B,4,h,w) in 0…1, channels last in memory, and depth (B,h,w)."""
    images = torch.from_numpy(np.stack([image for image, _ in views])).permute(0, 3, 1, 2).float().div(255)
    return images, torch.from_numpy(np.stack([depth for _, depth in views]))


def _bounds(occupied: NDArray[np.bool_]) -> tuple[int, int]:
    """From the first to the last that is occupied, widened to bounds that divide by 8; something, if there is none."""
    indices = np.nonzero(occupied)[0] if occupied.any() else np.zeros(1, dtype=np.int64)
    return int(indices[0]) // SIZE_MULTIPLE * SIZE_MULTIPLE, (int(indices[-1]) // SIZE_MULTIPLE + 1) * SIZE_MULTIPLE
