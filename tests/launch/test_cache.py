import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from launch.cache import drop_broken_entries, drop_unused_folders, relocate_entries
from shapeyard.contracts.dataset import DatasetWriter, Sample, read_info
from shapeyard.contracts.model import check_model, finish_model, start_model


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The folder of KFP's files, with a dataset of a loop, a model and a figure, each with its cache entry."""
    root = tmp_path / "runs" / ".kfp"
    sample = Sample("cup/a", "cup", "train", "s3://b/a")
    with DatasetWriter(root / "data" / "run" / "loop-0" / "voxelize" / "voxels", "voxels", "voxelize", {}) as writer:
        writer.add(sample, {"occupancy": np.zeros(8, np.uint8)}, {"resolution": 4})
    model = start_model(root / "data" / "run" / "train" / "model", {})
    (model / "model.safetensors").write_bytes(b"weights")
    finish_model(model, [{"step": 1}], {"rmse": 0.1}, [])
    (root / "data" / "run" / "train" / "metrics").write_text("{}")
    (root / "data" / "run" / "half" / "renders").mkdir(parents=True)
    (root / "data" / "run" / "half" / "renders" / "shard-000.h5").write_bytes(b"half")
    (root / "cache").mkdir()
    entry(root, "voxels", "loop-0/voxelize/voxels")
    kept = json.loads((root / "cache" / "voxels.json").read_text())
    kept["Output"] = f"1 {'0' * 16} {root}/data/run/loop-0/voxelize/voxels"  # what its stage returned
    (root / "cache" / "voxels.json").write_text(json.dumps(kept))
    (root / "data" / "run" / "train" / "page").write_text("<!doctype html><html></html>")
    entry(root, "train", "train/model", "train/metrics", "train/page")
    return root


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
        ("loop-0/voxelize/voxels/dataset.json", "train"),
        ("loop-0/voxelize/voxels/shard-000.h5", "train"),
        ("train/model/model.safetensors", "voxels"),
        ("train/model/metrics.json", "voxels"),
        ("train/metrics", "voxels"),
        ("train/page", "voxels"),
        ("loop-0/voxelize/voxels/samples.jsonl", "train"),
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


@pytest.mark.parametrize("flipped", ["train/page", "train/metrics", "train/model/metrics.json",
                                     "loop-0/voxelize/voxels/dataset.json"])  # fmt: skip
def test_a_digit_that_changed_is_noticed(root: Path, flipped: str) -> None:
    path = root / "data" / "run" / flipped
    (root / "data" / "run" / "train" / "metrics").write_text('{"rmse": 0.1}')
    (root / "data" / "run" / "train" / "page").write_text("<!doctype html><html>0.1</html>")
    assert drop_broken_entries(root / "cache") == 0
    content = path.read_text()
    at = max(content.rfind("1", 0, content.find("sha256") % len(content)), content.find("0.1"))
    path.write_text(content[:at] + content[at:].replace("1", "2", 1))
    assert path.read_text() != content
    assert drop_broken_entries(root / "cache") == 1
    path.write_text(content)
    assert drop_broken_entries(root / "cache") == 0


def test_success_without_outputs_is_forgotten(root: Path) -> None:
    entry(root, "nothing")
    (root / "cache" / "cut.json").write_text('{"a": ')
    assert drop_broken_entries(root / "cache") == 2


def test_what_nobody_needs_is_removed(root: Path) -> None:
    shutil.copytree(root / "data" / "run", root / "data" / "older")
    drop_unused_folders(root / "data", root / "cache", root.parent)
    assert {path.name for path in (root / "data").iterdir()} == {"run"}
    assert {path.name for path in (root / "data" / "run").iterdir()} == {"loop-0", "train"}
    assert drop_broken_entries(root / "cache") == 0


def test_a_folder_that_was_moved_still_answers(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    moved = root.parent.rename(tmp_path_factory.mktemp("elsewhere") / "moved") / ".kfp"
    before = {path: path.read_bytes() for path in moved.rglob("*") if path.is_file() and "half" not in path.parts}
    relocate_entries(moved / "data", moved / "cache")
    assert drop_broken_entries(moved / "cache") == 0
    drop_unused_folders(moved / "data", moved / "cache", moved.parent)
    after = {path: path.read_bytes() for path in before}
    assert all(after[path] == before[path] for path in before if path.parent != moved / "cache")
    values = [value for path in (moved / "cache").iterdir() for value in json.loads(path.read_text()).values()]
    uris = [value["uri"] if isinstance(value, dict) else value.split(maxsplit=2)[2] for value in values]
    assert len(uris) == 5
    assert all(Path(uri).is_relative_to(moved / "data") and Path(uri).exists() for uri in uris)


def test_a_copy_has_outputs_of_its_own(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    copy = tmp_path_factory.mktemp("elsewhere") / "copy" / ".kfp"
    shutil.copytree(root, copy)
    relocate_entries(copy / "data", copy / "cache")
    assert str(root) not in "".join(path.read_text() for path in (copy / "cache").iterdir())


@pytest.mark.parametrize("known_by", ["link", "outputs.json"])
def test_what_the_shards_of_a_finished_run_made_is_kept(root: Path, known_by: str) -> None:
    run = root.parent / "reconstruct-tiny"
    (run / "voxels").mkdir(parents=True)
    place = "../.kfp/data/run/loop-0/voxelize/voxels"
    if known_by == "link":
        (run / "voxels" / "shard-0").symlink_to(f"../{place}")
    else:
        (run / "outputs.json").write_text(json.dumps({"voxels": {"0": place}}))
    for entry_file in (root / "cache").iterdir():
        entry_file.unlink()
    drop_unused_folders(root / "data", root / "cache", root.parent)
    read_info(root / "data" / "run" / "loop-0" / "voxelize" / "voxels", content=True)
    assert [path.name for path in (root / "data" / "run").iterdir()] == ["loop-0"]


@pytest.mark.parametrize("known_by", ["link", "outputs.json", "absolute outputs.json"])
def test_what_a_finished_run_made_is_kept(root: Path, known_by: str) -> None:
    run = root.parent / "reconstruct-tiny"
    run.mkdir()
    (run / "loop").symlink_to("loop")
    model = root / "data" / "run" / "train" / "model"
    if known_by == "link":
        (run / "model").symlink_to("../.kfp/data/run/train/model")
        (run / "outputs.json").write_text('{"model": ')
    else:
        path = "../.kfp/data" if known_by == "outputs.json" else "/before/it/was/moved/.kfp/data"
        (run / "outputs.json").write_text(json.dumps({"model": f"{path}/run/train/model"}))
    for entry_file in (root / "cache").iterdir():
        entry_file.unlink()
    drop_unused_folders(root / "data", root / "cache", root.parent)
    check_model(model)
    assert [path.name for path in (root / "data" / "run").iterdir()] == ["train"]
