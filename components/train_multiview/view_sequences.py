"""What the network learns from: some views of an object in any order, and its shape in the object's own frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from shapeyard.contracts.dataset import Dataset, Sample, read_occupancy
from shapeyard.contracts.packed_occupancy import pack_occupancy
from shapeyard.errors import DatasetError, ParameterError, require
from shapeyard.geometry.cameras import generator_for
from shapeyard.geometry.pooling import pool_grid
from shapeyard.inference.multiview import composite
from shapeyard.networks.r2n2 import RESOLUTION
from shapeyard.training.draws import Draw

MEMORY_BYTES = 2 * 2**30
"""Images beyond this much of them stay in their files and are read when their turn comes."""


class SampledViews(NamedTuple):
    """Which views of which objects are shown, and how."""

    objects: NDArray[np.int64]
    """(B,)"""
    views: NDArray[np.int64]
    """(B,T), in the order in which the recurrent unit sees them"""
    corners: NDArray[np.int64]
    """(B,T,2): the row and column where the part of the image begins that is shown"""
    mirrored: NDArray[np.bool_]
    """(B,)"""
    backgrounds: NDArray[np.float32]
    """(B,T,3), colours in 0…1 of what is transparent"""


class ViewSampling(NamedTuple):
    """How a training example may differ from what was rendered."""

    min_views: int
    max_views: int
    augment: bool
    """any part of the image of the right size, and half of the objects mirrored"""
    background: str
    """white, or random: a colour of its own for each image"""


class ViewSequences:
    """The objects of some samples that have both images and a grid, in the order of the samples.

    Attributes:
        ids: of the objects.
        margin: how much larger the images are than what the network sees, pixels.

    Raises:
        ParameterError: if the images are smaller than what the network sees, or a grid is no multiple of 32³.
        DatasetError: if the images differ in size.
    """

    def __init__(self, renders: Dataset, voxels: Dataset, samples: Sequence[Sample], image_size: int) -> None:
        usable = [sample for sample in samples if sample.id in renders and sample.id in voxels]
        self.renders = renders
        self.image_size = image_size
        self.ids = [sample.id for sample in usable]
        self.margin = 0
        self._shapes = np.empty((len(usable), RESOLUTION**3 // 8), dtype=np.uint8)
        self._counts = np.zeros(len(usable), dtype=np.int64)
        self._held: list[NDArray[np.uint8]] = []
        size: tuple[int, ...] = ()
        used = 0
        for index, sample in enumerate(usable):
            self._shapes[index] = pack_occupancy(true_shape(voxels, sample.id))
            if used <= MEMORY_BYTES:
                rgba = renders.read(sample.id, "rgba")
                self._held.append(rgba)
                used += rgba.nbytes
            else:
                rgba = renders.read(sample.id, "rgba", 0)[None]
            self._counts[index] = len(renders.read(sample.id, "world_from_camera"))
            size = size or rgba.shape[1:3]
            if rgba.shape[1:3] != size:
                raise DatasetError(f"expected images of {size} pixels, sample {sample.id} has {rgba.shape[1:3]}")
        if size:
            smallest = min(size)
            require(smallest >= image_size, f"expected images of at least {image_size} pixels a side, got {smallest}: "
                    "render with another image_size, or train with a smaller one")  # fmt: skip
            require(size[0] == size[1], f"expected square images, got {size[0]} × {size[1]}")
            self.margin = smallest - image_size

    def __len__(self) -> int:
        return len(self.ids)

    def sample_views(self, draw: Draw, sampling: ViewSampling) -> SampledViews:
        """What a step shows; all objects of its batch as many views, fewer than there are again from the first."""
        views = int(draw.rng.integers(sampling.min_views, sampling.max_views + 1))
        shape = (len(draw.indices), views)
        sampled = SampledViews(
            draw.indices, np.empty(shape, np.int64), np.empty((*shape, 2), np.int64), np.empty(shape[0], np.bool_),
            np.empty((*shape, 3), np.float32),
        )  # fmt: skip
        for place, (index, rng) in enumerate(zip(draw.indices, draw.rngs, strict=True)):
            sampled.views[place] = np.resize(rng.permutation(self._counts[index]), views)
            sampled.corners[place] = (
                rng.integers(0, self.margin + 1, (views, 2)) if sampling.augment else self.margin // 2
            )
            sampled.mirrored[place] = sampling.augment and rng.random() < 0.5
            sampled.backgrounds[place] = rng.random((views, 3)) if sampling.background == "random" else 1.0
        return sampled

    def eval_views(self, objects: Sequence[int], views: int) -> SampledViews:
        """So many views of each object in its own order, from the middle of the image, composited on white."""
        order = [np.resize(view_order(self.ids[index], int(self._counts[index])), views) for index in objects]
        shape = (len(objects), views)
        return SampledViews(
            np.array(objects), np.stack(order), np.full((*shape, 2), self.margin // 2),
            np.zeros(len(objects), dtype=np.bool_), np.ones((*shape, 3), dtype=np.float32),
        )  # fmt: skip

    def batch(self, sampled: SampledViews) -> tuple[Tensor, Tensor]:
        """Images (B,T,3,S,S) in 0…1 and occupancy (B,32,32,32), float32 of 0 and 1.

        The mirror image of an object is an object, and its views are the mirror images of views. Left and right are x.
        """
        batch, views = sampled.views.shape
        rgba = np.empty((batch, views, self.image_size, self.image_size, 4), dtype=np.uint8)
        for index, row in enumerate(sampled.views):
            for place, view in enumerate(row):
                top, left = sampled.corners[index, place]
                image = self._image(int(sampled.objects[index]), int(view))
                rgba[index, place] = image[top : top + self.image_size, left : left + self.image_size]
        shapes = np.unpackbits(self._shapes[sampled.objects], axis=1).reshape(batch, *(RESOLUTION,) * 3)
        rgba[sampled.mirrored] = rgba[sampled.mirrored, :, :, ::-1]
        shapes[sampled.mirrored] = shapes[sampled.mirrored, ::-1]
        return composite(rgba, sampled.backgrounds), torch.from_numpy(shapes).float()

    def _image(self, index: int, view: int) -> NDArray[np.uint8]:
        if index < len(self._held):
            held: NDArray[np.uint8] = self._held[index][view]
            return held
        return self.renders.read(self.ids[index], "rgba", view)


def view_order(object_id: str, count: int) -> NDArray[np.int64]:
    """The order (count,) in which an object's views are shown when they are measured: the same for everyone."""
    return generator_for(0, f"{object_id}/views").permutation(count)


def true_shape(voxels: Dataset, sample_id: str) -> NDArray[np.bool_]:
    """(32,32,32): the sample's grid, pooled if it is finer.

    Raises:
        ParameterError: if its resolution is no multiple of 32.
    """
    try:
        return pool_grid(read_occupancy(voxels, sample_id), RESOLUTION)
    except ParameterError as error:
        raise ParameterError(f"sample {sample_id}: {error}; voxelize with another resolution") from error
