"""`shapeyard classify`: files in, classes out, from models of voxels and of features."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh
from rich.console import Console
from things import write_things

from components.extract_features import ExtractFeaturesSettings
from components.extract_features.extract_features import extract_features
from components.fetch import FetchSettings
from components.fetch.fetch import fetch
from components.plan.plan import plan
from components.train_classifier import TrainClassifierSettings
from components.train_classifier.train_classifier import train_classifier
from components.voxelize import VoxelizeSettings
from components.voxelize.voxelize import voxelize
from launch.classified import OUT_OF_DISTRIBUTION, print_answers
from shapeyard.contracts.files import describe_file
from shapeyard.contracts.model import read_config
from shapeyard.errors import DatasetError, SourceError
from shapeyard.formats.binvox import write_binvox
from shapeyard.inference.classify import classify_files
from shapeyard.sources.selection import Selection

QUICK: dict[str, Any] = {
    "epochs": 12, "batch_size": 8, "learning_rate": 0.01, "corruption_probability": 0.0, "shift": 1,
    "augment_rotation": True, "class_balance_exponent": 0.5, "ema_decay": 0.5, "workers": 1, "restore_best": False,
}  # fmt: skip


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_things(tmp_path_factory.mktemp("things"))


@pytest.fixture(scope="module")
def models(source: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("models")
    limits = FetchSettings(max_megabytes=100, max_triangles=100_000, max_skipped=0.0)
    (item,) = plan(Selection(str(source), layout="things", shards=1))
    fetch(item, folder / "meshes", limits)
    extract_features(folder / "meshes", folder / "features", ExtractFeaturesSettings(workers=1))
    ensemble = TrainClassifierSettings(network="measures_net", ensemble_members=1, noise=0.1, folds=5, **QUICK)
    train_classifier([folder / "features"], folder / "measures", folder / "p", ensemble)
    (item,) = plan(Selection("procedural://?objects=30&classes=chair,bottle,lamp", shards=1))
    fetch(item, folder / "shapes", limits)
    voxelize(folder / "shapes", folder / "grids", VoxelizeSettings(resolution=24, workers=1))
    changed = {"epochs": 3, "augment_rotation": False}
    single = TrainClassifierSettings(network="xu2016", resolution=24, padding=3, **(QUICK | changed))
    train_classifier([folder / "grids"], folder / "voxels", folder / "q", single)
    return {name: folder / name for name in ("measures", "voxels")}


def test_objects_are_named_and_others_are_out_of_distribution(
    source: Path, models: dict[str, Path], tmp_path: Path
) -> None:
    answers = classify_files([source / "toys__box", source / "toys__ring" / "0.zip"], models["measures"], top=2)
    assert len(answers) == 11 and all(len(answer["classes"]) == 2 for answer in answers)
    right = [answer["classes"][0]["class"] == Path(answer["file"]).parent.name for answer in answers]
    assert np.mean(right) > 0.9
    assert sum(answer["ood"] for answer in answers) <= 2
    huge = trimesh.creation.annulus(200, 900, 3000)
    huge.export(tmp_path / "huge.stl")
    (answer,) = classify_files([tmp_path / "huge.stl"], models["measures"], top=9)
    assert answer["ood"] and len(answer["classes"]) == 3
    assert answer["ood_score"] > read_config(models["measures"])["ood_threshold"]
    assert sum(one["probability"] for one in answer["classes"]) == pytest.approx(1, abs=1e-3)


def test_voxel_models_take_any_mesh(models: dict[str, Path], tmp_path: Path) -> None:
    for suffix in ("stl", "obj", "off", "ply", "glb"):
        trimesh.creation.capsule(3, 1).export(tmp_path / f"bottle.{suffix}")
    answers = classify_files([tmp_path], models["voxels"], top=3, up="z")
    assert len({json.dumps(answer["classes"]) for answer in answers}) <= 2 and len(answers) == 5
    grid = np.zeros((32, 32, 32), bool)
    grid[10:22, 4:28, 10:22] = True
    write_binvox(tmp_path / "grid.binvox", grid, (0, 0, 0), 1.0)
    found, missing = classify_files([tmp_path / "grid.binvox", tmp_path / "missing.stl"], models["voxels"], top=1)
    assert found["classes"][0]["probability"] > 0
    assert missing["error"].endswith("missing.stl: expected a mesh, a ZIP or a folder of them, found nothing")
    (refused,) = classify_files([tmp_path / "grid.binvox"], models["measures"], top=1)
    assert "expected a mesh, since the classifier takes its measures" in refused["error"]


def test_a_broken_file_is_one_line_and_the_others_are_answered(
    models: dict[str, Path], source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "broken.stl").write_bytes((source / "toys__box" / "0.stl").read_bytes()[:100])
    command = [sys.executable, "-m", "launch.cli", "classify", str(tmp_path / "broken.stl"),
               str(source / "toys__box" / "1.stl"), "--model", str(models["measures"])]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[3])
    assert done.returncode == 1 and "toys__box" in done.stdout
    assert done.stderr.splitlines() == [
        f"shapeyard: {tmp_path}/broken.stl: the STL header claims 12 triangles (684 bytes), the file has 100 bytes"
    ]
    answers = classify_files([tmp_path / "broken.stl", source / "toys__box" / "1.stl"], models["measures"], top=1)
    print_answers(answers, True, Console())
    said = capsys.readouterr().out
    assert "claims 12 triangles" in json.loads(said)[0]["error"] and OUT_OF_DISTRIBUTION not in said


def test_what_cannot_be_classified_at_all(models: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"found nothing"):
        classify_files([tmp_path], models["measures"], top=1)
    trimesh.creation.box().export(tmp_path / "box.stl")
    with pytest.raises(DatasetError, match=r"expected a model"):
        classify_files([tmp_path / "box.stl"], tmp_path, top=1)
    other = tmp_path / "other"
    other.mkdir()
    for file in models["measures"].iterdir():
        (other / file.name).write_bytes(file.read_bytes())
    config = json.loads((other / "config.json").read_text())
    config["features"]["measures"] = ["weight"]
    (other / "config.json").write_text(json.dumps(config))
    with pytest.raises(DatasetError, match=r"config\.json: expected \d+ bytes"):
        classify_files([tmp_path / "box.stl"], other, top=1)
    metrics = json.loads((other / "metrics.json").read_text())
    metrics["files"]["config.json"] = describe_file(other / "config.json")
    (other / "metrics.json").write_text(json.dumps(metrics))
    with pytest.raises(DatasetError, match=r"measures that this version takes"):
        classify_files([tmp_path / "box.stl"], other, top=1)
