"""Triangles as a map along one of the axes sees them: what depth maps and counts of crossings have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

F = TypeVar("F", bound=Callable[..., Any])
Corner = tuple[float, float, float]
"""A triangle's corner as a map sees it: row and column in pixels from the first one's centre, and depth."""


def compiled(function: F) -> F:
    """Compile with numba, kept on disk where there is a place for it: a read-only installation may have none."""
    try:
        return cast(F, numba.njit(cache=True, nogil=True)(function))
    except RuntimeError:
        return cast(F, numba.njit(nogil=True)(function))


@compiled
def sorted_corners(points: NDArray[np.float64], faces: NDArray[np.int64], face: int) -> tuple[int, int, int]:
    """A triangle's vertices by their coordinates: in an order that where a face begins and how it turns don't change.

    So the same edge is the same to both of its triangles, and nothing depends on the last digits of one direction.
    """
    p, q, r = faces[face, 0], faces[face, 1], faces[face, 2]
    if _comes_before(points, q, p):
        p, q = q, p
    if _comes_before(points, r, q):
        q, r = r, q
        if _comes_before(points, q, p):
            p, q = q, p
    return p, q, r


@compiled
def view_along_axis(points: NDArray[np.float64], vertex: int, axis: int) -> Corner:
    """A vertex on the map along an axis; rows and columns are the other two axes in their order."""
    across, along = (1 if axis == 0 else 0), (1 if axis == 2 else 2)
    return points[vertex, across] - 0.5, points[vertex, along] - 0.5, points[vertex, axis]


@compiled
def by_row(a: Corner, b: Corner, c: Corner) -> tuple[Corner, Corner, Corner]:
    """The corners by their rows; those of one row stay in order."""
    if b[0] < a[0]:
        a, b = b, a
    if c[0] < b[0]:
        b, c = c, b
        if b[0] < a[0]:
            a, b = b, a
    return a, b, c


@compiled
def slopes(a: Corner, b: Corner, c: Corner) -> tuple[float, float, float]:
    """Twice the triangle's signed area on the map, and how its depth rises a row and a column; 0 if it is edge-on."""
    area = (b[0] - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (b[1] - a[1])
    if area == 0:
        return 0.0, 0.0, 0.0
    row = ((b[2] - a[2]) * (c[1] - a[1]) - (c[2] - a[2]) * (b[1] - a[1])) / area
    column = ((b[0] - a[0]) * (c[2] - a[2]) - (c[0] - a[0]) * (b[2] - a[2])) / area
    return area, row, column


@compiled
def _comes_before(points: NDArray[np.float64], a: int, b: int) -> bool:
    for axis in range(3):
        if points[a, axis] != points[b, axis]:
            return bool(points[a, axis] < points[b, axis])
    return False
