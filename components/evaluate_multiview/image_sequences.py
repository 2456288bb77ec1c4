"""Several images of an object, and the methods that make a shape of the first so many of them, canonical cube.

    reconstruction      the network's probabilities
    mean_shape          the mean training shape, whatever the images show
    nearest_neighbour   the shape of the training object whose images are most like the ones that are shown
    visual_hull         what the silhouettes leave room for; it is told where the cameras stood

All but the retrieval are cut at a threshold each, the same for every number of images.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from shapeyard.contracts.dataset import Dataset, Sample, Split
from shapeyard.errors import DatasetError, one_line
from shapeyard.evaluation.baselines import silhouettes, true_grid
from shapeyard.evaluation.methods import GradedShape, Method, ShapeCase, constant_method, thresholded
from shapeyard.evaluation.retrieval import ImageGallery
from shapeyard.geometry.lifting import CANONICAL_FROM_UNIT
from shapeyard.geometry.visual_hull import visual_hull

BASELINES = ("mean_shape", "nearest_neighbour", "visual_hull")
METHODS = ("reconstruction", *BASELINES)
DEFAULT_THRESHOLD = 0.4  # the paper's, where there is no validation split


@dataclass(frozen=True)
class SequenceCase(ShapeCase):
    """An object after its first so many images; `view` is their number."""

    probability: NDArray[np.uint8]
    """(D,D,D) of the network"""
    neighbour: NDArray[np.bool_]
    """(D,D,D)"""
    silhouettes: NDArray[np.bool_]
    """(V,H,W) of the images"""
    intrinsics: NDArray[np.float64]
    world_from_camera: NDArray[np.float64]

    def hull(self) -> NDArray[np.float32]:
        """(D,D,D) see `visual_hull`."""
        return visual_hull(self.silhouettes, self.intrinsics, self.world_from_camera, len(self.probability))


class SequenceDatasets(NamedTuple):
    """The datasets that reconstructions from several images are measured with."""

    renders: Dataset
    voxels: Dataset
    reconstructions: Dataset
    meshes: Dataset | None
    """what the true shapes were made from; None where the source had no meshes"""

    def samples(self, split: Split) -> list[Sample]:
        """Those of a split that have a true shape."""
        return [sample for sample in self.renders.of_split(split) if sample.id in self.voxels]

    def cases(self, sample: Sample, resolution: int, gallery: ImageGallery) -> Iterator[SequenceCase]:
        """The object after each number of images that it was reconstructed from.

        Raises:
            DatasetError: for reconstructions that do not say which views they were made of, or have another resolution.
        """
        numbers, order = used_views(self.reconstructions, sample.id)
        probability = self.reconstructions.read(sample.id, "probability")
        expected = (len(numbers), *(resolution,) * 3)
        if probability.shape != expected:
            where = f"{self.reconstructions.paths[0]}: sample {sample.id}"
            raise DatasetError(f"{where}: expected probabilities of shape {expected}, got {probability.shape}")
        rgba, masks = self.renders.read(sample.id, "rgba"), silhouettes(self.renders, sample.id)
        cameras = self.renders.read(sample.id, "world_from_camera").astype(np.float64)
        true = true_grid(self.voxels, sample.id, resolution)
        for number, made in zip(numbers, probability, strict=True):
            shown = order[:number]
            yield SequenceCase(
                sample=sample,
                view=number,
                occupancy=true,
                canonical_from_cube=CANONICAL_FROM_UNIT,
                probability=made,
                neighbour=true_grid(self.voxels, gallery.nearest(rgba[shown]), resolution),
                silhouettes=masks[shown],
                intrinsics=self.renders.read(sample.id, "intrinsics").astype(np.float64),
                world_from_camera=cameras[shown],
            )

    def close(self) -> None:
        """Close all files."""
        for dataset in self:
            if dataset is not None:
                dataset.close()


def sequence_methods(mean_shape: NDArray[np.float32]) -> list[Method]:
    """The network and the baselines, given the mean training shape (D,D,D)."""
    return [
        thresholded("reconstruction", lambda case: case.probability, DEFAULT_THRESHOLD),
        constant_method("mean_shape", mean_shape, DEFAULT_THRESHOLD),
        Method("nearest_neighbour", lambda case: GradedShape.single(case.neighbour)),
        thresholded("visual_hull", lambda case: case.hull(), DEFAULT_THRESHOLD),
    ]


def used_views(reconstructions: Dataset, sample_id: str) -> tuple[Sequence[int], list[int]]:
    """How many views each shape of a sample was made of, and the order of the views whose first so many these were."""
    attributes = reconstructions[sample_id].attributes
    try:
        return [int(number) for number in attributes["views_used"]], [int(view) for view in attributes["view_order"]]
    except (KeyError, TypeError, ValueError) as error:
        raise DatasetError(
            f"{reconstructions.paths[0]}: sample {sample_id}: expected views_used and view_order, as train-multiview "
            f"writes them: {one_line(error)}"
        ) from error
