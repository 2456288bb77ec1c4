"""The separate bodies of a mesh: copies of a part on a plate."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from shapeyard.geometry.surfaces import surface_of
from shapeyard.geometry.triangle_mesh import Mesh

MAX_SHELLS = 500
"""More are no plate that a person prints; boxes are compared all with all."""
MAX_BODIES = 64


def bodies(mesh: Mesh) -> list[Mesh]:
    """The parts of a mesh whose bounding boxes don't overlap, the largest shells that touch in one.

    Returns:
        At least two, or none where the mesh is of one piece or of more than `MAX_BODIES`.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    surface = surface_of(mesh)
    faces, count = surface.faces, len(surface.vertices)
    links = np.concatenate([faces[:, :2], faces[:, 1:]])
    graph = coo_array((np.ones(len(links), np.int8), (links[:, 0], links[:, 1])), (count, count))
    shells, of_vertex = connected_components(graph, directed=False)
    of_face = of_vertex[faces[:, 0]]
    if not 2 <= shells <= MAX_SHELLS:
        return []
    low, high = np.full((shells, 3), np.inf), np.full((shells, 3), -np.inf)
    np.minimum.at(low, of_vertex, surface.vertices)
    np.maximum.at(high, of_vertex, surface.vertices)
    while True:
        overlapping = ((low[:, None] < high) & (low < high[:, None])).all(axis=2)
        joined, label = connected_components(overlapping, directed=False)
        of_face = label[of_face]
        if joined == len(low):
            break
        low = np.array([low[label == one].min(axis=0) for one in range(joined)])
        high = np.array([high[label == one].max(axis=0) for one in range(joined)])
    if not 2 <= joined <= MAX_BODIES:
        return []
    return [_part(surface.vertices, faces[of_face == one]) for one in range(joined)]


def _part(vertices: NDArray[np.float64], faces: NDArray[np.int64]) -> Mesh:
    used, places = np.unique(faces, return_inverse=True)
    return Mesh(vertices[used], places.reshape(-1, 3))


def joined(meshes: Sequence[Mesh]) -> Mesh:
    """Several meshes as one."""
    if len(meshes) == 1:
        return meshes[0]
    starts = np.cumsum([0, *(len(mesh.vertices) for mesh in meshes[:-1])])
    faces = [mesh.faces + start for mesh, start in zip(meshes, starts, strict=True)]
    return Mesh(np.concatenate([mesh.vertices for mesh in meshes]), np.concatenate(faces))
