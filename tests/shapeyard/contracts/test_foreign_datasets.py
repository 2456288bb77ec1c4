"""Datasets that others made: nothing outside of their folder is read, and what is in them is checked before its use."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from shapeyard.contracts.dataset import Dataset, DatasetWriter, Sample
from shapeyard.contracts.files import MARK, describe_file, write_json
from shapeyard.errors import DatasetError

SECRET = np.arange(8, dtype=np.uint8)


@pytest.fixture
def voxels(tmp_path: Path) -> Path:
    with DatasetWriter(tmp_path / "voxels", "voxels", "voxelize", {}) as writer:
        writer.add(Sample("cup/a", "cup", "train", "s3://b/a"), {"occupancy": np.zeros(8, np.uint8)}, {"resolution": 4})
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["secret"] = SECRET
    (tmp_path / "secret.bin").write_bytes(SECRET.tobytes())
    return tmp_path / "voxels"


def reseal(folder: Path) -> None:
    """As somebody does who means it: sizes and hashes fit."""
    info = json.loads((folder / "dataset.json").read_text())
    info["files"] = {name: describe_file(folder / name) for name in info["files"]}
    (folder / "dataset.json").write_text(json.dumps(info))


def external_link(file: h5py.File, outside: Path) -> None:
    file["cup/a/occupancy"] = h5py.ExternalLink(str(outside / "secret.h5"), "/secret")


def linked_group(file: h5py.File, outside: Path) -> None:
    del file["cup/a"]
    file["cup/a"] = h5py.ExternalLink(str(outside / "secret.h5"), "/")


def soft_link(file: h5py.File, outside: Path) -> None:
    file["other"] = h5py.ExternalLink(str(outside / "secret.h5"), "/secret")
    file["cup/a/occupancy"] = h5py.SoftLink("/other")


def external_storage(file: h5py.File, outside: Path) -> None:
    place = [(str(outside / "secret.bin"), 0, 8)]
    file["cup/a"].create_dataset("occupancy", (8,), np.uint8, external=place)


def virtual(file: h5py.File, outside: Path) -> None:
    layout = h5py.VirtualLayout((8,), np.uint8)
    layout[:] = h5py.VirtualSource(str(outside / "secret.h5"), "secret", shape=(8,))
    file["cup/a"].create_virtual_dataset("occupancy", layout)


def huge_claim(file: h5py.File, outside: Path) -> None:
    file["cup/a"].create_dataset("occupancy", (10**13,), np.uint8, chunks=(10**6,))


@pytest.mark.parametrize(
    ("attack", "reason"),
    [
        (external_link, "got a link to another place"), (soft_link, "got a link to another place"),
        (external_storage, "numbers lie in others"), (virtual, "numbers lie in others"),
        (huge_claim, "claim of 10000000000000 bytes in 0"), (linked_group, "link to another place|has no occupancy"),
    ],
)  # fmt: skip
def test_arrays_come_from_the_dataset_alone(
    voxels: Path, attack: Callable[[h5py.File, Path], None], reason: str
) -> None:
    with h5py.File(voxels / "shard-000.h5", "a") as file:
        del file["cup/a/occupancy"]
        attack(file, voxels.parent)
    reseal(voxels)
    dataset = Dataset([voxels], "voxels")
    for use in (dataset.read, dataset.shape):
        with pytest.raises(DatasetError, match=reason):
            use("cup/a", "occupancy")
    dataset.close()


@pytest.mark.parametrize("shard", ["../secret.h5", "{outside}/secret.h5", "link.h5", "pipe.h5", "", "."])
def test_a_shard_lies_in_the_datasets_folder(voxels: Path, shard: str) -> None:
    (voxels / "link.h5").symlink_to(voxels.parent / "secret.h5")
    os.mkfifo(voxels / "pipe.h5")
    row = json.loads((voxels / "samples.jsonl").read_text())
    row["shard"] = shard.format(outside=voxels.parent)
    (voxels / "samples.jsonl").write_text(json.dumps(row) + "\n")
    reseal(voxels)
    with pytest.raises(DatasetError, match="expected a shard"):
        Dataset([voxels], "voxels").read("cup/a", "occupancy")


def test_the_list_of_files_names_none_outside(voxels: Path) -> None:
    info = json.loads((voxels / "dataset.json").read_text())
    info["files"]["../secret.bin"] = describe_file(voxels.parent / "secret.bin")
    (voxels / "dataset.json").write_text(json.dumps(info))
    with pytest.raises(DatasetError, match=r"got the part '\.\.'"):
        Dataset([voxels], "voxels")


def test_a_dataset_from_elsewhere_is_checked_whole_once(voxels: Path) -> None:
    copy = shutil.copytree(voxels, voxels.parent / "copy")
    content = bytearray((copy / "shard-000.h5").read_bytes())
    content[len(content) // 2] ^= 1
    (copy / "shard-000.h5").write_bytes(content)
    with pytest.raises(DatasetError, match="its content is not what was written"):
        Dataset([copy], "voxels")
    content[len(content) // 2] ^= 1
    (copy / "shard-000.h5").write_bytes(content)
    before = (copy / MARK).read_text()
    Dataset([copy], "voxels")
    assert (copy / MARK).read_text() != before, "known again without a look at the content"
    left = (copy / MARK).read_text()
    Dataset([copy], "voxels")
    assert (copy / MARK).read_text() == left


def test_json_is_as_readable_as_the_users_umask_says(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_json(tmp_path / "a.json", {})
    finally:
        os.umask(before)
    assert (tmp_path / "a.json").stat().st_mode & 0o777 == 0o640
