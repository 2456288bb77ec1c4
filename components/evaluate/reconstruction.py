"""Measure reconstructed shapes in the camera-frame cube, beside three shapes that need no network.

    reconstruction    the network's probabilities, occupied at or above a threshold
    mean_shape        the mean of the training split's true grids, turned into the view by its true camera, occupied at
                      or above a threshold: strong, since a photograph doesn't tell the camera
    extruded_surface  the surface that the predicted depth shows, made so many voxels thick backwards
    nearest_neighbour the true shape of the training view that looks most alike, depth weighing so much (`retrieval`)

Each has one number to choose: `curves` measures a view at every candidate, `choose` picks on the validation split.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.evaluate.averages import Row, mean_over_classes
from components.evaluate.retrieval import DEFAULT_WEIGHT, WEIGHTS, Gallery, Neighbour, view_features
from shapeyard.contracts.dataset import Dataset, Sample, read_occupancy
from shapeyard.contracts.progress import track
from shapeyard.errors import DatasetError
from shapeyard.geometry.frames import transform
from shapeyard.geometry.lifting import Cube, cube_from_canonical_grid, extrude, occupancy_of_points, unproject
from shapeyard.in_order import in_order
from shapeyard.metrics.occupancy import (
    THRESHOLDS,
    Overlap,
    occupied_at,
    overlap,
    overlap_at_levels,
    overlap_at_thresholds,
)
from shapeyard.training import cores

MEASURES = ("iou", "precision", "recall")
BASELINES = ("mean_shape", "extruded_surface", "nearest_neighbour")
METHODS = ("reconstruction", *BASELINES)
DEFAULT_THRESHOLD = 0.5
DEFAULT_THICKNESS_SHARE = 0.25
"""Of the cube's side, where nothing can be chosen: a third of an object that is as deep as it is wide."""
MOST_THREADS = 8  # a view of 256³ takes 0.8 GB while it is measured
MOST_VAL_VIEWS = 2000  # enough to choose one number by
UNIT_CUBE = Cube(np.zeros(3), 1.0)


@dataclass(frozen=True)
class Shapes:
    """The datasets that a reconstruction is measured with."""

    renders: Dataset
    voxels: Dataset
    depths: Dataset
    reconstructions: Dataset


@dataclass(frozen=True)
class Training:
    """What the baselines know of the training split; None where it has none of it."""

    mean_shape: NDArray[np.float32] | None
    """(D,D,D), 0 to 1"""
    gallery: Gallery | None


@dataclass(frozen=True)
class View:
    """All that one view is measured with, read from the datasets."""

    sample: Sample
    view: int
    occupancy: NDArray[np.bool_]
    probability: NDArray[np.uint8]
    canonical_from_cube: NDArray[np.float64]
    canonical_from_camera: NDArray[np.float64]
    intrinsics: NDArray[np.float64]
    depth: NDArray[np.float32]
    nearest: list[int]
    """for each weight of the nearest neighbour's the key of its answer; empty without a training split"""
    neighbours: Mapping[int, Neighbour]

    @property
    def resolution(self) -> int:
        """Voxels along the cube's side."""
        return len(self.probability)

    @property
    def surface(self) -> NDArray[np.bool_]:
        """The 2.5D grid of the predicted depth."""
        return visible_surface(
            self.depth, self.intrinsics, self.canonical_from_camera, self.canonical_from_cube, self.resolution
        )


def mean_training_shape(voxels: Dataset) -> NDArray[np.float32] | None:
    """The mean (D,D,D) of the canonical grids of the training split, 0 to 1; None where there are none."""
    samples = voxels.of_split("train")
    total: NDArray[np.float32] | None = None
    for sample in track(samples, len(samples), "mean shape of the training split"):
        occupancy = read_occupancy(voxels, sample.id)
        total = np.zeros(occupancy.shape, np.float32) if total is None else total
        if occupancy.shape != total.shape:
            raise DatasetError(f"{voxels.paths[0]}: sample {sample.id}: expected {total.shape}, got {occupancy.shape}")
        total += occupancy
    return None if total is None else total / np.float32(len(samples))


def curves(
    shapes: Shapes,
    samples: list[Sample],
    training: Training,
    note: str,
    most_views: int = 0,
    weights: Sequence[float] = WEIGHTS,
) -> list[Row]:
    """Measure views of the samples with every candidate of each method's number.

    Args:
        shapes: the datasets.
        samples: those that all datasets hold.
        training: what the baselines need; what it lacks leaves its method out.
        note: what is said of the progress.
        most_views: how many views to measure at the most, the same number of each sample but at least one; 0 for all.
        weights: the candidates of the nearest neighbour, each of which may cost a resampling.

    Returns:
        A row a view: `resolution`; `outside`, the share of the truth outside the cube; for each method
        `<method>_iou`, …: arrays over the candidates, which are thresholds, thicknesses from 1 voxel, or weights.
    """
    most = views_of_each(most_views, samples)
    views = (
        view
        for sample in track(samples, len(samples), note)
        for view in views_of(shapes, sample, training, weights, most)
    )
    threads = min(cores(0), MOST_THREADS)
    with ThreadPoolExecutor(threads) as pool:  # scipy and numpy let other threads work
        return list(in_order(pool, partial(_view_curves, mean_shape=training.mean_shape), views, 2 * threads))


def views_of_each(most_views: int, samples: list[Sample]) -> int | None:
    """How many views of each sample make up at most so many, but at least one; None, which is all, for 0."""
    return max(1, most_views // max(len(samples), 1)) if most_views else None


def candidates(resolution: int) -> dict[str, NDArray[Any]]:
    """For each method the numbers to choose from: thresholds, a thickness in voxels, or a weight."""
    thickness = np.arange(1, resolution + 1)
    return {
        "reconstruction": THRESHOLDS, "mean_shape": THRESHOLDS, "extruded_surface": thickness,
        "nearest_neighbour": np.array(WEIGHTS),
    }  # fmt: skip


def choose(rows: list[Row], resolution: int) -> dict[str, int]:
    """For each method the index of the candidate with the best mean IoU over these rows; a default without rows."""
    threshold = int(np.argmin(np.abs(THRESHOLDS - DEFAULT_THRESHOLD)))
    thickness = max(1, round(DEFAULT_THICKNESS_SHARE * resolution)) - 1
    chosen = {"reconstruction": threshold, "mean_shape": threshold, "extruded_surface": thickness}
    chosen["nearest_neighbour"] = WEIGHTS.index(DEFAULT_WEIGHT)
    for method in METHODS:
        iou = mean_over_classes(rows, f"{method}_iou")
        if np.ndim(iou) == 1:
            chosen[method] = int(np.argmax(iou))
    return chosen


def at_choice(rows: list[Row], chosen: Mapping[str, int]) -> list[Row]:
    """The rows with each array replaced by its value at the method's chosen candidate."""
    picked = []
    for row in rows:
        measured = {k: row[k] for k in ("id", "class", "view", "outside")}
        for method in METHODS:
            for measure in MEASURES:
                name = f"{method}_{measure}"
                if name in row:
                    measured[name] = float(row[name][chosen[method]])
        picked.append(measured)
    return picked


def shapes_at(view: View, mean_shape: NDArray[np.float32] | None, settings: Mapping[str, Any]) -> dict[str, Any]:
    """For each method its shape (D,D,D) bool in the view's cube, at the number that was chosen for it.

    The view's neighbours must be those of the one weight that was chosen.
    """
    made = {"reconstruction": occupied_at(view.probability, settings["reconstruction"])}
    if mean_shape is not None:
        mean = cube_from_canonical_grid(mean_shape, view.canonical_from_cube, view.resolution)
        made["mean_shape"] = occupied_at(mean, settings["mean_shape"])
    made["extruded_surface"] = extrude(view.surface, settings["extruded_surface"])
    if view.nearest:
        made["nearest_neighbour"] = view.neighbours[view.nearest[0]].in_cube(view.resolution)
    return made


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


def visible_surface(
    depth: NDArray[np.float32],
    intrinsics: NDArray[np.float64],
    canonical_from_camera: NDArray[np.float64],
    canonical_from_cube: NDArray[np.float64],
    resolution: int,
) -> NDArray[np.bool_]:
    """The 2.5D grid of a depth map in a cube that is already known → (resolution,)*3 bool."""
    points = transform(np.linalg.inv(canonical_from_cube) @ canonical_from_camera, unproject(depth, intrinsics))
    return occupancy_of_points(np.round(points, 5), UNIT_CUBE, resolution)  # the nearest point is on the front face


def levels_of_extrusion(surface: NDArray[np.bool_]) -> NDArray[np.int16]:
    """(D,D,D) such that the surface made `thickness` voxels thick backwards (`lifting.extrude`) is
    `levels > D − thickness`: D on the surface, one less each voxel behind it, 0 in front.
    """
    size = surface.shape[2]
    z = np.arange(size, dtype=np.int16)
    nearest = np.maximum.accumulate(np.where(surface, z, np.int16(-size)), axis=2)
    return np.asarray(np.maximum(size - (z - nearest), 0), dtype=np.int16)


def views_of(
    shapes: Shapes, sample: Sample, training: Training, weights: Sequence[float], most: int | None
) -> Iterator[View]:
    """The reconstructed views of a sample: the attribute `views` names them; without it they are the first.

    Args:
        shapes: the datasets.
        sample: one that all of them hold.
        training: where the neighbours come from.
        weights: of the nearest neighbour, each with its own answer.
        most: at most so many views; None for all.
    """
    occupancy = read_occupancy(shapes.voxels, sample.id)
    intrinsics = shapes.renders.read(sample.id, "intrinsics").astype(np.float64)
    cubes = shapes.reconstructions.read(sample.id, "canonical_from_cube").astype(np.float64)
    views = shapes.reconstructions[sample.id].attributes.get("views", range(len(cubes)))
    for index, view in list(enumerate(views))[:most]:
        probability = shapes.reconstructions.read(sample.id, "probability", index)
        if len(set(probability.shape)) != 1 or probability.ndim != 3:
            where = f"{shapes.reconstructions.paths[0]}: sample {sample.id}"
            raise DatasetError(f"{where}: expected cubes of voxels, got shape {probability.shape}")
        depth = shapes.depths.read(sample.id, "depth", view)
        nearest = _nearest(training.gallery, depth, cubes[index], weights)
        yield View(
            sample=sample,
            view=int(view),
            occupancy=occupancy,
            probability=probability,
            canonical_from_cube=cubes[index],
            canonical_from_camera=shapes.renders.read(sample.id, "world_from_camera", view).astype(np.float64),
            intrinsics=intrinsics,
            depth=depth,
            nearest=nearest,
            neighbours={key: training.gallery.neighbour(key) for key in set(nearest)} if training.gallery else {},
        )


def _nearest(
    gallery: Gallery | None,
    depth: NDArray[np.float32],
    canonical_from_cube: NDArray[np.float64],
    weights: Sequence[float],
) -> list[int]:
    if gallery is None or not np.isfinite(depth).any():
        return []
    side = abs(float(np.linalg.det(canonical_from_cube[:3, :3]))) ** (1 / 3)
    return gallery.nearest(view_features(depth, side), weights)


def _view_curves(view: View, mean_shape: NDArray[np.float32] | None) -> Row:
    resolution = view.resolution
    true, missed = true_in_cube(view.occupancy, view.canonical_from_cube, resolution)
    row: Row = {"id": view.sample.id, "class": view.sample.class_name, "view": view.view, "resolution": resolution}
    row["outside"] = missed / max(missed + np.count_nonzero(true), 1e-12)
    row |= _named("reconstruction", overlap_at_thresholds(view.probability, true, missed=missed))
    if mean_shape is not None:
        mean = cube_from_canonical_grid(mean_shape, view.canonical_from_cube, resolution)
        row |= _named("mean_shape", overlap_at_thresholds(mean, true, missed=missed))
    thickest_last = np.arange(resolution, 0, -1)  # the lowest level for thickness 1, 2, …
    levels = levels_of_extrusion(view.surface)
    row |= _named("extruded_surface", overlap_at_levels(levels, true, thickest_last, missed))
    found = {key: overlap(shape.in_cube(resolution), true, missed) for key, shape in view.neighbours.items()}
    if view.nearest:
        counts = zip(*(found[key] for key in view.nearest), strict=True)
        row |= _named("nearest_neighbour", Overlap(*(np.stack(values) for values in counts)))
    return row


def _named(method: str, found: Overlap) -> Row:
    return {f"{method}_{measure}": getattr(found, measure) for measure in MEASURES}
