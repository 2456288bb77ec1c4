"""The IoU of every method for every number of views, and where each method's threshold is best."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from components.evaluate_multiview.baselines import Neighbours, hull, true_grid
from shapeyard.contracts.dataset import Dataset, Sample
from shapeyard.contracts.progress import track
from shapeyard.errors import DatasetError
from shapeyard.metrics.occupancy import THRESHOLDS, overlap_at_thresholds
from shapeyard.metrics.paired import PairedDifference, paired_difference

BASELINES = ("mean_shape", "nearest_neighbour", "visual_hull")
METHODS = ("reconstruction", *BASELINES)
DEFAULT_THRESHOLD = 0.4  # the paper's, where there is no validation split


class Row(NamedTuple):
    """One object after so many views."""

    sample: Sample
    views: int
    iou: dict[str, NDArray[np.float64]]
    """method → (T,) at each of `THRESHOLDS`"""


class Inputs(NamedTuple):
    """The datasets that are measured."""

    renders: Dataset
    voxels: Dataset
    reconstructions: Dataset
    meshes: Dataset | None
    """what the true shapes were made from; None where the source had no meshes"""


class Training(NamedTuple):
    """What the baselines know of the training split."""

    mean_shape: NDArray[np.float32]
    """(D,D,D), 0 to 1"""
    neighbours: Neighbours


def measure(inputs: Inputs, samples: Sequence[Sample], training: Training, note: str) -> list[Row]:
    """A row for each of the samples and numbers of views that its reconstructions were made of.

    Raises:
        DatasetError: as `shapes_of`.
    """
    rows: list[Row] = []
    for sample in track(samples, len(samples), note):
        true = true_grid(inputs.voxels, sample.id, len(training.mean_shape))
        for views, made in shapes_of(inputs, sample, training):
            iou = {method: overlap_at_thresholds(grid, true).iou for method, grid in made.items()}
            rows.append(Row(sample, views, iou))
    return rows


def shapes_of(
    inputs: Inputs, sample: Sample, training: Training
) -> Iterator[tuple[int, dict[str, NDArray[np.uint8 | np.float32]]]]:
    """For each number of views every method's shape (D,D,D): uint8, 0…255 for 0…1, or float32, 0…1.

    Raises:
        DatasetError: for reconstructions that do not say which views they were made of, or have another resolution.
    """
    resolution = len(training.mean_shape)
    numbers, order = used_views(inputs.reconstructions, sample.id)
    probability = inputs.reconstructions.read(sample.id, "probability")
    if probability.shape != (len(numbers), *(resolution,) * 3):
        where = f"{inputs.reconstructions.paths[0]}: sample {sample.id}"
        expected = (len(numbers), *(resolution,) * 3)
        raise DatasetError(f"{where}: expected probabilities of shape {expected}, got {probability.shape}")
    rgba = inputs.renders.read(sample.id, "rgba")
    for number, made in zip(numbers, probability, strict=True):
        shown = order[:number]
        neighbour = true_grid(inputs.voxels, training.neighbours.nearest(rgba[shown]), resolution)
        yield (
            number,
            {
                "reconstruction": made,
                "mean_shape": training.mean_shape,
                "nearest_neighbour": neighbour * np.uint8(255),  # the same at every threshold
                "visual_hull": hull(inputs.renders, sample.id, shown, resolution),
            },
        )


def used_views(reconstructions: Dataset, sample_id: str) -> tuple[list[int], list[int]]:
    """How many views each shape of a sample was made of, and the order of the views whose first so many these were."""
    attributes = reconstructions[sample_id].attributes
    try:
        return [int(number) for number in attributes["views_used"]], [int(view) for view in attributes["view_order"]]
    except (KeyError, TypeError, ValueError) as error:
        raise DatasetError(
            f"{reconstructions.paths[0]}: sample {sample_id}: expected views_used and view_order, as train-multiview "
            f"writes them: {error!r}"
        ) from error


def numbers_of(rows: Sequence[Row]) -> list[int]:
    """The numbers of views that occur."""
    return sorted({row.views for row in rows})


def best_thresholds(rows: Sequence[Row]) -> dict[str, int]:
    """Method → the index of the threshold with the best mean IoU over all numbers of views; a default without rows."""
    default = int(np.argmin(np.abs(THRESHOLDS - DEFAULT_THRESHOLD)))
    if not rows:
        return dict.fromkeys(METHODS, default)
    return {
        method: int(np.mean([mean_iou(rows, method, number) for number in numbers_of(rows)], axis=0).argmax())
        for method in METHODS
    }


def mean_iou(rows: Sequence[Row], method: str, views: int) -> NDArray[np.float64]:
    """(T,): the mean over a class's objects, then over the classes, of those with so many views."""
    return np.asarray(np.mean([np.mean(of, axis=0) for of in _by_class(rows, method, views).values()], axis=0))


def class_iou(rows: Sequence[Row], method: str, views: int, threshold: int) -> dict[str, float]:
    """Class → the mean over its objects at the threshold with this index."""
    return {name: float(np.mean(of, axis=0)[threshold]) for name, of in sorted(_by_class(rows, method, views).items())}


def difference(
    rows: Sequence[Row], chosen: Mapping[str, int], first: tuple[str, int], second: tuple[str, int]
) -> PairedDifference:
    """How much better one method with so many views is than another with so many, on the objects that have both."""
    one, other = (
        {row.sample.id: float(row.iou[method][chosen[method]]) for row in rows if row.views == views}
        for method, views in (first, second)
    )
    both = [name for name in one if name in other]
    classes = {row.sample.id: row.sample.class_name for row in rows}
    return paired_difference([one[n] for n in both], [other[n] for n in both], both, [classes[n] for n in both])


def _by_class(rows: Sequence[Row], method: str, views: int) -> dict[str, list[Any]]:
    of_class: dict[str, list[Any]] = {}
    for row in rows:
        if row.views == views:
            of_class.setdefault(row.sample.class_name, []).append(row.iou[method])
    return of_class
