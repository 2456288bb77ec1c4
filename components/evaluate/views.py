"""One view of an object, and the methods that make a shape of it in the cube around what the view shows.

occupancy, recgan   a network's probabilities, occupied at or above a threshold
mean_shape          the mean training shape, turned into the view by its true camera, occupied at or above a
                    threshold: strong, since a photograph does not tell the camera
extruded_surface    the surface that the predicted depth shows, extruded so many voxels backwards
nearest_neighbour   the true shape of the training view that looks most alike, nearness weighing so much
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from shapeyard.contracts.dataset import Dataset, Sample, read_occupancy
from shapeyard.errors import DatasetError
from shapeyard.evaluation.baselines import extruded_shapes, mean_shape, visible_surface
from shapeyard.evaluation.methods import GradedShape, Method, ShapeCase, thresholded
from shapeyard.evaluation.retrieval import (
    DEFAULT_DEPTH_WEIGHT,
    DEPTH_WEIGHTS,
    Neighbour,
    RetrievedShapes,
    ViewGallery,
)
from shapeyard.geometry.frames import transform
from shapeyard.geometry.lifting import cube_from_canonical_grid, resample

NETWORKS = ("occupancy", "recgan")
"""In the order in which one counts as the best where there is nothing to choose it by."""
PARAMETERS = {
    **dict.fromkeys(NETWORKS, "threshold"),
    "mean_shape": "threshold",
    "extruded_surface": "thickness_voxels",
    "nearest_neighbour": "depth_weight",
}
"""Method → what is chosen for it on the validation split."""
BASELINES = tuple(PARAMETERS)[len(NETWORKS) :]
DEFAULT_THRESHOLD = 0.5
DEFAULT_THICKNESS_SHARE = 0.25
"""Of the cube's side: a third of an object that is as deep as it is wide."""


@dataclass(frozen=True)
class ViewCase(ShapeCase):
    """One view, read from the datasets."""

    resolution: int
    """D, voxels along the cube's side"""
    probabilities: Mapping[str, NDArray[np.uint8]]
    """network → (D,D,D) in the camera-frame cube; a network that did not reconstruct the view has none"""
    canonical_from_camera: NDArray[np.float64]
    intrinsics: NDArray[np.float64]
    depth: NDArray[np.float32]
    """(H,W) predicted"""
    neighbours: list[Neighbour]
    """for each weight; empty without a training split"""

    def truth(self) -> tuple[NDArray[np.bool_], float]:
        """See `true_in_cube`."""
        return true_in_cube(self.occupancy, self.canonical_from_cube, self.resolution)

    def surface(self) -> NDArray[np.bool_]:
        """The 2.5D grid of the predicted depth."""
        return visible_surface(
            self.depth, self.intrinsics, self.canonical_from_camera, self.canonical_from_cube, self.resolution
        )


@dataclass(frozen=True)
class ViewDatasets:
    """The datasets that reconstructions of single views are measured with."""

    renders: Dataset
    voxels: Dataset
    depths: Dataset
    reconstructions: Dataset
    """of 3D-RecGAN++: its views and cubes are measured"""
    occupancy: Dataset | None = None
    """of the pixel-aligned occupancy network, in the same cubes; None without"""

    @property
    def networks(self) -> tuple[str, ...]:
        """Those whose reconstructions are there."""
        return tuple(name for name in NETWORKS if name == "recgan" or self.occupancy)

    @property
    def datasets(self) -> list[Dataset]:
        """All that are there."""
        found = (self.renders, self.voxels, self.depths, self.reconstructions, self.occupancy)
        return [dataset for dataset in found if dataset]

    def resolution(self, samples: list[Sample]) -> int | None:
        """Voxels along a side of what was reconstructed; None without samples."""
        return self.reconstructions.read(samples[0].id, "probability").shape[-1] if samples else None

    def cases(self, sample: Sample, resolution: int, gallery: ViewGallery | None) -> Iterator[ViewCase]:
        """The reconstructed views of a sample: the attribute `views` names them; without it they are the first.

        Args:
            sample: one that all datasets hold.
            resolution: what the grids have to have.
            gallery: where neighbours come from.

        Raises:
            DatasetError: for a grid of another shape, or of another cube than the view's.
        """
        occupancy = read_occupancy(self.voxels, sample.id)
        intrinsics = self.renders.read(sample.id, "intrinsics").astype(np.float64)
        cubes = self.reconstructions.read(sample.id, "canonical_from_cube").astype(np.float64)
        views = self.reconstructions[sample.id].attributes.get("views", range(len(cubes)))
        for index, view in enumerate(views):
            probability = self.reconstructions.read(sample.id, "probability", index)
            if probability.shape != (resolution,) * 3:
                where = f"{self.reconstructions.paths[0]}: sample {sample.id}"
                raise DatasetError(f"{where}: expected a grid of {resolution}³ voxels, got shape {probability.shape}")
            depth = self.depths.read(sample.id, "depth", view)
            yield ViewCase(
                sample=sample,
                view=int(view),
                occupancy=occupancy,
                canonical_from_cube=cubes[index],
                resolution=resolution,
                probabilities={"recgan": probability, **self._second(sample, view, cubes[index], resolution)},
                canonical_from_camera=self.renders.read(sample.id, "world_from_camera", view).astype(np.float64),
                intrinsics=intrinsics,
                depth=depth,
                neighbours=gallery.retrieve(depth, cubes[index]) if gallery else [],
            )

    def _second(
        self, sample: Sample, view: int, cube: NDArray[np.float64], resolution: int
    ) -> dict[str, NDArray[np.uint8]]:
        """What the occupancy network made of a view, in its cube; a grid of another resolution is resampled."""
        if self.occupancy is None or sample.id not in self.occupancy:
            return {}
        cubes = self.occupancy.read(sample.id, "canonical_from_cube")
        views = list(self.occupancy[sample.id].attributes.get("views", range(len(cubes))))
        if view not in views:
            return {}
        index = views.index(view)
        if not np.allclose(cubes[index], cube, atol=1e-5):
            raise DatasetError(
                f"{self.occupancy.paths[0]}: sample {sample.id}: expected view {view} in the cube of "
                f"{self.reconstructions.paths[0]}, found another: they were made with other depths"
            )
        probability = self.occupancy.read(sample.id, "probability", index)
        if len(probability) != resolution:
            probability = np.rint(resample(probability, np.eye(4), resolution)).astype(np.uint8)
        return {"occupancy": probability}

    def methods(self, resolution: int) -> list[Method]:
        """The networks and the baselines, in cubes of so many voxels a side."""
        mean = mean_shape(self.voxels, self.voxels.of_split("train"))

        def turned_mean(case: ViewCase) -> NDArray[np.float32] | None:
            return None if mean is None else cube_from_canonical_grid(mean, case.canonical_from_cube, case.resolution)

        def extruded(case: ViewCase) -> GradedShape:
            return extruded_shapes(case.surface())

        def retrieved(case: ViewCase) -> RetrievedShapes | None:
            return RetrievedShapes(case.neighbours, case.resolution) if case.neighbours else None

        thickness = max(1, round(DEFAULT_THICKNESS_SHARE * resolution))
        return [
            *(thresholded(name, partial(_probability, name), DEFAULT_THRESHOLD) for name in self.networks),
            thresholded("mean_shape", turned_mean, DEFAULT_THRESHOLD),
            Method("extruded_surface", extruded, range(1, resolution + 1), thickness),
            Method("nearest_neighbour", retrieved, DEPTH_WEIGHTS, DEFAULT_DEPTH_WEIGHT),
        ]


def _probability(network: str, case: ViewCase) -> NDArray[np.uint8] | None:
    return case.probabilities.get(network)


def true_in_cube(
    occupancy: NDArray[np.bool_], canonical_from_cube: NDArray[np.float64], resolution: int
) -> tuple[NDArray[np.bool_], float]:
    """The truth as the network was asked for it, and how much of it the cube has no room for.

    Args:
        occupancy: (D,D,D), the canonical cube.
        canonical_from_cube: (4,4), the cube's unit coordinates into the canonical frame.
        resolution: voxels along the cube's side.

    Returns:
        (resolution,)*3 bool, trilinear ≥ 0.5, and the volume of the true voxels whose centres lie outside the cube, in
        voxels of the cube.
    """
    inside = cube_from_canonical_grid(occupancy, canonical_from_cube, resolution) >= 0.5
    size = occupancy.shape[0]
    centres = (np.argwhere(occupancy) + 0.5) / size - 0.5
    unit = transform(np.linalg.inv(canonical_from_cube), centres)
    outside = np.count_nonzero(((unit < 0) | (unit > 1)).any(axis=1))
    cube_volume = abs(float(np.linalg.det(canonical_from_cube[:3, :3])))
    return inside, outside / size**3 / (cube_volume / resolution**3)
