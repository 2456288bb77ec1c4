"""The visual hull: all that several silhouettes leave room for (Laurentini, IEEE PAMI 16(2), 1994)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from shapeyard.geometry.frames import transform
from shapeyard.geometry.pooling import pool_grid

SAMPLES = 2
"""Points along a voxel's side: a voxel is occupied where anything of it is."""


def visual_hull(
    silhouettes: NDArray[np.bool_],
    intrinsics: NDArray[np.float64],
    world_from_camera: NDArray[np.float64],
    resolution: int,
) -> NDArray[np.float32]:
    """How far inside all silhouettes each voxel of the cube [−½, ½]³ is.

    Args:
        silhouettes: (V,H,W), true on the object.
        intrinsics: (3,3), pixels; the first pixel's centre is at 0.5, 0.5.
        world_from_camera: (V,4,4), OpenCV axes.
        resolution: D, voxels along the cube's side.

    Returns:
        (D,D,D) in 0…1, index order x, y, z: the least of the silhouettes (0 or 1, linear between the pixels' centres)
        at the places where a point is seen, the largest over a voxel's points. 0.5 is the outline; all 1 without views.
    """
    axis = (np.arange(SAMPLES * resolution) + 0.5) / (SAMPLES * resolution) - 0.5
    points = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    least = np.ones(len(points), dtype=np.float32)
    for silhouette, camera in zip(silhouettes, world_from_camera, strict=True):
        seen = transform(np.linalg.inv(camera), points)
        in_front = seen[:, 2] > 0
        pixels = seen @ intrinsics.T
        places = pixels[:, :2] / np.where(in_front, pixels[:, 2], 1.0)[:, None] - 0.5
        inside = map_coordinates(silhouette.astype(np.float32), places[:, ::-1].T, order=1, mode="constant")
        least = np.minimum(least, np.where(in_front, inside, 0.0))
    return pool_grid(least.reshape((SAMPLES * resolution,) * 3).astype(np.float32), resolution)
