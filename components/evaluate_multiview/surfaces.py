"""Measure the surfaces of every method's shapes for every number of views: F-score and Chamfer distance.

Every shape is the grid of zeros and ones that its IoU was taken of, at the method's one threshold; marching cubes at
0.5 treats it and the true grid alike. The ceiling is what the true grid itself, at this resolution, reaches against the
mesh that it was made from: what a voxel's size costs. It does not bound the others, whose truth is the true grid.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from components.evaluate_multiview.baselines import true_grid
from components.evaluate_multiview.measures import BASELINES, METHODS, Inputs, Training, shapes_of
from shapeyard.contracts.dataset import Sample
from shapeyard.contracts.progress import track
from shapeyard.geometry.isosurface import isosurface
from shapeyard.geometry.lifting import CANONICAL_FROM_UNIT
from shapeyard.in_order import in_order
from shapeyard.metrics.occupancy import THRESHOLDS, occupied_at
from shapeyard.metrics.paired import PairedDifference, paired_difference
from shapeyard.metrics.sample_surfaces import against_mesh, spread
from shapeyard.metrics.surface import POINTS, SHARE_OF_SIDE, SurfaceAgreement, surface_agreement
from shapeyard.training import cores

SURFACE_MEASURES = ("fscore", "chamfer")
MOST_OBJECTS = 200
"""Each costs half a second of a core, with five numbers of views."""


class Surfaces(NamedTuple):
    """How near one object's shapes are to its true surface."""

    sample: Sample
    by_views: dict[int, dict[str, SurfaceAgreement]]
    """number of views → method → its shape"""
    ceiling: SurfaceAgreement | None
    """the true grid against the mesh; None without one"""

    def named(self, views: int) -> dict[str, SurfaceAgreement]:
        """Those of so many views, and the ceiling, if there is one, as `ceiling`."""
        return self.by_views[views] | ({} if self.ceiling is None else {"ceiling": self.ceiling})


class _Work(NamedTuple):
    """One object's grids, read from the datasets."""

    sample: Sample
    true: NDArray[np.bool_]
    by_views: dict[int, dict[str, NDArray[np.bool_]]]


def measure_surfaces(
    inputs: Inputs, samples: Sequence[Sample], training: Training, chosen: Mapping[str, int]
) -> list[Surfaces]:
    """Measure at most `MOST_OBJECTS` of the samples, evenly by their names.

    Args:
        inputs: the datasets; samples whose meshes are missing, or no meshes but grids, have no ceiling.
        samples: of the test split.
        training: what the baselines need.
        chosen: method → index of its threshold.

    Raises:
        DatasetError: as `shapes_of`.
    """
    archive = Lock()
    # one draw for all objects, as it is one shape
    mean_shape = _spread(occupied_at(training.mean_shape, THRESHOLDS[chosen["mean_shape"]]), "", "mean_shape")

    def measure(work: _Work) -> Surfaces:
        true = _spread(work.true, work.sample.id, "true")
        same = surface_agreement(mean_shape, true)
        by_views = {
            views: {
                method: same if method == "mean_shape" else
                surface_agreement(_spread(grid, work.sample.id, f"{method} {views}"), true)
                for method, grid in made.items()
            }
            for views, made in work.by_views.items()
        }  # fmt: skip
        ceiling = None if inputs.meshes is None else against_mesh(inputs.meshes, archive, work.sample.id, true)
        return Surfaces(work.sample, by_views, ceiling)

    threads = cores(0)
    with ThreadPoolExecutor(threads) as pool:  # scipy and numpy let other threads work
        return list(in_order(pool, measure, _read(inputs, evenly(samples), training, chosen), 2 * threads))


def evenly(samples: Sequence[Sample], most: int = MOST_OBJECTS) -> list[Sample]:
    """At most so many of the samples, in equal steps in the order of their ids, however they were sharded."""
    by_id = sorted(samples, key=lambda sample: sample.id)
    count = min(most, len(by_id))
    return [by_id[place * len(by_id) // count] for place in range(count)]


def surface_summary(measured: Sequence[Surfaces]) -> dict[str, Any]:
    """What metrics.json says of surfaces; view numbers are strings.

    Returns:
        `methods`: method → measure → number of views → its mean; `ceiling`: over how many objects, and each measure's
        mean, or None without meshes; `fscore_over_baselines`: baseline → number of views → the paired difference.
    """
    numbers = sorted({views for of in measured for views in of.by_views})
    methods = {
        method: {
            measure: {str(n): _mean_over_classes(_values(measured, method, n), measure) for n in numbers}
            for measure in SURFACE_MEASURES
        }
        for method in METHODS
    }  # fmt: skip
    reached = [(of.sample, of.ceiling) for of in measured if of.ceiling is not None]
    ceiling = {measure: _mean_over_classes(reached, measure) for measure in SURFACE_MEASURES} if reached else None
    return {
        "methods": methods,
        "ceiling": None if ceiling is None else {"objects": len(reached), **ceiling},
        "fscore_over_baselines": {
            name: {str(n): fscore_difference(measured, name, n)._asdict() for n in numbers} for name in BASELINES
        },
        "surface_objects": len(measured),
        "surface_points": POINTS,
        "fscore_distance": SHARE_OF_SIDE,
        "chamfer_unit": "squared longest sides of the object",
    }


def fscore_difference(measured: Sequence[Surfaces], baseline: str, views: int) -> PairedDifference:
    """How much higher the reconstructions' F-score is than a baseline's, on the objects that have so many views."""
    have = [of for of in measured if views in of.by_views]
    one, other = ([of.by_views[views][method].fscore for of in have] for method in ("reconstruction", baseline))
    return paired_difference(one, other, [of.sample.id for of in have], [of.sample.class_name for of in have])


def _read(inputs: Inputs, samples: Sequence[Sample], training: Training, chosen: Mapping[str, int]) -> Iterator[_Work]:
    """Each sample's grids; in one thread, as the datasets' files are read."""
    for sample in track(samples, len(samples), "surfaces of the test split"):
        by_views = {
            views: {method: occupied_at(grid, THRESHOLDS[chosen[method]]) for method, grid in made.items()}
            for views, made in shapes_of(inputs, sample, training)
        }
        yield _Work(sample, true_grid(inputs.voxels, sample.id, len(training.mean_shape)), by_views)


def _spread(grid: NDArray[np.bool_], sample_id: str, of_what: str) -> cKDTree:
    return spread(isosurface(grid), CANONICAL_FROM_UNIT, sample_id, of_what)


def _values(measured: Sequence[Surfaces], method: str, views: int) -> list[tuple[Sample, SurfaceAgreement]]:
    return [(of.sample, of.by_views[views][method]) for of in measured if views in of.by_views]


def _mean_over_classes(found: Iterable[tuple[Sample, SurfaceAgreement]], measure: str) -> float:
    """The mean over a class's objects, then over the classes."""
    of_class: dict[str, list[float]] = {}
    for sample, agreement in found:
        of_class.setdefault(sample.class_name, []).append(getattr(agreement, measure))
    return float(np.mean([np.mean(values) for values in of_class.values()]))
