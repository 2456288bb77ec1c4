"""A reconstruction from a camera's frame to the canonical one, when nobody knows from where the camera looked.

The elevation is given. The azimuth is the one of `AZIMUTHS` at which the classifier is surest: seen from a wrong angle
an object looks like nothing that it was trained on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shapeyard.contracts.model import read_config
from shapeyard.errors import DatasetError
from shapeyard.geometry.frames import canonical_from_bounds, rotation, transform
from shapeyard.inference.canonical import occupied, to_canonical_grid

AZIMUTHS = 24
UPRIGHT_FROM_CAMERA = np.diag([1.0, -1.0, -1.0, 1.0])
"""Camera axes (y down, z forward) into axes with y up and z towards the camera."""


def upright_cubes(occupancy: NDArray[np.bool_], elevation_degrees: float) -> list[NDArray[np.float64]]:
    """For each azimuth the matrix (4,4) of the camera-frame cube's unit coordinates into the canonical frame.

    The camera's elevation is given, its azimuth unknown, and the canonical frame's box that of the occupied voxels.
    """
    elevation = math.radians(elevation_degrees)
    tilt = rotation(1, 2, -elevation) @ UPRIGHT_FROM_CAMERA
    return [upright_cube(occupancy, rotation(2, 0, 2 * math.pi * step / AZIMUTHS) @ tilt) for step in range(AZIMUTHS)]


def classify_upright(
    model: Path, probability: NDArray[np.uint8], cubes: Sequence[NDArray[np.float64]], threshold: float
) -> tuple[list[tuple[str, float]], int]:
    """The classes with their probabilities as the classifier is surest, and at which of the cubes it is.

    Args:
        model: directory of a classifier of voxels.
        probability: (D,D,D), 0…255 for 0…1, of the reconstruction.
        cubes: one of `upright_cubes` each.
        threshold: from which a voxel is occupied, 0 to 1.

    Raises:
        DatasetError: for a classifier of other features.
    """
    from shapeyard.inference.classifier import load_classifier

    if read_config(model).get("features"):
        raise DatasetError(f"{model}: expected a classifier of voxels, got one of other features")
    classifier = load_classifier(model)
    grids = np.stack([to_canonical_grid(probability, cube, classifier.resolution) for cube in cubes])
    probabilities = classifier.predict(occupied(grids, threshold))
    best = int(probabilities.max(axis=1).argmax())
    named = zip(classifier.classes, probabilities[best].tolist(), strict=True)
    return sorted(named, key=lambda one: -one[1]), best


def upright_cube(occupancy: NDArray[np.bool_], upright_from_unit: NDArray[np.float64]) -> NDArray[np.float64]:
    """The matrix (4,4) of a cube's unit coordinates into the canonical frame, the box of its occupied voxels.

    Args:
        occupancy: (D,D,D), some of it occupied.
        upright_from_unit: (4,4) of the cube's unit coordinates into axes with y up.
    """
    half = 0.5 / len(occupancy)
    centres = transform(upright_from_unit, (np.argwhere(occupancy) + 0.5) / len(occupancy))
    canonical = canonical_from_bounds(centres.min(axis=0) - half, centres.max(axis=0) + half, "y")
    return canonical @ upright_from_unit
