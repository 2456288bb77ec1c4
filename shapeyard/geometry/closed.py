"""Whether a mesh bounds a volume, so that counting crossings says what is inside."""

from __future__ import annotations

import numpy as np

from shapeyard.geometry.surfaces import surface_of
from shapeyard.geometry.triangle_mesh import Mesh

TOUCHING = 1e-6
"""Share of the mesh's longest side by which the boxes of two shells may overlap and still be said to touch."""
MAX_SHELLS = 1000
"""Their boxes are compared all with all."""


def bounds_a_volume(mesh: Mesh) -> bool:
    """Whether a mesh is closed and orientable, and its shells lie beside each other.

    Of every edge there are two triangles that run along it in opposite directions. Corners in one place are one, so
    that STL's are joined. Shells whose boxes overlap may run through each other, where crossings cancel out.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    # Around the origin: corners are compared in single precision.
    surface = surface_of(Mesh(mesh.vertices - mesh.vertices.mean(axis=0), mesh.faces))
    faces, count = surface.faces.astype(np.int64), len(surface.vertices)
    if not len(faces):
        return False
    start, end = faces.ravel(), np.roll(faces, -1, axis=1).ravel()
    along, against = np.sort(start * count + end), np.sort(end * count + start)
    if (np.diff(along) == 0).any() or not np.array_equal(along, against):
        return False
    graph = coo_array((np.ones(len(start), np.int8), (start, end)), (count, count))
    shells, of_vertex = connected_components(graph, directed=False)
    used = np.zeros(count, bool)
    used[start] = True
    low, high = np.full((shells, 3), np.inf), np.full((shells, 3), -np.inf)
    np.minimum.at(low, of_vertex[used], surface.vertices[used])
    np.maximum.at(high, of_vertex[used], surface.vertices[used])
    low, high = low[np.isfinite(low[:, 0])], high[np.isfinite(high[:, 0])]
    if len(low) > MAX_SHELLS:
        return False
    apart = TOUCHING * float((high.max(axis=0) - low.min(axis=0)).max())
    overlapping = ((low[:, None] + apart < high) & (low + apart < high[:, None])).all(axis=2)
    return int(overlapping.sum()) == len(low)
