"""Sets that are whole, and sets that are not."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shapeyard.contracts.dataset import DatasetWriter, Sample
from shapeyard.errors import SourceError
from shapeyard.sources.copying import copy_files
from shapeyard.sources.set_versions import Changes, identities, set_version
from shapeyard.sources.verification import compare_sets, verify


def harvested(folder: Path, objects: dict[str, bytes]) -> Path:
    """A set of an object a file, with its list."""
    rows: list[dict[str, Any]] = []
    for name, content in objects.items():
        key = f"{name}.stl"
        (folder / key).parent.mkdir(parents=True, exist_ok=True)
        (folder / key).write_bytes(content)
        file = {"key": key, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        rows.append({"id": name, "class": name.partition("/")[0], "files": [file], "license": "CC0-1.0"})
    (folder / "samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return folder


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    return harvested(tmp_path / "set", {"cup/a": b"one", "cup/ü": b"two", "bed/b": b"three"})


@pytest.mark.parametrize("in_bucket", [False, True])
def test_what_is_missing_changed_and_extra(whole: Path, bucket: str, in_bucket: bool) -> None:
    def found(content: bool = True) -> Any:
        if in_bucket:
            copy_files(str(whole), bucket, lambda *_: None)
        return verify(bucket if in_bucket else str(whole), content=content)

    assert found().whole and found().files == 3
    (whole / "cup/a.stl").write_bytes(b"One")  # as long
    (whole / "bed/b.stl").write_bytes(b"longer now")
    (whole / "bed/new.stl").write_bytes(b"")
    answer = found()
    assert [key for key, _ in answer.changed] == ["bed/b.stl", "cup/a.stl"]
    assert answer.changed[0][1] == "expected 5 bytes, found 10"
    assert answer.extra == [("bed/new.stl", "is not in the list")] and not answer.missing
    assert [key for key, _ in found(content=False).changed] == ["bed/b.stl"]
    if not in_bucket:
        (whole / "cup/ü.stl").unlink()
        assert found().missing == [("cup/ü.stl", "expected a file, found none")]


def test_a_link_that_leads_out_is_not_followed(whole: Path, tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(b"one")
    (whole / "cup/a.stl").unlink()
    (whole / "cup/a.stl").symlink_to(tmp_path / "one")
    assert [key for key, _ in verify(str(whole)).missing] == ["cup/a.stl"]


def test_a_dataset(tmp_path: Path) -> None:
    with DatasetWriter(tmp_path / "depths", "depths", "test", {}) as writer:
        writer.add(Sample("cup/a", "cup", "train", "x"), {"depth": np.zeros((1, 4, 4), np.float32)})
    assert verify(str(tmp_path / "depths")).whole
    shard = tmp_path / "depths" / "shard-000.h5"
    content = bytearray(shard.read_bytes())
    content[-1] ^= 1
    shard.write_bytes(content)
    assert [key for key, _ in verify(str(tmp_path / "depths")).changed] == ["shard-000.h5"]


def test_what_changed_between_two_harvests(whole: Path, tmp_path: Path) -> None:
    after = harvested(tmp_path / "after", {"cup/a": b"one", "cup/ü": b"another", "bed/c": b"new"})
    assert compare_sets(str(whole), str(after)) == Changes(["bed/c"], ["bed/b"], ["cup/ü"], 1)


def test_a_version_is_of_what_objects_are() -> None:
    rows = [{"id": "cup/a", "files": [{"key": "a.stl", "sha256": "1"}], "license": "CC0-1.0", "tags": ["x"]},
            {"id": "cup/b", "files": [{"key": "b.stl", "sha256": "2"}]}]  # fmt: skip
    version = set_version(identities(rows))
    assert set_version(identities([rows[1], {**rows[0], "tags": []}])) == version
    for other in ([rows[0]], [{**rows[0], "license": "MIT"}, rows[1]], [{**rows[0], "id": "cup/c"}, rows[1]]):
        assert set_version(identities(other)) != version
    assert len(version) == 16


@pytest.mark.parametrize(
    ("rows", "message"),
    [("{", "line 1: not readable as JSON"), ("[]", "line 1: expected an object, got list"), ("{}", "KeyError"),
     ('{"files": [{"key": "a", "size": "x", "sha256": ""}]}', "ValueError"),
     ('{"files": [{"key": "a", "size": 1, "sha256": "x"}, {"key": "a", "size": 2, "sha256": "x"}]}', "got two")],
)  # fmt: skip
def test_a_list_that_is_none(tmp_path: Path, rows: str, message: str) -> None:
    (tmp_path / "samples.jsonl").write_text(rows)
    with pytest.raises(SourceError, match=message):
        verify(str(tmp_path))


def test_no_set(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"expected a harvested set \(samples.jsonl\) or a dataset"):
        verify(str(tmp_path))
    with pytest.raises(SourceError, match="expected a folder or s3"):
        verify("procedural://?objects=3")
