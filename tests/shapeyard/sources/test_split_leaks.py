"""Copies on both sides of a split."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import trimesh

from shapeyard.sources.duplicate_files import find_duplicates
from shapeyard.sources.split_leaks import leaks, splits_of_files


def leaking(folder: Path) -> list[list[tuple[str, str]]]:
    splits = splits_of_files(str(folder))
    found = leaks(find_duplicates(str(folder), 1), splits)
    return [[(member.file, splits[member.file]) for member in group] for group in found.groups]


def test_a_source_with_its_own_splits(tmp_path: Path) -> None:
    for name, size in {"train/chair_1": 1, "train/chair_2": 2, "test/chair_3": 4, "test/chair_4": 3}.items():
        path = tmp_path / "chair" / f"{name}.off"
        path.parent.mkdir(parents=True, exist_ok=True)
        trimesh.creation.box((size, 1, size) if size < 4 else (4, 2, 4)).export(path)
    assert leaking(tmp_path) == [[("chair/test/chair_3.off", "test"), ("chair/train/chair_2.off", "train")]]


def test_a_source_that_plan_splits(tmp_path: Path) -> None:
    (tmp_path / "chair").mkdir()
    for number in range(8):
        trimesh.creation.box((1, 2, 3 + number % 4)).export(tmp_path / "chair" / f"{number}.stl")
    splits = splits_of_files(str(tmp_path))
    assert sorted(splits.values()) == ["test", "train", "train", "train", "train", "train", "train", "val"]
    expected = [k for k in range(4) if len({splits[f"chair/{k}.stl"], splits[f"chair/{k + 4}.stl"]}) > 1]
    assert [group[0][0] for group in leaking(tmp_path)] == [f"chair/{number}.stl" for number in expected]


@pytest.mark.realdata
def test_copies_in_modelnet10(tmp_path: Path, realdata: Path) -> None:
    """Of voxels that are known to be copies, among some that are not."""
    with np.load(realdata / "modelnet10" / "modelnet10_dev.npz") as arrays:
        train, test = arrays["X_train"], arrays["X_test"]
    place = {grid.tobytes(): number for number, grid in enumerate(train)}
    copied = [number for number, grid in enumerate(test) if grid.tobytes() in place][:12]
    kept = [place[test[number].tobytes()] for number in copied]
    train, test = train[[*kept, *range(0, 3000, 200)]], test[[*copied, *range(0, 500, 50)]]
    labels = {"y_train": np.zeros(len(train), int), "y_test": np.zeros(len(test), int)}
    np.savez(tmp_path / "some.npz", X_train=train, X_test=test, **labels, classes=np.array(["thing"]))
    groups = leaking(tmp_path / "some.npz")
    files = {file for group in groups for file, _ in group}
    assert copied and {f"thing/test/test-{k:06}.binvox" for k in range(len(copied))} <= files
