"""Distances between surfaces: known ones, and the fit before them."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh
from test_shape_signature import bracket, mesh_of

from shapeyard.geometry.frames import rotation
from shapeyard.geometry.surface_deviation import deviation
from shapeyard.geometry.triangle_mesh import Mesh

AS_IT_IS = np.eye(3, 4)


def test_a_shell_around_a_sphere_is_fitted_by_its_scale() -> None:
    one, other = (mesh_of(trimesh.creation.icosphere(4, radius)) for radius in (1.0, 1.3))
    found = deviation(one, other, AS_IT_IS * 1.25, 1.3, 0.01)
    assert found is not None and found.mean < 1e-3
    np.testing.assert_allclose(found.matrix, AS_IT_IS * 1.3, atol=2e-3)


def test_a_little_turn_is_undone_and_a_bump_is_measured() -> None:
    mesh = bracket()
    bump = trimesh.creation.box((2, 2, 1))
    bump.apply_translation((0, 0, 2))
    bumped = mesh_of(trimesh.util.concatenate([trimesh.Trimesh(mesh.vertices, mesh.faces), bump]))
    there = Mesh(bumped.vertices @ rotation(0, 1, 0.05)[:3, :3].T + 7, bumped.faces)
    found = deviation(mesh, there, np.column_stack([np.eye(3), np.full(3, 7.0)]), 10, 0.02)
    assert found is not None
    assert found.most == pytest.approx(0.1, abs=0.02), "1 mm of 10"
    assert found.mean < 0.02


def test_what_is_far_is_given_up() -> None:
    box = mesh_of(trimesh.creation.box((1, 1, 1)))
    assert deviation(box, mesh_of(trimesh.creation.box((1, 3, 1))), AS_IT_IS, 1, 0.01) is None
