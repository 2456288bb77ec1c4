"""The retrieval baseline: the true shape of the training view, or the training object, that looks most alike.

A network that is no better has learned to recognize, not to reconstruct (Tatarchenko et al., CVPR 2019, arXiv
1905.03678). What is compared is so small that a small shift costs little: 16×16 pixels of outline and nearness
(`ViewGallery`, of predicted depth), or of brightness and opacity (`ImageGallery`, of images).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shapeyard.contracts.dataset import Dataset, Sample
from shapeyard.contracts.packed_occupancy import unpack_occupancy
from shapeyard.contracts.progress import track
from shapeyard.errors import ParameterError
from shapeyard.geometry.isosurface import isosurface
from shapeyard.geometry.lifting import canonical_from_cube, cube_from_canonical_grid, enclosing_cube, unproject
from shapeyard.geometry.triangle_mesh import Mesh
from shapeyard.metrics.occupancy import Overlap, overlap

DEPTH_WEIGHTS = (0.0, 0.3, 3.0, 30.0)
"""Of the squared difference in nearness beside that in outline: the candidates."""
DEFAULT_DEPTH_WEIGHT = 3.0
PIXELS = 16
"""Along a side of what is compared."""
MAX_TRAINING_VIEWS = 50_000
"""100 MB of features; the same number of each object, but at least one."""


class Neighbour(NamedTuple):
    """The true shape behind a training view."""

    packed: NDArray[np.uint8]
    """of `pack_occupancy`, the canonical cube"""
    resolution: int
    canonical_from_cube: NDArray[np.float64]
    """(4,4) of that view's cube"""

    def in_cube(self, resolution: int) -> NDArray[np.bool_]:
        """(resolution,)*3: the shape in its own view's cube, trilinear ≥ 0.5."""
        occupancy = unpack_occupancy(self.packed, self.resolution)
        return cube_from_canonical_grid(occupancy, self.canonical_from_cube, resolution) >= 0.5


class RetrievedShapes(NamedTuple):
    """The neighbour's shape for each of `DEPTH_WEIGHTS`."""

    neighbours: Sequence[Neighbour]
    """the same object twice where two weights find the same view"""
    resolution: int

    def at(self, candidate: int) -> NDArray[np.bool_]:
        """(D,D,D) the shape for one weight."""
        return self.neighbours[candidate].in_cube(self.resolution)

    def surface(self, candidate: int) -> Mesh:
        """Its surface, unit coordinates of the case's cube."""
        return isosurface(self.at(candidate))

    def overlap(self, true: NDArray[np.bool_], missed: float) -> Overlap:
        """The overlap (K,) of each weight's shape with the truth."""
        found = {id(one): overlap(one.in_cube(self.resolution), true, missed) for one in self.neighbours}
        counts = zip(*(found[id(one)] for one in self.neighbours), strict=True)
        return Overlap(*(np.stack(values) for values in counts))


@dataclass(frozen=True)
class ViewGallery:
    """The training views by their predicted depth."""

    voxels: Dataset
    features: NDArray[np.float32]
    """(N,2,PIXELS²) of `depth_features`"""
    sample_ids: list[str]
    cubes: list[NDArray[np.float64]]
    """canonical_from_cube (4,4) of each view"""

    @classmethod
    def of_training(cls, renders: Dataset, depths: Dataset, voxels: Dataset) -> ViewGallery | None:
        """The views of the training split that show something; None if there are none."""
        samples = [s for s in renders.of_split("train") if s.id in depths and s.id in voxels]
        of_each = max(1, MAX_TRAINING_VIEWS // max(len(samples), 1))
        features, names, cubes = [], [], []
        for sample in track(samples, len(samples), "views of the training split"):
            intrinsics = renders.read(sample.id, "intrinsics").astype(np.float64)
            cameras = renders.read(sample.id, "world_from_camera").astype(np.float64)
            for depth, camera in list(zip(depths.read(sample.id, "depth"), cameras, strict=True))[:of_each]:
                try:
                    cube = enclosing_cube(unproject(depth, intrinsics))
                except ParameterError:  # nothing to see
                    continue
                features.append(depth_features(depth, cube.side))
                names.append(sample.id)
                cubes.append(canonical_from_cube(camera, cube))
        return cls(voxels, np.stack(features), names, cubes) if names else None

    def nearest(self, features: NDArray[np.float32]) -> list[int]:
        """For each of `DEPTH_WEIGHTS` the index of the view that is most like these features (2,PIXELS²)."""
        outline, nearness = np.square(self.features - features).sum(axis=2).T
        return [int(np.argmin(outline + weight * nearness)) for weight in DEPTH_WEIGHTS]

    def retrieve(self, depth: NDArray[np.float32], canonical_from_cube: NDArray[np.float64]) -> list[Neighbour]:
        """The shape for each weight, for a depth map (H,W) and the cube around what it shows; none if it is empty."""
        if not np.isfinite(depth).any():
            return []
        side = abs(float(np.linalg.det(canonical_from_cube[:3, :3]))) ** (1 / 3)
        nearest = self.nearest(depth_features(depth, side))
        shapes = {index: self._neighbour(index) for index in set(nearest)}
        return [shapes[index] for index in nearest]

    def _neighbour(self, index: int) -> Neighbour:
        name = self.sample_ids[index]
        resolution = int(self.voxels[name].attributes["resolution"])
        return Neighbour(self.voxels.read(name, "occupancy"), resolution, self.cubes[index])


class ImageGallery:
    """The training objects by their images."""

    def __init__(self, renders: Dataset, samples: Sequence[Sample]) -> None:
        self.ids = [sample.id for sample in samples]
        rows = [
            image_features(renders.read(name, "rgba")) for name in track(self.ids, len(self.ids), "training images")
        ]
        self._features = np.concatenate(rows)
        self._first = np.cumsum([0, *(len(row) for row in rows[:-1])])

    def nearest(self, images: NDArray[np.uint8]) -> str:
        """The id of the object that has, on the mean over the images (V,H,W,4), the most similar image to each."""
        shown = image_features(images)
        squares = np.square(shown).sum(axis=1)[:, None] + np.square(self._features).sum(axis=1)
        distances = np.sqrt(np.maximum(squares - 2 * shown @ self._features.T, 0))  # (V, training images)
        of_object = np.minimum.reduceat(distances, self._first, axis=1)  # (V, training objects)
        return self.ids[int(of_object.mean(axis=0).argmin())]


def depth_features(depth: NDArray[np.float32], side: float) -> NDArray[np.float32]:
    """The outline of what is visible and how near its points are, in the square around it.

    Args:
        depth: (H,W), inf where there is nothing; something is finite.
        side: of the view's cube, in the unit of `depth`.

    Returns:
        (2,PIXELS²): the share of a cell that is covered, and the mean over the cell of 1 at the nearest point falling
        to 0 at the cube's back, 0 where there is nothing.
    """
    mask = np.isfinite(depth)
    rows, columns = np.nonzero(mask)
    nearness = np.zeros(depth.shape, np.float32)
    nearness[mask] = np.clip(1 - (depth[mask] - depth[mask].min()) / side, 0, 1)
    top, bottom, left, right = rows.min(), rows.max() + 1, columns.min(), columns.max() + 1
    half = max(bottom - top, right - left) / 2
    x, y = (left + right) / 2 + 2 * half, (top + bottom) / 2 + 2 * half  # in the padded picture
    box = (x - half, y - half, x + half, y + half)
    padding = round(2 * half)
    return np.stack([_small(np.pad(image, padding), box) for image in (mask.astype(np.float32), nearness)])


def image_features(rgba: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Images (V,H,W,4) → (V,2·PIXELS²) in 0…1: their brightness composited on black, and their opacity."""
    weights = np.array([0.299, 0.587, 0.114], np.float32)
    rows = []
    for image in rgba:
        alpha = image[..., 3].astype(np.float32) / 255
        brightness = image[..., :3].astype(np.float32) @ weights / 255 * alpha
        rows.append(np.concatenate([_small(brightness), _small(alpha)]))
    return np.stack(rows)


def _small(image: NDArray[np.float32], box: tuple[float, float, float, float] | None = None) -> NDArray[np.float32]:
    """(H,W), or a box of it, → (PIXELS²,) means."""
    small = Image.fromarray(image).resize((PIXELS, PIXELS), Image.Resampling.BOX, box=box)
    return np.asarray(small, dtype=np.float32).ravel()
