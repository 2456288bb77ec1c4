"""What the trained network makes of the views of val and test: the reconstructions dataset."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shapeyard.contracts.dataset import Dataset, DatasetWriter, Sample
from shapeyard.contracts.progress import track
from shapeyard.errors import ParameterError
from shapeyard.geometry.lifting import Cube, canonical_from_cube, enclosing_cube, unproject
from shapeyard.geometry.preview import contact_sheet
from shapeyard.geometry.reconstruction_preview import render_reconstruction
from shapeyard.inference.occupancy_field import OccupancyEstimator, SeenView, probability_in_cube, see
from shapeyard.inference.view_numbers import views_of

PREVIEW_OBJECTS = 12


def write_occupancy(
    estimator: OccupancyEstimator,
    renders: Dataset,
    depths: Dataset | None,
    reconstructions: str | Path,
    threshold: float,
    resolution: int,
    views_per_object: int,
    parameters: Mapping[str, Any],
) -> None:
    """Write the shapes of the views of all val and test samples; the attribute `views` names a sample's views.

    Skipped: samples without a view that shows the object, and where depths are given those that these lack.

    Args:
        estimator: the network.
        renders: images, silhouettes and cameras.
        depths: what the cubes are put around; None for the network's own depth.
        reconstructions: the directory to write.
        threshold: for the preview, and as the dataset's attribute.
        resolution: voxels along a cube's side.
        views_per_object: evenly spread; 0 for all.
        parameters: what dataset.json says of the training.
    """
    samples = [sample for sample in renders.samples if sample.split != "train"]
    every = max(1, len(samples) // PREVIEW_OBJECTS)
    pictures: list[NDArray[np.uint8]] = []
    labels: list[str] = []
    with DatasetWriter(
        reconstructions, "reconstructions", "train_occupancy", parameters, max_skipped=1.0,
        skipped=renders.skipped, attributes={"threshold": threshold},
    ) as writer:  # fmt: skip
        for index, sample in enumerate(track(samples, len(samples), "reconstructing")):
            if depths is not None and sample.id not in depths:
                writer.skip(sample.id, "no predicted depth")
                continue
            made: dict[int, tuple[NDArray[np.uint8], NDArray[np.float64]]] = {}
            for view in views_of(renders, sample.id, views_per_object):
                found = _reconstruct(estimator, renders, depths, sample, view, resolution)
                if found is not None:
                    made[view] = found
            if not made:
                writer.skip(sample.id, "no view shows the object")
                continue
            probability, cubes = (np.stack(arrays) for arrays in zip(*made.values(), strict=True))
            arrays = {"probability": probability, "canonical_from_cube": cubes}
            writer.add(sample, arrays, {"views": list(made)})
            if index % every == 0 and len(pictures) < 2 * PREVIEW_OBJECTS:
                first = next(iter(made))
                seen = renders.read(sample.id, "rgba", first)
                pictures += [seen, render_reconstruction(probability[0], cubes[0], threshold, len(seen))]
                labels += [sample.id, f"from view {first}"]
        if pictures:
            writer.preview(contact_sheet(pictures, columns=6, labels=labels))


def _reconstruct(
    estimator: OccupancyEstimator, renders: Dataset, depths: Dataset | None, sample: Sample, view: int, resolution: int
) -> tuple[NDArray[np.uint8], NDArray[np.float64]] | None:
    """The probabilities (D,D,D) in the cube of a view and its `canonical_from_cube`; None if nothing is visible."""
    intrinsics = renders.read(sample.id, "intrinsics")
    seen = see(estimator, renders.read(sample.id, "rgba", view), intrinsics)
    cube = _cube(renders, depths, sample, view, seen)
    if cube is None:
        return None
    camera = renders.read(sample.id, "world_from_camera", view)
    return probability_in_cube(estimator, seen, cube, resolution), canonical_from_cube(camera, cube)


def _cube(renders: Dataset, depths: Dataset | None, sample: Sample, view: int, seen: SeenView) -> Cube | None:
    if depths is None:
        visible = np.isfinite(renders.read(sample.id, "depth", view))
        depth = np.where(visible, seen.depth, np.float32(np.inf))
    else:
        depth = depths.read(sample.id, "depth", view)
    try:
        return enclosing_cube(unproject(depth, renders.read(sample.id, "intrinsics")))
    except ParameterError:  # nothing to see
        return None
