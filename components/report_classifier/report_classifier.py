"""Measure a classifier and write the page."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from components.report_classifier import ReportClassifierSettings
from shapeyard.contracts.dataset import Dataset, read_info, read_occupancy
from shapeyard.contracts.measures import Measured
from shapeyard.contracts.progress import report as say
from shapeyard.errors import DatasetError
from shapeyard.evaluation.classification import ClassAnswer, ClassifierFigures, answer_rows, measure_classifier
from shapeyard.evaluation.output import write_evaluation
from shapeyard.evaluation.table import EvaluationTable
from shapeyard.geometry.preview import render_occupancy
from shapeyard.pages.charts import reliability_chart, training_charts
from shapeyard.pages.facts import TrainedModel, class_counts, data_terms
from shapeyard.pages.page import write_page
from shapeyard.pages.pictures import data_uri

TEMPLATE = Path(__file__).parent / "page.html.jinja"
MAX_MISTAKES, PICTURE = 24, 132
MAX_LISTED = 200
"""Copies and skipped samples that are listed; all are counted."""


def report_classifier(
    dataset: Sequence[str | Path], predictions: str | Path, model: str | Path, page: str | Path, evaluation: str | Path,
    settings: ReportClassifierSettings,
) -> Measured:  # fmt: skip
    """Write the page and the evaluation folder, see `shapeyard.evaluation.output`.

    Returns:
        The key figures and the confusion matrix.

    Raises:
        DatasetError: if an artifact is missing, broken or of another kind, they do not fit each other, or there is no
            test sample.
    """
    started = time.monotonic()
    if not dataset:
        raise DatasetError("no dataset given: expected at least one directory of kind voxels or features")
    data = Dataset(dataset, "features" if read_info(dataset[0])["kind"] == "features" else "voxels")
    predicted = Dataset([predictions], "predictions")
    trained = TrainedModel.read(model)
    if trained.config.get("classes") != predicted.attributes.get("classes"):
        raise DatasetError(
            f"{predictions}: expected predictions of the classes {', '.join(trained.config.get('classes', []))}, as "
            f"{model} knows them, got {', '.join(predicted.attributes.get('classes', []))}"
        )
    say(0, 3, "measuring")
    measured = measure_classifier(predicted, "test")
    say(1, 3, "pictures")
    context = _context(data, measured, trained)
    say(2, 3, "page")
    write_page(Path(page), TEMPLATE, title=settings.title, **context)
    figures, matrix = measured.figures(), measured.matrix.tolist()
    metrics = {
        "split": "test",
        "classes": measured.classes,
        **figures,
        "per_class": measured.per_class(),
        "confusion": {"classes": measured.classes, "matrix": matrix},
        "reliability": [one._asdict() for one in measured.bins],
        "copies": measured.copies,
        "seconds": round(time.monotonic() - started, 2),
    }
    table = EvaluationTable(answer_rows(measured.answers, "classifier"))
    write_evaluation(Path(evaluation), "report_classifier", table, metrics)
    data.close()
    predicted.close()
    say(3, 3, "page")
    return Measured(figures, measured.classes, matrix)


def _context(data: Dataset, measured: ClassifierFigures, trained: TrainedModel) -> dict[str, Any]:
    wrong = sorted((a for a in measured.answers if not a.right), key=lambda a: -a.confidence)
    curves = training_charts(trained.history)
    return {
        "figures": measured.figures(),
        "classes": measured.classes,
        "matrix": measured.matrix.tolist(),
        "confusions": measured.confusions(),
        "per_class": measured.per_class(),
        "charts": {
            "reliability": reliability_chart(measured.bins),
            **{f"training-{k}": chart for k, chart in enumerate(curves)},
        },
        "curve_count": len(curves),
        "mistakes": [_shown(data, answer) for answer in wrong[:MAX_MISTAKES]],
        "wrong": len(wrong),
        "counts": class_counts(data),
        "terms": data_terms(data),
        "copies": measured.copies[:MAX_LISTED],
        "copy_count": len(measured.copies),
        "skipped": data.skipped[:MAX_LISTED],
        "skipped_count": len(data.skipped),
        "facts": trained.facts,
    }


def _shown(data: Dataset, answer: ClassAnswer) -> dict[str, Any]:
    """A mistake with its picture; without one if the dataset does not hold the sample."""
    picture = ""
    if answer.sample.id in data:
        grid = read_occupancy(data, answer.sample.id)
        picture = data_uri(Image.fromarray(render_occupancy(grid, PICTURE)), quality=85)
    return {
        "picture": picture, "id": answer.sample.id, "true": answer.sample.class_name, "predicted": answer.predicted,
        "confidence": answer.confidence, "ood": answer.ood,
    }  # fmt: skip
