"""Pooling: by hand, against a triple loop, and what it must not lose."""

from __future__ import annotations

import numpy as np
import pytest

from shapeyard.errors import ParameterError
from shapeyard.geometry.pooling import pool_grid


def test_by_hand() -> None:
    grid = np.zeros((4, 4, 4), dtype=bool)
    grid[1, 2, 3] = True
    expected = np.zeros((2, 2, 2), dtype=bool)
    expected[0, 1, 1] = True
    np.testing.assert_array_equal(pool_grid(grid, 2), expected)


@pytest.mark.parametrize("resolution", [1, 2, 3, 4, 6, 12])
@pytest.mark.parametrize("dtype", [bool, np.uint8, np.float32])
def test_against_a_loop(resolution: int, dtype: type) -> None:
    grid = (np.random.default_rng(resolution).random((12, 12, 12)) * 9 - 4).astype(dtype)
    block = 12 // resolution
    expected = np.empty((resolution,) * 3, dtype=dtype)
    for x, y, z in np.ndindex(expected.shape):
        inside = grid[x * block : (x + 1) * block, y * block : (y + 1) * block, z * block : (z + 1) * block]
        expected[x, y, z] = inside.max()
    pooled = pool_grid(grid, resolution)
    assert pooled.dtype == grid.dtype and pooled.flags["C_CONTIGUOUS"]
    np.testing.assert_array_equal(pooled, expected)


def test_a_plate_of_one_voxel_stays() -> None:
    plate = np.zeros((64, 64, 64), dtype=bool)
    plate[:, 31] = True
    assert pool_grid(plate, 32)[:, 15].all() and pool_grid(plate, 32).sum() == 32 * 32


def test_the_same_resolution_changes_nothing() -> None:
    grid = np.random.default_rng(0).random((5, 5, 5)) > 0.5
    np.testing.assert_array_equal(pool_grid(grid, 5), grid)


def test_commutes_with_a_cut() -> None:
    probability = np.random.default_rng(0).integers(0, 256, (8, 8, 8)).astype(np.uint8)
    np.testing.assert_array_equal(pool_grid(probability, 4) > 200, pool_grid(probability > 200, 4))


@pytest.mark.parametrize("resolution", [0, -2, 3, 5, 16])
def test_sides_that_do_not_divide(resolution: int) -> None:
    with pytest.raises(ParameterError, match=rf"multiple of {resolution} voxels, got 8$"):
        pool_grid(np.zeros((8, 8, 8), dtype=bool), resolution)
