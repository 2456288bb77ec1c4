"""Sets written to be published."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import trimesh
from click.testing import CliRunner, Result

from components.fetch import FetchSettings
from components.fetch.fetch import fetch
from components.plan.plan import plan
from launch.cli import shapeyard
from shapeyard.sources.copying import copy_files
from shapeyard.sources.s3 import S3Source
from shapeyard.sources.selection import Selection

STL = trimesh.creation.box((1, 2, 3)).export(file_type="stl")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(shapeyard, ["export", *arguments])


@pytest.fixture
def harvested(tmp_path: Path) -> Path:
    """Three objects, of which one has a licence that is not free and one can't be read."""
    folder = tmp_path / "set"
    rows = []
    for name, content, license in (("a", STL, "CC0-1.0"), ("b", STL, "CC-BY-NC-4.0"), ("c", b"solid", "CC0-1.0")):
        key = f"cup/{name}/part.stl"
        (folder / key).parent.mkdir(parents=True)
        (folder / key).write_bytes(content)
        file = {"key": key, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        rows.append({"id": f"cup/{name}", "class": "cup", "files": [file], "license": license, "creator": "Ada",
                     "title": f"Cup {name}", "url": "https://example.org"})  # fmt: skip
    (folder / "samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "harvest.json").write_text("{}")
    return folder


@pytest.mark.parametrize("in_bucket", [False, True])
def test_a_harvested_set(harvested: Path, tmp_path: Path, bucket: str, in_bucket: bool) -> None:
    source, target = str(harvested), str(tmp_path / "out")
    if in_bucket:
        copy_files(source, f"{bucket}/set", lambda *_: None)
        source, target = f"{bucket}/set", f"{bucket}/out"
    done = run(source, "--to", target, "--format", "huggingface", "--licenses", "cc0")
    assert done.exit_code == 0, done.output
    assert f"1 objects in {target}, 1 left out" in done.output and "left out  cup/c: " in done.output
    if in_bucket:
        copy_files(target, str(tmp_path / "out"), lambda *_: None)
    (path,) = (tmp_path / "out").glob("data/*/metadata.jsonl")
    row = json.loads(path.read_text())
    assert (row["id"], row["license"], row["creator"], row["title"]) == ("cup/a", "CC0-1.0", "Ada", "Cup a")
    assert "license: cc0-1.0\npretty_name: set" in (tmp_path / "out/README.md").read_text()
    assert (tmp_path / "out/croissant.json").is_file()


def test_a_dataset_of_a_bucket(harvested: Path, tmp_path: Path, bucket: str) -> None:
    (item,) = plan(Selection(str(harvested), shards=1))
    fetch(item, tmp_path / "meshes", FetchSettings())
    copy_files(str(tmp_path / "meshes"), f"{bucket}/meshes", lambda *_: None)
    done = run(f"{bucket}/meshes", "--to", str(tmp_path / "out"), "--format", "huggingface", "--name", "Cups")
    assert done.exit_code == 0 and f"2 objects in {tmp_path / 'out'}, 1 left out" in done.output
    assert "pretty_name: Cups" in (tmp_path / "out/README.md").read_text()


def test_nothing_is_sent_of_what_failed(harvested: Path, bucket: str) -> None:
    S3Source(bucket).ensure_bucket()
    done = run(str(harvested), "--to", f"{bucket}/out", "--format", "huggingface", "--licenses", "mit")
    assert done.exit_code == 1
    assert not S3Source(bucket).list_files()


def test_where_to_is_said_once(harvested: Path, tmp_path: Path) -> None:
    for more in ((), (str(tmp_path / "a"), "--to", str(tmp_path / "b"))):
        assert "expected either TARGET or --to" in str(run(str(harvested), *more).exception)
    assert "got gs://x" in run(str(harvested), "--to", "gs://x").output
