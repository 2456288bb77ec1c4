"""How far two meshes' surfaces are apart when one is laid upon the other as well as it can be."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from shapeyard.geometry.isosurface import points_on_surface
from shapeyard.geometry.surfaces import surface_of
from shapeyard.geometry.triangle_mesh import Mesh

CORNERS, POINTS = 1000, 300
"""Of each mesh that are compared: most corners, since a bump or a hole begins and ends at some."""
STEPS = 8
FIT_POINTS = 250


class Deviation(NamedTuple):
    """Distances between two surfaces, in root mean squared radii of the second."""

    mean: float
    most: float
    """what 99 of 100 are below, the largest of the corners' and of the faces' of each surface"""
    matrix: NDArray[np.float64]
    """(3,4) that laid the first upon the second"""


def deviation(first: Mesh, second: Mesh, matrix: NDArray[np.float64], size: float, give_up: float) -> Deviation | None:
    """Distances from points of each surface to the other, after iterated closest points.

    Besl and McKay, A method for registration of 3-D shapes, 1992, with a scale (Umeyama, 1991).

    Args:
        first: in its file's coordinates.
        second: in its file's coordinates.
        matrix: (3,4) that lays the first upon the second, about.
        size: the second's root mean squared radius.
        give_up: a mean distance beyond which nothing is measured further.

    Returns:
        The distances, or None beyond `give_up`.
    """
    from igl import AABB

    rng = np.random.default_rng(0)
    one, other = surface_of(first), surface_of(second)
    near = AABB()
    centre = other.vertices.mean(axis=0)
    there, there_faces = (other.vertices - centre) / size, other.faces
    near.init(there, there_faces)
    here = _points(first, one.vertices, rng)
    linear, moved = matrix[:, :3] / size, (matrix[:, 3] - centre) / size
    fit = rng.permutation(len(here))[:FIT_POINTS]
    for _ in range(STEPS):
        placed = here[fit] @ linear.T + moved
        square, _, closest = near.squared_distance(there, there_faces, placed)
        if not np.sqrt(square).mean() < 4 * give_up:
            return None
        linear, moved = _similarity(here[fit], closest, linear)
    square = near.squared_distance(there, there_faces, here @ linear.T + moved)[0]
    if not np.sqrt(square).mean() < give_up:
        return None
    back = AABB()
    placed = one.vertices @ linear.T + moved
    back.init(placed, one.faces)
    points = (_points(second, other.vertices, rng) - centre) / size
    returned = back.squared_distance(placed, one.faces, points)[0]
    there_and_back = np.sqrt(square), np.sqrt(returned)
    mean = float(np.concatenate(there_and_back).mean())
    parts = [part for both in there_and_back for part in np.split(both, [len(both) - POINTS])]
    most = max(float(np.quantile(part, 0.99)) for part in parts)
    found = np.hstack([linear * size, (moved * size + centre)[:, None]])
    return Deviation(mean, most, found)


def _points(mesh: Mesh, corners: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    return np.concatenate([rng.permutation(corners)[:CORNERS], points_on_surface(mesh, POINTS, rng)])


def _similarity(
    points: NDArray[np.float64], targets: NDArray[np.float64], before: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The linear part and the shift that take points (N,3) nearest to targets (N,3); a mirror stays one."""
    middle, target = points.mean(axis=0), targets.mean(axis=0)
    u, values, v = np.linalg.svd((targets - target).T @ (points - middle))
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ v)) * np.sign(np.linalg.det(before))])
    scale = (values * sign).sum() / np.square(points - middle).sum()
    linear = scale * (u * sign) @ v
    return linear, target - linear @ middle
