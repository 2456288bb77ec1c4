"""Measure reconstructions from several images and write the page."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from components.evaluate_multiview import EvaluateMultiviewSettings
from components.evaluate_multiview.image_sequences import (
    BASELINES,
    METHODS,
    SequenceDatasets,
    sequence_methods,
)
from components.evaluate_multiview.page import page_context
from shapeyard.contracts.dataset import Dataset
from shapeyard.contracts.measures import Measured
from shapeyard.errors import DatasetError
from shapeyard.evaluation.baselines import mean_shape
from shapeyard.evaluation.measuring import (
    SURFACE_FACTS,
    SURFACE_MEASURES,
    ceiling_of_objects,
    compare_methods,
    evenly,
)
from shapeyard.evaluation.output import write_evaluation
from shapeyard.evaluation.retrieval import ImageGallery
from shapeyard.evaluation.table import EvaluationTable, overall_mean
from shapeyard.pages.facts import TrainedModel
from shapeyard.pages.page import write_page

TEMPLATE = Path(__file__).parent / "page.html.jinja"
MAX_SURFACE_OBJECTS = 200
"""Each costs half a second of a core, with five numbers of views."""


def evaluate_multiview(
    meshes: Sequence[str | Path], renders: Sequence[str | Path], voxels: Sequence[str | Path],
    reconstructions: str | Path, model: str | Path, page: str | Path, evaluation: str | Path,
    settings: EvaluateMultiviewSettings,
) -> Measured:  # fmt: skip
    """Measure the test split, with thresholds chosen on the validation split; write the page and the evaluation folder.

    `meshes` may be empty, as external renderings with their grids have none: then nothing says what perfect voxels
    reach against them.

    Returns:
        The key figures under flat names.

    Raises:
        DatasetError: if an artifact is missing, broken or of another kind, they do not fit each other, or there is
            nothing to measure or to compare with.
    """
    started = time.monotonic()
    data = SequenceDatasets(
        Dataset(renders, "renders"),
        Dataset(voxels, "voxels"),
        Dataset([reconstructions], "reconstructions"),
        Dataset(meshes, "meshes") if meshes else None,
    )
    trained = TrainedModel.read(model)
    training = data.samples("train")
    test, val = ([s for s in data.samples(split) if s.id in data.reconstructions] for split in ("test", "val"))
    for split, samples in {"train": training, "test": test}.items():
        if not samples:
            raise DatasetError(f"{data.renders.paths[0]}: expected samples of the {split} split, got none")
    resolution = data.reconstructions.read(test[0].id, "probability").shape[-1]
    mean = mean_shape(data.voxels, training, resolution)
    assert mean is not None
    rows, values, _ = compare_methods(
        sequence_methods(mean),
        partial(data.cases, resolution=resolution, gallery=ImageGallery(data.renders, training)),
        val,
        test,
        meshes=data.meshes,
        surface_samples=evenly(test, MAX_SURFACE_OBJECTS),
        by_view=True,
    )
    table = EvaluationTable(rows)
    numbers = sorted({row.view for row in table.rows("reconstruction", "iou") if row.view is not None})
    metrics: dict[str, Any] = {
        "split": "test",
        "chosen_on": "val" if val else "nothing: there is no validation split",
        "averaged": "over a class's objects, then over the classes",
        "samples": {"train": len(training), "val": len(val), "test": len(test)},
        "resolution": resolution,
        "views": numbers,
        **summary(table, numbers, values),
    }
    write_page(Path(page), TEMPLATE, title=settings.title, **page_context(metrics, data, table, trained))
    data.close()
    metrics["seconds"] = round(time.monotonic() - started, 2)
    write_evaluation(Path(evaluation), "evaluate_multiview", table, metrics)
    return Measured(key_figures(metrics))


def summary(table: EvaluationTable, numbers: Sequence[int], values: Mapping[str, float]) -> dict[str, Any]:
    """Each method's threshold and measures by the number of views, and paired differences with their intervals.

    `ceiling` has over how many objects perfect voxels were measured against meshes, and their means; None without.
    """

    def differences(measure: str) -> dict[str, Any]:
        return {
            name: {
                str(n): table.difference(measure, ("reconstruction", n), (name, n))._asdict() for n in numbers
            }
            for name in BASELINES
        }  # fmt: skip

    methods = {
        name: {
            **({"threshold": values[name]} if name != "nearest_neighbour" else {}),
            **{m: {str(n): table.mean(name, m, n) for n in numbers} for m in ("iou", *SURFACE_MEASURES)},
            "per_class": {str(n): table.class_means(name, "iou", n) for n in numbers},
        }
        for name in METHODS
    }
    more_views = {
        f"{more} − {fewer}": table.difference("iou", ("reconstruction", more), ("reconstruction", fewer))._asdict()
        for i, fewer in enumerate(numbers)
        for more in numbers[i + 1 :]
    }
    reached = {measure: ceiling_of_objects(table, measure) for measure in SURFACE_MEASURES}
    ceiling = {measure: float(overall_mean(rows)) for measure, rows in reached.items()}
    return {
        "methods": methods,
        "over_baselines": differences("iou"),
        "more_views": more_views,
        "ceiling": {"objects": len(reached["fscore"]), **ceiling} if reached["fscore"] else None,
        "fscore_over_baselines": differences("fscore"),
        "surface_objects": len({row.id for row in table.rows("reconstruction", "fscore")}),
        **SURFACE_FACTS,
    }


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
