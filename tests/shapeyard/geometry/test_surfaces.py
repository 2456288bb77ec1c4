"""Surfaces: a tetrahedron by hand, and loops in plain Python over soups of triangles."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest
import trimesh

from shapeyard.geometry.surfaces import surface_of
from shapeyard.geometry.triangle_mesh import Mesh

CORNERS = np.array([[0, 0, 0], [2, 0, 0], [0, 3, 0], [0, 0, 4.0]])
FACES = np.array([[0, 2, 1], [0, 1, 3], [1, 2, 3], [0, 3, 2]])


def soup(vertices: np.ndarray, faces: np.ndarray) -> Mesh:
    return Mesh(vertices[faces].reshape(-1, 3).astype(np.float64), np.arange(3 * len(faces)).reshape(-1, 3))


def test_a_tetrahedron_by_hand() -> None:
    surface = surface_of(soup(CORNERS + 1000, FACES))
    assert len(surface.vertices) == 4 and surface.edge_count == len(surface.pairs) == 6
    assert surface.volume == pytest.approx(2 * 3 * 4 / 6)
    assert surface.areas[:2] == pytest.approx([3, 4]) and surface.area == pytest.approx(13 + np.sqrt(36 + 144 + 64) / 2)
    assert surface.normals[0] == pytest.approx([0, 0, -1])
    for pair, ends in zip(surface.pairs, surface.ends, strict=True):
        assert set(surface.faces[pair[0]]) & set(surface.faces[pair[1]]) == set(ends)


def test_minus_zero_is_zero_and_corners_that_meet_leave_no_triangle() -> None:
    vertices = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [-0.0, 0, -0.0], [1, 0, 0], [1, 1, 0]])
    surface = surface_of(Mesh(vertices, np.array([[0, 1, 2], [3, 4, 5], [0, 3, 5]])))
    assert len(surface.vertices) == 4 and surface.faces.tolist() == [[0, 1, 2], [0, 1, 3]]
    assert surface.ends.tolist() == [[0, 1]] and surface.edge_count == 5


@pytest.mark.parametrize("seed", range(4))
def test_as_loops_in_python_say(seed: int) -> None:
    """Random triangles over few corners: edges of one, two and many, and triangles without an area."""
    rng = np.random.default_rng(seed)
    mesh = soup(rng.integers(-2, 3, (30, 3)).astype(np.float64), rng.integers(0, 30, (60, 3)))
    surface = surface_of(mesh)
    order = {tuple(v): i for i, v in reversed(list(enumerate(surface.vertices.tolist())))}
    assert len(order) == len(surface.vertices) == len(np.unique(mesh.vertices, axis=0))
    faces = [[order[tuple(v)] for v in triangle] for triangle in mesh.vertices.reshape(-1, 3, 3).tolist()]
    faces = [face for face in faces if len(set(face)) == 3]
    assert surface.faces.tolist() == faces
    at_edge = defaultdict(list)
    for number, face in enumerate(faces):
        for corner in range(3):
            at_edge[tuple(sorted((face[corner], face[corner - 2])))].append(number)
    assert surface.edge_count == len(at_edge)
    shared = {edge: found for edge, found in at_edge.items() if len(found) == 2}
    assert {tuple(e): p for e, p in zip(surface.ends.tolist(), surface.pairs.tolist(), strict=True)} == shared
    crossed = np.cross(*(surface.vertices[surface.faces[:, k]] - surface.vertices[surface.faces[:, 0]] for k in (1, 2)))
    assert surface.areas == pytest.approx(np.linalg.norm(crossed, axis=1) / 2)
    assert surface.normals * (2 * surface.areas[:, None]) == pytest.approx(crossed)


def test_as_trimesh_says() -> None:
    ring = trimesh.creation.torus(10, 3)
    surface = surface_of(soup(np.asarray(ring.vertices), np.asarray(ring.faces)))
    assert surface.volume == pytest.approx(ring.volume) and surface.area == pytest.approx(ring.area)
    assert surface.edge_count == len(ring.edges_unique) == len(surface.pairs)
