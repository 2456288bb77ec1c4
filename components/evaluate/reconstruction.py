"""Measure reconstructed shapes in the camera-frame cube, beside two shapes that need no network.

    reconstruction    the network's probabilities, occupied at or above a threshold
    mean_shape        the mean of the training split's true grids, turned into the view by its true camera, occupied at
                      or above a threshold: strong, since a photograph doesn't tell the camera
    extruded_surface  the surface that the predicted depth shows, made so many voxels thick backwards

Each has one number to choose: `curves` measures a view at every candidate, `choose` picks on the validation split.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.evaluate.averages import Row, mean_over_classes
from shapeyard.contracts.dataset import Dataset, Sample, read_occupancy
from shapeyard.contracts.progress import track
from shapeyard.errors import DatasetError
from shapeyard.geometry.frames import transform
from shapeyard.geometry.lifting import Cube, cube_from_canonical_grid, occupancy_of_points, unproject
from shapeyard.metrics.occupancy import THRESHOLDS, Overlap, overlap_at_levels, overlap_at_thresholds
from shapeyard.training import cores

MEASURES = ("iou", "precision", "recall")
METHODS = ("reconstruction", "mean_shape", "extruded_surface")
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
class _View:
    """All that one view is measured with, read from the datasets."""

    sample: Sample
    view: int
    occupancy: NDArray[np.bool_]
    probability: NDArray[np.uint8]
    canonical_from_cube: NDArray[np.float64]
    canonical_from_camera: NDArray[np.float64]
    intrinsics: NDArray[np.float64]
    depth: NDArray[np.float32]


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
    shapes: Shapes, samples: list[Sample], mean_shape: NDArray[np.float32] | None, note: str, most_views: int = 0
) -> list[Row]:
    """Measure views of the samples with every candidate of each method's number.

    Args:
        shapes: the datasets.
        samples: those that all datasets hold.
        mean_shape: (D,D,D), 0 to 1; None leaves that method out.
        note: what is said of the progress.
        most_views: how many views to measure at the most, the same number of each sample but at least one; 0 for all.

    Returns:
        A row a view: `resolution`; `outside`, the share of the truth outside the cube; for each method
        `<method>_iou`, …: arrays over the candidates, which are thresholds, or thicknesses from 1 voxel.
    """
    of_each = max(1, most_views // max(len(samples), 1)) if most_views else None
    rows: list[Row] = []
    with ThreadPoolExecutor(min(cores(0), MOST_THREADS)) as pool:  # scipy and numpy let other threads work
        for sample in track(samples, len(samples), note):
            rows += pool.map(partial(_view_curves, mean_shape=mean_shape), _views(shapes, sample, of_each))
    return rows


def candidates(resolution: int) -> dict[str, NDArray[Any]]:
    """For each method the numbers to choose from: thresholds, or a thickness in voxels."""
    thickness = np.arange(1, resolution + 1)
    return {"reconstruction": THRESHOLDS, "mean_shape": THRESHOLDS, "extruded_surface": thickness}


def choose(rows: list[Row], resolution: int) -> dict[str, int]:
    """For each method the index of the candidate with the best mean IoU over these rows; a default without rows."""
    threshold = int(np.argmin(np.abs(THRESHOLDS - DEFAULT_THRESHOLD)))
    thickness = max(1, round(DEFAULT_THICKNESS_SHARE * resolution)) - 1
    chosen = {"reconstruction": threshold, "mean_shape": threshold, "extruded_surface": thickness}
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


def _views(shapes: Shapes, sample: Sample, most: int | None) -> Iterator[_View]:
    """The reconstructed views of a sample: the attribute `views` names them; without it they are the first."""
    occupancy = read_occupancy(shapes.voxels, sample.id)
    intrinsics = shapes.renders.read(sample.id, "intrinsics").astype(np.float64)
    cubes = shapes.reconstructions.read(sample.id, "canonical_from_cube").astype(np.float64)
    views = shapes.reconstructions[sample.id].attributes.get("views", range(len(cubes)))
    for index, view in list(enumerate(views))[:most]:
        probability = shapes.reconstructions.read(sample.id, "probability", index)
        if len(set(probability.shape)) != 1 or probability.ndim != 3:
            where = f"{shapes.reconstructions.paths[0]}: sample {sample.id}"
            raise DatasetError(f"{where}: expected cubes of voxels, got shape {probability.shape}")
        yield _View(
            sample=sample,
            view=int(view),
            occupancy=occupancy,
            probability=probability,
            canonical_from_cube=cubes[index],
            canonical_from_camera=shapes.renders.read(sample.id, "world_from_camera", view).astype(np.float64),
            intrinsics=intrinsics,
            depth=shapes.depths.read(sample.id, "depth", view),
        )


def _view_curves(view: _View, mean_shape: NDArray[np.float32] | None) -> Row:
    resolution = view.probability.shape[0]
    true, missed = true_in_cube(view.occupancy, view.canonical_from_cube, resolution)
    row: Row = {"id": view.sample.id, "class": view.sample.class_name, "view": view.view, "resolution": resolution}
    row["outside"] = missed / max(missed + np.count_nonzero(true), 1e-12)
    row |= _named("reconstruction", overlap_at_thresholds(view.probability, true, missed=missed))
    if mean_shape is not None:
        mean = cube_from_canonical_grid(mean_shape, view.canonical_from_cube, resolution)
        row |= _named("mean_shape", overlap_at_thresholds(mean, true, missed=missed))
    surface = visible_surface(
        view.depth, view.intrinsics, view.canonical_from_camera, view.canonical_from_cube, resolution
    )
    thickest_last = np.arange(resolution, 0, -1)  # the lowest level for thickness 1, 2, …
    row |= _named("extruded_surface", overlap_at_levels(levels_of_extrusion(surface), true, thickest_last, missed))
    return row


def _named(method: str, found: Overlap) -> Row:
    return {f"{method}_{measure}": getattr(found, measure) for measure in MEASURES}
