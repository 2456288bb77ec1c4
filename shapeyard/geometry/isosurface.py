"""From a grid to the surface around what it holds, and points on a surface.

Marching cubes: Lorensen, Cline, SIGGRAPH 1987, in the form without ambiguities of Lewiner, Lopes, Vieira, Tavares, 2003
(scikit-image).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage.measure import marching_cubes

from shapeyard.geometry.triangle_mesh import Mesh


def isosurface(values: NDArray[Any], level: float = 0.5) -> Mesh:
    """The closed surface where a grid crosses a level, in the unit coordinates of the grid's cube.

    Voxel i of D has its centre at (i+0.5)/D. Outside the grid there is nothing, so what reaches its faces is
    closed there. Triangles are ordered counterclockwise seen from where values are lower.

    Args:
        values: (D,D,D) bool, uint8 or float, at least 0, index order x, y, z.
        level: above 0, in the unit of `values`; 0.5 is the middle between false and true.

    Returns:
        The mesh, without vertices where nothing is above the level.
    """
    padded = np.pad(values.astype(np.float32), 1)
    if not padded.max() > level:
        return Mesh(np.zeros((0, 3)), np.zeros((0, 3), np.int64))
    vertices, faces, _, _ = marching_cubes(padded, level, gradient_direction="ascent")
    return Mesh((vertices.astype(np.float64) - 0.5) / len(values), faces.astype(np.int64))


def points_on_surface(mesh: Mesh, count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """(count,3) points, uniform over the area of a mesh, in the order of its triangles; (0,3) for one without area."""
    return oriented_points(mesh, count, rng)[0]


def oriented_points(
    mesh: Mesh, count: int, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Points as `points_on_surface` gives them, and the unit normals (count,3) of their triangles.

    Within a triangle: Osada, Funkhouser, Chazelle, Dobkin, Shape distributions, 2002, section 4.2, folded at the
    diagonal in place of the root.
    """
    origin, first, second = (mesh.vertices[mesh.faces[:, corner]] for corner in range(3))
    first, second = first - origin, second - origin
    normals = np.cross(first, second)
    doubled_area = np.linalg.norm(normals, axis=1)
    if not doubled_area.sum() > 0:
        return np.zeros((0, 3)), np.zeros((0, 3))
    until = np.cumsum(doubled_area)
    places = np.sort(rng.random(count)) * until[-1]  # neighbours in space stay neighbours: queries are faster
    chosen = np.searchsorted(until, places, side="right")
    along = rng.random((count, 2))
    folded = along.sum(axis=1) > 1
    along[folded] = 1 - along[folded]
    points = origin[chosen] + along[:, :1] * first[chosen] + along[:, 1:] * second[chosen]
    return points, normals[chosen] / doubled_area[chosen][:, None]
