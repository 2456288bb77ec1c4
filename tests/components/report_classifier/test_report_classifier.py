"""The classifier's page and figures: by hand on a few answers, and with 66 classes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from kfp import dsl
from solid_grids import solid

from components.report_classifier import ReportClassifierSettings
from components.report_classifier.component import report_classifier as component
from components.report_classifier.report_classifier import report_classifier
from shapeyard.contracts.dataset import DatasetWriter, Sample
from shapeyard.contracts.model import finish_model, start_model
from shapeyard.contracts.packed_occupancy import pack_occupancy
from shapeyard.errors import DatasetError
from shapeyard.evaluation.output import read_evaluation

CLASSES = ["art__ball", "toys__bar", "toys__box"]
ANSWERS = {  # id → probabilities, ood_score
    "art__ball/0": ([0.8, 0.1, 0.1], 0.2),
    "art__ball/1": ([0.1, 0.7, 0.2], 0.9),
    "toys__bar/0": ([0.0, 0.4, 0.6], 0.1),
    "toys__box/0": ([0.2, 0.2, 0.6], 0.3),
}


def write_run(folder: Path, classes: list[str] = CLASSES) -> tuple[Path, Path, Path]:
    voxels, predictions = folder / "voxels", folder / "predictions"
    attributes = {"classes": CLASSES, "ood_threshold": 0.5, "copies": [["toys__box/7", "toys__box/0"]]}
    with (
        DatasetWriter(voxels, "voxels", "voxelize", {}) as grids,
        DatasetWriter(predictions, "predictions", "train_classifier", {}, attributes=attributes) as answers,
    ):
        for number, (sample_id, (row, unlike)) in enumerate(ANSWERS.items()):
            sample = Sample(sample_id, sample_id.split("/")[0], "test", "")
            if number:  # one sample that the datasets do not hold
                packed = pack_occupancy(solid("box", number, 16))
                grids.add(sample, {"occupancy": packed}, {"resolution": 16})
            answers.add(sample, {"probabilities": np.array([row], np.float32)}, {"ood_score": unlike})
        grids.skip("toys__box/9", "<b>broken</b>")
    model = start_model(folder / "model", {"network": "solid", "classes": classes, "resolution": 16})
    finish_model(model, [{"epoch": 1, "train_accuracy": 0.5, "val_accuracy": 0.4}], {"seconds": 3.5}, [])
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
    assert found["ood_rate"] == 0.25 and found["copies"] == [["toys__box/7", "toys__box/0"]]
    assert {row["class"]: (row["precision"], row["recall"]) for row in found["per_class"]} == {
        "art__ball": (1, 0.5), "toys__bar": (0, 0), "toys__box": (0.5, 1),
    }  # fmt: skip
    assert outputs[2].metadata["accuracy"] == 0.5
    assert outputs[3].metadata["confusionMatrix"]["annotationSpecs"][0] == {"displayName": "art__ball"}
    table = read_evaluation(tmp_path / "evaluation").table
    answer = {m: table.values("classifier", m)["art__ball/1", 0] for m in ("predicted", "right", "confidence", "ood")}
    assert answer == {"predicted": "toys__bar", "right": 0, "confidence": pytest.approx(0.7), "ood": 1}
    assert table.values("classifier", "true_probability")["art__ball/1", 0] == pytest.approx(0.1)


def test_the_page_shows_it_all(tmp_path: Path) -> None:
    voxels, predictions, model = write_run(tmp_path)
    report_classifier(
        [voxels],
        predictions,
        model,
        tmp_path / "page.html",
        tmp_path / "evaluation",
        ReportClassifierSettings("A <title>"),
    )
    page = (tmp_path / "page.html").read_text()
    assert "A &lt;title&gt;" in page and "&lt;b&gt;broken&lt;/b&gt;" in page and "<b>broken" not in page
    assert page.index("<strong>art__ball</strong> predicted as <strong>toys__bar</strong>, 70.0 %") < page.index(
        "<strong>toys__bar</strong> predicted as <strong>toys__box</strong>, 60.0 %"
    )
    assert page.count("data:image/webp") == 2 and "out-of-distribution" in page
    assert "toys__box/7" in page and "75.0 %" in page and "<title>A &lt;" in page


def test_what_does_not_fit(tmp_path: Path) -> None:
    voxels, predictions, model = write_run(tmp_path, classes=["a", "b"])
    with pytest.raises(DatasetError, match=r"expected predictions of the classes a, b, .* got art__ball"):
        report_classifier(
            [voxels], predictions, model, tmp_path / "page.html", tmp_path / "evaluation", ReportClassifierSettings()
        )
    with pytest.raises(DatasetError, match=r"kind"):
        report_classifier(
            [voxels], voxels, model, tmp_path / "page.html", tmp_path / "evaluation", ReportClassifierSettings()
        )
    assert not (tmp_path / "page.html").exists()
