import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from components.plan.plan import plan
from shapeyard.errors import ParameterError, SourceError
from shapeyard.sources.folder import FolderSource
from shapeyard.sources.layouts import detect_layout, group_objects
from shapeyard.sources.provenance import Provenance, Terms
from shapeyard.sources.s3 import S3Source
from shapeyard.sources.selection import Selection
from shapeyard.sources.source import Source, SourceFile
from shapeyard.sources.splits import objects_of_shard, select_objects, with_terms

BY = "https://creativecommons.org/licenses/by/4.0/"
NC = "https://creativecommons.org/licenses/by-nc/4.0/"
Write = Callable[[Mapping[str, str]], FolderSource]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Makes a folder of some files, in which four meshes are."""

    def made(files: Mapping[str, str]) -> FolderSource:
        for name in ("cup/a/a.stl", "cup/b/b.stl", "bed/c.stl", "bed/d.stl"):
            files = {name: "", **files}
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        return FolderSource(tmp_path)

    return made


def terms(source: Source, selection: Selection | None = None) -> dict[str, Terms]:
    files = source.list_files()
    objects = group_objects(files, detect_layout(files))
    found = Provenance(source, files, selection or Selection("x")).of_objects(objects)
    return {item.main.key: found[item.id] for item in objects}


def test_the_nearest_licence_file_counts(write: Write) -> None:
    source = write({
        "LICENSE": BY, "cup/LICENSE.txt": "MIT", "cup/a/COPYING": NC, "bed/license_plate.txt": "x",
        "bed/LICENSE-CC0": "Creative Commons Zero",
    })  # fmt: skip
    assert {key: one.license for key, one in terms(source).items()} == {
        "cup/a/a.stl": "CC-BY-NC-4.0", "cup/b/b.stl": "MIT", "bed/c.stl": "CC0-1.0", "bed/d.stl": "CC0-1.0",
    }  # fmt: skip


def test_what_cannot_be_recognized_is_unknown_whatever_is_said_above_or_set(write: Write) -> None:
    source = write({
        "LICENSE": BY, "cup/a/LICENSE": "ask me", "cup/b/LICENSE-A": BY, "cup/b/LICENSE-B": NC,
        "bed/LICENSE": "This thing was created by Thingiverse user jo, and is licensed under " + "x" * 1_000_001,
    })  # fmt: skip
    assert {one.license for one in terms(source, Selection("x", license="cc0-1.0")).values()} == {"unknown"}


def test_the_setting_counts_where_the_source_says_nothing(write: Write) -> None:
    source = write({"cup/a/LICENSE.md": f"Cup by Jo is licensed under the license\n{BY}"})
    found = terms(source, Selection("x", license="cc-by-sa-4.0"))
    assert found["cup/a/a.stl"] == Terms("CC-BY-4.0", "Jo") and found["bed/c.stl"] == Terms("CC-BY-SA-4.0", "")
    assert terms(source)["bed/c.stl"] == Terms("unknown", "")


def test_rows_of_a_harvest(write: Write) -> None:
    rows = [
        {"id": "cup/a-a", "license": "Creative Commons - Attribution", "creator": "Jo\nDoe"},  # an object's id
        {"id": "bed/c.stl", "license": NC},  # its file
        {"id": "cup/b", "license": None, "creator": "Al"},  # the thing that it is a part of
        {"id": "bed/d", "license": "my own"},
        {"id": "bed/e", "license": "MIT"},
    ]
    source = write({"samples.jsonl": "".join(f"{json.dumps(row)}\n\n" for row in rows), "LICENSE": "MIT"})
    assert terms(source) == {
        "cup/a/a.stl": ("LicenseRef-CC-BY", "Jo Doe"), "cup/b/b.stl": ("MIT", "Al"), "bed/c.stl": ("CC-BY-NC-4.0", ""),
        "bed/d.stl": ("unknown", ""),
    }  # fmt: skip


@pytest.mark.parametrize("line", ["{", "[]", '{"license": "MIT"}', "[" * 100_000])
def test_rows_that_are_none(write: Write, line: str) -> None:
    source = write({"samples.jsonl": '{"id": "x"}\n' + line})
    with pytest.raises(SourceError, match=r"^samples.jsonl:2: expected a JSON object with an id, got "):
        terms(source)


def test_modelnet_has_its_terms_in_its_readme(write: Write) -> None:
    source = write({"README.txt": "ModelNet10\nThe original authors hold the copyright of the CAD models."})
    assert {one.license for one in terms(source).values()} == {"LicenseRef-ModelNet"}
    (source.root / "README.txt").write_text(f"My meshes, {BY}")
    assert {one.license for one in terms(source).values()} == {"unknown"}


def test_the_filter_comes_before_anything_is_fetched(write: Write) -> None:
    source = write({"cup/a/LICENSE": BY, "cup/b/LICENSE": NC, "bed/LICENSE": "MIT"})
    selection = Selection(str(source.root), licenses="cc-by, mit", shards=1)
    (item,) = plan(selection)
    assert item["objects"] == "3" and Selection.of_item(item) == selection
    (item,) = plan(Selection(str(source.root), licenses="cc-by-nc", max_per_class=1, shards=1))
    assert item["objects"] == "1"
    message = r"no objects under cc0,unknown; there are CC-BY-4.0 \(1\), CC-BY-NC-4.0 \(1\), MIT \(2\)$"
    with pytest.raises(SourceError, match=message):
        plan(Selection(str(source.root), licenses="cc0,unknown"))
    (source.root / "bed" / "LICENSE").unlink()
    assert plan(Selection(str(source.root), licenses="cc-by,unknown", shards=1))[0]["objects"] == "3"


def test_another_licence_is_another_fingerprint(write: Write) -> None:
    source = write({"LICENSE": BY})
    before = plan(Selection(str(source.root), shards=1))
    (source.root / "LICENSE").write_text(NC)
    after = plan(Selection(str(source.root), shards=1))
    assert [{**item, "fingerprint": ""} for item in before] == [{**item, "fingerprint": ""} for item in after]
    assert before != after


@pytest.mark.parametrize(
    ("wrong", "message"),
    [({"licenses": "cc0,ccby"}, r"licenses: expected SPDX identifiers, families \(cc-by\) or unknown, got ccby"),
     ({"license": "free"}, "license: expected an SPDX identifier or LicenseRef-NAME, got free")],
)  # fmt: skip
def test_licences_that_are_none(wrong: dict[str, str], message: str) -> None:
    with pytest.raises(ParameterError, match=f"^{message}$"):
        Selection("x", **wrong)  # type: ignore[arg-type]


class _Counting(FolderSource):
    """A folder whose tags are MD5, as a bucket's are, and which counts what is read."""

    read = 0

    def list_files(self) -> list[SourceFile]:
        return [SourceFile(file.key, file.size, f"{file.size:032x}") for file in super().list_files()]

    def download(self, file: SourceFile, target: Path) -> None:
        self.read += 1
        super().download(file, target)


def test_equal_licence_files_are_read_once_and_those_of_a_shard_alone(write: Write) -> None:
    source = _Counting(write({"cup/a/LICENSE": BY, "cup/b/LICENSE": BY, "bed/LICENSE": NC}).root)
    assert terms(source)["bed/c.stl"].license == "CC-BY-NC-4.0" and source.read == 2
    files = source.list_files()
    provenance = Provenance(source, files, Selection("x"))
    some = objects_of_shard(select_objects(Selection("x"), files), 0, 1)[:1]
    assert [item.terms.license for item in with_terms(some, provenance)] == ["CC-BY-NC-4.0"] and source.read == 3


def test_a_copy_in_a_bucket_keeps_its_licence(bucket: str) -> None:
    from shapeyard.sources.copying import copy_files

    copy_files("procedural://?objects=2&classes=cup", bucket, lambda done, total: None)
    assert {one.license for one in terms(S3Source(bucket)).values()} == {"CC0-1.0"}
