"""Pictures of reconstructions, the right way up."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shapeyard.geometry.lifting import canonical_grid_from_cube
from shapeyard.geometry.preview import render_occupancy

FINEST = 64
"""Voxels along a side of a reconstruction that is drawn; finer ones are resampled."""


def render_reconstruction(
    probability: NDArray[np.uint8], canonical_from_cube: NDArray[np.float64], threshold: float, size: int = 160
) -> NDArray[np.uint8]:
    """Draw a reconstruction in the canonical frame, where objects stand upright, as `render_occupancy` does.

    Args:
        probability: (D,D,D) in a camera-frame cube, 0…255 for 0…1.
        canonical_from_cube: (4,4), the cube's unit coordinates into the canonical frame.
        threshold: from which a voxel is occupied, 0 to 1.
        size: side of the picture in pixels.
    """
    canonical = canonical_grid_from_cube(probability, canonical_from_cube, min(FINEST, len(probability)))
    return render_occupancy(canonical >= threshold * 255, size)
