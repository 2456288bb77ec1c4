"""Measure a classifier and write the page."""

from __future__ import annotations

import base64
import csv
import io
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL import Image

from components.report_classifier.diagrams import confusion_svg, history_svg, reliability_svg
from components.report_classifier.measures import Answer, Measured, measure
from shapeyard import __version__
from shapeyard.contracts.dataset import SPLITS, Dataset, read_info, read_occupancy
from shapeyard.contracts.files import empty_output, write_json
from shapeyard.contracts.model import read_config, read_history, read_metrics
from shapeyard.contracts.progress import report as say
from shapeyard.errors import DatasetError
from shapeyard.geometry.preview import render_occupancy

HERE = Path(__file__).parent
MISTAKES, PICTURE = 24, 132
LISTED = 200
"""Copies and skipped samples that are listed at the most; all are counted."""


def report_classifier(
    dataset: Sequence[str | Path], predictions: str | Path, model: str | Path, page: str | Path, evaluation: str | Path,
    title: str = "Classification",
) -> Measured:  # fmt: skip
    """Write the page and the evaluation folder: per_sample.csv and, last and atomically, metrics.json.

    Raises:
        DatasetError: if an artifact is missing, broken or of another kind, they do not fit each other, or there is no
            test sample.
    """
    if not dataset:
        raise DatasetError("no dataset given: expected at least one directory of kind voxels or features")
    data = Dataset(dataset, "features" if read_info(dataset[0])["kind"] == "features" else "voxels")
    answered = Dataset([predictions], "predictions")
    config, trained, history = read_config(model), read_metrics(model), read_history(model)
    if config.get("classes") != answered.attributes.get("classes"):
        raise DatasetError(
            f"{predictions}: expected predictions of the classes {', '.join(config.get('classes', []))}, as {model} "
            f"knows them, got {', '.join(answered.attributes.get('classes', []))}"
        )
    say(0, 3, "measuring")
    measured = measure(answered, "test")
    _write_evaluation(Path(evaluation), measured)
    say(1, 3, "pictures")
    wrong = sorted((a for a in measured.answers if not a.right), key=lambda a: -a.confidence)
    counts = [
        {"class": name} | {s: sum(x.class_name == name and x.split == s for x in data.samples) for s in SPLITS}
        for name in data.classes
    ]
    context: dict[str, Any] = {
        "title": title, "version": __version__, "style": (HERE / "page.css").read_text(encoding="utf-8"),
        "figures": measured.figures(), "counts": counts, "splits": SPLITS, "per_class": measured.per_class(),
        "confusion": confusion_svg(measured.classes, measured.matrix), "confusions": measured.confusions(),
        "reliability": reliability_svg(measured.bins), "history": history_svg(history),
        "mistakes": [_shown(data, answer) for answer in wrong[:MISTAKES]], "wrong": len(wrong),
        "copies": measured.copies[:LISTED], "copy_count": len(measured.copies),
        "skipped": data.skipped[:LISTED], "skipped_count": len(data.skipped),
        "config": {k: v for k, v in config.items() if isinstance(v, int | float | str)},
        "trained": {k: v for k, v in trained.items() if isinstance(v, int | float | str)},
    }  # fmt: skip
    say(2, 3, "page")
    environment = Environment(
        loader=PackageLoader("components.report_classifier", "."), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters["percent"] = lambda value: "–" if value != value else f"{100 * value:.1f} %"
    _write(Path(page), environment.get_template("page.html.jinja").render(**context))
    data.close()
    answered.close()
    say(3, 3, "page")
    return measured


def _shown(data: Dataset, answer: Answer) -> dict[str, Any]:
    """A mistake with its picture; without one if the dataset does not hold the sample."""
    picture = ""
    if answer.sample.id in data:
        image = Image.fromarray(render_occupancy(read_occupancy(data, answer.sample.id), PICTURE))
        buffer = io.BytesIO()
        image.save(buffer, "WEBP", quality=85)
        picture = f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"
    return {
        "picture": picture, "id": answer.sample.id, "true": answer.sample.class_name, "predicted": answer.predicted,
        "confidence": answer.confidence, "true_probability": answer.true_probability, "unlike": answer.unlike,
    }  # fmt: skip


def _write_evaluation(folder: Path, measured: Measured) -> None:
    empty_output(folder)
    columns = ["id", "class", "predicted", "right", "confidence", "true_probability", "unlike"]
    with (folder / "per_sample.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        for a in measured.answers:
            row = [a.sample.id, a.sample.class_name, a.predicted, int(a.right)]
            writer.writerow([*row, f"{a.confidence:.6f}", f"{a.true_probability:.6f}", int(a.unlike)])
    values = {
        "stage": "report_classifier", "version": __version__, "split": measured.split, "classes": measured.classes,
        **measured.figures(),
        "per_class": [{k: None if v != v else v for k, v in row.items()} for row in measured.per_class()],
        "confusion": {"classes": measured.classes, "matrix": measured.matrix.tolist()},
        "reliability": [one._asdict() for one in measured.bins],
        "copies": measured.copies,
    }  # fmt: skip
    write_json(folder / "metrics.json", values)


def _write(page: Path, text: str) -> None:
    page.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=page.parent, delete=False, suffix=".part") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    Path(file.name).chmod(0o644)  # NamedTemporaryFile is private to its owner; a page is there to be read
    Path(file.name).replace(page)
