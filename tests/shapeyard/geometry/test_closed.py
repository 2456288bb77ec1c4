"""Which meshes bound a volume."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

from shapeyard.geometry.closed import bounds_a_volume
from shapeyard.geometry.triangle_mesh import Mesh

BOX = trimesh.creation.box((1, 0.04, 1))


def moved(x: float) -> trimesh.Trimesh:
    return BOX.copy().apply_translation((x, 0, 0))


def of(mesh: trimesh.Trimesh) -> Mesh:
    return Mesh(np.array(mesh.vertices), np.array(mesh.faces))


SOUP = Mesh(np.array(BOX.triangles).reshape(-1, 3), np.arange(36).reshape(-1, 3))
FLIPPED = Mesh(np.array(BOX.vertices), np.concatenate([BOX.faces[:1, ::-1], BOX.faces[1:]]))


@pytest.mark.parametrize(
    ("mesh", "closed"),
    [
        (of(BOX), True),
        (SOUP, True),
        (of(trimesh.util.concatenate([BOX, moved(2)])), True),
        (of(trimesh.util.concatenate([BOX, moved(1)])), False),  # they share edges: four triangles at each
        (of(trimesh.util.concatenate([BOX, moved(0.5)])), False),  # they overlap
        (of(trimesh.util.concatenate([BOX, BOX])), False),
        (Mesh(np.array(BOX.vertices), np.array(BOX.faces[1:])), False),
        (FLIPPED, False),
        (of(trimesh.creation.torus(1, 0.2)), True),
    ],
)
def test_closed_orientable_and_apart(mesh: Mesh, closed: bool) -> None:
    assert bounds_a_volume(mesh) is closed
