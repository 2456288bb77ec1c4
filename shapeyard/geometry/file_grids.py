"""Occupancy grids in a file's own frame: where their cube lies in it, and how they turn into its axes.

A grid fills the cube [−½, ½]³ of the canonical frame. A binvox file says in its header where the cube's minimum corner
lies (`translate`) and how long its side is (`scale`); it knows no turned axes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shapeyard.errors import ParameterError, require


def cube_in_file(canonical_from_file: ArrayLike) -> tuple[NDArray[np.float64], float]:
    """The canonical cube in the file's coordinates: its minimum corner (3,) and its side.

    Args:
        canonical_from_file: (4,4), a turn by right angles, one scale and a shift.
    """
    matrix = np.asarray(canonical_from_file, np.float64)
    side = 1 / float(np.linalg.norm(matrix[:3, 0]))
    centre = np.linalg.solve(matrix[:3, :3], -matrix[:3, 3])
    return centre - side / 2, side


def canonical_from_cube_in_file(translate: ArrayLike, scale: float) -> NDArray[np.float64]:
    """The (4,4) transform that maps a binvox file's cube to the canonical one; the inverse of `cube_in_file`."""
    matrix = np.diag([1 / scale, 1 / scale, 1 / scale, 1.0])
    matrix[:3, 3] = -np.asarray(translate, np.float64) / scale - 0.5
    return matrix


def turn_into_file_axes(occupancy: NDArray[np.bool_], canonical_from_file: ArrayLike) -> NDArray[np.bool_]:
    """A grid (D,D,D) in canonical axes as the same grid in the file's axes.

    Raises:
        ParameterError: if the axes are not parallel to each other's.
    """
    turn = np.asarray(canonical_from_file, np.float64)[:3, :3]
    turn = turn / np.linalg.norm(turn[:, 0])
    signs = np.rint(turn).astype(int)
    if not (np.allclose(turn, signs, atol=1e-6) and (np.abs(signs).sum(axis=0) == 1).all()):
        raise ParameterError(f"expected axes turned by right angles, got {turn.round(3).tolist()}")
    canonical_axes = np.abs(signs).argmax(axis=0)
    reversed_axes = tuple(int(axis) for axis in np.flatnonzero(signs.sum(axis=0) < 0))
    return np.ascontiguousarray(np.flip(occupancy.transpose(canonical_axes), reversed_axes))


def resample_occupancy(occupancy: NDArray[np.bool_], resolution: int) -> NDArray[np.bool_]:
    """A grid of the same cube with another number of voxels; at its own resolution it stays as it is.

    A coarser grid is occupied where any voxel whose centre falls into it is; a finer one takes the voxel that holds
    its voxel's centre.

    Args:
        occupancy: (S,S,S) bool.
        resolution: voxels along each side of the result.

    Raises:
        ParameterError: for a resolution below 1.
    """
    require(resolution >= 1, f"expected a resolution of at least 1, got {resolution}")
    size = occupancy.shape[0]
    grid: NDArray[Any] = occupancy
    for axis in range(3):
        if resolution < size:
            holder = (2 * np.arange(size) + 1) * resolution // (2 * size)
            starts = np.searchsorted(holder, np.arange(resolution))
            grid = np.logical_or.reduceat(grid, starts, axis=axis)
        elif resolution > size:
            grid = grid.take((2 * np.arange(resolution) + 1) * size // (2 * resolution), axis=axis)
    return np.ascontiguousarray(grid)
