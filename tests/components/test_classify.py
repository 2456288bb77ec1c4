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
from things import write_things

from components.describe.describe import describe_things
from components.fetch.fetch import fetch_shard
from components.plan.plan import plan_shards
from components.train_classifier.train import train_classifier
from components.voxelize.voxelize import voxelize_meshes
from pipelines.classify import UNLIKE, classify_files
from shapeyard.contracts.model import read_config
from shapeyard.errors import DatasetError, SourceError
from shapeyard.sources.selection import Selection

QUICK: dict[str, Any] = {
    "epochs": 12, "batch_size": 8, "learning_rate": 0.01, "spoiled": 0.0, "shift": 1, "turned": True, "balance": 0.5,
    "average": 0.5, "workers": 1, "keep_best": False,
}  # fmt: skip


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_things(tmp_path_factory.mktemp("things"))


@pytest.fixture(scope="module")
def models(source: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("models")
    (item,) = plan_shards(Selection(str(source), layout="things", shards=1))
    fetch_shard(item, folder / "meshes", 100, 100_000, 0.0)
    describe_things(folder / "meshes", folder / "features", workers=1)
    train_classifier(
        [folder / "features"],
        folder / "solid",
        folder / "p",
        network="solid",
        **{**QUICK, "members": 2, "noise": 0.1, "folds": 5},
    )
    (item,) = plan_shards(Selection("procedural://?objects=30&classes=chair,bottle,lamp", shards=1))
    fetch_shard(item, folder / "shapes", 100, 100_000, 0.0)
    voxelize_meshes(folder / "shapes", folder / "voxels", resolution=24, workers=1)
    train_classifier(
        [folder / "voxels"], folder / "shapeyard", folder / "q", network="shapeyard", resolution=24, padding=3,
        **{**QUICK, "epochs": 3, "turned": False},
    )  # fmt: skip
    return {name: folder / name for name in ("solid", "shapeyard")}


def test_things_are_named_and_strangers_called_unlike(source: Path, models: dict[str, Path], tmp_path: Path) -> None:
    answers = classify_files([source / "toys__box", source / "toys__ring" / "0.zip"], models["solid"], top=2)
    assert len(answers) == 11 and all(len(answer["classes"]) == 2 for answer in answers)
    right = [answer["classes"][0]["class"] == Path(answer["file"]).parent.name for answer in answers]
    assert np.mean(right) > 0.9
    assert sum(answer["unlike"] for answer in answers) <= 2
    huge = trimesh.creation.annulus(200, 900, 3000)
    huge.export(tmp_path / "huge.stl")
    (answer,) = classify_files([tmp_path / "huge.stl"], models["solid"], top=9)
    assert answer["unlike"] and len(answer["classes"]) == 3
    assert answer["unlikeness"] > read_config(models["solid"])["unlike_above"]
    assert sum(one["probability"] for one in answer["classes"]) == pytest.approx(1, abs=1e-3)


def test_voxel_models_take_any_mesh(models: dict[str, Path], tmp_path: Path) -> None:
    for suffix in ("stl", "obj", "off", "ply", "glb"):
        trimesh.creation.capsule(3, 1).export(tmp_path / f"bottle.{suffix}")
    answers = classify_files([tmp_path], models["shapeyard"], top=3, up="z")
    assert len({json.dumps(answer["classes"]) for answer in answers}) <= 2 and len(answers) == 5


def test_a_broken_file_is_one_line_and_the_others_are_answered(
    models: dict[str, Path], source: Path, tmp_path: Path
) -> None:
    (tmp_path / "broken.stl").write_bytes((source / "toys__box" / "0.stl").read_bytes()[:100])
    command = [sys.executable, "-m", "pipelines.cli", "classify", str(tmp_path / "broken.stl"),
               str(source / "toys__box" / "1.stl"), "--model", str(models["solid"])]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert done.returncode == 1 and "toys__box" in done.stdout
    assert done.stderr.splitlines() == [
        f"shapeyard: {tmp_path}/broken.stl: the STL header claims 12 triangles (684 bytes), the file has 100 bytes"
    ]
    done = subprocess.run([*command, "--json"], capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert "claims 12 triangles" in json.loads(done.stdout)[0]["error"] and UNLIKE not in done.stdout


def test_what_cannot_be_classified_at_all(models: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"found nothing"):
        classify_files([tmp_path], models["solid"], top=1)
    trimesh.creation.box().export(tmp_path / "box.stl")
    with pytest.raises(DatasetError, match=r"expected a model"):
        classify_files([tmp_path / "box.stl"], tmp_path, top=1)
    other = tmp_path / "other"
    other.mkdir()
    for file in models["solid"].iterdir():
        (other / file.name).write_bytes(file.read_bytes())
    config = json.loads((other / "config.json").read_text())
    config["features"]["measures"] = ["weight"]
    (other / "config.json").write_text(json.dumps(config))
    with pytest.raises(DatasetError, match=r"measures that this version takes"):
        classify_files([tmp_path / "box.stl"], other, top=1)
