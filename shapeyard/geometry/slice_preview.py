"""Pictures of slices through a signed distance field, for contact sheets."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from shapeyard.geometry.preview import BACKGROUND, SURFACE

HALF_WINDOW = 1.0
"""Half the picture's side in units of the sphere's radius: all of the sphere is always in the picture."""
LINE_DISTANCE = 0.1
OUTLINE = np.array([0.13, 0.16, 0.22], np.float32)
FAR = np.array([0.93, 0.72, 0.42], np.float32)
"""What the background fades into with the distance, outside."""
VIEWS = ((0, (2, 1)), (1, (0, 2)), (2, (0, 1)))
"""For each axis that is cut across, the axes that lead right and up in the picture, +Y up where it can be."""


def largest_slice(
    field: Callable[[NDArray[np.float64]], NDArray[np.float64]], point: NDArray[np.float32], size: int
) -> NDArray[np.float32]:
    """Of the three slices through a point, across the axes, the one that shows most of the inside.

    Args:
        field: signed distances (N,) of points (N,3).
        point: (3,), best one deep inside: a slice along a face shows little.
        size: pixels a side.

    Returns:
        (size,size) float32 signed distances of [−1, 1]², from the top down.
    """
    along = HALF_WINDOW * ((np.arange(size) + 0.5) * 2 / size - 1)
    slices = []
    for axis, (right, up) in VIEWS:
        points = np.empty((size, size, 3))
        points[..., axis] = point[axis]
        points[..., right] = along
        points[..., up] = -along[:, None]
        slices.append(field(points.reshape(-1, 3)).reshape(size, size).astype(np.float32))
    return max(slices, key=lambda values: int((values < 0).sum()))


def render_slice(signed_distance: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Draw a slice: blue inside, darker with depth, a dark outline, rings every 0.1 outside.

    Args:
        signed_distance: (H,W), negative inside, in units of half the picture's side.

    Returns:
        (H,W,3) uint8.
    """
    distance = np.asarray(signed_distance, np.float32)[..., None]
    pixel = 2 * HALF_WINDOW / distance.shape[1]
    inside = SURFACE * np.clip(1 + 3 * distance, 0.55, 1)
    outside = BACKGROUND + (FAR - BACKGROUND) * np.clip(distance, 0, 1) * 0.8
    picture = np.where(distance < 0, inside, outside)
    to_line = np.abs(distance / LINE_DISTANCE - np.round(distance / LINE_DISTANCE)) * LINE_DISTANCE
    picture = np.where((to_line < 0.5 * pixel) & (distance > 0.5 * LINE_DISTANCE), picture * 0.9, picture)
    outline = np.clip(1.5 - np.abs(distance) / pixel, 0, 1)
    return np.asarray((picture + (OUTLINE - picture) * outline) * 255 + 0.5).astype(np.uint8)
