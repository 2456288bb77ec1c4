import json
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from numpy.typing import NDArray

from shapeyard.contracts import arrays
from shapeyard.contracts.arrays import DTYPES
from shapeyard.contracts.dataset import (
    Dataset,
    DatasetWriter,
    Kind,
    Sample,
    Skipped,
    read_info,
    read_occupancy,
    read_samples,
)
from shapeyard.contracts.packed_occupancy import pack_occupancy, unpack_occupancy
from shapeyard.contracts.planned import Planned
from shapeyard.errors import DatasetError, FormatError, TooManySkippedError

EYE = tuple(tuple(float(i == j) for j in range(4)) for i in range(4))


def sample(name: str = "cup/a", split: str = "train") -> Sample:
    return Sample(name, name.split("/")[0], split, f"s3://b/{name}", "CC0-1.0", "Somebody", "00", "", EYE)  # type: ignore[arg-type]


def write(path: Path, *names: str) -> Path:
    with DatasetWriter(path, "voxels", "voxelize", {"resolution": 4}) as writer:
        for number, name in enumerate(names):
            grid = np.zeros((4, 4, 4), bool)
            grid[number] = True
            writer.add(sample(name), {"occupancy": pack_occupancy(grid)}, {"resolution": 4})
    return path


def test_round_trip(tmp_path: Path) -> None:
    data = Dataset([write(tmp_path / "a", "cup/a", "bed/ü"), write(tmp_path / "b", "cup/c")], "voxels")
    assert [s.id for s in data.samples] == ["bed/ü", "cup/a", "cup/c"]
    assert data.classes == ["bed", "cup"]
    assert data["cup/a"].canonical_from_file == EYE
    grid = read_occupancy(data, "bed/ü")
    assert grid[1].all()
    assert grid.sum() == 16
    info = read_info(tmp_path / "a", content=True)
    assert info["counts"] == {
        "samples": 2, "classes": {"bed": 1, "cup": 1}, "splits": {"train": 2, "val": 0, "test": 0},
        "licenses": {"CC0-1.0": 2},
    }  # fmt: skip
    assert info["attributions"] == [{"creator": "Somebody", "license": "CC0-1.0", "objects": 2}]


def test_a_licence_that_is_none_is_not_written_and_one_that_is_missing_is_unknown(tmp_path: Path) -> None:
    with (
        pytest.raises(DatasetError, match=r"^cup/a: expected a licence's SPDX identifier or unknown, got 'free'$"),
        DatasetWriter(tmp_path / "a", "voxels", "voxelize", {}) as writer,
    ):
        writer.add(replace(sample(), license="free"), {"occupancy": pack_occupancy(np.ones((4, 4, 4), bool))})
    rows = write(tmp_path / "b", "cup/b") / "samples.jsonl"
    row = json.loads(rows.read_text()) | {"license": ""}
    del row["creator"]
    rows.write_text(json.dumps(row))  # as it was written before licences had a vocabulary
    (read,) = read_samples(rows.parent)
    assert (read.license, read.creator) == ("unknown", "")


@pytest.mark.parametrize("resolution", [1, 3, 8])
def test_packing(resolution: int) -> None:
    grid = np.random.default_rng(0).random((resolution,) * 3) < 0.3
    assert np.array_equal(unpack_occupancy(pack_occupancy(grid), resolution), grid)


def test_packed_grid_of_another_size() -> None:
    with pytest.raises(DatasetError, match="expected"):
        unpack_occupancy(np.zeros(9, np.uint8), 4)


@pytest.mark.parametrize(
    ("kind", "arrays", "message"),
    [("renders", {"depth": np.zeros((1, 4, 4))}, "depth: expected float32, got float64"),
     ("renders", {"world_from_camera": np.zeros((1, 4, 4), np.float32)},
      "world_from_camera: expected float64, got float32"),
     ("voxels", {"occupancy": np.zeros((4, 4, 4), bool)}, "occupancy: expected uint8, got bool"),
     ("voxels", {"depth": np.zeros((1, 4, 4), np.float32)}, r"depth: expected an array of kind voxels \(occupancy\)"),
     ("meshes", {"depth": np.zeros((1, 4, 4), np.float32)}, r"depth: expected an array of kind meshes \(none\)")],
)  # fmt: skip
def test_arrays_of_another_type_are_refused(
    tmp_path: Path, kind: Kind, arrays: dict[str, NDArray[Any]], message: str
) -> None:
    with pytest.raises(DatasetError, match=f"^{message}$"), DatasetWriter(tmp_path / "a", kind, "x", {}) as writer:
        writer.add(sample(), arrays)
    assert not (tmp_path / "a" / "dataset.json").exists()


def test_every_kind_but_meshes_says_which_arrays_it_has() -> None:
    assert set(get_args(Kind)) == {"meshes", *DTYPES}
    text = " ".join((arrays.__doc__ or "").split())
    for kind, there in DTYPES.items():
        assert all(f" {name}" in text for name in there), kind


def test_an_error_leaves_no_dataset(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), DatasetWriter(tmp_path / "a", "voxels", "x", {}) as writer:
        writer.add(sample(), {"occupancy": np.zeros(8, np.uint8)})
        raise RuntimeError
    with pytest.raises(DatasetError, match="found no dataset"):
        Dataset([tmp_path / "a"], "voxels")


def test_writing_empties_what_was_there(tmp_path: Path) -> None:
    write(tmp_path / "a", "cup/a")
    (tmp_path / "a" / "old").touch()
    write(tmp_path / "a", "cup/b")
    assert not (tmp_path / "a" / "old").exists()


def test_a_folder_of_somebody_else_is_not_emptied(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "thesis.doc").touch()
    (tmp_path / "a" / "dataset.json").write_text("{}")
    with pytest.raises(DatasetError, match="found other files"):
        write(tmp_path / "a", "cup/a")
    with pytest.raises(DatasetError, match="expected a folder, found a file"):
        write(tmp_path / "a" / "thesis.doc", "cup/a")
    assert (tmp_path / "a" / "thesis.doc").exists()


@pytest.mark.parametrize("size", [0, 10, 500])
def test_a_shard_cut_short(tmp_path: Path, size: int) -> None:
    shard = write(tmp_path / "a", "cup/a") / "shard-000.h5"
    shard.write_bytes(shard.read_bytes()[:size])
    with pytest.raises(DatasetError, match=r"shard-000\.h5: expected"):
        Dataset([tmp_path / "a"], "voxels")


def test_a_shard_with_other_bytes(tmp_path: Path) -> None:
    shard = write(tmp_path / "a", "cup/a") / "shard-000.h5"
    content = bytearray(shard.read_bytes())
    content[-1] ^= 1
    shard.write_bytes(content)
    read_info(tmp_path / "a")
    with pytest.raises(DatasetError, match="not what was written"):
        read_info(tmp_path / "a", content=True)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"kind": 1}'])
def test_a_broken_dataset_json(tmp_path: Path, text: str) -> None:
    (write(tmp_path / "a", "cup/a") / "dataset.json").write_text(text)
    with pytest.raises(DatasetError, match=r"not a valid dataset\.json"):
        read_info(tmp_path / "a")


def test_rows_cut_short(tmp_path: Path) -> None:
    rows = write(tmp_path / "a", "cup/a", "cup/b") / "samples.jsonl"
    rows.write_text(rows.read_text().splitlines(keepends=True)[0])
    with pytest.raises(DatasetError, match=r"samples\.jsonl: expected"):
        read_info(tmp_path / "a")


def test_another_contract_version(tmp_path: Path) -> None:
    path = write(tmp_path / "a", "cup/a") / "dataset.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "contract_version": 99}))
    with pytest.raises(DatasetError, match="expected contract version 1, got 99"):
        read_info(tmp_path / "a")


def test_another_kind_and_the_same_sample_twice(tmp_path: Path) -> None:
    path = write(tmp_path / "a", "cup/a")
    with pytest.raises(DatasetError, match="expected a dataset of kind renders, got voxels"):
        Dataset([path], "renders")
    with pytest.raises(DatasetError, match="as well"):
        Dataset([path, write(tmp_path / "b", "cup/a")], "voxels")
    with pytest.raises(DatasetError, match="at least one"):
        Dataset([], "voxels")


def test_what_is_not_in_there(tmp_path: Path) -> None:
    data = Dataset([write(tmp_path / "a", "cup/a")], "voxels")
    with pytest.raises(DatasetError, match="sample cup/a has no rgba"):
        data.read("cup/a", "rgba")


def test_skipped_samples_and_their_limit(tmp_path: Path) -> None:
    with DatasetWriter(tmp_path / "a", "voxels", "x", {}, skipped=[Skipped("cup/z", "earlier")]) as writer:
        writer.add(sample(), {"occupancy": np.zeros(8, np.uint8)})
        writer.skip("cup/b", "two\nlines")
    assert Dataset([tmp_path / "a"], "voxels").skipped == [Skipped("cup/z", "earlier"), Skipped("cup/b", "two lines")]
    with (
        pytest.raises(TooManySkippedError, match="2 of 3 samples skipped, at most 50% allowed; first: cup/b: bad"),
        DatasetWriter(tmp_path / "b", "voxels", "x", {}) as writer,
    ):
        writer.add(sample(), {"occupancy": np.zeros(8, np.uint8)})
        writer.skip("cup/b", "bad")
        writer.skip("cup/c", "bad")
    assert not (tmp_path / "b" / "dataset.json").exists()


def write_shard(path: Path, kept: int, skipped: int, planned: Planned, max_skipped: float = 0.5) -> Path:
    with DatasetWriter(path, "voxels", "x", {}, max_skipped=max_skipped, planned=planned) as writer:
        for number in range(kept):
            writer.add(sample(f"cup/{path.name}{number}"), {"occupancy": np.zeros(8, np.uint8)})
        for number in range(skipped):
            writer.skip(f"cup/{path.name}-bad{number}", "bad")
    return path


def test_the_limit_of_skipped_samples_is_the_runs(tmp_path: Path) -> None:
    good = write_shard(tmp_path / "a", 3, 0, Planned(3, 4))
    bad = write_shard(tmp_path / "b", 0, 1, Planned(1, 4))  # all of this shard, a quarter of the run
    assert Dataset([bad], "voxels").samples == []
    both = Dataset([bad, good], "voxels")
    assert len(both.samples) == 3 and [one.id for one in both.skipped] == ["cup/b-bad0"]
    with pytest.raises(TooManySkippedError, match="3 of 4 samples skipped, at most 50% allowed; first: cup/c-bad0"):
        write_shard(tmp_path / "c", 0, 3, Planned(3, 4))
    halves = [write_shard(tmp_path / name, 1, 2, Planned(3, 6)) for name in "de"]  # neither alone is too much
    with pytest.raises(TooManySkippedError, match="4 of 6 samples skipped, at most 50% allowed"):
        Dataset(halves, "voxels")
    halves = [write_shard(tmp_path / name, 1, 2, Planned(3, 6), 1.0) for name in "fg"]
    assert len(Dataset(halves, "voxels").samples) == 2
    nothing = [write_shard(tmp_path / name, 0, 3, Planned(3, 6), 1.0) for name in "hi"]
    with pytest.raises(TooManySkippedError, match="6 of 6 samples skipped"):
        Dataset(nothing, "voxels")


def test_attributes_are_those_of_a_shard_that_holds_samples(tmp_path: Path) -> None:
    with DatasetWriter(tmp_path / "a", "voxels", "x", {}, attributes={"names": []}, planned=Planned(1, 2)) as writer:
        writer.skip("cup/z", "bad")
    with DatasetWriter(tmp_path / "b", "voxels", "x", {}, attributes={"names": ["n"]}, planned=Planned(1, 2)) as writer:
        writer.add(sample(), {"occupancy": np.zeros(8, np.uint8)})
    assert Dataset([tmp_path / "a", tmp_path / "b"], "voxels").attributes == {"names": ["n"]}


def test_mesh_files(tmp_path: Path) -> None:
    source = tmp_path / "files"
    (source / "images").mkdir(parents=True)
    (source / "m.obj").write_text("v 0 0 0")
    (source / "images" / "t.png").write_bytes(b"png")
    for name in "ab":
        with DatasetWriter(tmp_path / name, "meshes", "fetch", {}) as writer:
            writer.add_files(sample(), source, "m.obj")
    data = Dataset([tmp_path / "a"], "meshes")
    main = data.extract("cup/a", tmp_path / "out")
    assert main.read_text() == "v 0 0 0"
    assert (tmp_path / "out" / "images" / "t.png").read_bytes() == b"png"
    assert (tmp_path / "a" / "shard-000.zip").read_bytes() == (tmp_path / "b" / "shard-000.zip").read_bytes()


@pytest.mark.parametrize("name", ["../x.obj", "/x.obj", "a//x.obj", "a\\x.obj", "a\u2028.obj", "C:x.obj", ""])
def test_members_that_lead_elsewhere_cost_their_sample_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "m.obj").write_text("v 0 0 0")
    with DatasetWriter(tmp_path / "a", "meshes", "fetch", {}) as writer:
        writer.add_files(sample("cup/a"), tmp_path / "files", "m.obj")
        writer.add_files(sample("cup/b"), tmp_path / "files", "m.obj" if name else "../m.obj")
        if name:
            writer._store.writestr(f"cup/b/{name}", "v 1 1 1")
    data = Dataset([tmp_path / "a"], "meshes")
    with pytest.raises(FormatError, match="expected a name of a file inside its folder"):
        data.extract("cup/b", tmp_path / "deep" / "out")
    assert data.extract("cup/a", tmp_path / "deep" / "other").read_text() == "v 0 0 0"
    assert not [path for path in tmp_path.rglob("x.obj") if path.is_file()]


def test_rows_with_line_breaks_of_unicode_are_one_row_each(tmp_path: Path) -> None:
    with DatasetWriter(tmp_path / "a", "voxels", "x", {}) as writer:
        writer.add(replace(sample("cup/a"), source="file:///a\u2028b\u0085c"), {"occupancy": np.zeros(8, np.uint8)})
    assert Dataset([tmp_path / "a"], "voxels").samples[0].source == "file:///a\u2028b\u0085c"


def test_what_is_not_utf8_is_escaped_in_what_is_skipped(tmp_path: Path) -> None:
    with DatasetWriter(tmp_path / "a", "voxels", "x", {}) as writer:
        writer.add(sample(), {"occupancy": np.zeros(8, np.uint8)})
        writer.skip("cup/\udce9", "caf\udce9: no")
    (skipped,) = Dataset([tmp_path / "a"], "voxels").skipped
    assert (skipped.id, skipped.reason) == ("cup/\\udce9", "caf\\udce9: no")
