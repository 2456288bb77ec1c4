"""Comparing methods that make shapes: the overlap of voxels, and how near surfaces are to each other.

An evaluation says what a case is and which methods there are; `compare_methods` does the rest.

The surface of voxels is that of the very grid of zeros and ones that the IoU is taken of; marching cubes at 0.5 treats
it and the true grid alike. The true surface is that of the whole true grid. The ceiling is what the true grid itself
reaches against the mesh that it was made from: what a voxel's size costs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from threading import Lock
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from shapeyard.contracts.dataset import Dataset, Sample
from shapeyard.contracts.progress import track
from shapeyard.cpu import cores
from shapeyard.evaluation.methods import CandidateShapes, Method, ShapeCase, choose, chosen_values, mean_at
from shapeyard.evaluation.table import EvaluationTable, Measurement, measurements
from shapeyard.geometry.lifting import CANONICAL_FROM_UNIT
from shapeyard.metrics.occupancy import overlap
from shapeyard.metrics.sample_surfaces import against_mesh, spread
from shapeyard.metrics.surface import POINTS, SHARE_OF_SIDE, surface_scores
from shapeyard.ordered_map import bounded_ordered_map

OVERLAP_MEASURES = ("iou", "precision", "recall")
SURFACE_MEASURES = ("fscore", "chamfer")
SURFACE_FACTS = {"surface_points": POINTS, "fscore_distance": SHARE_OF_SIDE,
                 "chamfer_unit": "squared longest sides of the object"}  # fmt: skip
CEILING = "ceiling"
MAX_THREADS = 8  # a view of 256³ takes 0.8 GB while it is measured

Item = TypeVar("Item")
Grid = NDArray[np.bool_]


class Comparison(NamedTuple):
    """What a comparison of methods found."""

    rows: list[Measurement]
    """of the test split"""
    chosen: dict[str, float]
    """method → the value of its parameter"""
    val_iou: dict[str, float]
    """method → its mean IoU on the validation split at that value; nan without one"""


def compare_methods(
    methods: Sequence[Method],
    cases_of: Callable[[Sample], Iterable[ShapeCase]],
    val: Sequence[Sample],
    test: Sequence[Sample],
    *,
    meshes: Dataset | None = None,
    surface_samples: Sequence[Sample] = (),
    max_val_cases: int | None = None,
    max_surface_cases: int | None = None,
    by_view: bool = False,
) -> Comparison:
    """Choose each method's parameter on the validation split, and measure the test split.

    Args:
        methods: networks and baselines.
        cases_of: the cases of a sample, best made one after the other.
        val: the samples of the validation split.
        test: the samples of the test split.
        meshes: what the true shapes were made from, for the ceiling; None without.
        surface_samples: the samples whose surfaces are measured.
        max_val_cases: the first so many cases of each validation sample; None for all.
        max_surface_cases: the first so many cases of each sample whose surfaces are measured; None for all.
        by_view: see `choose`.

    Returns:
        The rows of `measure_overlap` and `measure_surfaces`, and for each method what was chosen.
    """

    def first(sample: Sample, most: int | None) -> Iterator[ShapeCase]:
        return islice(cases_of(sample), most)

    val_cases = tracked(val, partial(first, most=max_val_cases), "validation shapes")
    curves = iou_curves(val_cases, methods)
    chosen = choose(methods, curves, by_view=by_view)
    rows = measure_overlap(tracked(test, cases_of, "test shapes"), methods, chosen)
    groups = (
        list(first(sample, max_surface_cases))
        for sample in track(surface_samples, len(surface_samples), "surfaces of the test split")
    )
    rows += measure_surfaces(groups, methods, chosen, meshes)
    return Comparison(rows, chosen_values(methods, chosen), mean_at(chosen, curves))


def iou_curves(cases: Iterable[ShapeCase], methods: Sequence[Method]) -> list[Measurement]:
    """Each case's IoU (K,) by each method, for every candidate of its parameter."""

    def measure(case: ShapeCase) -> list[Measurement]:
        true, missed = case.truth()
        found = {name: shapes.overlap(true, missed or 0.0).iou for name, shapes in _shapes(case, methods)}
        return [row for name, iou in found.items() for row in measurements(case.sample, case.view, name, {"iou": iou})]

    return _in_threads(measure, cases)


def measure_overlap(
    cases: Iterable[ShapeCase], methods: Sequence[Method], chosen: Mapping[str, int]
) -> list[Measurement]:
    """IoU, precision and recall by each method at its chosen candidate.

    Where truth may be outside of the cube, `truth` has the measure `outside`: which share of it is.
    """

    def measure(case: ShapeCase) -> list[Measurement]:
        true, missed = case.truth()
        rows = []
        if missed is not None:
            share = missed / max(missed + np.count_nonzero(true), 1e-12)
            rows += measurements(case.sample, case.view, "truth", {"outside": share})
        for name, shapes in _shapes(case, methods):
            found = overlap(shapes.at(chosen[name]), true, missed or 0.0)
            values = {one: float(getattr(found, one)) for one in OVERLAP_MEASURES}
            rows += measurements(case.sample, case.view, name, values)
        return rows

    return _in_threads(measure, cases)


def measure_surfaces(
    groups: Iterable[Sequence[ShapeCase]],
    methods: Sequence[Method],
    chosen: Mapping[str, int],
    meshes: Dataset | None,
) -> list[Measurement]:
    """F-score and Chamfer distance by each method at its chosen candidate, canonical units.

    Args:
        groups: the cases of each sample.
        methods: those that are measured.
        chosen: of `choose`.
        meshes: where the ceiling's meshes are; None, or no mesh of a sample: without a ceiling.

    Returns:
        `fscore` and `chamfer` of each method, and of `ceiling` with each of the cases.
    """
    archive = Lock()
    constant = {
        method.name: spread(method.constant.surface(chosen[method.name]), CANONICAL_FROM_UNIT, "", method.name)
        for method in methods
        if method.constant is not None
    }
    varying = [method for method in methods if method.name not in constant]

    def measure(cases: Sequence[ShapeCase]) -> list[Measurement]:
        sample = cases[0].sample
        true = spread(cases[0].true_surface(), CANONICAL_FROM_UNIT, sample.id, "true")
        always = {name: surface_scores(tree, true) for name, tree in constant.items()}
        if meshes is not None and (reached := against_mesh(meshes, archive, sample.id, true)):
            always[CEILING] = reached
        rows = []
        for case in cases:
            found = dict(always)
            for name, shapes in _shapes(case, varying):
                surface = shapes.surface(chosen[name])
                points = spread(surface, case.canonical_from_cube, sample.id, f"{name} {case.view}")
                found[name] = surface_scores(points, true)
            for name, scores in found.items():
                rows += measurements(sample, case.view, name, scores._asdict())
        return rows

    return _in_threads(measure, filter(None, groups))


def ceiling_of_objects(table: EvaluationTable, measure: str) -> list[Measurement]:
    """The ceiling's rows, one an object."""
    return list({row.id: row for row in table.rows(CEILING, measure)}.values())


def tracked(samples: Sequence[Sample], cases_of: Callable[[Sample], Iterable[Item]], note: str) -> Iterator[Item]:
    """The cases of one sample after the other, reporting progress."""
    return (case for sample in track(samples, len(samples), note) for case in cases_of(sample))


def cases_of_each(most: int, samples: Sequence[Sample]) -> int:
    """How many cases of each sample make up at most so many, but at least one."""
    return max(1, most // max(len(samples), 1))


def evenly(samples: Sequence[Sample], most: int) -> list[Sample]:
    """At most so many of the samples, in equal steps in the order of their ids, however they were sharded."""
    by_id = sorted(samples, key=lambda sample: sample.id)
    count = min(most, len(by_id))
    return [by_id[place * len(by_id) // count] for place in range(count)]


def _shapes(case: ShapeCase, methods: Sequence[Method]) -> Iterator[tuple[str, CandidateShapes]]:
    for method in methods:
        shapes = method.shapes(case)
        if shapes is not None:
            yield method.name, shapes


def _in_threads(measure: Callable[[Item], list[Measurement]], items: Iterable[Item]) -> list[Measurement]:
    """The rows of all items in order; scipy and numpy let other threads work."""
    threads = min(cores(0), MAX_THREADS)
    with ThreadPoolExecutor(threads) as pool:
        return [row for rows in bounded_ordered_map(pool, measure, items, 2 * threads) for row in rows]
