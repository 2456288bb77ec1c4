"""The page as text: what is in it, what is escaped, what happens when something is missing."""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kfp import dsl
from PIL import Image
from synthetic_run import SyntheticRun, write_run

from components.evaluate.evaluate import Inputs, evaluate_models
from components.report.charts import class_chart, training_charts
from components.report.component import report
from components.report.depth_examples import depth_examples
from components.report.pictures import DEPTH_SCALE, ERROR_SCALE, Scale, color_picture, cropped, data_uri, sheet_uri
from components.report.report import duration, write_report
from components.report.run import Model, Run, RunArtifacts
from components.report.shape_examples import shape_examples
from shapeyard.contracts.dataset import unpack_occupancy
from shapeyard.errors import DatasetError

HOSTILE = "<script>document.title = 'run by a class'<"  # no slash: an id is class/name
MEGABYTE = 2**20


def evaluated(run: SyntheticRun) -> RunArtifacts:
    evaluation = run.folder / "evaluation"
    evaluate_models(Inputs(**run.shards, **run.outputs), evaluation)
    return RunArtifacts(
        **run.shards, depths=run.outputs["depths"], reconstructions=run.outputs["reconstructions"],
        **run.models, evaluation=evaluation,
    )  # fmt: skip


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> RunArtifacts:
    return evaluated(write_run(tmp_path_factory.mktemp("run"), classes=("chair", "table", HOSTILE), error=0.3))


@pytest.fixture(scope="module")
def page(artifacts: RunArtifacts, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("page") / "page"
    write_report(artifacts, file, title="Chairs & <img src=x onerror=alert(1)>")
    return file


def test_it_says_that_the_reconstructor_had_no_critic(artifacts: RunArtifacts, tmp_path: Path) -> None:
    models = {}
    for name, parameters in {"without": 0, "with": 1000}.items():
        models[name] = shutil.copytree(artifacts.recgan_model, tmp_path / name)
        file = models[name] / "metrics.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | {"critic_parameters": parameters}))
    for name, model in models.items():
        write_report(replace(artifacts, recgan_model=model), tmp_path / "page")
        text = (tmp_path / "page").read_text()
        assert text.count("3D-RecGAN++") == 2
        assert text.count("3D-RecGAN++ (without its critic)") == (2 if name == "without" else 0)


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
        "2 objects were left out",
        "bottleneck",
        "0.1.0",
    ):
        assert told in text, told
    assert text.count("Contact sheet: ") == 2 and "constant depth" in text and "mean shape" in text


def test_depth_examples_are_the_ends_and_the_middle(artifacts: RunArtifacts) -> None:
    run = Run(artifacts)
    examples = depth_examples(run)
    ranked = sorted(float(row["depth_rmse"]) for row in run.views)
    run.close()
    assert [e["label"] for e in examples] == ["Best", "Median", "Worst"]
    assert [e["rmse"] for e in examples] == [ranked[0], ranked[6], ranked[-1]] and [e["rank"] for e in examples] == [
        1,
        7,
        12,
    ]
    assert all(len(e["pictures"]) == 4 for e in examples)


def test_shape_examples_hold_the_grids(artifacts: RunArtifacts) -> None:
    run = Run(artifacts)
    examples = shape_examples(run)
    ious = sorted(float(row["reconstruction_iou"]) for row in run.views)
    by_class = sorted(float(r["reconstruction_iou"]) for r in run.views if r["class"] == "chair")
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


def test_the_component_writes_its_page(artifacts: RunArtifacts, tmp_path: Path) -> None:
    lists = {n: [dsl.Dataset(uri=str(p)) for p in getattr(artifacts, n)] for n in ("meshes", "renders", "voxels")}
    others = {
        name: dsl.Artifact(uri=str(getattr(artifacts, name)))
        for name in ("depths", "reconstructions", "depth_model", "recgan_model", "classifier", "evaluation")
    }
    report.python_func(**lists, **others, page=dsl.HTML(uri=str(tmp_path / "out" / "page")), title="Furniture")
    assert "<title>Furniture</title>" in (tmp_path / "out" / "page").read_text()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("evaluation", "expected an evaluation"),
        ("depths", "expected a dataset"),
        ("classifier", "history.csv: not readable"),
    ],
)
def test_a_missing_artifact(artifacts: RunArtifacts, tmp_path: Path, name: str, message: str) -> None:
    from dataclasses import replace

    with pytest.raises(DatasetError, match=message):
        write_report(replace(artifacts, **{name: tmp_path / "nothing"}), tmp_path / "page")
    assert not (tmp_path / "page").exists()


def test_nothing_reconstructed_and_no_history(tmp_path: Path) -> None:
    """A run in which evaluation found test views but no shapes still has its page."""
    run = write_run(tmp_path, splits=("train", "val", "test"), views=1, training_steps=0)
    artifacts = evaluated(run)
    metrics_file = tmp_path / "evaluation" / "metrics.json"
    metrics = json.loads(metrics_file.read_text())
    for of in (metrics["reconstruction"], *metrics["reconstruction"]["baselines"].values()):
        of |= {"per_class": {}, "iou": None, "precision": None, "recall": None, "threshold": None}
    for of in metrics["classification"].values():
        of |= {"accuracy": None, "mean_class_accuracy": None, "shown": 0}
        of["confusion"]["matrix"] = [[0] * 3] * 3
    metrics_file.write_text(json.dumps(metrics))
    (tmp_path / "evaluation" / "per_view.csv").write_text("id,class,view\n")
    write_report(artifacts, tmp_path / "page")
    text = (tmp_path / "page").read_text()
    assert "No test object was reconstructed." in text and "No test view has a predicted depth." in text
    assert text.count("Nothing of the test split was shown") == 2


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (200, "3 min 20 s"),
        (3600, "1 h"),
        (7530, "2 h 5 min"),
    ],
)
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_colors_of_a_scale() -> None:
    scale = Scale(-1.0, 1.0, ERROR_SCALE)
    pixels = np.asarray(color_picture(np.array([[-5.0, 0.0], [1.0, np.inf]]), scale))
    assert pixels[..., 3].tolist() == [[255, 255], [255, 0]]
    assert pixels[0, 0, 2] > pixels[0, 0, 0] and pixels[1, 0, 0] > pixels[1, 0, 2], "near is blue, far is red"
    assert len(set(pixels[0, 1, :3].tolist())) <= 3 and scale.gradient.startswith("rgb(24,84,160) 0.0%")
    near_to_far = np.asarray(color_picture(np.array([[1.0, 2.0]]), Scale(1.0, 2.0, DEPTH_SCALE)))
    assert near_to_far[0, 0, :3].sum() > near_to_far[0, 1, :3].sum(), "near is bright"


def test_cropping() -> None:
    mask = np.zeros((20, 30), bool)
    mask[5:9, 25:30] = True
    (part,) = cropped([mask], mask)
    assert part.shape[0] == part.shape[1] == 6 and part.sum() == 20, "a square that stays inside and holds all of it"
    (whole,) = cropped([mask], np.zeros((20, 30), bool))
    assert whole.shape == (20, 30)


def test_pictures_as_text() -> None:
    image = Image.fromarray(np.random.default_rng(0).integers(0, 255, (30, 3000, 3), dtype=np.uint8))
    kind, text = data_uri(image).split(",")
    assert kind == "data:image/png;base64"
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(base64.b64decode(text)))), np.asarray(image))
    assert Image.open(io.BytesIO(base64.b64decode(sheet_uri(image).split(",")[1]))).size == (1400, 14)


def test_curves_are_grouped_by_what_they_measure() -> None:
    history = [{"step": 10.0, "train_loss": 1.0}, {"step": 20.0, "train_loss": 0.5, "val_loss": 0.6, "val_iou": 0.2}]
    loss, iou = training_charts(Model("train", {}, {}, history))
    assert [(trace["name"], trace["x"]) for trace in loss["data"]] == [("training", [10, 20]), ("validation", [20])]
    assert iou["layout"]["yaxis"]["title"]["text"] == "IoU"
    assert training_charts(Model("train", {}, {}, [])) == []


def test_bars_of_a_class_without_a_baseline() -> None:
    none: dict[str, Any] = {"per_class": {}}
    of = {
        "per_class": {"<b>": {"iou": 0.5}, "a": {"iou": 0.7}},
        "baselines": {"mean_shape": none, "extruded_surface": none, "nearest_neighbour": none},
    }
    chart = class_chart({"reconstruction": of})
    assert chart and [(bar["x"], bar["y"]) for bar in chart["data"]] == [(["a", "&lt;b&gt;"], [0.7, 0.5])]
    assert class_chart({"reconstruction": none}) is None
