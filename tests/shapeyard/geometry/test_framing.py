"""Objects of photographs in the frame of renders."""

from __future__ import annotations

import numpy as np
import pytest

from shapeyard.geometry.framing import framed


def box(height: int, width: int) -> np.ndarray:
    image = np.full((300, 400, 4), (250, 0, 0, 0), np.uint8)
    image[100 : 100 + height, 150 : 150 + width] = (20, 200, 30, 255)
    return image


@pytest.mark.parametrize(("height", "width"), [(80, 120), (120, 80), (8, 12)])
def test_place_size_and_colour(height: int, width: int) -> None:
    found = framed(box(height, width), 96, (48, 56), 60)
    rows, columns = np.nonzero(found.rgba[..., 3])
    assert np.ptp([*rows]) + 1 == round(60 * height / max(height, width))
    assert np.ptp([*columns]) + 1 == round(60 * width / max(height, width))
    assert (rows.min() + rows.max() + 1) / 2 == 56 and (columns.min() + columns.max() + 1) / 2 == 48
    assert found.scale == 60 / max(height, width)
    np.testing.assert_array_equal(np.unique(found.rgba[rows, columns], axis=0), [(20, 200, 30, 255)])


def test_the_background_does_not_bleed_into_soft_edges() -> None:
    image = box(101, 101)
    image[100:201:2, 150:251] = (250, 0, 0, 0)
    found = framed(image, 64, (32, 32), 20).rgba.astype(int)
    soft = (found[..., 3] > 20) & (found[..., 3] < 230)
    assert soft.sum() > 100 and np.abs(found[soft][:, :3] - (20, 200, 30)).max() <= 3


def test_what_is_larger_than_the_image_is_cut_off() -> None:
    found = framed(box(100, 100), 32, (16, 16), 64)
    assert found.rgba.shape == (32, 32, 4) and (found.rgba[..., 3] == 255).all()
