"""What the network learns from: the 2.5D grid that a view's predicted depth gives, and the true shape in its cube."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from components.train_recgan.model import UPSCALE
from shapeyard.contracts.dataset import Dataset, Sample, pack_occupancy, read_occupancy
from shapeyard.contracts.progress import track
from shapeyard.errors import ParameterError
from shapeyard.geometry.lifting import (
    canonical_from_cube,
    cube_from_canonical_grid,
    enclosing_cube,
    occupancy_of_points,
    unproject,
)

MEMORY_BYTES = 2 * 2**30
"""Targets beyond this go into a temporary file that is mapped into memory."""


class Lifted(NamedTuple):
    """One view as the network sees it."""

    view: int
    grid: NDArray[np.bool_]
    """(R,R,R), the 2.5D grid in the camera-frame cube"""
    canonical_from_cube: NDArray[np.float64]
    """(4,4)"""


def lift_views(renders: Dataset, depths: Dataset, sample_id: str, resolution: int) -> list[Lifted]:
    """The views of a sample that show something (more than a single pixel), lifted by the predicted depth."""
    intrinsics = renders.read(sample_id, "intrinsics")
    cameras = renders.read(sample_id, "world_from_camera")
    lifted = []
    for view, depth in enumerate(depths.read(sample_id, "depth")):
        points = unproject(depth, intrinsics)
        try:
            cube = enclosing_cube(points)
        except ParameterError:  # nothing to see
            continue
        grid = occupancy_of_points(points, cube, resolution)
        lifted.append(Lifted(view, grid, canonical_from_cube(cameras[view], cube)))
    return lifted


class Pairs:
    """Grids and their shapes, a bit a voxel, made once; in the order of the samples and their views."""

    def __init__(
        self,
        renders: Dataset,
        depths: Dataset,
        voxels: Dataset,
        samples: Sequence[Sample],
        resolution: int,
        workers: int,
    ) -> None:
        """Make the pairs of the samples that have both depths and voxels; `resolution` is the grid's, R."""
        self.resolution = resolution
        usable = [s for s in samples if s.id in depths and s.id in voxels]
        count = sum(len(renders.read(s.id, "world_from_camera")) for s in usable)
        self._grids = _store(count, resolution)
        self._shapes = _store(count, UPSCALE * resolution)
        self.objects: list[str] = []
        with ThreadPoolExecutor(workers) as pool:  # scipy's resampling lets other threads work
            for sample in track(usable, len(usable), "pairs"):
                occupancy = read_occupancy(voxels, sample.id)
                lifted = lift_views(renders, depths, sample.id, resolution)
                shapes = pool.map(lambda one, truth=occupancy: true_shape(truth, one, resolution), lifted)
                for one, shape in zip(lifted, shapes, strict=True):
                    self._grids[len(self)] = pack_occupancy(one.grid)
                    self._shapes[len(self)] = pack_occupancy(shape)
                    self.objects.append(sample.id)

    def __len__(self) -> int:
        return len(self.objects)

    def batch(self, indices: NDArray[np.int64], mirrored: NDArray[np.bool_] | None = None) -> tuple[Tensor, Tensor]:
        """Grids (B,R,R,R) and shapes (B,4R,4R,4R), float32 of 0 and 1; `mirrored` (B,) are flipped in x.

        The mirror image of an object is an object, and its views are the mirror images of views.
        """
        grids = _unpack(self._grids[indices], self.resolution)
        shapes = _unpack(self._shapes[indices], UPSCALE * self.resolution)
        if mirrored is not None:
            grids[mirrored], shapes[mirrored] = grids[mirrored, ::-1], shapes[mirrored, ::-1]
        return torch.from_numpy(grids).float(), torch.from_numpy(shapes).float()


def true_shape(occupancy: NDArray[np.bool_], lifted: Lifted, resolution: int) -> NDArray[np.bool_]:
    """The true shape (D,D,D), canonical, in the cube of a view: (4R,4R,4R), trilinear at or above one half."""
    return cube_from_canonical_grid(occupancy, lifted.canonical_from_cube, UPSCALE * resolution) >= 0.5


def _store(count: int, resolution: int) -> NDArray[np.uint8]:
    shape = (count, -(-(resolution**3) // 8))
    if count * shape[1] <= MEMORY_BYTES:
        return np.zeros(shape, np.uint8)
    with tempfile.NamedTemporaryFile(suffix=".pairs") as file:  # the mapping keeps the nameless file alive
        return np.memmap(Path(file.name), np.uint8, "w+", shape=shape)


def _unpack(packed: NDArray[np.uint8], resolution: int) -> NDArray[np.uint8]:
    """(B,ceil(D³/8)) → (B,D,D,D) of 0 and 1."""
    return np.unpackbits(packed, axis=1, count=resolution**3).reshape(-1, *(resolution,) * 3)
