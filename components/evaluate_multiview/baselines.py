"""What can be said of an object's shape without a network: three baselines.

mean_shape          the mean of all training shapes, whatever the images show
nearest_neighbour   the training shape whose images are most like the ones that are shown
visual_hull         what the silhouettes of the images leave room for; it is told where the cameras stood
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shapeyard.contracts.dataset import Dataset, Sample, read_occupancy
from shapeyard.contracts.progress import track
from shapeyard.geometry.pooling import pool_grid
from shapeyard.geometry.visual_hull import visual_hull

FEATURE_SIDE = 16
"""Pixels along the small image that stands for an image."""
MASK_ALPHA = 128


def true_grid(voxels: Dataset, sample_id: str, resolution: int) -> NDArray[np.bool_]:
    """(resolution,)*3: the sample's grid, pooled if it is finer."""
    return pool_grid(read_occupancy(voxels, sample_id), resolution)


def mean_shape(voxels: Dataset, samples: Sequence[Sample], resolution: int) -> NDArray[np.float32]:
    """(resolution,)*3: the share of the samples whose shape fills a voxel, 0 to 1."""
    total = np.zeros((resolution,) * 3, dtype=np.float32)
    for sample in samples:
        total += true_grid(voxels, sample.id, resolution)
    return total / np.float32(max(len(samples), 1))


def silhouettes(renders: Dataset, sample_id: str) -> NDArray[np.bool_]:
    """(V,H,W): where depth is finite, or for images that were brought, where they are opaque."""
    if renders.has(sample_id, "depth"):
        return np.asarray(np.isfinite(renders.read(sample_id, "depth")))
    return np.asarray(renders.read(sample_id, "rgba")[..., 3] >= MASK_ALPHA)


def hull(renders: Dataset, sample_id: str, views: Sequence[int], resolution: int) -> NDArray[np.float32]:
    """(resolution,)*3: the visual hull of some of a sample's views, see `visual_hull`."""
    chosen = list(views)
    intrinsics = renders.read(sample_id, "intrinsics").astype(np.float64)
    cameras = renders.read(sample_id, "world_from_camera")[chosen].astype(np.float64)
    return visual_hull(silhouettes(renders, sample_id)[chosen], intrinsics, cameras, resolution)


class Neighbours:
    """The training images by what they look like, and which shape each of them shows."""

    def __init__(self, renders: Dataset, samples: Sequence[Sample]) -> None:
        self.ids = [sample.id for sample in samples]
        rows = [features(renders.read(name, "rgba")) for name in track(self.ids, len(self.ids), "training images")]
        self._features = np.concatenate(rows)
        self._first = np.cumsum([0, *(len(row) for row in rows[:-1])])

    def nearest(self, images: NDArray[np.uint8]) -> str:
        """The id of the sample that has, on the mean over the images (V,H,W,4), the most similar image to each."""
        shown = features(images)
        squares = np.square(shown).sum(axis=1)[:, None] + np.square(self._features).sum(axis=1)
        distances = np.sqrt(np.maximum(squares - 2 * shown @ self._features.T, 0))  # (V, training images)
        of_object = np.minimum.reduceat(distances, self._first, axis=1)  # (V, training objects)
        return self.ids[int(of_object.mean(axis=0).argmin())]


def features(rgba: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Images (V,H,W,4) → (V,512) in 0…1: their brightness before black and their opacity, 16×16 pixels each."""
    weights = np.array([0.299, 0.587, 0.114], np.float32)
    rows = []
    for image in rgba:
        alpha = image[..., 3].astype(np.float32) / 255
        brightness = image[..., :3].astype(np.float32) @ weights / 255 * alpha
        rows.append(np.concatenate([_small(brightness).ravel(), _small(alpha).ravel()]))
    return np.stack(rows)


def _small(image: NDArray[np.float32]) -> NDArray[np.float32]:
    side = (FEATURE_SIDE, FEATURE_SIDE)
    return np.asarray(Image.fromarray(image).resize(side, Image.Resampling.BOX), dtype=np.float32)
