"""Measure the surfaces of reconstructed shapes: F-score and Chamfer distance, canonical units.

Every shape is the grid of zeros and ones that its IoU was taken of, at the one threshold chosen on validation; marching
cubes at 0.5 treats it and the true grid alike. The truth is the whole true grid, the ceiling what this grid itself
reaches against the mesh that it was made from.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from components.evaluate.averages import Row
from components.evaluate.reconstruction import MOST_THREADS, Shapes, Training, View, shapes_at, views_of, views_of_each
from shapeyard.contracts.dataset import Dataset, Sample
from shapeyard.contracts.progress import track
from shapeyard.geometry.isosurface import isosurface
from shapeyard.geometry.lifting import CANONICAL_FROM_UNIT
from shapeyard.in_order import in_order
from shapeyard.metrics.sample_surfaces import against_mesh, spread
from shapeyard.metrics.surface import SurfaceAgreement, surface_agreement
from shapeyard.training import cores

MEASURES = ("fscore", "chamfer")
MOST_VIEWS = 200
"""Each costs 0.2 s of a core at 64³; the same number of each sample, but at least one."""


def surface_rows(
    shapes: Shapes, meshes: Dataset, samples: list[Sample], training: Training, settings: Mapping[str, Any]
) -> list[Row]:
    """Measure the surfaces of the first views of each sample.

    Args:
        shapes: the datasets.
        meshes: where the samples' meshes are; those that are missing, or no meshes but grids, have no ceiling.
        samples: those that all datasets hold.
        training: what the baselines need.
        settings: the number that was chosen for each method.

    Returns:
        A row a view: `<method>_fscore` and `<method>_chamfer`, and of the object `ceiling_fscore`, `ceiling_chamfer`.
    """
    weights = [settings["nearest_neighbour"]]
    most = views_of_each(MOST_VIEWS, samples)
    archive = Lock()

    def measure(views: list[View]) -> list[Row]:
        sample = views[0].sample
        true = spread(isosurface(views[0].occupancy), CANONICAL_FROM_UNIT, sample.id, "true")
        reached = against_mesh(meshes, archive, sample.id, true)
        ceiling = {} if reached is None else _named("ceiling", reached)
        return [_row(view, shapes_at(view, training.mean_shape, settings), true) | ceiling for view in views]

    of_samples = (
        list(views_of(shapes, sample, training, weights, most))
        for sample in track(samples, len(samples), "surfaces of the test split")
    )
    threads = min(cores(0), MOST_THREADS)
    with ThreadPoolExecutor(threads) as pool:
        return [row for rows in in_order(pool, measure, filter(None, of_samples), 2 * threads) for row in rows]


def _row(view: View, made: Mapping[str, NDArray[np.bool_]], true: cKDTree) -> Row:
    row: Row = {"id": view.sample.id, "class": view.sample.class_name, "view": view.view}
    for method, grid in made.items():
        surface = spread(isosurface(grid), view.canonical_from_cube, view.sample.id, f"{method} {view.view}")
        row |= _named(method, surface_agreement(surface, true))
    return row


def _named(method: str, found: SurfaceAgreement) -> Row:
    return {f"{method}_{measure}": value for measure, value in found._asdict().items()}
