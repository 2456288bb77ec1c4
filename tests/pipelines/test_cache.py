import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from pipelines.cache import drop_broken_entries, drop_unused_folders
from shapeyard.contracts.dataset import DatasetWriter, Sample
from shapeyard.contracts.model import finish_model, start_model


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A pipeline root with a dataset, a model and a figure, each with its cache entry."""
    sample = Sample("cup/a", "cup", "train", "s3://b/a")
    with DatasetWriter(tmp_path / "data" / "run" / "voxelize" / "voxels", "voxels", "voxelize", {}) as writer:
        writer.add(sample, {"occupancy": np.zeros(8, np.uint8)}, {"resolution": 4})
    model = start_model(tmp_path / "data" / "run" / "train" / "model", {})
    (model / "model.safetensors").write_bytes(b"weights")
    finish_model(model, [{"step": 1}], {"rmse": 0.1})
    (tmp_path / "data" / "run" / "train" / "metrics").write_text("{}")
    (tmp_path / "data" / "run" / "half" / "renders").mkdir(parents=True)
    (tmp_path / "data" / "run" / "half" / "renders" / "shard-000.h5").write_bytes(b"half")
    (tmp_path / "cache").mkdir()
    entry(tmp_path, "voxels", "voxelize/voxels")
    (tmp_path / "data" / "run" / "train" / "page").write_text("<!doctype html><html></html>")
    entry(tmp_path, "train", "train/model", "train/metrics", "train/page")
    return tmp_path


def entry(root: Path, name: str, *paths: str) -> None:
    value = {
        path: {"__kfp_artifact__": True, "uri": str(root / "data" / "run" / path), "metadata": {"uri": 1}}
        for path in paths
    }
    (root / "cache" / f"{name}.json").write_text(json.dumps(value))


def entries(root: Path) -> set[str]:
    return {path.stem for path in (root / "cache").iterdir()}


def test_whole_outputs_stay(root: Path) -> None:
    assert drop_broken_entries(root / "cache") == 0
    assert entries(root) == {"voxels", "train"}


@pytest.mark.parametrize(
    ("broken", "left"),
    [
        ("voxelize/voxels/dataset.json", "train"),
        ("voxelize/voxels/shard-000.h5", "train"),
        ("train/model/model.safetensors", "voxels"),
        ("train/model/metrics.json", "voxels"),
        ("train/metrics", "voxels"),
        ("train/page", "voxels"),
        ("voxelize/voxels/samples.jsonl", "train"),
    ],
)
@pytest.mark.parametrize("how", ["missing", "empty", "short"])
def test_what_is_broken_is_forgotten(root: Path, broken: str, left: str, how: str) -> None:
    path = root / "data" / "run" / broken
    if how == "missing":
        path.unlink()
    elif how == "empty":
        path.write_bytes(b"")
    else:
        path.write_bytes(path.read_bytes()[:-1])
    assert drop_broken_entries(root / "cache") == 1
    assert entries(root) == {left}


def test_success_without_outputs_is_forgotten(root: Path) -> None:
    entry(root, "nothing")
    (root / "cache" / "cut.json").write_text('{"a": ')
    assert drop_broken_entries(root / "cache") == 2


def test_what_nobody_needs_is_removed(root: Path) -> None:
    shutil.copytree(root / "data" / "run", root / "data" / "older")
    drop_unused_folders(root / "data", root / "cache")
    assert {path.name for path in (root / "data").iterdir()} == {"run"}
    assert {path.name for path in (root / "data" / "run").iterdir()} == {"voxelize", "train"}
    assert drop_broken_entries(root / "cache") == 0
