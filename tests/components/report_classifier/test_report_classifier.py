"""The classifier's page and figures: by hand on a few answers, and with 66 classes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from kfp import dsl
from solid_grids import solid

from components.report_classifier.component import report_classifier as component
from components.report_classifier.diagrams import confusion_svg
from components.report_classifier.report_classifier import report_classifier
from shapeyard.contracts.dataset import DatasetWriter, Sample, pack_occupancy
from shapeyard.contracts.model import finish_model, start_model
from shapeyard.errors import DatasetError

CLASSES = ["art__ball", "toys__bar", "toys__box"]
ANSWERS = {  # id → probabilities, unlikeness
    "art__ball/0": ([0.8, 0.1, 0.1], 0.2),
    "art__ball/1": ([0.1, 0.7, 0.2], 0.9),
    "toys__bar/0": ([0.0, 0.4, 0.6], 0.1),
    "toys__box/0": ([0.2, 0.2, 0.6], 0.3),
}


def write_run(folder: Path, classes: list[str] = CLASSES) -> tuple[Path, Path, Path]:
    voxels, predictions = folder / "voxels", folder / "predictions"
    attributes = {"classes": CLASSES, "unlike_above": 0.5, "copies": [["toys__box/7", "toys__box/0"]]}
    with (
        DatasetWriter(voxels, "voxels", "voxelize", {}) as grids,
        DatasetWriter(predictions, "predictions", "train_classifier", {}, attributes=attributes) as answers,
    ):
        for number, (sample_id, (row, unlike)) in enumerate(ANSWERS.items()):
            sample = Sample(sample_id, sample_id.split("/")[0], "test", "")
            if number:  # one sample that the datasets do not hold
                packed = pack_occupancy(solid("box", number, 16))
                grids.add(sample, {"occupancy": packed}, {"resolution": 16})
            answers.add(sample, {"probabilities": np.array([row], np.float32)}, {"unlikeness": unlike})
        grids.skip("toys__box/9", "<b>broken</b>")
    model = start_model(folder / "model", {"network": "solid", "classes": classes, "resolution": 16})
    finish_model(model, [{"epoch": 1, "train_accuracy": 0.5, "val_accuracy": 0.4}], {"seconds": 3.5})
    return voxels, predictions, model


def test_figures_by_hand(tmp_path: Path) -> None:
    voxels, predictions, model = write_run(tmp_path)
    outputs = [dsl.HTML(uri=str(tmp_path / "page.html")), dsl.Artifact(uri=str(tmp_path / "evaluation")),
               dsl.Metrics(uri=str(tmp_path / "metrics")),
               dsl.ClassificationMetrics(uri=str(tmp_path / "confusion"))]  # fmt: skip
    component.python_func(
        [dsl.Dataset(uri=str(voxels))], dsl.Dataset(uri=str(predictions)), dsl.Model(uri=str(model)), *outputs
    )
    found = json.loads((tmp_path / "evaluation" / "metrics.json").read_text())
    assert found["accuracy"] == 0.5 and found["accuracy_main"] == 0.75
    assert found["mean_class_accuracy"] == pytest.approx((0.5 + 0 + 1) / 3)
    assert found["confusion"]["matrix"] == [[1, 1, 0], [0, 0, 1], [0, 0, 1]]
    assert found["calibration_error"] == pytest.approx((0.2 + 0.7 + 0.6 + 0.4) / 4, abs=1e-6)
    assert found["log_loss"] == pytest.approx(-np.log([0.8, 0.1, 0.4, 0.6]).mean(), abs=1e-6)
    assert found["called_unlike"] == 0.25 and found["copies"] == [["toys__box/7", "toys__box/0"]]
    assert {row["class"]: (row["precision"], row["recall"]) for row in found["per_class"]} == {
        "art__ball": (1, 0.5), "toys__bar": (0, 0), "toys__box": (0.5, 1),
    }  # fmt: skip
    assert outputs[2].metadata["accuracy"] == 0.5
    assert outputs[3].metadata["confusionMatrix"]["annotationSpecs"][0] == {"displayName": "art__ball"}
    rows = (tmp_path / "evaluation" / "per_sample.csv").read_text().splitlines()
    assert rows[2].startswith("art__ball/1,art__ball,toys__bar,0,0.7") and rows[2].endswith(",1")


def test_the_page_shows_it_all(tmp_path: Path) -> None:
    voxels, predictions, model = write_run(tmp_path)
    report_classifier([voxels], predictions, model, tmp_path / "page.html", tmp_path / "evaluation", "A <title>")
    page = (tmp_path / "page.html").read_text()
    assert "A &lt;title&gt;" in page and "&lt;b&gt;broken&lt;/b&gt;" in page and "<b>broken" not in page
    assert page.index("<strong>art__ball</strong> taken for <strong>toys__bar</strong>, 70.0 %") < page.index(
        "<strong>toys__bar</strong> taken for <strong>toys__box</strong>, 60.0 %"
    )
    assert page.count("data:image/webp") == 2 and "called unlike" in page
    assert "toys__box/7" in page and "75.0 %" in page and "<script" not in page


def test_a_confusion_matrix_of_66_classes_fits_a_page() -> None:
    classes = [f"household__kitchen_dining_{i}" for i in range(66)]
    matrix = np.random.default_rng(0).integers(0, 3, (66, 66))
    matrix[3, 5] = 2
    svg = str(confusion_svg(classes, matrix))
    width = int(svg.split('width="')[1].split('"')[0])
    assert 800 < width < 1120 and svg.count("<title>") == np.count_nonzero(matrix + np.eye(66, dtype=int))
    assert "household__kitchen_dining_3 taken for household__kitchen_dining_5: " in svg


def test_what_does_not_fit(tmp_path: Path) -> None:
    voxels, predictions, model = write_run(tmp_path, classes=["a", "b"])
    with pytest.raises(DatasetError, match=r"expected predictions of the classes a, b, .* got art__ball"):
        report_classifier([voxels], predictions, model, tmp_path / "page.html", tmp_path / "evaluation")
    with pytest.raises(DatasetError, match=r"kind"):
        report_classifier([voxels], voxels, model, tmp_path / "page.html", tmp_path / "evaluation")
    assert not (tmp_path / "page.html").exists()
