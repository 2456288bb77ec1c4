"""Measure a run on its test split."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from components.evaluate import summary
from components.evaluate.averages import Row
from components.evaluate.classification import recognized_rows
from components.evaluate.depth import depth_rows, mean_training_depth
from components.evaluate.reconstruction import (
    MOST_VAL_VIEWS,
    Shapes,
    Training,
    at_choice,
    candidates,
    choose,
    curves,
    mean_training_shape,
)
from components.evaluate.retrieval import training_gallery
from components.evaluate.surfaces import surface_rows
from shapeyard import __version__
from shapeyard.contracts.dataset import Dataset, Sample
from shapeyard.contracts.files import empty_output, write_json
from shapeyard.errors import DatasetError


@dataclass(frozen=True)
class Inputs:
    """The dataset directories that are measured."""

    meshes: Sequence[str | Path]
    renders: Sequence[str | Path]
    voxels: Sequence[str | Path]
    depths: str | Path
    reconstructions: str | Path
    class_predictions: str | Path
    recognized: str | Path


class Evaluation(NamedTuple):
    """What a stage logs of an evaluation."""

    figures: dict[str, float]
    """the key figures under flat names; none of them is nan"""
    classes: list[str]
    confusion: list[list[int]]
    """(C,C) of the classifier on the true shapes: rows true, columns predicted"""


def evaluate_models(inputs: Inputs, output: str | Path) -> Evaluation:
    """Measure everything on the test split, choose thresholds and thickness on the validation split, write it down.

    Args:
        inputs: the datasets; a test sample that one of them lacks is left out of its figures and counted in `notes`.
        output: the folder to write, emptied first: per_view.csv, per_sample.csv, per_class.csv and, last and
            atomically, metrics.json.

    Raises:
        DatasetError: if there is no test sample to measure, or one dataset does not fit another.
    """
    started = time.monotonic()
    shapes = Shapes(
        renders=Dataset(inputs.renders, "renders"),
        voxels=Dataset(inputs.voxels, "voxels"),
        depths=Dataset([inputs.depths], "depths"),
        reconstructions=Dataset([inputs.reconstructions], "reconstructions"),
    )
    meshes = Dataset(inputs.meshes, "meshes")
    on_true, on_reconstructed = (Dataset([p], "predictions") for p in (inputs.class_predictions, inputs.recognized))
    test = shapes.renders.of_split("test")
    if not test:
        raise DatasetError(f"{shapes.renders.paths[0]}: expected samples of the test split to measure, got none")

    notes: list[str] = []
    constant = mean_training_depth(shapes.renders)
    seen = _present(test, [shapes.depths], "depth", notes)
    by_view = depth_rows(shapes.renders, shapes.depths, seen, constant)
    shape_rows, settings = _measure_shapes(shapes, meshes, test, notes)
    true_rows = recognized_rows(on_true, _present(test, [on_true], "classification", notes))
    seen = _present(test, [on_reconstructed], "classification of reconstructions", notes)
    reconstructed_rows = recognized_rows(on_reconstructed, seen)

    classes = _class_names([shapes.renders, on_true, on_reconstructed])
    training = shapes.renders.of_split("train")
    metrics: dict[str, Any] = {
        "stage": "evaluate",
        "version": __version__,
        "split": "test",
        "chosen_on": "val",
        "averaged": "over an object's views, then a class's objects, then the classes",
        "samples": {split: len(shapes.renders.of_split(split)) for split in ("train", "val", "test")},
        "classes": classes,
        "depth": summary.depth_metrics(by_view, constant),
        "reconstruction": summary.reconstruction_metrics(shape_rows, settings),
        "classification": {
            "true_grids": summary.classification_metrics(true_rows, classes, training),
            "reconstructions": summary.classification_metrics(reconstructed_rows, classes, training),
        },
        "notes": notes,
    }
    for dataset in (meshes, *vars(shapes).values(), on_true, on_reconstructed):
        dataset.close()
    output = Path(output)
    empty_output(output)
    summary.write_tables(output, by_view, shape_rows, true_rows, reconstructed_rows)
    metrics["seconds"] = round(time.monotonic() - started, 2)
    write_json(output / "metrics.json", summary.without_nan(metrics))
    confusion = metrics["classification"]["true_grids"]["confusion"]["matrix"]
    return Evaluation(summary.key_figures(metrics), classes, confusion)


def _present(samples: list[Sample], datasets: list[Dataset], what: str, notes: list[str]) -> list[Sample]:
    """The samples that all datasets hold; how many are missing goes into the notes."""
    present = [sample for sample in samples if all(sample.id in dataset for dataset in datasets)]
    if len(present) < len(samples):
        missing = sorted({s.id for s in samples} - {s.id for s in present})
        notes.append(
            f"{what}: {len(missing)} of {len(samples)} {samples[0].split} samples are missing, {missing[0]} first"
        )
    return present


def _measure_shapes(
    shapes: Shapes, meshes: Dataset, test: list[Sample], notes: list[str]
) -> tuple[list[Row], dict[str, Any]]:
    """The rows of the test split at the numbers chosen on the validation split, and these numbers."""
    needed = [shapes.voxels, shapes.depths, shapes.reconstructions]
    training = Training(
        mean_training_shape(shapes.voxels), training_gallery(shapes.renders, shapes.depths, shapes.voxels)
    )
    val = shapes.renders.of_split("val")
    val, test = (_present(samples, needed, "reconstruction", notes) for samples in (val, test))
    val_rows = curves(shapes, val, training, "validation shapes", MOST_VAL_VIEWS)
    if not val_rows:
        notes.append("reconstruction: no validation samples, so what is chosen there has its default")
    if not val_rows and not test:
        return [], {"resolution": None}
    first = val_rows[0]["resolution"] if val_rows else len(shapes.reconstructions.read(test[0].id, "probability", 0))
    resolution = int(first)
    chosen = choose(val_rows, resolution)
    settings = {method: numbers[chosen[method]].item() for method, numbers in candidates(resolution).items()}
    test_rows = curves(shapes, test, training, "test shapes", weights=[settings["nearest_neighbour"]])
    resolutions = {row["resolution"] for row in (*val_rows, *test_rows)}
    if len(resolutions) > 1:
        raise DatasetError(f"{shapes.reconstructions.paths[0]}: expected grids of one resolution, got {resolutions}")
    surfaces = {(row["id"], row["view"]): row for row in surface_rows(shapes, meshes, test, training, settings)}
    rows = at_choice(test_rows, chosen | {"nearest_neighbour": 0})
    rows = [row | surfaces.get((row["id"], row["view"]), {}) for row in rows]
    return rows, {"resolution": resolution, "chosen": settings}


def _class_names(datasets: list[Dataset]) -> list[str]:
    """All classes that occur in the samples or that a classifier knows, sorted."""
    known = {str(name) for dataset in datasets for name in dataset.attributes.get("classes", [])}
    return sorted(known.union(*(dataset.classes for dataset in datasets)))
