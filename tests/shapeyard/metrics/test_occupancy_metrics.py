"""Occupancy measures: by hand, against the obvious version, and empty grids."""

from __future__ import annotations

import numpy as np
import pytest

from shapeyard.metrics.occupancy import THRESHOLDS, occupied_at, overlap, overlap_at_levels, overlap_at_thresholds


def grid(*occupied: int) -> np.ndarray:
    flat = np.zeros(8, bool)
    flat[list(occupied)] = True
    return flat.reshape(2, 2, 2)


def test_by_hand() -> None:
    found = overlap(grid(0, 1, 2), grid(1, 2, 3, 4))
    assert (found.iou, found.precision, found.recall) == (pytest.approx(2 / 5), pytest.approx(2 / 3), 0.5)


def test_truth_outside_counts_as_missed() -> None:
    found = overlap(grid(0, 1), grid(0, 1), missed=2.0)
    assert (found.iou, found.precision, found.recall) == (0.5, 1.0, 0.5)


@pytest.mark.parametrize(
    ("predicted", "true", "expected"), [((), (), 1.0), ((0,), (), 0.0), ((), (0,), 0.0), ((0,), (1,), 0.0)]
)
def test_empty_grids(predicted: tuple[int, ...], true: tuple[int, ...], expected: float) -> None:
    found = overlap(grid(*predicted), grid(*true))
    assert (found.iou, found.precision, found.recall) == (expected, expected, expected)


def test_empty_grids_with_truth_outside() -> None:
    assert overlap(grid(), grid(), missed=0.5).iou == 0


def test_thresholds() -> None:
    assert len(THRESHOLDS) == 19
    assert (THRESHOLDS[0], THRESHOLDS[9], THRESHOLDS[-1]) == (0.05, 0.5, 0.95)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_all_thresholds_at_once_against_one_by_one(dtype: type) -> None:
    random = np.random.default_rng(1)
    levels = random.integers(0, 256, (9, 9, 9)).astype(np.uint8)
    levels.flat[:4] = [0, 51, 102, 255]  # 51 is 0.2 exactly, 102 is 0.4
    true = random.random((9, 9, 9)) < 0.3
    probability = levels if dtype is np.uint8 else (levels / 255).astype(dtype)
    found = overlap_at_thresholds(probability, true, missed=3.5)
    for k, threshold in enumerate(THRESHOLDS):
        predicted = levels / 255 >= threshold
        np.testing.assert_array_equal(occupied_at(probability, threshold), predicted)
        assert found.iou[k] == pytest.approx((predicted & true).sum() / ((predicted | true).sum() + 3.5))
        assert found.precision[k] == pytest.approx((predicted & true).sum() / predicted.sum())
        assert found.recall[k] == pytest.approx((predicted & true).sum() / (true.sum() + 3.5))


def test_levels_above_all_that_occurs() -> None:
    assert overlap_at_levels(np.zeros((2, 2, 2), np.int16), grid(0), np.array([0, 5])).predicted.tolist() == [8, 0]


def test_shapes_must_agree() -> None:
    with pytest.raises(ValueError, match=r"expected grids of one shape, got \(2, 2, 2\) and \(3, 3, 3\)"):
        overlap(grid(), np.zeros((3, 3, 3), bool))
