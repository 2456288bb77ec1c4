"""The page as text: what is in it, what is escaped, what happens when something is missing."""

from __future__ import annotations

import base64
import json
import re
import shutil
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kfp import dsl
from synthetic_run import SyntheticRun, write_run

from components.evaluate.evaluate import evaluate
from components.report import ReportSettings
from components.report.component import report as component
from components.report.depth_examples import depth_examples
from components.report.report import report
from components.report.run import ReconstructionRun
from components.report.shape_examples import shape_examples
from shapeyard import __version__
from shapeyard.contracts.packed_occupancy import unpack_occupancy
from shapeyard.errors import DatasetError
from shapeyard.evaluation.table import EvaluationTable

HOSTILE = "<script>document.title = 'run by a class'<"  # no slash: an id is class/name
MEGABYTE = 2**20


def evaluated(run: SyntheticRun) -> dict[str, Any]:
    """The inputs of the report."""
    evaluation = run.folder / "evaluation"
    evaluate(**run.shards, **run.outputs, evaluation=evaluation)
    predicted = {name: run.outputs[name] for name in ("depths", "reconstructions", "occupancy_reconstructions")}
    return {**run.shards, **predicted, **run.models, "evaluation": evaluation}


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return evaluated(write_run(tmp_path_factory.mktemp("run"), classes=("chair", "table", HOSTILE), error=0.3))


@pytest.fixture(scope="module")
def page(artifacts: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("page") / "page"
    report(**artifacts, page=file, settings=ReportSettings("Chairs & <img src=x onerror=alert(1)>"))
    return file


def test_it_says_that_the_reconstructor_had_no_discriminator(artifacts: dict[str, Any], tmp_path: Path) -> None:
    models = {}
    for name, parameters in {"without": 0, "with": 1000}.items():
        models[name] = shutil.copytree(artifacts["recgan_model"], tmp_path / name)
        file = models[name] / "metrics.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | {"discriminator_parameters": parameters}))
    for name, model in models.items():
        report(**{**artifacts, "recgan_model": model}, page=tmp_path / "page", settings=ReportSettings())
        text = (tmp_path / "page").read_text()
        assert "3D-RecGAN++, same view" in text or name == "without"
        told = text.count("3D-RecGAN++ (without its discriminator)")
        assert told == (3 if name == "without" else 0), "beside its shapes, as their text, and above its curves"


def test_one_file_of_modest_size(page: Path) -> None:
    assert page.stat().st_size < 12 * MEGABYTE
    assert [file.name for file in page.parent.iterdir()] == ["page"], "nothing half-written is left"
    assert page.stat().st_mode & 0o777 == 0o644


def test_nothing_is_fetched(page: Path) -> None:
    markup = re.sub(r"<script.*?</script>", "", page.read_text(), flags=re.DOTALL)
    assert set(re.findall(r'<[a-z][^>]*\s(?:src|href)="([a-z]*:?)', markup)) == {"data:"}
    assert "url(" not in markup and "@import" not in markup
    assert "default-src 'none'" in markup


def test_names_are_escaped(page: Path) -> None:
    text = page.read_text()
    assert HOSTILE not in text and "<img src=x" not in text
    assert "&lt;script&gt;document.title" in text and "Chairs &amp; &lt;img" in text
    assert "<b>odd</b>" not in text and "table/&lt;b&gt;odd&lt;/b&gt;" in text


def test_every_script_is_allowed_by_its_hash_and_no_other(page: Path) -> None:
    import hashlib

    text = page.read_text()
    run = re.findall(r"<script>(.*?)</script>", text, flags=re.DOTALL)
    hashes = {base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in run}
    assert hashes == set(re.findall(r"'sha256-(.*?)'", text)) and len(run) == 3


def test_what_was_run_is_told(page: Path) -> None:
    text = page.read_text()
    for told in (
        "train_recgan",
        "1 min 40 s",
        "expected faces, got none",
        "2 objects were skipped",
        "bottleneck",
        "Licences of the data",
        "Made by 3",
        "Maker 2: 4 (CC-BY-3.0)",
        __version__,
    ):
        assert told in text, told
    assert text.count("Contact sheet: ") == 2 and "constant depth" in text and "mean shape" in text


def test_depth_examples_are_the_ends_and_the_middle(artifacts: dict[str, Any]) -> None:
    run = ReconstructionRun(**artifacts)
    examples = depth_examples(run)
    ranked = sorted(row.value for row in run.table.rows("depth", "rmse"))
    run.close()
    assert [e["label"] for e in examples] == ["Best", "Median", "Worst"]
    assert [e["rmse"] for e in examples] == [ranked[0], ranked[6], ranked[-1]] and [e["rank"] for e in examples] == [
        1,
        7,
        12,
    ]
    assert all(len(e["pictures"]) == 4 for e in examples)


def test_shape_examples_hold_the_grids(artifacts: dict[str, Any]) -> None:
    run = ReconstructionRun(**artifacts)
    examples = shape_examples(run)
    rows = run.table.rows("occupancy", "iou")
    ious, by_class = sorted(row.value for row in rows), sorted(row.value for row in rows if row.class_name == "chair")
    example = next(e for e in examples if e["class"] == "chair")
    packed = np.frombuffer(zlib.decompress(base64.b64decode(example["true"])), np.uint8)
    true = np.unpackbits(run.voxels.read(example["text"]["name"], "occupancy"), count=24**3).reshape(24, 24, 24)
    run.close()
    np.testing.assert_array_equal(unpack_occupancy(packed, example["size"]), true)
    assert [e["rank"] for e in examples] == ["", "", "", "best", "worst"]
    assert example["text"]["iou"] == f"{by_class[2]:.3f}", "the median of 4 views"
    assert [e["text"]["iou"] for e in examples[3:]] == [f"{ious[-1]:.3f}", f"{ious[0]:.3f}"]
    assert example["pose"]["distance"] == pytest.approx(2) and example["pose"]["elevation"] == pytest.approx(
        np.radians(25)
    )


def test_the_component_writes_its_page(artifacts: dict[str, Any], tmp_path: Path) -> None:
    lists = {n: [dsl.Dataset(uri=str(p)) for p in artifacts[n]] for n in ("meshes", "renders", "voxels")}
    others = {name: dsl.Artifact(uri=str(artifacts[name])) for name in artifacts if name not in lists}
    component.python_func(**lists, **others, page=dsl.HTML(uri=str(tmp_path / "out" / "page")), title="Furniture")
    assert "<title>Furniture</title>" in (tmp_path / "out" / "page").read_text()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("evaluation", "expected an evaluation"),
        ("depths", "expected a dataset"),
        ("classifier", "history.csv: not readable"),
    ],
)
def test_a_missing_artifact(artifacts: dict[str, Any], tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        report(**{**artifacts, name: tmp_path / "nothing"}, page=tmp_path / "page", settings=ReportSettings())
    assert not (tmp_path / "page").exists()


def test_nothing_reconstructed_and_no_history(tmp_path: Path) -> None:
    """A run in which evaluation found test views but no shapes still has its page."""
    run = write_run(tmp_path, splits=("train", "val", "test"), views=1, training_steps=0)
    artifacts = evaluated(run)
    metrics_file = tmp_path / "evaluation" / "metrics.json"
    metrics = json.loads(metrics_file.read_text())
    del metrics["files"]
    shape = metrics["reconstruction"]
    for of in (*shape["networks"].values(), *shape["baselines"].values()):
        of |= {"per_class": {}, "iou": None, "precision": None, "recall": None, "threshold": None}
    for of in metrics["classification"].values():
        of |= {"accuracy": None, "mean_class_accuracy": None, "shown": 0}
        of["confusion"]["matrix"] = [[0] * 3] * 3
    metrics_file.write_text(json.dumps(metrics))
    EvaluationTable().write(tmp_path / "evaluation" / "rows.csv")
    report(**artifacts, page=tmp_path / "page", settings=ReportSettings())
    text = (tmp_path / "page").read_text()
    assert "No test object was reconstructed." in text and "No test view has a predicted depth." in text
    assert text.count("Nothing of the test split was shown") == 2
