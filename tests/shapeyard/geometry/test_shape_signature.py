"""Moments of surfaces: by hand, against points drawn at random, and what leaves them as they are."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation

from shapeyard.geometry.isosurface import points_on_surface
from shapeyard.geometry.shape_signature import PAIRS, signature
from shapeyard.geometry.triangle_mesh import Mesh


def mesh_of(shape: trimesh.Trimesh) -> Mesh:
    return Mesh(np.array(shape.vertices, np.float64), np.array(shape.faces, np.int64))


def bracket() -> Mesh:
    """Of no symmetry at all."""
    parts = [trimesh.creation.box((30, 10, 3)), trimesh.creation.box((4, 6, 20)), trimesh.creation.icosphere(1, 3.0)]
    parts[1].apply_translation((11, 1, 11.5))
    parts[2].apply_translation((-9, 2, 5))
    return mesh_of(trimesh.util.concatenate(parts))


def test_a_square_by_hand() -> None:
    corners = np.array([[0.0, 0, 5], [2, 0, 5], [2, 2, 5], [0, 2, 5]])
    found = signature(Mesh(corners, np.array([[0, 1, 2], [0, 2, 3]])))
    assert found is not None
    np.testing.assert_allclose(found.centre, [1, 1, 5])
    assert found.size == pytest.approx(np.sqrt(2 / 3))  # a side of 2 has a variance of 4/12 along each axis
    np.testing.assert_allclose(found.second, np.diag([0.5, 0.5, 0]), atol=1e-12)
    np.testing.assert_allclose(found.third, 0, atol=1e-12)
    fourth = np.zeros((6, 6))
    fourth[0, 0] = fourth[1, 1] = (1 / 5) / (2 / 3) ** 2  # the mean of x⁴ over [−1, 1]
    fourth[0, 1] = fourth[1, 0] = (1 / 9) / (2 / 3) ** 2
    fourth[5, 5] = 2 * fourth[0, 1]
    np.testing.assert_allclose(found.fourth, fourth, atol=1e-12)
    assert found.tessellation[0] == 2 and (found.tessellation[1:] == 1).all()


def test_against_points_drawn_at_random() -> None:
    mesh = bracket()
    found = signature(mesh)
    assert found is not None
    points = (points_on_surface(mesh, 400_000, np.random.default_rng(0)) - found.centre) / found.size
    first, last = np.array(PAIRS).T
    pairs = points[:, first] * points[:, last] * np.where(first == last, 1, np.sqrt(2))
    np.testing.assert_allclose(found.second, points.T @ points / len(points), atol=0.01)
    np.testing.assert_allclose(found.third, points.T @ pairs / len(points), atol=0.02)
    np.testing.assert_allclose(found.fourth, pairs.T @ pairs / len(points), atol=0.03)


def test_neither_place_size_rotation_mirror_nor_subdivision_change_the_invariants() -> None:
    mesh = bracket()
    found = signature(mesh)
    turn = Rotation.random(random_state=0).as_matrix()
    vertices, faces = trimesh.remesh.subdivide(mesh.vertices, mesh.faces)
    for changed in (
        Mesh(mesh.vertices + 1000, mesh.faces[::-1]),
        Mesh(mesh.vertices @ turn.T * 25.4, mesh.faces),
        Mesh(mesh.vertices * (-1, 1, 1), mesh.faces[:, ::-1]),
        Mesh(np.asarray(vertices), np.asarray(faces)),
    ):
        other = signature(changed)
        assert found is not None and other is not None
        np.testing.assert_allclose(other.invariants, found.invariants, atol=1e-9)
    assert other.tessellation[0] == 4 * found.tessellation[0]
    taller = signature(Mesh(mesh.vertices * (1, 1, 1.02), mesh.faces))
    assert taller is not None and np.abs(taller.invariants - found.invariants).max() > 2e-3


def test_what_has_no_area_has_no_signature() -> None:
    assert signature(Mesh(np.array([[0.0, 0, 0], [1, 0, 0], [2, 0, 0]]), np.array([[0, 1, 2]]))) is None
