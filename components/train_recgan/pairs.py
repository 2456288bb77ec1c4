"""What the network learns from: 2.5D grids and the true shapes in their cubes, made when they are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from shapeyard.contracts.dataset import Dataset, Sample, read_occupancy
from shapeyard.errors import DatasetError, ParameterError
from shapeyard.geometry.lifting import (
    CANONICAL_FROM_UNIT,
    canonical_from_cube,
    enclosing_cube,
    occupancy_of_points,
    unproject,
)
from shapeyard.inference.view_numbers import views_of
from shapeyard.networks.recgan import UPSCALE


class Lifted(NamedTuple):
    """One view as the network sees it."""

    view: int
    grid: NDArray[np.bool_]
    """(R,R,R), the 2.5D grid in the camera-frame cube"""
    canonical_from_cube: NDArray[np.float64]
    """(4,4)"""


class Pair(NamedTuple):
    """What is seen and what is there."""

    grid: Tensor
    """(R,R,R) uint8 of 0 and 1"""
    shape: Tensor
    """(4R,4R,4R) uint8 of 0 and 1"""


class PairSource(Protocol):
    """Where pairs come from: they are numbered, and each can be made at any time and in any thread."""

    @property
    def resolution(self) -> int:
        """R."""

    @property
    def objects(self) -> Sequence[str]:
        """The object of each pair."""

    def make(self, index: int) -> Pair | None:
        """The pair of that number; None if nothing is to be seen in it."""


def lift(renders: Dataset, depths: Dataset, sample_id: str, view: int, resolution: int) -> Lifted | None:
    """A view of a sample lifted by the depth that `depths` has; None if it shows no more than a single pixel."""
    points = unproject(depths.read(sample_id, "depth", view), renders.read(sample_id, "intrinsics"))
    try:
        cube = enclosing_cube(points)
    except ParameterError:  # nothing to see
        return None
    camera = renders.read(sample_id, "world_from_camera", view)
    return Lifted(view, occupancy_of_points(points, cube, resolution), canonical_from_cube(camera, cube))


class LiftedViews:
    """Views lifted by their depth, and the true shape resampled into the cube of each."""

    def __init__(
        self,
        renders: Dataset,
        depths: Sequence[Dataset],
        voxels: Dataset,
        samples: Sequence[Sample],
        resolution: int,
        views_per_object: int = 0,
        device: torch.device | None = None,
    ) -> None:
        """Number the views of the samples that have both depths and voxels.

        Args:
            renders: for the cameras.
            depths: kinds depths (predicted) or renders (true); with both each view is there twice.
            voxels: the truth.
            samples: whose views.
            resolution: of the grids, R.
            views_per_object: evenly spread; 0 for all.
            device: where shapes are resampled.
        """
        self.resolution = resolution
        self._renders, self._voxels, self._device = renders, voxels, device
        self._numbered = [
            (sample.id, view, source)
            for sample in samples
            if sample.id in voxels
            for view in views_of(renders, sample.id, views_per_object)
            for source in depths
            if sample.id in source
        ]
        self.objects = [sample_id for sample_id, _, _ in self._numbered]

    def make(self, index: int) -> Pair | None:
        """Read, lift and resample."""
        sample_id, view, depths = self._numbered[index]
        lifted = lift(self._renders, depths, sample_id, view, self.resolution)
        if lifted is None:
            return None
        truth = torch.from_numpy(read_occupancy(self._voxels, sample_id)).to(self._device)
        shape = true_shape(truth, lifted.canonical_from_cube, UPSCALE * self.resolution)
        return Pair(torch.from_numpy(lifted.grid).to(torch.uint8), shape.cpu())


class Pairs:
    """Numbered pairs as batches; each is made once if all of them fit into memory, and else whenever it is needed."""

    def __init__(self, source: PairSource, cache_megabytes: int = 0) -> None:
        """`cache_megabytes`: what all pairs together may take, a bit a voxel, to be kept."""
        self.resolution = source.resolution
        self.objects = source.objects
        self._source = source
        voxels = self.resolution**3 + (UPSCALE * self.resolution) ** 3
        self._keep = len(self) * voxels / 8 <= cache_megabytes * 1e6
        self._kept: dict[int, tuple[NDArray[np.uint8], NDArray[np.uint8]] | None] = {}

    def __len__(self) -> int:
        return len(self.objects)

    def __getitem__(self, index: int) -> Pair | None:
        """One pair; None if nothing is to be seen in it."""
        if index not in self._kept:
            pair = self._source.make(index)
            if not self._keep:
                return pair
            self._kept[index] = None if pair is None else (_pack(pair.grid), _pack(pair.shape))
            return pair
        packed = self._kept[index]
        if packed is None:
            return None
        return Pair(_unpack(packed[0], self.resolution), _unpack(packed[1], UPSCALE * self.resolution))

    def batch(self, indices: NDArray[np.int64], mirrored: NDArray[np.bool_]) -> tuple[Tensor, Tensor]:
        """Grids (B,R,R,R) and shapes (B,4R,4R,4R), uint8 of 0 and 1; those that are `mirrored` (B,) flipped in x.

        The mirror image of an object is an object, and its views are the mirror images of views. In place of a pair in
        which nothing is to be seen stands the next one in which something is.

        Raises:
            DatasetError: if there is no such pair.
        """
        pairs = [
            Pair(pair.grid.flip(0), pair.shape.flip(0)) if flip else pair
            for pair, flip in zip(map(self._visible, indices.tolist()), mirrored, strict=True)
        ]
        return torch.stack([pair.grid for pair in pairs]), torch.stack([pair.shape for pair in pairs])

    def _visible(self, index: int) -> Pair:
        for number in range(len(self)):
            pair = self[(index + number) % len(self)]
            if pair is not None:
                return pair
        raise DatasetError(f"expected a view that shows an object among those to train on, found none in {len(self)}")


def true_shape(occupancy: Tensor, canonical_from_cube: NDArray[np.float64], resolution: int) -> Tensor:
    """A shape of the canonical cube in a camera-frame cube: trilinear between voxel centres, at or above one half.

    As `shapeyard.geometry.lifting.cube_from_canonical_grid` does it, on the device of the grid.

    Args:
        occupancy: (D,D,D) bool, index order x,y,z.
        canonical_from_cube: (4,4).
        resolution: of the result.

    Returns:
        (resolution,)*3 uint8 of 0 and 1.
    """
    grid_from_cube = np.linalg.inv(CANONICAL_FROM_UNIT) @ canonical_from_cube
    # torch counts the axes backwards and has coordinates in −1…1: u = 2·unit − 1
    matrix, offset = grid_from_cube[2::-1, 2::-1], grid_from_cube[2::-1, 3]
    theta = np.concatenate([matrix, (2 * offset + matrix.sum(axis=1) - 1)[:, None]], axis=1)
    places = F.affine_grid(
        torch.from_numpy(theta[None]).float().to(occupancy.device), [1, 1, *(resolution,) * 3], align_corners=False
    )
    values = F.grid_sample(occupancy[None, None].float(), places, align_corners=False)[0, 0]
    return (values >= 0.5).to(torch.uint8)


def _pack(grid: Tensor) -> NDArray[np.uint8]:
    return np.packbits(grid.numpy())


def _unpack(packed: NDArray[np.uint8], resolution: int) -> Tensor:
    """(ceil(D³/8),) → (D,D,D) of 0 and 1."""
    return torch.from_numpy(np.unpackbits(packed, count=resolution**3).reshape((resolution,) * 3))
