"""The canonical frame: right-handed, +Y up, centred on the bounding box, longest side 1."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shapeyard.errors import MeshError
from shapeyard.geometry.up_axis import UpAxis

Y_UP_FROM_Z_UP = np.array([[1.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]])
"""x stays, z becomes y: the rotation by −90° about x."""


def canonical_from_bounds(
    lower: NDArray[np.float64], upper: NDArray[np.float64], up_axis: UpAxis
) -> NDArray[np.float64]:
    """The 4×4 transform of a file's coordinates into the canonical frame, from its bounding box (3,), (3,).

    Raises:
        MeshError: if the box has no extent or is not finite.
    """
    side = float(np.max(upper - lower))
    if not np.isfinite(side) or side <= 0:
        raise MeshError(f"expected a mesh with an extent, got a bounding box of side {side}")
    canonical = np.diag([1 / side, 1 / side, 1 / side, 1.0])
    canonical[:3, 3] = -(lower + upper) / (2 * side)
    return Y_UP_FROM_Z_UP @ canonical if up_axis == "z" else canonical


def transform(matrix: NDArray[np.float64], points: NDArray[Any]) -> NDArray[np.float64]:
    """Points (N,3) through an affine 4×4 matrix → (N,3) float64."""
    return np.asarray(points @ matrix[:3, :3].T + matrix[:3, 3], dtype=np.float64)


def rotation(first: int, second: int, angle: float) -> NDArray[np.float64]:
    """(4,4): rotates the axis `first` towards the axis `second`, radians."""
    matrix = np.eye(4)
    matrix[first, first] = matrix[second, second] = math.cos(angle)
    matrix[second, first], matrix[first, second] = math.sin(angle), -math.sin(angle)
    return matrix
