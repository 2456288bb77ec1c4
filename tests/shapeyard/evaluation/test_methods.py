"""Methods and their one parameter: a shape for each candidate, and which candidate is chosen."""

from __future__ import annotations

import numpy as np
import pytest

from shapeyard.evaluation.methods import GradedShape, Method, choose, chosen_values, thresholded
from shapeyard.evaluation.table import Measurement
from shapeyard.metrics.occupancy import THRESHOLDS, occupied_at, overlap


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_probabilities_at_every_threshold(dtype: type) -> None:
    levels = np.random.default_rng(0).integers(0, 256, (6, 6, 6))
    probability = levels.astype(np.uint8) if dtype is np.uint8 else (levels / 255).astype(dtype)
    true = levels > 100
    shape = GradedShape.at_thresholds(probability)
    found = shape.overlap(true, 3.0)
    for k, threshold in enumerate(THRESHOLDS):
        np.testing.assert_array_equal(shape.at(k), occupied_at(probability, threshold))
        assert found.iou[k] == overlap(shape.at(k), true, 3.0).iou


def test_a_single_shape() -> None:
    grid = np.random.default_rng(1).random((3, 3, 3)) < 0.5
    shape = GradedShape.single(grid)
    np.testing.assert_array_equal(shape.at(0), grid)
    assert shape.overlap(grid, 0.0).iou.tolist() == [1]


def curve(name: str, view: int, at_most: float, value: float) -> Measurement:
    return Measurement(name, name.split("/")[0], view, "m", "iou", np.where(at_most >= THRESHOLDS, value, 0.0))


def test_the_best_candidate_is_chosen() -> None:
    method = thresholded("m", lambda case: case.probability, default=0.4)
    curves = [
        curve("a/0", 1, 0.5, 0.2),
        curve("a/1", 1, 0.5, 0.4),
        curve("b/0", 1, 0.3, 1.0),
        curve("b/0", 2, 0.3, 0.5),
    ]
    assert chosen_values([method], choose([method], curves)) == {"m": 0.05}, "of several the first"
    rising = [Measurement("a/0", "a", 0, "m", "iou", np.linspace(0, 1, 19))]
    assert chosen_values([method], choose([method], rising)) == {"m": 0.95}


def test_the_default_without_anything_to_choose_by() -> None:
    thickness = Method("thick", lambda case: None, range(1, 25), 6)
    method, single = thresholded("m", lambda case: None, default=0.4), Method("one", lambda case: None)
    methods = [method, thickness, single]
    assert chosen_values(methods, choose(methods, [])) == {"m": 0.4, "thick": 6, "one": 0.0}


def test_each_number_of_views_counts_the_same() -> None:
    """One view was shown of three objects, two of one: by objects the first, by views the second is better."""
    method = Method("m", lambda case: None, (1, 2))
    rows = [Measurement(f"a/{k}", "a", 1, "m", "iou", np.array([0.6, 0.4])) for k in range(3)]
    rows += [Measurement("a/9", "a", 2, "m", "iou", np.array([0.4, 0.7]))]
    assert choose([method], rows) == {"m": 0} and choose([method], rows, by_view=True) == {"m": 1}
