"""The nearest neighbour: of all training views the one that looks most like a view, and the true shape behind it.

A network that is no better has learned to recognize, not to reconstruct (Tatarchenko et al., CVPR 2019, arXiv
1905.03678). Two views are compared by what the reconstructor is given, the predicted depth, in the square around what
is visible and made so small that a small shift costs little. The answer is the true shape of that view's object in
that view's own cube, laid into the cube asked for: nothing tells the camera. One number is chosen on validation: what
depth weighs beside outline.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shapeyard.contracts.dataset import Dataset, unpack_occupancy
from shapeyard.contracts.progress import track
from shapeyard.errors import ParameterError
from shapeyard.geometry.lifting import canonical_from_cube, cube_from_canonical_grid, enclosing_cube, unproject

WEIGHTS = (0.0, 0.3, 3.0, 30.0)
"""Of the squared difference in nearness beside that in outline, the candidates."""
DEFAULT_WEIGHT = 3.0
PIXELS = 16
"""Along a side of what is compared."""
MOST_TRAINING_VIEWS = 50_000
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


@dataclass(frozen=True)
class Gallery:
    """The training views, ready to be looked through."""

    voxels: Dataset
    features: NDArray[np.float32]
    """(N,2,PIXELS²) of `view_features`"""
    sample_ids: list[str]
    cubes: list[NDArray[np.float64]]
    """canonical_from_cube (4,4) of each view"""

    def nearest(self, features: NDArray[np.float32], weights: Sequence[float]) -> list[int]:
        """For each weight of depth the index of the view that is most like these features (2,PIXELS²)."""
        outline, nearness = np.square(self.features - features).sum(axis=2).T
        return [int(np.argmin(outline + weight * nearness)) for weight in weights]

    def neighbour(self, index: int) -> Neighbour:
        """The shape behind a view."""
        name = self.sample_ids[index]
        resolution = int(self.voxels[name].attributes["resolution"])
        return Neighbour(self.voxels.read(name, "occupancy"), resolution, self.cubes[index])


def training_gallery(renders: Dataset, depths: Dataset, voxels: Dataset) -> Gallery | None:
    """Look at the predicted depth of the training views; None where there is none to look at."""
    samples = [s for s in renders.of_split("train") if s.id in depths and s.id in voxels]
    of_each = max(1, MOST_TRAINING_VIEWS // max(len(samples), 1))
    features, names, cubes = [], [], []
    for sample in track(samples, len(samples), "views of the training split"):
        intrinsics = renders.read(sample.id, "intrinsics").astype(np.float64)
        cameras = renders.read(sample.id, "world_from_camera").astype(np.float64)
        for depth, camera in list(zip(depths.read(sample.id, "depth"), cameras, strict=True))[:of_each]:
            try:
                cube = enclosing_cube(unproject(depth, intrinsics))
            except ParameterError:  # nothing to see
                continue
            features.append(view_features(depth, cube.side))
            names.append(sample.id)
            cubes.append(canonical_from_cube(camera, cube))
    return Gallery(voxels, np.stack(features), names, cubes) if names else None


def view_features(depth: NDArray[np.float32], side: float) -> NDArray[np.float32]:
    """What is compared of a view: its outline, and how near its points are, in the square around what is visible.

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
    small = [
        Image.fromarray(np.pad(image, padding)).resize((PIXELS, PIXELS), Image.Resampling.BOX, box=box)
        for image in (mask.astype(np.float32), nearness)
    ]
    return np.stack([np.asarray(image, np.float32).ravel() for image in small])
