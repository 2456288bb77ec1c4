"""Single views as training examples: an image and its depth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from components.train_depth.model import SIZE_MULTIPLE
from shapeyard.contracts.dataset import Dataset, Sample
from shapeyard.errors import DatasetError, require

MEMORY_BYTES = 2 * 2**30
"""Views beyond this much of them stay in their files and are read when their turn comes."""

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


class Views:
    """All views of some samples in which anything of the object is visible, in the order of the samples.

    Attributes:
        window: around what is visible in any of them.

    Raises:
        ParameterError: if an image's height or width does not divide by 8.
        DatasetError: if the images differ in size.
    """

    def __init__(self, renders: Dataset, samples: Sequence[Sample]) -> None:
        self.renders = renders
        self.places: list[tuple[str, int]] = []
        self._held: list[View] = []
        self._sums = np.zeros(3)  # count, sum and sum of squares of all depths
        size: tuple[int, ...] = ()
        self.window = Window(2**31, 0, 2**31, 0)
        used = 0
        for sample in samples:
            rgba, depth = renders.read(sample.id, "rgba"), renders.read(sample.id, "depth")
            size = size or depth.shape[1:]
            if depth.shape[1:] != size:
                raise DatasetError(f"expected images of {size} pixels, sample {sample.id} has {depth.shape[1:]}")
            require_size(*size)
            visible = np.isfinite(depth)
            if visible.any():
                self.window = self.window.with_all_of(Window.around(visible))
            for view in np.nonzero(visible.any(axis=(1, 2)))[0]:
                seen = depth[view][np.isfinite(depth[view])].astype(np.float64)
                self._sums += [seen.size, seen.sum(), np.square(seen).sum()]
                used += rgba[view].nbytes + depth[view].nbytes
                if used <= MEMORY_BYTES:
                    self._held.append((rgba[view].copy(), depth[view].copy()))
                self.places.append((sample.id, int(view)))

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, index: int) -> View:
        if index < len(self._held):
            return self._held[index]
        sample_id, view = self.places[index]
        return self.renders.read(sample_id, "rgba", view), self.renders.read(sample_id, "depth", view)

    def standardization(self) -> Standardization:
        """Over all pixels of all objects; the deviation is 1 where every pixel is equally far."""
        count, total, squares = self._sums
        mean = total / count
        return Standardization(float(mean), float(np.sqrt(max(squares / count - mean**2, 0))) or 1.0)


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
