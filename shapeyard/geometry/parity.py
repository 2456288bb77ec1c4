"""Inside or outside by counting crossings along the three axes, whichever way the triangles face: binvox's -v.

After Nooruddin and Turk, "Simplification and repair of polygonal models using volumetric techniques" (2003): along a
line through the centres of a row of voxels, inside is what lies behind an odd number of crossings.

`parity_occupancy` counts exactly. A line that crosses an odd number of times in all has passed through a hole, and says
nothing; a voxel is inside if more than half of the lines that say something say so. So a tube with one open end is
as full as one with a lid.

`slab_parity` counts as layers of depth buffers do: only whether an even or odd number of crossings falls into a voxel,
and two of three axes decide, whatever the third one has met.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shapeyard.geometry.projected_triangles import Corner, by_row, compiled, slopes, sorted_corners, view_along_axis
from shapeyard.geometry.voxelization import CANONICAL_MINIMUM, in_voxels

SAME_CROSSING = 1e-6
"""In voxels: crossings this close together are one, so that a face that stands twice changes nothing."""


def parity_occupancy(
    vertices: NDArray[np.float64],
    faces: NDArray[np.int64],
    resolution: int,
    minimum: ArrayLike = CANONICAL_MINIMUM,
    side: float = 1.0,
) -> NDArray[np.bool_]:
    """All voxels whose centre lies inside, by the exact count.

    Arguments, result and errors are those of `voxelization.solid_occupancy`.
    """
    points = in_voxels(vertices, faces, resolution, minimum, side)
    votes = np.zeros((resolution,) * 3, np.int8)
    for axis in range(3):
        starts = _count_crossings(points, faces, axis, resolution)
        _vote(_find_crossings(points, faces, axis, resolution, starts), starts, np.moveaxis(votes, axis, 2))
    return votes > 0


def slab_parity(points: NDArray[np.float64], faces: NDArray[np.int64], size: int) -> NDArray[np.bool_]:
    """What at least two axes call inside, by the parity of whole voxels.

    Args:
        points: (N,3) vertices in voxels.
        faces: (M,3), in range.
        size: S, voxels along a side.

    Returns:
        (S,S,S) bool.
    """
    votes = np.zeros((size,) * 3, np.int8)
    for axis in range(3):
        starts = _count_crossings(points, faces, axis, size)
        _vote_by_slab(_find_crossings(points, faces, axis, size, starts), starts, np.moveaxis(votes, axis, 2))
    return votes >= 2


@compiled
def _corners(
    points: NDArray[np.float64], faces: NDArray[np.int64], face: int, axis: int
) -> tuple[Corner, Corner, Corner]:
    """A triangle's corners by row."""
    p, q, r = sorted_corners(points, faces, face)
    return by_row(view_along_axis(points, p, axis), view_along_axis(points, q, axis), view_along_axis(points, r, axis))


@compiled
def _rows(a: Corner, c: Corner, size: int) -> tuple[int, int]:
    """The first row and the one after the last; a row at the end of a triangle belongs to its neighbour alone."""
    return math.ceil(min(max(a[0], 0.0), float(size))), math.ceil(min(max(c[0], 0.0), float(size)))


@compiled
def _columns(a: Corner, b: Corner, c: Corner, row: int, size: int) -> tuple[int, int]:
    """The first column of a row that has its centre in the triangle, and the one after the last."""
    start = a[1] + (c[1] - a[1]) * ((row - a[0]) / (c[0] - a[0]))
    if row < b[0]:
        end = a[1] + (b[1] - a[1]) * ((row - a[0]) / (b[0] - a[0]))
    elif b[0] < c[0]:
        end = b[1] + (c[1] - b[1]) * ((row - b[0]) / (c[0] - b[0]))
    else:
        end = b[1]
    if end < start:
        start, end = end, start
    return math.ceil(min(max(start, 0.0), float(size))), math.ceil(min(max(end, 0.0), float(size)))


@compiled
def _count_crossings(points: NDArray[np.float64], faces: NDArray[np.int64], axis: int, size: int) -> NDArray[np.int64]:
    """(S²+1,): where each line's crossings start in a list of all."""
    starts = np.zeros(size * size + 1, np.int64)
    for face in range(faces.shape[0]):
        a, b, c = _corners(points, faces, face, axis)
        first_row, end_row = _rows(a, c, size)
        for row in range(first_row, end_row):
            first, end = _columns(a, b, c, row, size)
            for line in range(row * size + first, row * size + end):
                starts[line + 1] += 1
    return np.cumsum(starts)


@compiled
def _find_crossings(
    points: NDArray[np.float64], faces: NDArray[np.int64], axis: int, size: int, starts: NDArray[np.int64]
) -> NDArray[np.float64]:
    """The depths at which lines cross triangles, line after line, unsorted."""
    crossings = np.empty(starts[-1], np.float64)
    filled = starts.copy()
    for face in range(faces.shape[0]):
        a, b, c = _corners(points, faces, face, axis)
        _, slope_row, slope_column = slopes(a, b, c)
        nearest, farthest = min(a[2], b[2], c[2]), max(a[2], b[2], c[2])
        first_row, end_row = _rows(a, c, size)
        for row in range(first_row, end_row):
            first, end = _columns(a, b, c, row, size)
            for column in range(first, end):
                depth = a[2] + slope_row * (row - a[0]) + slope_column * (column - a[1])
                line = row * size + column
                crossings[filled[line]] = min(max(depth, nearest), farthest)  # a sliver's slopes are no good
                filled[line] += 1
    return crossings


@compiled
def _vote(crossings: NDArray[np.float64], starts: NDArray[np.int64], votes: NDArray[np.int8]) -> None:
    """Add 1 to voxels whose centre is inside and −1 to those outside, on lines that cross an even number of times."""
    size = votes.shape[0]
    for line in range(size * size):
        own = crossings[starts[line] : starts[line + 1]]
        own.sort()
        count = 0
        for depth in own:
            if count == 0 or depth - own[count - 1] > SAME_CROSSING:
                own[count] = depth
                count += 1
        if count % 2:
            continue
        passed, vote = 0, -1
        for k in range(size):
            while passed < count and own[passed] <= k + 0.5:
                passed += 1
                vote = -vote
            votes[line // size, line % size, k] += vote


@compiled
def _vote_by_slab(crossings: NDArray[np.float64], starts: NDArray[np.int64], votes: NDArray[np.int8]) -> None:
    """Add 1 to the voxels that lie at or behind an odd number of odd voxels."""
    size = votes.shape[0]
    odd = np.zeros(size, np.int8)
    for line in range(size * size):
        if starts[line] == starts[line + 1]:
            continue
        odd[:] = 0
        for depth in crossings[starts[line] : starts[line + 1]]:
            if depth < size:
                odd[max(math.floor(depth), 0)] ^= 1
        inside = 0
        for k in range(size):
            inside ^= odd[k]
            votes[line // size, line % size, k] += inside
