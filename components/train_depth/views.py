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


class Views:
    """All views of some samples in which anything of the object is visible, in the order of the samples.

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
        used = 0
        for sample in samples:
            rgba, depth = renders.read(sample.id, "rgba"), renders.read(sample.id, "depth")
            size = size or depth.shape[1:]
            if depth.shape[1:] != size:
                raise DatasetError(f"expected images of {size} pixels, sample {sample.id} has {depth.shape[1:]}")
            require_size(*size)
            for view in np.nonzero(np.isfinite(depth).any(axis=(1, 2)))[0]:
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


class Batch(NamedTuple):
    """Some views, cut to the window around what is visible: the rest says nothing and costs as much."""

    rgba: Tensor
    """(B,4,h,w) in 0…1, channels last in memory"""
    depth: Tensor
    """(B,h,w), inf outside the object"""
    window: tuple[slice, slice]
    """rows and columns of the images; their bounds divide by 8, so that the network's levels halve as in the whole"""


def stack(views: Sequence[View], mirrored: NDArray[np.bool_] | None = None) -> Batch:
    """A batch of views; those `mirrored` (B,) are flipped in x.

    The mirror image of an object is an object, and the lens looks the same in a mirror: its depth is mirrored too.
    """
    rgba = np.stack([image for image, _ in views])
    depth = np.stack([depth for _, depth in views])
    if mirrored is not None:
        rgba[mirrored], depth[mirrored] = rgba[mirrored, :, ::-1], depth[mirrored, :, ::-1]
    visible = np.isfinite(depth).any(axis=0)
    rows, columns = _bounds(visible.any(axis=1)), _bounds(visible.any(axis=0))
    images = torch.from_numpy(rgba[:, rows, columns]).permute(0, 3, 1, 2).float().div(255)
    return Batch(images, torch.from_numpy(depth[:, rows, columns]), (rows, columns))


def _bounds(occupied: NDArray[np.bool_]) -> slice:
    """From the first to the last that is occupied, widened to bounds that divide by 8; something, if there is none."""
    indices = np.nonzero(occupied)[0] if occupied.any() else np.zeros(1, dtype=np.int64)
    return slice(indices[0] // SIZE_MULTIPLE * SIZE_MULTIPLE, (indices[-1] // SIZE_MULTIPLE + 1) * SIZE_MULTIPLE)
