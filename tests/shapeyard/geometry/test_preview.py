"""Pictures of occupancy grids."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from shapeyard.geometry.preview import BACKGROUND, contact_sheet, render_occupancy

BACKGROUND_BYTES = (BACKGROUND * 255 + 0.5).astype(np.uint8)


def test_an_empty_grid_is_background() -> None:
    picture = render_occupancy(np.zeros((8, 8, 8), bool), 32)
    assert picture.shape == (32, 32, 3) and picture.dtype == np.uint8
    assert (picture == BACKGROUND_BYTES).all()


@pytest.mark.parametrize("resolution", [1, 3, 16, 64])
def test_a_full_cube_is_a_hexagon_without_holes_and_inside_the_picture(resolution: int) -> None:
    drawn = (render_occupancy(np.ones((resolution,) * 3, bool), 64) != BACKGROUND_BYTES).any(axis=2)
    for row in drawn:
        columns = np.flatnonzero(row)
        assert len(columns) == 0 or len(columns) == columns[-1] - columns[0] + 1
    assert not drawn[:, 0].any() and not drawn[:, -1].any()
    assert 0.4 < drawn.mean() < 0.75


def test_up_is_up_and_the_near_face_covers_the_far_one() -> None:
    grid = np.zeros((16, 16, 16), bool)
    grid[:, 12:] = True
    rows = np.flatnonzero((render_occupancy(grid, 64) != BACKGROUND_BYTES).any(axis=(1, 2)))
    assert rows.mean() < 32
    both = np.zeros((16, 16, 16), bool)
    both[4:12, 4:12, 2:4] = True
    near_only = render_occupancy(both, 64)
    both[0:2, 0:2, 13:15] = True  # straight behind it, along the view
    assert (render_occupancy(both, 64) == near_only).all()


def test_a_contact_sheet_holds_every_picture_and_label() -> None:
    pictures = [np.full((20, 30, 3), 10 * i, np.uint8) for i in range(5)]
    sheet = contact_sheet(pictures, 3, ["a label that is far too long for its cell"] * 5)
    assert sheet.width == 90 and sheet.height > 40
    assert sheet.getpixel((35, 5)) == (10, 10, 10)
    assert contact_sheet([], 3).size == (1, 1)
    assert contact_sheet([Image.new("RGBA", (4, 4))], 3).size == (4, 4)
