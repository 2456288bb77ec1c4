"""Classification measures by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from shapeyard.metrics.classification import accuracy, class_accuracies, confusion_matrix, mean_class_accuracy

CLASSES = ["bed", "chair", "lamp"]


def test_by_hand() -> None:
    matrix = confusion_matrix(["bed", "bed", "bed", "chair"], ["bed", "bed", "chair", "chair"], CLASSES)
    assert matrix.tolist() == [[2, 1, 0], [0, 1, 0], [0, 0, 0]]
    assert accuracy(matrix) == 0.75
    assert class_accuracies(matrix).tolist()[:2] == [pytest.approx(2 / 3), 1.0]
    assert mean_class_accuracy(matrix) == pytest.approx((2 / 3 + 1) / 2), "no lamp was shown, so it has no say"


def test_a_class_that_is_only_ever_predicted() -> None:
    matrix = confusion_matrix(["bed"], ["lamp"], CLASSES)
    assert accuracy(matrix) == 0 == mean_class_accuracy(matrix)


def test_nothing_shown() -> None:
    matrix = confusion_matrix([], [], CLASSES)
    assert matrix.shape == (3, 3) and matrix.sum() == 0
    assert math.isnan(accuracy(matrix)) and math.isnan(mean_class_accuracy(matrix))
    assert math.isnan(accuracy(np.zeros((0, 0), int)))


def test_bad_input() -> None:
    with pytest.raises(ValueError, match="expected the classes bed, chair, lamp, got sofa"):
        confusion_matrix(["bed"], ["sofa"], CLASSES)
    with pytest.raises(ValueError, match="expected 2 predictions, got 1"):
        confusion_matrix(["bed", "bed"], ["bed"], CLASSES)
