"""F-score and Chamfer distance: by hand, against all pairs, and where there is no surface."""

from __future__ import annotations

import numpy as np
import pytest

from shapeyard.metrics.surface import surface_scores, surface_tree


def test_by_hand() -> None:
    """Predicted 0 and 3 against true 0, 0.5 and 1 on a line: distances 0 and 2; 0, 0.5 and 1."""
    predicted = surface_tree(np.array([[0.0, 0, 0], [3, 0, 0]]))
    true = surface_tree(np.array([[0.0, 0, 0], [0.5, 0, 0], [1, 0, 0]]))
    found = surface_scores(predicted, true, threshold=0.6)
    assert found.fscore == pytest.approx(2 * (1 / 2) * (2 / 3) / (1 / 2 + 2 / 3))
    assert found.chamfer == pytest.approx((0 + 4) / 2 + (0 + 0.25 + 1) / 3)
    assert surface_scores(predicted, true, threshold=0.5).fscore == pytest.approx(0.4), "0.5 is not below 0.5"


def test_against_all_pairs() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.random((60, 3)), rng.random((80, 3))
    distance = np.linalg.norm(a[:, None] - b, axis=-1)
    precision, recall = (distance.min(axis=1) < 0.2).mean(), (distance.min(axis=0) < 0.2).mean()
    found = surface_scores(surface_tree(a), surface_tree(b), threshold=0.2)
    assert found.fscore == pytest.approx(2 * precision * recall / (precision + recall))
    assert found.chamfer == pytest.approx((distance.min(axis=1) ** 2).mean() + (distance.min(axis=0) ** 2).mean())


def test_the_same_points_are_all_right_and_far_ones_all_wrong() -> None:
    points = np.random.default_rng(1).random((50, 3))
    assert surface_scores(surface_tree(points), surface_tree(points)) == (1, 0)
    found = surface_scores(surface_tree(points), surface_tree(points + 10))
    assert found.fscore == 0 and found.chamfer > 100


def test_without_a_surface() -> None:
    nothing, something = surface_tree(np.zeros((0, 3))), surface_tree(np.zeros((1, 3)))
    assert surface_scores(nothing, nothing) == (1, 0)
    assert surface_scores(nothing, something) == surface_scores(something, nothing) == (0, 6)
