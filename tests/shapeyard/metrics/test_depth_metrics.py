"""Depth measures: by hand, and the ends of their definitions."""

from __future__ import annotations

import numpy as np
import pytest

from shapeyard.metrics.depth import BANDS, depth_errors, silhouette_bands


def test_by_hand() -> None:
    true = np.array([[2.0, 1.0], [4.0, np.inf]])
    predicted = np.array([[2.0, 1.03], [3.6, 7.0]])
    rmse, abs_rel, delta = depth_errors(predicted, true)
    assert rmse == pytest.approx(np.sqrt((0 + 0.03**2 + 0.4**2) / 3))
    assert abs_rel == pytest.approx((0 + 0.03 + 0.1) / 3)
    assert delta == pytest.approx(2 / 3), "4 / 3.6 = 1.11 is out, 1.03 is in"


def test_perfect_and_constant() -> None:
    true = np.array([1.0, 3.0])
    assert depth_errors(true, true) == (0, 0, 1)
    assert depth_errors(2.0, true) == (1.0, pytest.approx((1 + 1 / 3) / 2), 0)


def test_delta_is_the_same_both_ways_and_strict() -> None:
    assert depth_errors(np.array([1.05, 1.0]), np.array([1.0, 1.05])).delta == 0
    assert depth_errors(np.array([1.049, 1.0]), np.array([1.0, 1.049])).delta == 1


def test_prediction_of_zero_is_never_close() -> None:
    assert depth_errors(0.0, np.array([1.0])) == (1.0, 1.0, 0.0)
    assert depth_errors(np.inf, np.array([1.0])).delta == 0


def test_nothing_seen() -> None:
    assert np.isnan(depth_errors(1.0, np.full((2, 2), np.inf))).all()
    assert np.isnan(depth_errors(1.0, np.ones(3), np.zeros(3, bool))).all()


def test_shapes_must_agree() -> None:
    with pytest.raises(ValueError, match=r"expected predicted and mask of shape \(2,\), got \(3,\)"):
        depth_errors(np.ones(3), np.ones(2))


def test_bands_count_the_pixels_to_the_background() -> None:
    mask = np.zeros((30, 40), bool)
    mask[5:25, 8:40] = True  # reaches the right edge, beyond which there is background
    y, x = np.mgrid[:30, :40]
    rows, columns = np.minimum(y - 4, 25 - y), np.minimum(x - 7, 40 - x)
    distance = np.where(mask, np.minimum(rows, columns), 0)  # of a rectangle: to the nearest side
    bands = silhouette_bands(mask)
    assert sum(bands).max() == 1 and (sum(bands) == mask).all()
    for (near, far), band in zip(BANDS, bands, strict=True):
        np.testing.assert_array_equal(band, (distance >= near) & (distance < far))
    assert not any(band.any() for band in silhouette_bands(np.zeros((3, 3), bool)))
    assert silhouette_bands(np.ones((3, 3), bool))[1].tolist() == [[False] * 3, [False, True, False], [False] * 3]
