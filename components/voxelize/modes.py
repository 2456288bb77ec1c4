"""What a voxel of a mesh is, by name."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shapeyard.geometry.carving import carved_occupancy
from shapeyard.geometry.closed import bounds_a_volume
from shapeyard.geometry.enclosed import flood_occupancy, winding_occupancy
from shapeyard.geometry.parity import parity_occupancy
from shapeyard.geometry.triangle_mesh import Mesh
from shapeyard.geometry.voxelization import solid_occupancy, surface_occupancy

Occupancy = Callable[[NDArray[np.float64], NDArray[np.int64], int, ArrayLike, float], NDArray[np.bool_]]


class Mode(NamedTuple):
    """A mode of the stage."""

    occupancy: Occupancy
    """vertices, faces, resolution, minimum corner and side of the cube → (D,D,D)"""
    binvox: tuple[str, ...] | None
    """binvox's own options for it, after -d; None where it has none"""
    downsampled: bool = False
    """binvox makes it from twice as many voxels"""


def chosen_mode(mode: str, vertices: NDArray[np.float64], faces: NDArray[np.int64]) -> str:
    """The mode that a mesh is voxelized in: itself, but of `auto` parity where the mesh bounds a volume, else solid."""
    if mode != "auto":
        return mode
    return "parity" if bounds_a_volume(Mesh(vertices, faces)) else "solid"


def _auto_occupancy(
    vertices: NDArray[np.float64], faces: NDArray[np.int64], resolution: int, minimum: ArrayLike, side: float
) -> NDArray[np.bool_]:
    return MODES[chosen_mode("auto", vertices, faces)].occupancy(vertices, faces, resolution, minimum, side)


MODES = {
    "solid": Mode(solid_occupancy, ("-c", "-aw", "-dc", "-down"), downsampled=True),
    "auto": Mode(_auto_occupancy, None),
    "surface": Mode(surface_occupancy, ("-e",)),
    "carving": Mode(carved_occupancy, ("-c",)),
    "dilated-carving": Mode(partial(carved_occupancy, dilated=True), ("-c", "-dc")),
    "parity": Mode(parity_occupancy, ("-v",)),
    "carving-parity": Mode(partial(carved_occupancy, or_odd=True), ()),
    "flood": Mode(flood_occupancy, None),
    "winding": Mode(winding_occupancy, None),
}


def without_internal(occupancy: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The voxels (D,D,D) of which at least one of the six neighbours is empty, or lies outside the grid."""
    padded = np.pad(occupancy, 1)
    internal = occupancy.copy()
    for axis in range(3):
        for start in (0, 2):
            window = [slice(1, -1)] * 3
            window[axis] = slice(start, start + occupancy.shape[axis])
            internal &= padded[tuple(window)]
    return occupancy & ~internal
