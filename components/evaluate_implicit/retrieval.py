"""The training shape that is nearest to what is known of a shape."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from shapeyard.contracts.dataset import Dataset
from shapeyard.errors import DatasetError
from shapeyard.evaluation.measuring import evenly
from shapeyard.geometry.frames import transform
from shapeyard.geometry.sdf_observations import surface_of_depth
from shapeyard.inference.observations import half_of_cloud, input_generator

MAX_SHAPES = 2000
"""Of the training split that are looked through."""
GALLERY_POINTS, QUERY_POINTS = 3000, 500


class SurfaceGallery:
    """The surfaces of the training split.

    A whole shape is nearest by the Chamfer distance, a part of one by the mean squared distance of its points from the
    training shape alone.
    """

    def __init__(self, truth: Dataset) -> None:
        """Read them; raises `DatasetError` without a training split."""
        samples = evenly(truth.of_split("train"), MAX_SHAPES)
        if not samples:
            raise DatasetError(f"{truth.paths[0]}: expected objects of the training split, found none")
        self._ids = [sample.id for sample in samples]
        points = (truth.read(name, "surface", slice(0, GALLERY_POINTS))[:, :3] for name in self._ids)
        self._trees = [cKDTree(one) for one in points]

    def nearest(self, truth: Dataset, sample_id: str, name: str, seed: int) -> str:
        """The id of the training shape nearest to one of `INPUTS` of an object, as `observe` has it for a seed."""
        known = known_points(truth, sample_id, name, seed)[:QUERY_POINTS]
        errors = [np.square(tree.query(known)[0]).mean() for tree in self._trees]
        if name == "samples":
            own = cKDTree(truth.read(sample_id, "surface", slice(0, GALLERY_POINTS))[:, :3])
            errors = [
                e + np.square(own.query(tree.data[:QUERY_POINTS])[0]).mean()
                for e, tree in zip(errors, self._trees, strict=True)
            ]
        return self._ids[int(np.argmin(errors))]


def known_points(truth: Dataset, sample_id: str, name: str, seed: int) -> NDArray[np.float64]:
    """Points (N,3) of the surface that an input shows, in random order; the seed as `observe` takes it."""
    rng = input_generator(sample_id, name, seed)
    if name == "view":
        depth, camera = (truth.read(sample_id, part, 0) for part in ("depth", "sdf_from_camera"))
        points, _ = surface_of_depth(depth, truth.read(sample_id, "intrinsics"))
        return rng.permutation(transform(camera, points))
    surface = truth.read(sample_id, "surface")
    return np.asarray(half_of_cloud(surface, rng)[:, :3] if name == "half_cloud" else surface[:, :3], np.float64)
