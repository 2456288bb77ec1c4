"""Occupancy grids as the kind voxels holds them: a bit a voxel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shapeyard.errors import DatasetError


def pack_occupancy(occupancy: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """(D,D,D) bool, index order x, y, z → (ceil(D³/8),) uint8, C order, most significant bit first."""
    return np.packbits(occupancy)


def unpack_occupancy(packed: NDArray[np.uint8], resolution: int) -> NDArray[np.bool_]:
    """The inverse of `pack_occupancy` → (D,D,D) bool."""
    expected = -(-(resolution**3) // 8)
    if packed.shape != (expected,):
        raise DatasetError(f"packed occupancy of {resolution}³: expected ({expected},), got {packed.shape}")
    return np.unpackbits(packed, count=resolution**3).reshape((resolution,) * 3).astype(bool)
