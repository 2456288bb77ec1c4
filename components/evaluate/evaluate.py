"""Measure a run on its test split."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from components.evaluate.views import BASELINES, PARAMETERS, ViewDatasets
from shapeyard.contracts.dataset import Dataset
from shapeyard.contracts.measures import Measured
from shapeyard.errors import DatasetError
from shapeyard.evaluation.classification import answer_rows, class_answers, classification_metrics
from shapeyard.evaluation.depth_maps import CONSTANT, DEPTH_MEASURES, depth_metrics, mean_training_depth, measure_depth
from shapeyard.evaluation.measuring import (
    CEILING,
    OVERLAP_MEASURES,
    SURFACE_FACTS,
    SURFACE_MEASURES,
    cases_of_each,
    compare_methods,
)
from shapeyard.evaluation.output import present, write_evaluation
from shapeyard.evaluation.retrieval import ViewGallery
from shapeyard.evaluation.table import EvaluationTable

MAX_VAL_VIEWS = 2000  # enough to choose one number by
MAX_SURFACE_VIEWS = 200
"""Each costs 0.2 s of a core at 64³; the same number of each sample, but at least one."""


def evaluate(
    meshes: Sequence[str | Path],
    renders: Sequence[str | Path],
    voxels: Sequence[str | Path],
    depths: str | Path,
    reconstructions: str | Path,
    occupancy_reconstructions: str | Path | None,
    class_predictions: str | Path,
    reconstruction_predictions: str | Path,
    evaluation: str | Path,
) -> Measured:
    """Measure everything on the test split, choose thresholds and thickness on the validation split, write it down.

    A test sample that one of the datasets lacks is left out of its figures and counted in `notes`.

    Args:
        meshes: directories of kind meshes.
        renders: of kind renders.
        voxels: of kind voxels.
        depths: of kind depths.
        reconstructions: of kind reconstructions, of 3D-RecGAN++.
        occupancy_reconstructions: of the pixel-aligned occupancy network, in the same cubes; None without.
        class_predictions: of kind predictions, on the true shapes.
        reconstruction_predictions: of kind predictions, on the reconstructed shapes.
        evaluation: the folder to write, see `shapeyard.evaluation.output`.

    Returns:
        The key figures, none of which is nan, and the confusion matrix on the true shapes.

    Raises:
        DatasetError: if there is no test sample to measure, or one dataset does not fit another.
    """
    started = time.monotonic()
    views = ViewDatasets(
        renders=Dataset(renders, "renders"),
        voxels=Dataset(voxels, "voxels"),
        depths=Dataset([depths], "depths"),
        reconstructions=Dataset([reconstructions], "reconstructions"),
        occupancy=Dataset([occupancy_reconstructions], "reconstructions") if occupancy_reconstructions else None,
    )
    mesh_data = Dataset(meshes, "meshes")
    on_true, on_reconstructed = (
        Dataset([path], "predictions") for path in (class_predictions, reconstruction_predictions)
    )
    test = views.renders.of_split("test")
    if not test:
        raise DatasetError(f"{views.renders.paths[0]}: expected samples of the test split to measure, got none")

    notes: list[str] = []
    constant = mean_training_depth(views.renders)
    table = EvaluationTable(
        measure_depth(views.renders, views.depths, present(test, [views.depths], "depth", notes), constant)
    )
    reconstruction = _measure_shapes(table, views, mesh_data, notes)
    left_out = str(on_true.attributes.get("left_out", ""))
    shown = [] if left_out else test
    true_answers = class_answers(on_true, present(shown, [on_true], "classification", notes))
    reconstructed = present(shown, [on_reconstructed], "classification of reconstructions", notes)
    reconstructed_answers = class_answers(on_reconstructed, reconstructed)
    notes += [left_out] if left_out else []
    table.extend(answer_rows(true_answers, "classifier_on_true_shapes"))
    table.extend(answer_rows(reconstructed_answers, "classifier_on_reconstructions"))

    classes = _class_names([views.renders, on_true, on_reconstructed])
    training = views.renders.of_split("train")
    metrics: dict[str, Any] = {
        "split": "test",
        "chosen_on": "val",
        "averaged": "over an object's views, then a class's objects, then the classes",
        "samples": {split: len(views.renders.of_split(split)) for split in ("train", "val", "test")},
        "classes": classes,
        "depth": depth_metrics(table, constant),
        "reconstruction": reconstruction,
        "classifier_left_out": left_out,
        "classification": {
            "true_grids": classification_metrics(true_answers, classes, training),
            "reconstructions": classification_metrics(reconstructed_answers, classes, training),
        },
        "notes": notes,
    }
    for dataset in (mesh_data, *views.datasets, on_true, on_reconstructed):
        dataset.close()
    metrics["seconds"] = round(time.monotonic() - started, 2)
    write_evaluation(Path(evaluation), "evaluate", table, metrics)
    return Measured(_key_figures(metrics), classes, metrics["classification"]["true_grids"]["confusion"]["matrix"])


def _measure_shapes(table: EvaluationTable, views: ViewDatasets, meshes: Dataset, notes: list[str]) -> dict[str, Any]:
    """Add the rows of the test split; returns their means, see `_reconstruction_metrics`."""
    needed = [views.voxels, views.depths, views.reconstructions, *([views.occupancy] if views.occupancy else [])]
    val, test = (present(views.renders.of_split(split), needed, "reconstruction", notes) for split in ("val", "test"))
    if not val:
        notes.append("reconstruction: no validation samples, so what is chosen there has its default")
    resolution = views.resolution([*val, *test])
    if resolution is None:
        return _reconstruction_metrics(table, views.networks, None, {}, {})
    methods = views.methods(resolution)
    gallery = ViewGallery.of_training(views.renders, views.depths, views.voxels)
    found = compare_methods(
        methods,
        partial(views.cases, resolution=resolution, gallery=gallery),
        val,
        test,
        meshes=meshes,
        surface_samples=test,
        max_val_cases=cases_of_each(MAX_VAL_VIEWS, val),
        max_surface_cases=cases_of_each(MAX_SURFACE_VIEWS, test),
    )
    table.extend(found.rows)
    return _reconstruction_metrics(table, views.networks, resolution, found.chosen, found.val_iou)


def _reconstruction_metrics(
    table: EvaluationTable,
    networks: Sequence[str],
    resolution: int | None,
    chosen: Mapping[str, float],
    val_iou: Mapping[str, float],
) -> dict[str, Any]:
    """The measures of the networks and of the baselines, each with the parameter that was chosen for it.

    `best` is the network of the highest IoU on the validation split. Each network has under `differences` its advantage
    over each baseline, the best one's also over the other networks, with 95 % intervals.
    """
    best = max(networks, key=lambda name: (val_iou.get(name, math.nan) >= 0, val_iou.get(name, 0.0)))

    def of(method: str) -> dict[str, Any]:
        surfaces = table.summary(method, SURFACE_MEASURES)
        return {PARAMETERS[method]: chosen.get(method), **table.summary(method, OVERLAP_MEASURES), "surfaces": surfaces}

    def differences(network: str) -> dict[str, Any]:
        others = [name for name in networks if name != best] if network == best else []
        return {
            name: {
                measure: table.difference(measure, (network, None), (name, None))._asdict()
                for measure in ("iou", *SURFACE_MEASURES)
            }
            for name in (*others, *BASELINES)
        }

    return {
        "resolution": resolution,
        "outside_the_cube": table.mean("truth", "outside"),
        **SURFACE_FACTS,
        "ceiling": table.summary(CEILING, SURFACE_MEASURES),
        "best": best,
        "networks": {
            name: {**of(name), "val_iou": val_iou.get(name), "differences": differences(name)} for name in networks
        },
        "baselines": {name: of(name) for name in BASELINES},
    }


def _key_figures(metrics: dict[str, Any]) -> dict[str, float]:
    """The figures that a person asks for first, under flat names; what could not be measured is left out.

    `iou` and the like are the best network's, `NETWORK_iou` each one's.
    """
    depth, shape, classified = metrics["depth"], metrics["reconstruction"], metrics["classification"]
    best = shape["networks"][shape["best"]]
    figures = {f"depth_{name}": depth[name] for name in DEPTH_MEASURES}
    figures |= {f"{CONSTANT}_{name}": depth["baselines"][CONSTANT][name] for name in DEPTH_MEASURES}
    figures |= {name: best[name] for name in (*OVERLAP_MEASURES, "threshold")}
    figures |= {name: best["surfaces"][name] for name in SURFACE_MEASURES}
    figures |= {f"{name}_iou": of["iou"] for name, of in (*shape["networks"].items(), *shape["baselines"].items())}
    for prefix, of in (("", "true_grids"), ("reconstructed_", "reconstructions")):
        figures |= {f"{prefix}{name}": classified[of][name] for name in ("accuracy", "mean_class_accuracy")}
    return {name: float(value) for name, value in figures.items() if value is not None and not math.isnan(value)}


def _class_names(datasets: list[Dataset]) -> list[str]:
    """All classes that occur in the samples or that a classifier knows, sorted."""
    known = {str(name) for dataset in datasets for name in dataset.attributes.get("classes", [])}
    return sorted(known.union(*(dataset.classes for dataset in datasets)))
