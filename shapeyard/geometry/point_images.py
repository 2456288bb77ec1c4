"""3D Net's picture of a thing: the coordinates of its vertices, shuffled into a square.

Kept as the baseline that it is: the order of the coordinates is drawn at random, so the picture is noise whose spread
alone depends on the thing.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isqrt

import numpy as np
from numpy.typing import NDArray

from shapeyard.geometry.triangle_mesh import Mesh

SIDE = 256
REACH = 4
"""Of the Lanczos filter, in pixels of the source."""


def point_image(parts: Sequence[Mesh], rng: np.random.Generator) -> NDArray[np.uint8]:
    """The corners of all triangles of all parts as (256,256,3) uint8.

    As many numbers as the largest square of three channels takes are drawn with replacement, scaled to 0…255 by their
    own smallest and largest, cut to bytes, and resized.
    """
    values = np.concatenate([part.vertices[part.faces].ravel() for part in parts])
    side = max(isqrt(len(values) // 3), 1)
    drawn = rng.choice(values, side * side * 3)
    low, high = drawn.min(), drawn.max()
    scaled = (drawn - low) / max(high - low, 1e-12) * 255
    return resize_lanczos(scaled.astype(np.uint8).reshape(side, side, 3), SIDE)


def resize_lanczos(image: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Resize (H,W,3) to (side,side,3) as OpenCV's INTER_LANCZOS4 does: eight taps, no smoothing where it shrinks."""
    rows, columns = (_weights(size, side) for size in image.shape[:2])
    resized = np.einsum("ik,ikwc->iwc", rows[1], image[rows[0]].astype(np.float32))
    resized = np.einsum("jk,ijkc->ijc", columns[1], resized[:, columns[0]])
    return np.asarray(np.clip(np.rint(resized), 0, 255), np.uint8)


def _weights(size: int, side: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """For each of `side` pixels the places (side,8) of the source that it takes, and their weights; rows sum to 1."""
    centre = (np.arange(side) + 0.5) * size / side - 0.5
    places = np.floor(centre).astype(np.int64)[:, None] + np.arange(1 - REACH, REACH + 1)
    distance = places - centre[:, None]
    weights = np.sinc(distance) * np.sinc(distance / REACH)
    weights /= weights.sum(axis=1, keepdims=True)
    return np.clip(places, 0, size - 1), weights.astype(np.float32)
