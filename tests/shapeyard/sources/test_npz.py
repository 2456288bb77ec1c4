"""Voxel grids in an .npz file, listed and brought as .binvox files."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shapeyard.errors import SourceError
from shapeyard.formats.binvox import read_binvox
from shapeyard.sources.layouts import detect_layout
from shapeyard.sources.schemes import open_source
from shapeyard.sources.selection import Selection
from shapeyard.sources.splits import select_objects


def arrays(**changes: Any) -> dict[str, Any]:
    grids = np.zeros((5, 6, 6, 6), np.uint8)
    grids[:, 1:5, 2:4, 1:3] = 1  # 4 × 2 × 2 voxels, low in z
    grids[4, 1, 1:5, 4] = 1
    return {
        "X_train": grids[:3], "y_train": np.array([0, 1, 1]), "X_test": grids[3:, ..., None],
        "y_test": np.array([1, 0]),
        **changes,
    }  # fmt: skip


def test_grids_come_as_binvox_files(tmp_path: Path) -> None:
    np.savez(tmp_path / "g.npz", **arrays())
    source = open_source(f"{tmp_path / 'g.npz'}?classes=cup,bed")
    files = source.list_files()
    assert [f.key for f in files] == [
        "bed/test/test-000000.binvox", "bed/train/train-000001.binvox", "bed/train/train-000002.binvox",
        "cup/test/test-000001.binvox", "cup/train/train-000000.binvox",
    ]  # fmt: skip
    assert detect_layout(files) == "modelnet"
    objects = select_objects(Selection("g.npz"), files)
    assert {(o.listed.id, o.split == "test") for o in objects} >= {("bed/test-000000", True), ("cup/test-000001", True)}
    source.download(files[3], tmp_path / "deep" / "grid.binvox")
    stored = read_binvox(tmp_path / "deep" / "grid.binvox")
    assert stored.occupancy.shape == (4, 4, 4)  # the border that nothing uses is gone
    given = arrays()["X_test"][1, 1:5, 1:5, 1:5, 0] != 0
    for x, y, z in np.ndindex(4, 4, 4):  # +Z up becomes +Y up by a turn about x
        assert stored.occupancy[x, z, 3 - y] == given[x, y, z]


def test_names_of_classes(tmp_path: Path) -> None:
    np.savez(tmp_path / "own.npz", **arrays(classes=np.array(["cup", "bed"])))
    assert {f.key.split("/")[0] for f in open_source(f"file://{tmp_path}/own.npz").list_files()} == {"cup", "bed"}
    np.savez(tmp_path / "ten.npz", **arrays(y_train=np.array([0, 9, 1])))
    assert {f.key.split("/")[0] for f in open_source(str(tmp_path / "ten.npz")).list_files()} == {
        "bathtub", "toilet", "bed",
    }  # fmt: skip
    np.savez(tmp_path / "none.npz", **arrays())
    assert open_source(str(tmp_path / "none.npz")).list_files()[0].key.startswith("class-000/")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"y_test": np.array([0.5, 1])}, r"expected y_test as whole numbers"),
        ({"y_test": np.array([-1, 1])}, r"expected y_test as whole numbers"),
        ({"y_train": np.array([0, 1])}, r"expected X_train as cubic grids \(2,R,R,R\), got \(3, 6, 6, 6\)"),
        ({"X_test": np.zeros((2, 6, 6, 5))}, r"expected X_test as cubic grids"),
        ({"X_test": np.zeros((2, 8, 8, 8))}, r"expected grids of one size, got \[6, 8\]"),
        ({"classes": np.array(["a"])}, r"expected 2 different class names, got a"),
        ({"y_train": np.array([None])}, r"expected an array of numbers, got object"),
    ],
)
def test_arrays_that_do_not_fit(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    np.savez(tmp_path / "g.npz", **arrays(**changes))
    with pytest.raises(SourceError, match=message):
        source = open_source(str(tmp_path / "g.npz"))
        source.download(source.list_files()[0], tmp_path / "x.binvox")
    assert not (tmp_path / "x.binvox").exists()


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"expected an \.npz file, found nothing"):
        open_source(str(tmp_path / "g.npz"))
    (tmp_path / "g.npz").write_bytes(b"no archive")
    with pytest.raises(SourceError, match=r"g\.npz: not readable as ZIP"):
        open_source(str(tmp_path / "g.npz"))
    np.savez(tmp_path / "g.npz", X_train=np.zeros(3))
    with pytest.raises(SourceError, match=r"found no y_train"):
        open_source(str(tmp_path / "g.npz"))
