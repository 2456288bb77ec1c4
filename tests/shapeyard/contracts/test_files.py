from pathlib import Path

import numpy as np
import pytest

from shapeyard.contracts.dataset import DatasetWriter, Sample, read_info
from shapeyard.contracts.files import MARK, empty_output
from shapeyard.contracts.model import check_model, finish_model, read_metrics, start_model
from shapeyard.errors import DatasetError


@pytest.fixture
def ours(tmp_path: Path) -> Path:
    """An output that a stage began."""
    folder = tmp_path / "below" / "ours"
    empty_output(folder)
    (folder / "shard-000.h5").write_bytes(b"half")
    (folder / "logs").mkdir()
    (folder / "logs" / "events").touch()
    return folder


def test_an_output_of_ours_is_emptied(ours: Path, tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").touch()
    (ours / "link").symlink_to(tmp_path / "kept")
    empty_output(ours)
    assert [path.name for path in ours.iterdir()] == [MARK]
    assert (tmp_path / "kept" / "file").exists()


@pytest.mark.parametrize("name", ["dataset.json", "metrics.json", "config.json", "shard-000.h5"])
def test_a_folder_without_the_mark_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("{}")
    with pytest.raises(DatasetError, match=r"an empty folder or an earlier output .* found other files"):
        empty_output(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    empty_output(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [MARK]


def test_a_symbolic_link_is_refused(ours: Path, tmp_path: Path) -> None:
    for target in (ours, tmp_path / "nowhere"):
        link = tmp_path / f"to-{target.name}"
        link.symlink_to(target)
        with pytest.raises(DatasetError, match="found a symbolic link"):
            empty_output(link)
    assert (ours / "shard-000.h5").exists()


def test_a_folder_that_was_emptied_halfway_is_still_ours(ours: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("shutil.rmtree", _fail)
        with pytest.raises(PermissionError):
            empty_output(ours)
    empty_output(ours)
    assert [path.name for path in ours.iterdir()] == [MARK]


def _fail(path: Path) -> None:
    raise PermissionError(path)


def test_the_mark_is_in_no_listing(tmp_path: Path) -> None:
    model = start_model(tmp_path / "model", {})
    (model / "model.safetensors").write_bytes(b"weights")
    finish_model(model, [{"step": 1}], {}, [])
    assert set(read_metrics(model)["files"]) == {"README.md", "config.json", "history.csv", "model.safetensors"}
    with DatasetWriter(tmp_path / "voxels", "voxels", "voxelize", {}) as writer:
        writer.add(Sample("cup/a", "cup", "train", "s3://b/a"), {"occupancy": np.zeros(8, np.uint8)})
    assert set(read_info(tmp_path / "voxels")["files"]) == {"samples.jsonl", "shard-000.h5"}
    for folder in (tmp_path / "model", tmp_path / "voxels"):
        (folder / MARK).unlink()  # as where somebody copied all but hidden files
    check_model(model)
    read_info(tmp_path / "voxels", content=True)
