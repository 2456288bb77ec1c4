"""Calibration: by hand, and against plain loops."""

import numpy as np
import pytest
from scipy.special import softmax

from shapeyard.metrics.calibration import expected_calibration_error, fit_temperature, reliability


def test_by_hand() -> None:
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.6, 0.4], [0.3, 0.7]])
    bins = reliability(
        probabilities, np.array([0, 1, 0, 0]), bins=2
    )  # sorted: 0.6 right, 0.7 wrong | 0.8 wrong, 0.9 right
    assert [tuple(b) for b in bins] == [pytest.approx((0.65, 0.5, 2)), pytest.approx((0.85, 0.5, 2))]
    assert expected_calibration_error(bins) == pytest.approx((0.15 + 0.35) / 2)


def test_few_or_no_samples() -> None:
    assert reliability(np.zeros((0, 3)), np.zeros(0, int)) == []
    assert np.isnan(expected_calibration_error([]))
    assert [b.samples for b in reliability(np.eye(3), np.arange(3))] == [1, 1, 1]
    assert fit_temperature(np.zeros((0, 3)), np.zeros(0, int)) == 1.0


def test_the_temperature_is_found_again() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (20000, 5))
    labels = np.array([rng.choice(5, p=p) for p in softmax(logits, axis=1)])
    for factor in (0.3, 1.0, 4.0):
        assert fit_temperature(factor * logits, labels) == pytest.approx(factor, rel=0.05)
    sure = reliability(softmax(4 * logits, axis=1), labels)
    cooled = reliability(softmax(4 * logits / fit_temperature(4 * logits, labels), axis=1), labels)
    assert expected_calibration_error(cooled) < 0.02 < 0.1 < expected_calibration_error(sure)


def test_perfect_answers_stay_finite_and_become_surer() -> None:
    temperature = fit_temperature(np.eye(4)[[0, 1, 2, 3] * 20] * 3, np.array([0, 1, 2, 3] * 20))
    assert 0.3 < temperature < 1
