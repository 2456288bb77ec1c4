"""Measure reconstructions from several images and write the page."""

from __future__ import annotations

import csv
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from components.evaluate_multiview.baselines import Neighbours, mean_shape
from components.evaluate_multiview.measures import (
    BASELINES,
    METHODS,
    Inputs,
    Row,
    Training,
    best_thresholds,
    class_iou,
    difference,
    mean_iou,
    measure,
    numbers_of,
)
from components.evaluate_multiview.page import Examples, write_page
from components.evaluate_multiview.surfaces import SURFACE_MEASURES, Surfaces, measure_surfaces, surface_summary
from shapeyard import __version__
from shapeyard.contracts.dataset import Dataset, Sample
from shapeyard.contracts.files import empty_output, write_json
from shapeyard.contracts.model import read_config, read_history, read_metrics
from shapeyard.errors import DatasetError
from shapeyard.metrics.occupancy import THRESHOLDS


def evaluate_multiview(
    meshes: Sequence[str | Path], renders: Sequence[str | Path], voxels: Sequence[str | Path],
    reconstructions: str | Path, model: str | Path, page: str | Path, evaluation: str | Path,
    title: str = "Reconstruction from several images",
) -> dict[str, float]:  # fmt: skip
    """Measure the test split, with thresholds chosen on the validation split; write the page and the evaluation folder.

    `meshes` may be empty, as images and grids that were brought have none: then nothing says what perfect voxels reach
    against them. The folder holds per_sample.csv and, last and atomically, metrics.json.

    Returns:
        The key figures under flat names.

    Raises:
        DatasetError: if an artifact is missing, broken or of another kind, they do not fit each other, or there is
            nothing to measure or to compare with.
    """
    started = time.monotonic()
    inputs = Inputs(
        Dataset(renders, "renders"),
        Dataset(voxels, "voxels"),
        Dataset([reconstructions], "reconstructions"),
        Dataset(meshes, "meshes") if meshes else None,
    )
    config, trained, history = read_config(model), read_metrics(model), read_history(model)
    training = _samples(inputs, "train")
    test, val = ([s for s in _samples(inputs, split) if s.id in inputs.reconstructions] for split in ("test", "val"))
    for split, samples in {"train": training, "test": test}.items():
        if not samples:
            raise DatasetError(f"{inputs.renders.paths[0]}: expected samples of the {split} split, got none")
    resolution = inputs.reconstructions.read(test[0].id, "probability").shape[-1]
    known = Training(mean_shape(inputs.voxels, training, resolution), Neighbours(inputs.renders, training))
    chosen = best_thresholds(measure(inputs, val, known, "validation shapes"))
    rows = measure(inputs, test, known, "test shapes")
    surfaces = measure_surfaces(inputs, test, known, chosen)

    metrics: dict[str, Any] = {
        "stage": "evaluate_multiview",
        "version": __version__,
        "split": "test",
        "chosen_on": "val" if val else "nothing: there is no validation split",
        "averaged": "over a class's objects, then over the classes",
        "samples": {"train": len(training), "val": len(val), "test": len(test)},
        "resolution": resolution,
        "views": numbers_of(rows),
        **summary(rows, chosen, surfaces),
    }
    output = Path(evaluation)
    empty_output(output)
    _write_rows(output / "per_sample.csv", rows, chosen, surfaces)
    examples = Examples(inputs, rows, chosen, resolution)
    write_page(Path(page), title, metrics, examples, config, trained, history)
    for dataset in inputs:
        if dataset is not None:
            dataset.close()
    metrics["seconds"] = round(time.monotonic() - started, 2)
    write_json(output / "metrics.json", metrics)
    return key_figures(metrics)


def summary(rows: Sequence[Row], chosen: Mapping[str, int], surfaces: Sequence[Surfaces]) -> dict[str, Any]:
    """Each method's threshold and measures, and the intervals of the differences that matter; view numbers are strings.

    F-score and Chamfer distance are those of `surface_summary`.
    """
    numbers = numbers_of(rows)
    of_surfaces = surface_summary(surfaces)
    measured = of_surfaces.pop("methods")
    methods = {
        method: {
            **({"threshold": float(THRESHOLDS[chosen[method]])} if method != "nearest_neighbour" else {}),
            "iou": {str(n): float(mean_iou(rows, method, n)[chosen[method]]) for n in numbers},
            "per_class": {str(n): class_iou(rows, method, n, chosen[method]) for n in numbers},
            **measured[method],
        }
        for method in METHODS
    }
    over_baselines = {
        baseline: {
            str(n): difference(rows, chosen, ("reconstruction", n), (baseline, n))._asdict() for n in numbers
        }
        for baseline in BASELINES
    }  # fmt: skip
    more_views = {
        f"{more} − {fewer}": difference(rows, chosen, ("reconstruction", more), ("reconstruction", fewer))._asdict()
        for i, fewer in enumerate(numbers)
        for more in numbers[i + 1 :]
    }
    return {"methods": methods, "over_baselines": over_baselines, "more_views": more_views, **of_surfaces}


def key_figures(metrics: Mapping[str, Any]) -> dict[str, float]:
    """`iou_1`, `mean_shape_iou_1`, `fscore_1`, … for each number of views, the ceilings, and the threshold."""
    figures = {"threshold": metrics["methods"]["reconstruction"]["threshold"]}
    for method in METHODS:
        prefix = "" if method == "reconstruction" else f"{method}_"
        for name in ("iou", *SURFACE_MEASURES):
            values = metrics["methods"][method][name]
            figures |= {f"{prefix}{name}_{views}": value for views, value in values.items()}
    if metrics["ceiling"]:
        figures |= {f"ceiling_{name}": metrics["ceiling"][name] for name in SURFACE_MEASURES}
    return figures


def _samples(inputs: Inputs, split: Any) -> list[Sample]:
    return [sample for sample in inputs.renders.of_split(split) if sample.id in inputs.voxels]


def _write_rows(path: Path, rows: Sequence[Row], chosen: Mapping[str, int], surfaces: Sequence[Surfaces]) -> None:
    """A line for each object and number of views; where its surfaces were not measured, their columns are empty."""
    of_object = {of.sample.id: of for of in surfaces}
    named = [f"{method}_{measure}" for method in (*METHODS, "ceiling") for measure in SURFACE_MEASURES]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["id", "class", "views", *(f"{method}_iou" for method in METHODS), *named])
        writer.writeheader()
        for row in rows:
            line: dict[str, Any] = {"id": row.sample.id, "class": row.sample.class_name, "views": row.views}
            line |= {f"{method}_iou": f"{row.iou[method][chosen[method]]:.6g}" for method in METHODS}
            if of := of_object.get(row.sample.id):
                for method, found in of.named(row.views).items():
                    line |= {f"{method}_{name}": f"{value:.6g}" for name, value in found._asdict().items()}
            writer.writerow(line)
