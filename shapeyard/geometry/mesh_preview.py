"""Small pictures of meshes, by Embree's rays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shapeyard.geometry.cameras import SPHERE_DISTANCE, intrinsics, orbit
from shapeyard.geometry.preview import BACKGROUND, SURFACE
from shapeyard.geometry.triangle_mesh import Mesh

AZIMUTH_DEGREES, ELEVATION_DEGREES = 40.0, 25.0
LIGHT = np.array([0.35, 0.8, 0.5]) / np.linalg.norm([0.35, 0.8, 0.5])
AMBIENT = 0.35


def render_mesh(
    mesh: Mesh, size: int, colors: NDArray[np.float32] | None = None, *, azimuth_degrees: float = AZIMUTH_DEGREES
) -> NDArray[np.uint8]:
    """A mesh in the unit sphere, seen from above its front.

    Args:
        mesh: whose triangles may face either way.
        size: pixels a side.
        colors: (M,3) of its triangles, 0 to 1; None for one colour.
        azimuth_degrees: of the camera, see `shapeyard.geometry.cameras`.

    Returns:
        (size,size,3) uint8.
    """
    from embreex.mesh_construction import TriangleMesh
    from embreex.rtcore_scene import EmbreeScene

    picture = np.broadcast_to(BACKGROUND, (size * size, 3)).astype(np.float64)
    if not len(mesh.faces):
        return _as_picture(picture, size)
    (camera,) = orbit(1, ELEVATION_DEGREES, SPHERE_DISTANCE, azimuth_degrees)
    along = np.arange(size) + 0.5
    pixels = np.stack([*np.meshgrid(along, along), np.ones((size, size))]).reshape(3, -1)
    directions = (np.linalg.inv(intrinsics(size)) @ pixels).T @ camera[:3, :3].T
    scene = EmbreeScene()
    TriangleMesh(scene, mesh.vertices.astype(np.float32), mesh.faces.astype(np.int32))
    origins = np.broadcast_to(camera[:3, 3], directions.shape).astype(np.float32)
    hit = scene.run(origins, directions.astype(np.float32), query="INTERSECT")
    met = hit >= 0
    a, b, c = (mesh.vertices[mesh.faces[hit[met], corner]] for corner in range(3))
    normals = np.cross(b - a, c - a)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    normals *= -np.sign(np.einsum("nk,nk->n", normals, directions[met]))[:, None]
    light = AMBIENT + (1 - AMBIENT) * np.clip(normals @ LIGHT, 0, 1)
    picture[met] = (SURFACE if colors is None else colors[hit[met]]) * light[:, None]
    return _as_picture(picture, size)


def coarsened(mesh: Mesh, cells: int) -> Mesh:
    """A mesh in [−1, 1]³ with its vertices merged in each cell of a grid of so many a side: small enough for a page."""
    keys = np.clip(((mesh.vertices + 1) * cells / 2).astype(np.int64), 0, cells - 1) @ [cells * cells, cells, 1]
    _, index = np.unique(keys, return_inverse=True)
    count = np.bincount(index)
    vertices = np.stack([np.bincount(index, mesh.vertices[:, axis]) / count for axis in range(3)], axis=1)
    faces = index[mesh.faces]
    whole = (faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 2] != faces[:, 0])
    return Mesh(vertices, np.unique(faces[whole], axis=0) if whole.any() else np.zeros((0, 3), np.int64))


def _as_picture(values: NDArray[np.float64], size: int) -> NDArray[np.uint8]:
    return np.asarray(np.clip(values * 255 + 0.5, 0, 255), np.uint8).reshape(size, size, 3)
