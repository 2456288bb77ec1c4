"""What can be said of a shape without a network.

mean shape         the mean of the training shapes, whatever is shown
extruded surface   the surface that a depth map shows, extruded backwards
visual hull        what the silhouettes of several images leave room for, given where the cameras stood: they are here,
                   the carving is in `shapeyard.geometry.visual_hull`
retrieval          the training shape that looks most alike: `shapeyard.evaluation.retrieval`
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from shapeyard.contracts.dataset import Dataset, Sample, read_occupancy
from shapeyard.contracts.progress import track
from shapeyard.errors import DatasetError
from shapeyard.evaluation.methods import GradedShape
from shapeyard.geometry.frames import transform
from shapeyard.geometry.lifting import Cube, occupancy_of_points, unproject
from shapeyard.geometry.pooling import pool_grid

OPAQUE_ALPHA = 128
UNIT_CUBE = Cube(np.zeros(3), 1.0)


def true_grid(voxels: Dataset, sample_id: str, resolution: int) -> NDArray[np.bool_]:
    """(resolution,)*3: the sample's grid, pooled if it is finer."""
    return pool_grid(read_occupancy(voxels, sample_id), resolution)


def mean_shape(voxels: Dataset, samples: Sequence[Sample], resolution: int | None = None) -> NDArray[np.float32] | None:
    """(D,D,D): the share of the samples whose shape fills a voxel, 0 to 1; None without samples.

    Args:
        voxels: where the grids are.
        samples: of the training split.
        resolution: D, to which grids are pooled; None for their own.

    Raises:
        DatasetError: if the grids are not of one resolution.
    """
    total: NDArray[np.float32] | None = None
    for sample in track(samples, len(samples), "mean shape of the training split"):
        grid = read_occupancy(voxels, sample.id)
        grid = grid if resolution is None else pool_grid(grid, resolution)
        total = np.zeros(grid.shape, np.float32) if total is None else total
        if grid.shape != total.shape:
            raise DatasetError(f"{voxels.paths[0]}: sample {sample.id}: expected {total.shape}, got {grid.shape}")
        total += grid
    return None if total is None else total / np.float32(len(samples))


def visible_surface(
    depth: NDArray[np.float32],
    intrinsics: NDArray[np.float64],
    canonical_from_camera: NDArray[np.float64],
    canonical_from_cube: NDArray[np.float64],
    resolution: int,
) -> NDArray[np.bool_]:
    """The 2.5D grid of a depth map in a cube that is already known → (resolution,)*3 bool."""
    points = transform(np.linalg.inv(canonical_from_cube) @ canonical_from_camera, unproject(depth, intrinsics))
    return occupancy_of_points(np.round(points, 5), UNIT_CUBE, resolution)  # the nearest point is on the front face


def extruded_shapes(surface: NDArray[np.bool_]) -> GradedShape:
    """A surface (D,D,D) extruded backwards by 1, 2, … D voxels (`lifting.extrude`)."""
    size = surface.shape[2]
    z = np.arange(size, dtype=np.int16)
    nearest = np.maximum.accumulate(np.where(surface, z, np.int16(-size)), axis=2)
    levels = np.maximum(size - (z - nearest), 0)  # D on the surface, one less each voxel behind it, 0 in front
    return GradedShape(levels.astype(np.int16), np.arange(size, 0, -1))


def silhouettes(renders: Dataset, sample_id: str) -> NDArray[np.bool_]:
    """(V,H,W): where depth is finite, or where external renderings are opaque."""
    if renders.has(sample_id, "depth"):
        return np.asarray(np.isfinite(renders.read(sample_id, "depth")))
    return np.asarray(renders.read(sample_id, "rgba")[..., 3] >= OPAQUE_ALPHA)
