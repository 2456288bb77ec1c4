"""Coarser grids that keep what is thin."""

from __future__ import annotations

from functools import reduce
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from shapeyard.errors import ParameterError

Value = TypeVar("Value", np.bool_, np.uint8, np.float32)


def pool_grid(grid: NDArray[Value], resolution: int) -> NDArray[Value]:
    """The largest value of every block: for an occupancy, whether anything in the block is occupied.

    The mean of a block would let a table's top or a lamp's rod fade out; its maximum never loses a part. It also
    commutes with a threshold: a pooled probability cut at t is the pooled grid of what was above t.

    Args:
        grid: (D,D,D) bool, uint8 or float32, D a multiple of `resolution`.
        resolution: voxels along each side of the result; at D the grid is returned as it is.

    Raises:
        ParameterError: if D is no multiple of `resolution`.
    """
    size = grid.shape[0]
    if resolution < 1 or size % resolution:
        raise ParameterError(f"expected a grid whose side is a multiple of {resolution} voxels, got {size}")
    block = size // resolution
    pooled = grid
    for axis in range(3):
        front = np.moveaxis(pooled, axis, 0)
        pooled = np.moveaxis(reduce(np.maximum, [front[place::block] for place in range(block)]), 0, axis)
    return np.ascontiguousarray(pooled)
