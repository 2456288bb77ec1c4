"""The features of a printable object: a grid and measures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shapeyard.contracts.packed_occupancy import pack_occupancy
from shapeyard.errors import FormatError
from shapeyard.geometry.point_images import point_image
from shapeyard.geometry.solids import describe_solid
from shapeyard.geometry.triangle_mesh import Mesh

Arrays = dict[str, NDArray[Any]]


def features_of_parts(parts: Sequence[Mesh], resolution: int, points: bool, seed: int) -> tuple[list[str], Arrays]:
    """The names of the measures and the arrays of a thing whose parts stand upright (+Z up).

    Raises:
        FormatError: if nothing of it fills a voxel.
    """
    solid = describe_solid(parts, resolution)
    if not solid.occupancy.any():
        raise FormatError(f"no voxel of {resolution}³ is occupied")
    arrays: Arrays = {
        "occupancy": pack_occupancy(solid.occupancy),
        "measures": np.array(list(solid.measures.values()), np.float32),
    }
    if points:
        arrays["points"] = point_image(parts, np.random.default_rng(seed))
    return list(solid.measures), arrays
