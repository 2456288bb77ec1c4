"""A mesh's surface: corners that are equal made one, which triangles meet at which edge, which way each one faces.

Compiled loops, since sorting and gathering in numpy takes several times as long; all is linear in the triangles.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from shapeyard.geometry.projected_triangles import compiled
from shapeyard.geometry.triangle_mesh import Mesh


class Surface(NamedTuple):
    """A mesh whose triangles share their corners."""

    vertices: NDArray[np.float64]
    """(V,3)"""
    faces: NDArray[np.int64]
    """(M,3), without those that two equal corners leave without an area"""
    pairs: NDArray[np.int64]
    """(E,2) places in `faces` of the two triangles at each edge that exactly two share"""
    ends: NDArray[np.int64]
    """(E,2) vertices of those edges"""
    edge_count: int
    """of all edges"""
    normals: NDArray[np.float64]
    """(M,3) unit, or zero where a triangle has no area"""
    areas: NDArray[np.float64]
    """(M,)"""
    volume: float
    """by the divergence theorem: right where the surface is closed"""

    @property
    def area(self) -> float:
        """Of all triangles."""
        return float(self.areas.sum())


def surface_of(mesh: Mesh) -> Surface:
    """The surface of a mesh in which each triangle may have corners of its own, as STL files have them.

    Corners are equal if they are so in single precision, which is STL's.
    """
    # Adding zero makes −0 the same as 0.
    bits = np.ascontiguousarray(mesh.vertices.astype(np.float32) + np.float32(0)).view(np.uint32)
    first, place = _equal_rows(bits)
    faces = place[mesh.faces]
    distinct = (faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 2] != faces[:, 0])
    faces = faces[distinct] if distinct.any() else faces
    vertices = mesh.vertices[first]
    pairs, ends, edge_count = _shared_edges(faces, len(first))
    normals, areas, volume = _facing(vertices, faces)
    return Surface(vertices, faces, pairs, ends, edge_count, normals, areas, abs(volume))


@compiled
def _equal_rows(rows: NDArray[np.uint32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Of rows (N,3): where each distinct one stands first, and (N,) which of them each one is."""
    size = 16
    while size < 2 * len(rows):
        size *= 2
    table = np.full(size, -1, np.int64)  # open addressing
    first, place = np.empty(len(rows), np.int64), np.empty(len(rows), np.int64)
    count = 0
    for i in range(len(rows)):
        x, y, z = rows[i, 0], rows[i, 1], rows[i, 2]
        mixed = np.uint64(x) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(y) * np.uint64(0xC2B2AE3D27D4EB4F)
        mixed = (mixed ^ (mixed >> np.uint64(29))) + np.uint64(z) * np.uint64(0xD6E8FEB86659FD93)
        mixed = (mixed ^ (mixed >> np.uint64(32))) * np.uint64(0xBF58476D1CE4E5B9)
        slot = np.int64(mixed >> np.uint64(32)) & (size - 1)
        while True:
            known = table[slot]
            if known < 0:
                table[slot], first[count], place[i] = count, i, count
                count += 1
                break
            j = first[known]
            if rows[j, 0] == x and rows[j, 1] == y and rows[j, 2] == z:
                place[i] = known
                break
            slot = (slot + 1) & (size - 1)
    return first[:count].copy(), place


@compiled
def _shared_edges(faces: NDArray[np.int64], count: int) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
    """The two triangles and the two vertices (E,2) of each edge that exactly two of `faces` share; how many edges."""
    low, high = np.empty(3 * len(faces), np.int64), np.empty(3 * len(faces), np.int64)
    for face in range(len(faces)):
        for corner in range(3):
            a, b = faces[face, corner], faces[face, (corner + 1) % 3]
            low[3 * face + corner], high[3 * face + corner] = min(a, b), max(a, b)
    order = _counted(low, _counted(high, np.arange(len(low)), count), count)
    pairs, ends = np.empty((len(low) // 2, 2), np.int64), np.empty((len(low) // 2, 2), np.int64)
    edges = shared = start = 0
    while start < len(order):
        a, b = low[order[start]], high[order[start]]
        end = start + 1
        while end < len(order) and low[order[end]] == a and high[order[end]] == b:
            end += 1
        if end - start == 2:
            pairs[shared, 0], pairs[shared, 1] = order[start] // 3, order[start + 1] // 3
            ends[shared, 0], ends[shared, 1] = a, b
            shared += 1
        edges += 1
        start = end
    return pairs[:shared], ends[:shared], edges


@compiled
def _counted(keys: NDArray[np.int64], order: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """`order` sorted by the keys (below `count`) that it points to; equal ones stay in order."""
    places = np.zeros(count + 1, np.int64)
    for key in keys:
        places[key + 1] += 1
    places = np.cumsum(places)
    result = np.empty_like(order)
    for i in order:
        result[places[keys[i]]] = i
        places[keys[i]] += 1
    return result


@compiled
def _facing(
    vertices: NDArray[np.float64], faces: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Unit normals (M,3), areas (M,) and the signed volume."""
    normals, areas = np.empty((len(faces), 3), np.float64), np.empty(len(faces), np.float64)
    centre = vertices.sum(axis=0) / len(vertices)  # a file may be far from its origin
    volume = 0.0
    for face in range(len(faces)):
        a, b, c = vertices[faces[face, 0]], vertices[faces[face, 1]], vertices[faces[face, 2]]
        x = (b[1] - a[1]) * (c[2] - a[2]) - (b[2] - a[2]) * (c[1] - a[1])
        y = (b[2] - a[2]) * (c[0] - a[0]) - (b[0] - a[0]) * (c[2] - a[2])
        z = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
        doubled = np.sqrt(x * x + y * y + z * z)
        areas[face] = doubled / 2
        long = max(doubled, 1e-30)
        normals[face, 0], normals[face, 1], normals[face, 2] = x / long, y / long, z / long
        volume += (x * (a[0] - centre[0]) + y * (a[1] - centre[1]) + z * (a[2] - centre[2])) / 6
    return normals, areas, volume
