"""Measure surfaces that were reconstructed from codes, and write the page."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.evaluate_implicit import EvaluateImplicitSettings
from components.evaluate_implicit.implicit_page import page_context
from components.evaluate_implicit.retrieval import SurfaceGallery
from components.evaluate_implicit.truth import TrueMeshes
from shapeyard.contracts.dataset import Dataset, Sample, read_info
from shapeyard.contracts.measures import Measured
from shapeyard.contracts.progress import track
from shapeyard.cpu import cores
from shapeyard.errors import DatasetError, MeshError
from shapeyard.evaluation.measuring import evenly
from shapeyard.evaluation.output import write_evaluation
from shapeyard.evaluation.table import EvaluationTable, Measurement, measurements
from shapeyard.geometry.cameras import generator_for
from shapeyard.geometry.isosurface import oriented_points
from shapeyard.geometry.signed_distance import SignedDistance
from shapeyard.geometry.triangle_mesh import Mesh
from shapeyard.inference.observations import INPUTS, KNOWN
from shapeyard.inference.surfaces import read_surface
from shapeyard.metrics.oriented_surface import FSCORE_DISTANCE, POINTS, OrientedCloud, compare_surfaces
from shapeyard.ordered_map import bounded_ordered_map
from shapeyard.pages.facts import TrainedModel
from shapeyard.pages.page import write_page

TEMPLATE = Path(__file__).parent / "page.html.jinja"
MAX_OBJECTS = 200
"""Each costs some seconds of a core."""
MEASURES = ("chamfer", "chamfer_file", "normal_consistency", "fscore", "iou")
NEAREST = "nearest_"
"""Before the name of an input: the method that answers with the training shape nearest to the same input."""


def evaluate_implicit(
    meshes: Sequence[str | Path], sdf: Sequence[str | Path], surfaces: str | Path, interpolations: str | Path,
    model: str | Path, page: str | Path, evaluation: str | Path, settings: EvaluateImplicitSettings,
) -> Measured:  # fmt: skip
    """Measure known shapes, and the test split from each input beside retrieval; write the page and the evaluation.

    Args:
        meshes: directories of kind meshes.
        sdf: of kind sdf.
        surfaces: of kind surfaces, made of all of `sdf`.
        interpolations: of kind surfaces.
        model: the decoder's.
        page: the HTML file to write.
        evaluation: the folder to write, see `shapeyard.evaluation.output`.
        settings: how.

    Returns:
        The key figures under flat names.

    Raises:
        DatasetError: if an artifact is missing, broken or of another kind, or there is nothing to measure.
    """
    started = time.monotonic()
    mesh_data, truth = Dataset(meshes, "meshes"), Dataset(sdf, "sdf")
    made, between = Dataset([surfaces], "surfaces"), Dataset([interpolations], "surfaces")
    trained = TrainedModel.read(model)
    gallery = SurfaceGallery(truth)
    measured = [sample for split in ("train", "test") for sample in evenly(made.of_split(split), MAX_OBJECTS)]
    if not measured:
        raise DatasetError(f"{made.paths[0]}: expected surfaces of the train or test split, got none")
    meshes_of = TrueMeshes(mesh_data)
    seed = int(read_info(surfaces)["made_by"]["parameters"]["seed"])  # retrieval sees what the decoder saw
    points = min(POINTS, *(truth.shape(sample.id, "surface")[0] for sample in truth.samples))

    def measure(sample: Sample) -> list[Measurement]:
        true_cloud = cloud_of(truth, sample.id, points)
        rng = generator_for(0, sample.id)
        volume = _Volume(meshes_of.read(sample), settings.iou_points, rng)
        rows = []
        for number, name in enumerate(made[sample.id].attributes["inputs"]):
            surface = read_surface(made, sample.id, number)
            found = _compare(surface, true_cloud, points, volume, sample, rng)
            rows += measurements(sample, None, name, found)
            if name != KNOWN:
                nearest = cloud_of(truth, gallery.nearest(truth, sample.id, name, seed), points)
                rows += measurements(sample, None, f"{NEAREST}{name}", _of_clouds(nearest, true_cloud, sample))
        return rows

    threads = cores(0)
    with ThreadPoolExecutor(threads) as pool:
        results = bounded_ordered_map(pool, measure, measured, 2 * threads)
        table = EvaluationTable(row for rows in track(results, len(measured), "surfaces") for row in rows)
    metrics: dict[str, Any] = {
        "split": "test; known shapes: train",
        "samples": {split: len(truth.of_split(split)) for split in ("train", "val", "test")},
        "chamfer_unit": "× 1000, squared radii of the unit sphere; chamfer_file: of the file's own unit",
        "surface_points": points,
        "fscore_distance": FSCORE_DISTANCE,
        "methods": {name: _summary(table, name) for name in (KNOWN, *INPUTS, *(f"{NEAREST}{one}" for one in INPUTS))},
        "over_nearest": {
            name: {
                m: table.difference(m, (name, None), (f"{NEAREST}{name}", None))._asdict()
                for m in ("chamfer", "fscore")
            }
            for name in INPUTS
        },
    }
    write_page(Path(page), TEMPLATE, title=settings.title,
               **page_context(metrics, truth, meshes_of, made, between, table, trained))  # fmt: skip
    for dataset in (mesh_data, truth, made, between):
        dataset.close()
    metrics["seconds"] = round(time.monotonic() - started, 2)
    write_evaluation(Path(evaluation), "evaluate_implicit", table, metrics)
    return Measured(_key_figures(metrics))


def cloud_of(truth: Dataset, sample_id: str, points: int) -> OrientedCloud:
    """So many points of an object's visible surface."""
    surface = truth.read(sample_id, "surface", slice(0, points)).astype(np.float64)
    return OrientedCloud(surface[:, :3], surface[:, 3:])


class _Volume:
    """Where points of the unit sphere are inside of a mesh."""

    def __init__(self, mesh: Mesh, count: int, rng: np.random.Generator) -> None:
        points = rng.uniform(-1, 1, (2 * count, 3))
        self.points = points[np.einsum("nk,nk->n", points, points) < 1][:count]
        self.inside = ~SignedDistance(mesh.vertices, mesh.faces).outside(self.points)

    def iou(self, surface: Mesh) -> float:
        """The IoU with the volume that a surface encloses."""
        try:
            inside: NDArray[np.bool_] = ~SignedDistance(surface.vertices, surface.faces).outside(self.points)
        except MeshError:
            return 0.0
        return float((inside & self.inside).sum() / max((inside | self.inside).sum(), 1))


def _compare(
    surface: Mesh, true: OrientedCloud, points: int, volume: _Volume, sample: Sample, rng: np.random.Generator
) -> dict[str, float]:
    made = OrientedCloud(*oriented_points(surface, points, rng))
    return {**_of_clouds(made, true, sample), "iou": volume.iou(surface) if len(surface.faces) else 0.0}


def _of_clouds(made: OrientedCloud, true: OrientedCloud, sample: Sample) -> dict[str, float]:
    found = compare_surfaces(made, true)._asdict()
    return {**found, "chamfer_file": found["chamfer"] * _radius_in_file(sample) ** 2}


def _radius_in_file(sample: Sample) -> float:
    """The unit sphere's radius in the file's own unit."""
    canonical_from_sdf, canonical_from_file = (
        np.cbrt(np.abs(np.linalg.det(np.array(matrix)[:3, :3])))
        for matrix in (sample.attributes["canonical_from_sdf"], sample.canonical_from_file)
    )
    return float(canonical_from_sdf / canonical_from_file)


def _summary(table: EvaluationTable, method: str) -> dict[str, Any]:
    """Mean and median over the objects of each measure, and by class the means."""
    values = {measure: [row.value for row in table.rows(method, measure)] for measure in MEASURES}
    return {
        "objects": len(values["chamfer"]),
        **{m: float(np.mean(found)) if found else math.nan for m, found in values.items()},
        **{f"median_{m}": float(np.median(found)) if found else math.nan for m, found in values.items()},
        "per_class": {measure: table.class_means(method, measure) for measure in MEASURES},
    }


def _key_figures(metrics: dict[str, Any]) -> dict[str, float]:
    figures = {
        f"{method}_{measure}": found[measure]
        for method, found in metrics["methods"].items()
        for measure in ("median_chamfer", "chamfer", "fscore", "iou")
    }
    return {name: value for name, value in figures.items() if not math.isnan(value)}
