"""What lies apart in a mesh."""

from __future__ import annotations

import numpy as np
import trimesh
from test_shape_signature import mesh_of

from shapeyard.geometry.bodies import MAX_BODIES, bodies, joined


def boxes(*places: tuple[float, float, float], side: float = 1.0) -> trimesh.Trimesh:
    made = []
    for place in places:
        made.append(trimesh.creation.box((side, side, side)))
        made[-1].apply_translation(place)
    return trimesh.util.concatenate(made)


def test_shells_that_overlap_are_one_body_and_those_between_them_join() -> None:
    assert bodies(mesh_of(boxes((0, 0, 0)))) == []
    assert [len(body.faces) for body in bodies(mesh_of(boxes((0, 0, 0), (3, 0, 0))))] == [12, 12]
    assert bodies(mesh_of(boxes((0, 0, 0), (0.5, 0, 0)))) == []
    # The outer two overlap the box of both together alone.
    chain = boxes((0, 0, 0), (0.9, 0.9, 0), (1.5, 0.3, 0.9), (9, 9, 9))
    assert sorted(len(body.faces) for body in bodies(mesh_of(chain))) == [12, 36]


def test_more_than_a_plate_holds_is_none() -> None:
    assert bodies(mesh_of(boxes(*((2.0 * k, 0, 0) for k in range(MAX_BODIES + 1))))) == []


def test_bodies_together_are_the_mesh() -> None:
    mesh = mesh_of(boxes((0, 0, 0), (3, 0, 0), (0, 5, 0)))
    again = joined(bodies(mesh))
    assert len(again.faces) == 36
    np.testing.assert_array_equal(np.unique(again.vertices, axis=0), np.unique(mesh.vertices, axis=0))
    one = joined([mesh])
    assert one is mesh
