"""What was done to a shape: found again for each change that can be made, and nothing found in other shapes."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation
from test_shape_signature import bracket, mesh_of

from shapeyard.geometry.shape_alignment import poses
from shapeyard.geometry.shape_relation import SAME, Relation, relation
from shapeyard.geometry.shape_signature import Signature, signature
from shapeyard.geometry.triangle_mesh import Mesh

TURN = Rotation.from_euler("xyz", (200, 40, -75), degrees=True).as_matrix()


def known(mesh: Mesh) -> Signature:
    found = signature(mesh)
    assert found is not None
    return found


def between(first: Mesh, second: Mesh) -> Relation | None:
    return relation(known(first), known(second), lambda: (first, second))


def turned(mesh: Mesh, turn: np.ndarray) -> Mesh:
    return Mesh(mesh.vertices @ turn.T, mesh.faces)


def test_each_change_is_told() -> None:
    mesh = bracket()
    vertices, faces = trimesh.remesh.subdivide(mesh.vertices, mesh.faces)
    same = Relation(1.0, False, False, False, False, 0.0)
    centred = Mesh(mesh.vertices - known(mesh).centre, mesh.faces)
    shuffled = Mesh(centred.vertices, np.random.default_rng(0).permutation(np.roll(centred.faces, 1, axis=1)))
    assert between(centred, shuffled) == same
    assert between(mesh, centred) == same._replace(moved=True)
    scaled = between(centred, Mesh(centred.vertices * 25.4, centred.faces))
    assert scaled == same._replace(scale=pytest.approx(25.4))
    assert between(centred, turned(centred, TURN)) == same._replace(turned=True)
    mirrored = Mesh(turned(centred, TURN).vertices * (1, -1, 1), centred.faces[:, ::-1])
    assert between(centred, mirrored) == same._replace(mirrored=True)
    assert between(mesh, Mesh(np.asarray(vertices), np.asarray(faces))) == same._replace(remeshed=True)


@pytest.mark.parametrize(
    "shape",
    [
        trimesh.creation.box((2, 2, 2)), trimesh.creation.icosphere(2), trimesh.creation.cylinder(1, 3, sections=48),
        trimesh.creation.torus(3, 1, major_sections=24, minor_sections=12), trimesh.creation.box((2, 2, 0.1)),
    ],
)  # fmt: skip
def test_symmetric_shapes_are_found_whichever_way_they_lie(shape: trimesh.Trimesh) -> None:
    mesh = mesh_of(shape)
    for change in (TURN, TURN * (1, -1, 1)):
        found = between(mesh, turned(mesh, change))
        assert found is not None and not found.mirrored, "a mirror of what is symmetric is a turn"
    assert between(mesh, turned(mesh, np.roll(np.eye(3), 1, axis=0))) is not None


def test_a_shape_whose_axes_are_equal_is_turned_by_what_is_odd_about_it() -> None:
    cube, pin = trimesh.creation.box((10, 10, 10)), trimesh.creation.box((1, 2, 3))
    pin.apply_translation((4, 3, 6))
    mesh = mesh_of(trimesh.util.concatenate([cube, pin]))
    for number in range(20):
        turn = Rotation.random(random_state=number).as_matrix()
        pose = next(pose for pose in poses(known(mesh), known(turned(mesh, turn)), SAME) if pose.difference <= SAME)
        np.testing.assert_allclose(pose.rotation, turn, atol=1e-3)


def bumpy(subdivisions: int) -> Mesh:
    ball = mesh_of(trimesh.creation.icosphere(subdivisions))
    return Mesh(ball.vertices * (9 + np.sin(3 * ball.vertices).sum(axis=1, keepdims=True)), ball.faces)


def test_a_coarser_copy_is_remeshed_and_a_bump_or_another_length_is_another_shape() -> None:
    fine, coarse = bumpy(5), bumpy(3)
    found = between(fine, turned(Mesh(coarse.vertices * 2, coarse.faces), TURN))
    assert found is not None and found.remeshed and 0 < found.deviation < 0.002
    assert found.scale == pytest.approx(2, rel=0.01)
    assert relation(known(fine), known(coarse), None) is None, "without the surfaces only the same is the same"
    bump = trimesh.creation.icosphere(2, radius=0.8)
    bump.apply_translation((10, 0, 0))
    bumped = trimesh.util.concatenate([trimesh.Trimesh(fine.vertices, fine.faces), bump])
    assert between(fine, mesh_of(bumped)) is None
    box, longer, longest = (mesh_of(trimesh.creation.box((10, 20, side))) for side in (30, 30.1, 31))
    found = between(box, longer)
    assert found is not None and found.deviation > 0 and not found.remeshed, "the same triangles, not quite in place"
    assert between(box, longest) is None


def test_a_near_mirror_is_looked_at_both_ways() -> None:
    """Nearly symmetric and remeshed: moments alone can't tell."""
    mesh = mesh_of(trimesh.creation.torus(10, 3, 96, 48))
    vertices = mesh.vertices + 0.3 * np.clip(mesh.vertices[:, :1] / 13, 0, 1) ** 2 * (0, 1, 1)
    one = Mesh(vertices, mesh.faces)
    finer = Mesh(*(np.asarray(part) for part in trimesh.remesh.subdivide(one.vertices, one.faces)))
    found = between(one, Mesh(finer.vertices * (1, 1, -1), finer.faces))
    assert found is not None and found.remeshed
