"""Lifting: known points, known grids, round trips."""

from __future__ import annotations

import numpy as np
import pytest

from shapeyard.errors import ParameterError
from shapeyard.geometry.frames import transform
from shapeyard.geometry.lifting import (
    CANONICAL_FROM_UNIT,
    Cube,
    canonical_from_cube,
    canonical_grid_from_cube,
    cube_from_canonical_grid,
    enclosing_cube,
    extrude,
    occupancy_of_points,
    resample,
    unproject,
)

INTRINSICS = np.array([[8.0, 0, 4], [0, 8, 4], [0, 0, 1]])  # 8 × 8 pixels


def looking_back() -> np.ndarray:
    """A camera on the +z axis at distance 2 that looks at the origin: x stays, y and z turn over."""
    matrix = np.diag([1.0, -1, -1, 1])
    matrix[2, 3] = 2
    return matrix


def centres(resolution: int) -> np.ndarray:
    axis = (np.arange(resolution) + 0.5) / resolution - 0.5
    return np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1)


def sphere(resolution: int, radius: float) -> np.ndarray:
    return np.linalg.norm(centres(resolution), axis=-1) <= radius


def test_unproject_by_hand() -> None:
    depth = np.full((8, 8), np.inf, dtype=np.float32)
    depth[0, 0], depth[5, 6] = 2.0, 4.0
    expected = [[(0.5 - 4) / 8 * 2, (0.5 - 4) / 8 * 2, 2], [(6.5 - 4) / 8 * 4, (5.5 - 4) / 8 * 4, 4]]
    np.testing.assert_allclose(unproject(depth, INTRINSICS), expected)


def test_unproject_and_project_again() -> None:
    depth = np.random.default_rng(0).uniform(1, 3, (8, 8))
    points = unproject(depth, INTRINSICS)
    pixels = points @ INTRINSICS.T
    columns, rows = pixels[:, 0] / pixels[:, 2] - 0.5, pixels[:, 1] / pixels[:, 2] - 0.5
    np.testing.assert_allclose(rows.reshape(8, 8), np.arange(8)[:, None].repeat(8, 1), atol=1e-9)
    np.testing.assert_allclose(columns.reshape(8, 8), np.arange(8)[None].repeat(8, 0), atol=1e-9)


def test_unproject_nothing() -> None:
    assert unproject(np.full((4, 4), np.inf), INTRINSICS).shape == (0, 3)


def test_plane_in_its_cube() -> None:
    plane = unproject(np.full((8, 8), 2.0), INTRINSICS)  # pixel centres from −0.875 to 0.875
    cube = enclosing_cube(plane)
    assert cube.side == pytest.approx(1.25 * 1.75)
    np.testing.assert_allclose(cube.minimum, [-cube.side / 2, -cube.side / 2, 2.0])
    grid = occupancy_of_points(plane, cube, 11)
    assert grid[:, :, 1:].sum() == 0, "a plane across the optical axis lies in the front layer"
    assert grid[0].sum() == 0 and grid[10].sum() == 0, "an eighth of the extent is free on both sides"
    assert grid[1:10, 1:10, 0].sum() == 64


def test_cube_uses_the_larger_extent() -> None:
    cube = enclosing_cube(np.array([[0.0, 0, 1], [1, 4, 9]]))
    assert cube.side == 5.0
    np.testing.assert_allclose(cube.minimum, [0.5 - 2.5, 2 - 2.5, 1])


@pytest.mark.parametrize("points", [np.zeros((0, 3)), np.ones((1, 3)), np.array([[1.0, 1, 1], [1, 1, 2]])])
def test_cube_of_no_extent(points: np.ndarray) -> None:
    with pytest.raises(ParameterError, match="visible points"):
        enclosing_cube(points)


def test_occupancy_against_a_slow_loop() -> None:
    points = np.random.default_rng(1).uniform(-1, 1, (200, 3))
    cube = Cube(np.array([-0.5, -0.6, -0.7]), 1.2)
    expected = np.zeros((5, 5, 5), dtype=bool)
    for point in points:
        index = np.floor((point - cube.minimum) / 1.2 * 5).astype(int)
        if (index >= 0).all() and (index < 5).all():
            expected[tuple(index)] = True
    np.testing.assert_array_equal(occupancy_of_points(points, cube, 5), expected)


def test_occupancy_keeps_the_faces() -> None:
    cube = Cube(np.zeros(3), 2.0)
    grid = occupancy_of_points(np.array([[0.0, 0, 0], [2, 2, 2], [2.1, 1, 1]]), cube, 4)
    assert grid[0, 0, 0] and grid[3, 3, 3] and grid.sum() == 2


def test_canonical_from_cube_by_hand() -> None:
    matrix = canonical_from_cube(looking_back(), Cube(np.array([-0.5, -0.5, 1.5]), 1.0))
    np.testing.assert_allclose(
        transform(matrix, np.array([[0.0, 0, 0], [1, 1, 1]])), [[-0.5, 0.5, 0.5], [0.5, -0.5, -0.5]]
    )


def test_resample_the_same_grid() -> None:
    grid = np.random.default_rng(2).random((6, 6, 6)).astype(np.float32)
    for method in ("linear", "nearest"):
        np.testing.assert_allclose(resample(grid, np.eye(4), 6, method), grid, atol=1e-6)


def test_resample_an_axis_turn_is_exact() -> None:
    """A cube that coincides with the canonical one, seen by the camera that looks back: y and z turn over."""
    grid = np.random.default_rng(3).random((6, 6, 6)) > 0.5
    matrix = canonical_from_cube(looking_back(), Cube(np.array([-0.5, -0.5, 1.5]), 1.0))
    for method in ("linear", "nearest"):
        np.testing.assert_allclose(cube_from_canonical_grid(grid, matrix, 6, method), grid[:, ::-1, ::-1], atol=1e-6)


@pytest.mark.parametrize("method", ["linear", "nearest"])
def test_resample_against_a_slow_loop(method: str) -> None:
    rng = np.random.default_rng(4)
    grid = rng.random((4, 4, 4))
    target_from_grid = np.eye(4)
    target_from_grid[:3] += rng.normal(0, 0.2, (3, 4))
    fast = resample(grid, target_from_grid, 5, method)  # type: ignore[arg-type]
    padded = np.pad(grid, 1)
    for index in np.ndindex(5, 5, 5):
        unit = (np.linalg.inv(target_from_grid) @ [*((np.array(index) + 0.5) / 5), 1])[:3]
        place = unit * 4 - 0.5 + 1
        if method == "nearest":
            near = np.floor(place + 0.5).astype(int)
            expected = padded[tuple(near)] if ((near >= 0) & (near < 6)).all() else 0.0
        else:
            low = np.floor(place).astype(int)
            expected = 0.0
            for corner in np.ndindex(2, 2, 2):
                at = low + corner
                if ((at >= 0) & (at < 6)).all():
                    expected += padded[tuple(at)] * np.prod(np.where(corner, place - low, 1 - (place - low)))
        assert fast[index] == pytest.approx(expected, abs=1e-5)


def test_sphere_goes_into_the_cube_and_back() -> None:
    angle = 0.6
    world_from_camera = np.eye(4)
    world_from_camera[:3, :3] = [[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]]
    world_from_camera[:3, 3] = world_from_camera[:3, :3] @ [0, 0, -2]
    matrix = canonical_from_cube(world_from_camera, Cube(np.array([-0.6, -0.6, 1.4]), 1.2))
    grid = sphere(32, 0.4)
    in_cube = cube_from_canonical_grid(grid, matrix, 48)
    assert in_cube.shape == (48, 48, 48)
    assert (in_cube > 0.5).mean() * 1.2**3 == pytest.approx(4 / 3 * np.pi * 0.4**3, rel=0.02)
    back = canonical_grid_from_cube(in_cube, matrix, 32) > 0.5
    assert (back & grid).sum() / (back | grid).sum() > 0.95


def test_what_lies_outside_the_cube_is_missed() -> None:
    matrix = CANONICAL_FROM_UNIT @ np.diag([0.5, 1, 1, 1])  # the half of smaller x
    back = canonical_grid_from_cube(np.ones((8, 8, 8)), matrix, 8, "nearest")
    assert back[:4].all() and not back[4:].any()


def test_extrude_by_hand() -> None:
    surface = np.zeros((3, 3, 6), dtype=bool)[:, :3]
    surface[1, 1, 2] = True
    np.testing.assert_array_equal(np.nonzero(extrude(surface, 3)[1, 1])[0], [2, 3, 4])
    np.testing.assert_array_equal(np.nonzero(extrude(surface, 99)[1, 1])[0], [2, 3, 4, 5])
    np.testing.assert_array_equal(extrude(surface, 1), surface)
    assert not extrude(surface, 0).any()
    with pytest.raises(ParameterError, match="thickness"):
        extrude(surface, -1)


def test_extrude_against_a_slow_loop() -> None:
    surface = np.random.default_rng(5).random((4, 4, 9)) > 0.8
    expected = np.zeros_like(surface)
    for x, y, z in zip(*np.nonzero(surface), strict=True):
        expected[x, y, z : z + 4] = True
    np.testing.assert_array_equal(extrude(surface, 4), expected)
