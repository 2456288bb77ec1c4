"""From a depth map to a voxel grid, and from one frame's grid into another's.

Two cubes, each with unit coordinates [0,1]³ in which voxel i of D has its centre at (i+0.5)/D:

    canonical     [−½, ½]³ of the canonical frame: what voxels and every measurement fill
    camera-frame  axes of the camera (x right, y down, z forward), found from the visible points alone: what the
                  2.5D grid and the reconstruction of one view fill

Grids have the index order x, y, z of their own frame. Matrices read right to left: `canonical_from_cube` maps the
camera-frame cube's unit coordinates to canonical coordinates.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from shapeyard.errors import ParameterError, require

SIDE_OVER_EXTENT = 1.25  # leaves room for what the visible part does not show
CANONICAL_FROM_UNIT = np.array([[1.0, 0, 0, -0.5], [0, 1, 0, -0.5], [0, 0, 1, -0.5], [0, 0, 0, 1]])
"""The canonical cube's unit coordinates into the canonical frame."""


class Cube(NamedTuple):
    """An axis-aligned cube in camera axes, canonical units."""

    minimum: NDArray[np.float64]
    """(3,) the corner that is left, up and nearest"""
    side: float


def unproject(depth: NDArray[np.floating[Any]], intrinsics: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """The points that the finite pixels of a depth map show.

    Args:
        depth: (H,W), distance along the optical axis, inf where there is nothing.
        intrinsics: (3,3) in pixels; the pixel in row r, column c has its centre at (c+0.5, r+0.5).

    Returns:
        (N,3) points in camera axes and the depth's unit, in row order of the pixels; N may be 0.
    """
    rows, columns = np.nonzero(np.isfinite(depth))
    z = depth[rows, columns].astype(np.float64)
    x = (columns + 0.5 - intrinsics[0, 2]) / intrinsics[0, 0] * z
    y = (rows + 0.5 - intrinsics[1, 2]) / intrinsics[1, 1] * z
    return np.stack([x, y, z], axis=1)


def enclosing_cube(points: NDArray[np.floating[Any]]) -> Cube:
    """The cube around an object of which only these points (N,3), camera axes, are seen.

    Centred in x and y on the visible extent, the front face at the nearest depth, side 1.25 times the larger visible
    extent (x or y): nothing but the input is used, since a photograph knows no more.

    Raises:
        ParameterError: if the points have no extent in x and y (none, or a single pixel).
    """
    if len(points) == 0:
        raise ParameterError("expected visible points to put a cube around, got none")
    lower, upper = points.min(axis=0), points.max(axis=0)
    side = SIDE_OVER_EXTENT * float((upper - lower)[:2].max())
    require(side > 0, f"expected visible points with an extent in x or y, got {len(points)} in one place")
    centre = (lower + upper) / 2
    return Cube(np.array([centre[0] - side / 2, centre[1] - side / 2, lower[2]], dtype=np.float64), side)


def occupancy_of_points(points: NDArray[np.floating[Any]], cube: Cube, resolution: int) -> NDArray[np.bool_]:
    """The 2.5D grid: (D,D,D) bool, true where at least one of the points (N,3), camera axes, falls.

    Points outside the cube are left out; one exactly on a far face counts as inside.
    """
    unit = (points - cube.minimum) / cube.side
    inside = ((unit >= 0) & (unit <= 1)).all(axis=1)
    index = np.minimum((unit[inside] * resolution).astype(np.int64), resolution - 1)
    grid = np.zeros((resolution,) * 3, dtype=bool)
    grid[index[:, 0], index[:, 1], index[:, 2]] = True
    return grid


def canonical_from_cube(world_from_camera: NDArray[np.floating[Any]], cube: Cube) -> NDArray[np.float64]:
    """(4,4): a camera-frame cube's unit coordinates into the canonical frame, the world of `world_from_camera`."""
    camera_from_unit = np.diag([cube.side, cube.side, cube.side, 1.0])
    camera_from_unit[:3, 3] = cube.minimum
    return np.asarray(world_from_camera @ camera_from_unit, dtype=np.float64)


def cube_from_canonical_grid(
    grid: NDArray[Any],
    canonical_from_cube: NDArray[np.floating[Any]],
    resolution: int,
    method: Literal["linear", "nearest"] = "linear",
) -> NDArray[np.float32]:
    """A grid of the canonical cube at the voxels of a camera-frame cube → (resolution,)*3 float32; see `resample`."""
    return resample(grid, _inverse(canonical_from_cube) @ CANONICAL_FROM_UNIT, resolution, method)


def canonical_grid_from_cube(
    grid: NDArray[Any],
    canonical_from_cube: NDArray[np.floating[Any]],
    resolution: int,
    method: Literal["linear", "nearest"] = "linear",
) -> NDArray[np.float32]:
    """A grid of a camera-frame cube at the voxels of the canonical cube → (resolution,)*3 float32; see `resample`.

    What lies outside the camera-frame cube is 0, so the shape's parts there count as missed.
    """
    return resample(grid, _inverse(CANONICAL_FROM_UNIT) @ canonical_from_cube, resolution, method)


def resample(
    grid: NDArray[Any],
    target_from_grid: NDArray[np.floating[Any]],
    resolution: int,
    method: Literal["linear", "nearest"] = "linear",
) -> NDArray[np.float32]:
    """The values of a grid at the voxel centres of another one.

    Args:
        grid: (D,D,D) bool, uint8 or float, index order x,y,z.
        target_from_grid: (4,4) affine, unit coordinates of `grid` into unit coordinates of the target.
        resolution: voxels along each side of the target; far fewer than D voxels would be a sampling, not an average.
        method: trilinear between voxel centres, or the nearest voxel.

    Returns:
        (resolution,)*3 float32, in the unit of `grid`; 0 outside `grid`.
    """
    grid_from_target = _inverse(target_from_grid)
    size = grid.shape[0]
    # voxel i ↔ unit (i+0.5)/size on both sides: index_grid = size·unit_grid(unit_target(index_target)) − 0.5
    matrix = grid_from_target[:3, :3] * (size / resolution)
    offset = size * grid_from_target[:3, 3] + matrix.sum(axis=1) * 0.5 - 0.5
    values = np.empty((resolution,) * 3, dtype=np.float32)
    source = grid.astype(np.float32)
    ndimage.affine_transform(
        source, matrix, offset, output_shape=values.shape, output=values,
        order=1 if method == "linear" else 0, mode="grid-constant", cval=0.0, prefilter=False,
    )  # fmt: skip
    return values


def extrude(surface: NDArray[np.bool_], thickness: int) -> NDArray[np.bool_]:
    """A visible surface (D,D,D), camera-frame cube, made `thickness` voxels thick backwards, along +z.

    Thickness 1 is the surface itself; 0 is empty. The simplest reconstruction there is, for a network to beat.
    """
    require(thickness >= 0, f"expected a thickness of at least 0 voxels, got {thickness}")
    below = np.cumsum(surface, axis=2, dtype=np.int32)
    left_behind = np.zeros_like(below)
    left_behind[:, :, thickness:] = below[:, :, : max(surface.shape[2] - thickness, 0)]
    return below > left_behind


def _inverse(matrix: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    return np.asarray(np.linalg.inv(matrix.astype(np.float64)), dtype=np.float64)
