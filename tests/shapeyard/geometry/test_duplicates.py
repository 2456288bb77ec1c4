"""Near duplicates: by hand, against sets, and the copies that are known to be in ModelNet10."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from shapeyard.geometry import duplicates
from shapeyard.geometry.duplicates import eight_ways, near_duplicates


def test_by_hand() -> None:
    grids = np.zeros((3, 2, 2, 2), dtype=bool)
    grids[0, 0, 0] = True  # two voxels
    grids[1, 0] = True  # four, these two among them
    others = grids[:1]
    np.testing.assert_array_equal(near_duplicates(grids, others, 1.0), [True, False, False])
    np.testing.assert_array_equal(near_duplicates(grids, others, 0.5), [True, True, False])
    np.testing.assert_array_equal(near_duplicates(grids, others, 0.51), [True, False, False])


def test_against_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duplicates, "ROWS_AT_ONCE", 3)
    rng = np.random.default_rng(0)
    grids, others = rng.random((8, 3, 3, 3)) > 0.4, rng.random((7, 3, 3, 3)) > 0.4
    others[5] = grids[6]
    sets = [[set(np.flatnonzero(grid)) for grid in part] for part in (grids, others)]
    ious = np.array([[len(a & b) / len(a | b) for b in sets[1]] for a in sets[0]])
    for iou in (0.3, 0.45, 1.0):
        np.testing.assert_array_equal(near_duplicates(grids, others, iou), (ious >= iou).any(axis=1))


def test_eight_ways_leave_y_upright() -> None:
    grid = np.zeros((1, 3, 3, 3), dtype=bool)
    grid[0, 0, 0, 0] = grid[0, 0, 0, 1] = grid[0, 0, 1, 0] = True
    ways = list(eight_ways(grid))
    assert (ways[0] == grid).all() and len({way.tobytes() for way in ways}) == 8
    assert all(way[:, :, 0].sum() == 2 and way[:, :, 1].sum() == 1 for way in ways)


def test_nothing_is_a_copy_of_nothing() -> None:
    grids, none = np.ones((2, 3, 3, 3), dtype=bool), np.ones((0, 3, 3, 3), dtype=bool)
    np.testing.assert_array_equal(near_duplicates(grids, none, 0.0), [False, False])
    assert near_duplicates(none, grids, 1.0).shape == (0,)


@pytest.mark.realdata
def test_the_copies_in_modelnet10(realdata: Path) -> None:
    with np.load(realdata / "modelnet10" / "modelnet10_dev.npz") as arrays:
        train, test = arrays["X_train"].astype(bool), arrays["X_test"].astype(bool)
    held_out = {grid.tobytes() for grid in test}
    expected = np.array([grid.tobytes() in held_out for grid in train])
    assert expected.any()
    np.testing.assert_array_equal(near_duplicates(train[expected], test, 1.0), True)
    np.testing.assert_array_equal(near_duplicates(train[:200], test, 1.0), expected[:200])
