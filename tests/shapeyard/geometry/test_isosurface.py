"""Surfaces of grids: known volumes and areas, closed whatever the grid, and points spread evenly."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

from shapeyard.geometry.isosurface import isosurface, points_on_surface
from shapeyard.geometry.triangle_mesh import Mesh


def test_a_ball_has_its_radius_and_looks_outwards() -> None:
    axis = (np.arange(40) + 0.5) / 40 - 0.5
    distance = np.linalg.norm(np.stack(np.meshgrid(axis, axis, axis, indexing="ij")), axis=0)
    mesh = isosurface(1 - distance, 1 - 0.3)
    radii = np.linalg.norm(mesh.vertices - 0.5, axis=1)
    assert radii == pytest.approx(np.full(len(radii), 0.3), abs=2e-3)
    solid = trimesh.Trimesh(*mesh)
    assert solid.is_watertight and solid.volume == pytest.approx(4 / 3 * np.pi * 0.3**3, rel=0.02)


def test_a_box_of_voxels_is_where_they_are() -> None:
    """The level 0.5 of bits is halfway from a full voxel's centre to its empty neighbour's: on their common face."""
    grid = np.zeros((10, 10, 10), bool)
    grid[2:5, 3:9, 4:6] = True
    mesh = isosurface(grid)
    assert mesh.vertices.min(axis=0) == pytest.approx([0.2, 0.3, 0.4])
    assert mesh.vertices.max(axis=0) == pytest.approx([0.5, 0.9, 0.6])


def test_a_full_grid_is_closed_and_an_empty_one_is_nothing() -> None:
    full = isosurface(np.ones((4, 4, 4), bool))
    assert trimesh.Trimesh(*full).is_watertight
    assert full.vertices.min() == 0 and full.vertices.max() == 1
    for nothing in (np.zeros((4, 4, 4), bool), np.full((4, 4, 4), 0.5)):
        assert len(isosurface(nothing).vertices) == 0
    assert points_on_surface(isosurface(np.zeros((4, 4, 4), bool)), 10, np.random.default_rng(0)).shape == (0, 3)


def test_points_are_uniform_over_the_area() -> None:
    """A square of two triangles beside a triangle of an eighth of its area, and one without any."""
    vertices = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [5, 0, 0], [5.5, 0, 0], [5, 0.5, 0], [9, 9, 9.0]])
    mesh = Mesh(vertices, np.array([[0, 1, 2], [0, 2, 3], [7, 7, 7], [4, 5, 6]]))
    points = points_on_surface(mesh, 90_000, np.random.default_rng(0))
    on_square = points[:, 0] <= 1
    assert on_square.mean() == pytest.approx(8 / 9, abs=0.005)
    counts, _, _ = np.histogram2d(points[on_square, 0], points[on_square, 1], bins=4, range=[[0, 1], [0, 1]])
    assert counts == pytest.approx(np.full((4, 4), 5000), rel=0.05)
    small = points[~on_square]
    assert (small[:, 0] - 5 + small[:, 1] <= 0.5 + 1e-12).all() and (points[:, 2] == 0).all()


def test_a_seed_gives_the_same_points() -> None:
    mesh = isosurface(np.ones((2, 2, 2), bool))
    first, second = (points_on_surface(mesh, 50, np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
