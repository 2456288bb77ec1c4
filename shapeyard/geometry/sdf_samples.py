"""Where DeepSDF samples the signed distance, and in which frame (Park et al., arXiv 1901.05103).

And what else is known of a shape there: depth maps of it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from shapeyard.errors import MeshError
from shapeyard.geometry.cameras import SPHERE_DISTANCE, intrinsics, orbit
from shapeyard.geometry.signed_distance import SignedDistance

VIEW_ELEVATION_DEGREES = 30.0
SPHERE_MARGIN = 1.03
"""The unit sphere's radius over the distance of the farthest vertex from the middle of the bounding box."""


def canonical_from_sphere(vertices: NDArray[np.float64]) -> NDArray[np.float64]:
    """The 4×4 transform of the unit sphere's coordinates into those of a mesh's vertices (N,3)."""
    lower, upper = vertices.min(axis=0), vertices.max(axis=0)
    centre = (lower + upper) / 2
    radius = SPHERE_MARGIN * float(np.linalg.norm(vertices - centre, axis=1).max())
    if not np.isfinite(radius) or radius <= 0:
        raise MeshError(f"expected a mesh with an extent, got a radius of {radius}")
    matrix = np.diag([radius, radius, radius, 1.0])
    matrix[:3, 3] = centre
    return matrix


def draw_points(
    field: SignedDistance,
    count: int,
    near_surface: float,
    variances: tuple[float, float],
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Points (count,3) in the unit sphere, in random order.

    Args:
        field: the mesh, inside the unit sphere.
        count: N.
        near_surface: share of the points that are points of the surface, drawn evenly by area, with normal noise on
            each coordinate; the rest is uniform.
        variances: of that noise, in units of the sphere's radius squared, each for half of the points.
        rng: where all of it comes from.
    """
    near = round(count * near_surface)
    surface, _ = field.surface_points(near, rng)
    coarse = np.arange(near) < near // 2
    deviation = np.sqrt(np.where(coarse, *variances))[:, None]
    points = np.concatenate([surface, np.zeros((count - near, 3))])
    again = np.arange(count)
    while len(again):  # noise that leads out of the sphere is drawn again, at the same point of the surface
        noisy, uniform = again[again < near], again[again >= near]
        points[noisy] = surface[noisy] + deviation[noisy] * rng.standard_normal((len(noisy), 3))
        points[uniform] = rng.uniform(-1, 1, (len(uniform), 3))
        again = again[np.einsum("nk,nk->n", points[again], points[again]) > 1]
    return np.asarray(rng.permutation(points))


class DepthViews(NamedTuple):
    """Depth maps in the frame of the unit sphere."""

    depth: NDArray[np.float32]
    """(V,H,W) along the optical axis, inf where nothing is"""
    intrinsics: NDArray[np.float64]
    """(3,3) pixels"""
    sdf_from_camera: NDArray[np.float64]
    """(V,4,4) OpenCV axes into the unit sphere"""


def depth_views(field: SignedDistance, views: int, size: int, start_degrees: float) -> DepthViews:
    """Depth maps of `size`² pixels from a circle around a mesh in the unit sphere, from one azimuth on."""
    cameras, projection = (
        orbit(views, VIEW_ELEVATION_DEGREES, SPHERE_DISTANCE, start_degrees) if views else np.zeros((0, 4, 4)),
        intrinsics(size),
    )
    along = np.arange(size) + 0.5
    pixels = np.stack([*np.meshgrid(along, along), np.ones((size, size))]).reshape(3, -1)
    rays = (np.linalg.inv(projection) @ pixels).T  # (H·W,3), 1 along the optical axis
    depth = [field.along_rays(camera[:3, 3], rays @ camera[:3, :3].T) for camera in cameras]
    return DepthViews(np.array(depth, np.float32).reshape(views, size, size), projection, cameras)
