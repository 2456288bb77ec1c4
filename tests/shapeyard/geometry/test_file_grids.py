"""Grids in a file's own frame."""

from __future__ import annotations

import numpy as np
import pytest

from shapeyard.errors import ParameterError
from shapeyard.geometry.file_grids import (
    canonical_from_cube_in_file,
    cube_in_file,
    resample_occupancy,
    turn_into_file_axes,
)
from shapeyard.geometry.frames import UpAxis, canonical_from_bounds, transform


@pytest.mark.parametrize("up_axis", ["y", "z"])
def test_the_cube_is_centred_on_the_files_box(up_axis: UpAxis) -> None:
    canonical = canonical_from_bounds(np.array([1.0, 2, 3]), np.array([5.0, 4, 4]), up_axis)
    translate, scale = cube_in_file(canonical)
    assert scale == pytest.approx(4) and translate == pytest.approx([1, 1, 1.5])
    assert np.abs(transform(canonical, np.array([translate, translate + scale]))) == pytest.approx(0.5)


def test_a_binvox_cube_there_and_back() -> None:
    canonical = canonical_from_cube_in_file([-1, 2, 0.5], 4.0)
    assert transform(canonical, np.array([[-1, 2, 0.5], [3, 6, 4.5]])).tolist() == [[-0.5] * 3, [0.5] * 3]
    translate, scale = cube_in_file(canonical)
    assert translate == pytest.approx([-1, 2, 0.5]) and scale == pytest.approx(4)


def test_a_voxel_is_turned_to_where_its_centre_lies() -> None:
    canonical = canonical_from_bounds(np.zeros(3), np.ones(3), "z")
    occupancy = np.zeros((4, 4, 4), bool)
    occupancy[0, 1, 3] = True
    centre = (np.array([[0, 1, 3]]) + 0.5) / 4 - 0.5
    in_file = transform(np.linalg.inv(canonical), centre)[0]
    turned = turn_into_file_axes(occupancy, canonical)
    assert np.argwhere(turned).tolist() == [np.floor(in_file * 4).astype(int).tolist()]
    upright = canonical_from_bounds(np.zeros(3), np.ones(3), "y")
    assert (turn_into_file_axes(occupancy, upright) == occupancy).all()
    with pytest.raises(ParameterError, match="right angles"):
        turn_into_file_axes(occupancy, np.array([[0.8, 0.6, 0, 0], [-0.6, 0.8, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]))


def test_resampling_keeps_what_is_thin_and_repeats_what_is_coarse() -> None:
    grid = np.random.default_rng(0).random((12, 12, 12)) < 0.05
    assert (resample_occupancy(grid, 12) == grid).all()
    assert (resample_occupancy(grid, 4) == grid.reshape(4, 3, 4, 3, 4, 3).any(axis=(1, 3, 5))).all()
    assert (resample_occupancy(grid, 36) == grid.repeat(3, 0).repeat(3, 1).repeat(3, 2)).all()
    for resolution in (5, 7, 8, 11):
        slow = np.zeros((resolution,) * 3, bool)
        for index in np.argwhere(grid):
            slow[tuple(((index + 0.5) / 12 * resolution).astype(int))] = True
        assert (resample_occupancy(grid, resolution) == slow).all()
    finer = resample_occupancy(grid, 17)
    for index in np.ndindex(17, 17, 17):
        assert finer[index] == grid[tuple(((np.array(index) + 0.5) / 17 * 12).astype(int))]
    with pytest.raises(ParameterError, match="at least 1"):
        resample_occupancy(grid, 0)
