"""From what was reconstructed in the cameras' frames to what the classifier was trained on."""

from __future__ import annotations

from concurrent.futures import Executor
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from shapeyard.contracts.dataset import Dataset
from shapeyard.geometry.lifting import canonical_grid_from_cube
from shapeyard.geometry.pooling import pool_grid

OVERSAMPLING = 2
"""A grid is resampled at so many times the classifier's resolution, since objects have thin parts."""


def canonical_probabilities(
    reconstructions: Dataset, sample_id: str, resolution: int, threads: Executor
) -> NDArray[np.uint8]:
    """The views of a sample in the canonical cube, (V,R,R,R), 0…255 for 0…1.

    Pooling by the maximum commutes with a cut, so this is all that a threshold has to be applied to.
    """
    probability = reconstructions.read(sample_id, "probability")
    canonical_from_cube = reconstructions.read(sample_id, "canonical_from_cube")
    return np.stack(list(threads.map(to_canonical_grid, probability, canonical_from_cube, repeat(resolution))))


def to_canonical_grid(
    probability: NDArray[np.uint8], canonical_from_cube: NDArray[np.float64], resolution: int
) -> NDArray[np.uint8]:
    """One view's grid (D,D,D) of the camera-frame cube in the canonical cube, (R,R,R)."""
    fine = OVERSAMPLING * resolution
    if len(probability) > fine and len(probability) % fine == 0:
        probability = pool_grid(probability, fine)  # or resampling would skip voxels
    resampled = canonical_grid_from_cube(probability, canonical_from_cube, fine)
    return pool_grid(np.rint(resampled).astype(np.uint8), resolution)


def occupied(probabilities: NDArray[np.uint8], threshold: float) -> NDArray[np.bool_]:
    """Where a probability, 0…255 for 0…1, is at least the threshold, 0 to 1."""
    return np.asarray(probabilities >= np.ceil(threshold * 255))
