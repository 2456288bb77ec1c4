"""ModelNet and ShapeNet out of their archives."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
from tar_files import write_tar

from shapeyard.errors import SourceError
from shapeyard.formats.mesh import read_mesh
from shapeyard.harvest.archived_sets import harvest_archives
from shapeyard.harvest.target import Target
from shapeyard.sources.copying import copy_files
from shapeyard.sources.layouts import ListedObject, detect_layout, group_objects
from shapeyard.sources.schemes import open_source
from shapeyard.sources.set_versions import Changes

GLUED = b"OFF4 4 0\n0 0 0\n1 0 0\n0 1 0\n0 0 1\n3 0 2 1\n3 0 1 3\n3 1 2 3\n3 0 3 2\n"
OBJ = b"mtllib model.mtl\nv 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n"


def write_zip(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def objects(uri: str) -> list[ListedObject]:
    files = open_source(uri).list_files()
    return group_objects(files, detect_layout(files))


def test_modelnet_keeps_its_split(tmp_path: Path) -> None:
    archive = write_zip(
        tmp_path / "ModelNet10.zip",
        **{
            "ModelNet10/": b"", "ModelNet10/.DS_Store": b"x", "ModelNet10/chair/train/chair_0001.off": GLUED,
            "ModelNet10/chair/test/chair_0002.off": GLUED, "__MACOSX/ModelNet10/chair/train/._chair_0001.off": b"x",
            "ModelNet10/bed/train/bed_0001.off": GLUED, "README.txt": b"terms",
        },
    )  # fmt: skip
    target = str(tmp_path / "set")
    outcome = harvest_archives("modelnet", str(archive), Target(target, tmp_path))
    assert outcome.objects == 3 and not outcome.missing
    found = objects(target)
    assert [(item.id, item.source_split) for item in found] == [
        ("bed/bed_0001", "train"), ("chair/chair_0001", "train"), ("chair/chair_0002", "test"),
    ]  # fmt: skip
    assert len(read_mesh(tmp_path / "set" / found[0].main.key).faces) == 4
    rows = [json.loads(line) for line in (tmp_path / "set" / "samples.jsonl").read_text().splitlines()]
    assert [row["id"] for row in rows] == [item.id for item in found]
    assert rows[0]["license"] == "LicenseRef-ModelNet"
    write_zip(archive, **{"ModelNet10/chair/train/chair_0001.off": GLUED + b"\n"})
    outcome = harvest_archives("modelnet", str(archive), Target(target, tmp_path))
    assert outcome.changes == Changes([], [], ["chair/chair_0001"], 2), "what the archive has no longer stays"


@pytest.mark.parametrize("prefix", ["ShapeNetCore.v2/", ""])
def test_shapenet_of_both_versions(tmp_path: Path, prefix: str) -> None:
    (tmp_path / "zips").mkdir()
    write_zip(
        tmp_path / "zips" / "03001627.zip",
        **{
            f"{prefix}03001627/abc/models/model_normalized.obj": OBJ, f"{prefix}03001627/abc/images/t.jpg": b"jpg",
            f"{prefix}03001627/abc/screenshots/abc-0.png": b"png", f"{prefix}03001627/none/models/model.json": b"{}",
        },
    )  # fmt: skip
    write_zip(
        tmp_path / "zips" / "04379243.zip",
        **{
            "04379243/def/model.obj": OBJ, "04379243/def/model.mtl": b"newmtl a", "04379243/def/images/t.jpg": b"jpg",
            "04379243/bomb/model.obj": b"v 0 0 0\n" * 2_000_000,
        },
    )  # fmt: skip
    (tmp_path / "zips" / "broken.zip").write_bytes(b"PK")
    target = str(tmp_path / "set")
    outcome = harvest_archives("shapenet", str(tmp_path / "zips"), Target(target, tmp_path))
    assert outcome.objects == 2
    assert set(outcome.missing) == {"archive/broken.zip", "table/bomb"}
    assert [item.id for item in objects(target)] == ["chair/abc", "table/def"]
    there = {path.relative_to(target).as_posix() for path in Path(target).rglob("0*/**/*") if path.is_file()}
    assert there == {
        "03001627/abc/models/model_normalized.obj", "03001627/abc/images/t.jpg",
        "04379243/def/models/model_normalized.obj", "04379243/def/models/model.mtl", "04379243/def/models/images/t.jpg",
    }  # fmt: skip
    summary = json.loads((tmp_path / "set" / "harvest.json").read_text())
    assert [entry["id"] for entry in summary["skipped"]] == ["chair/none"]


def test_out_of_a_bucket(tmp_path: Path, bucket: str) -> None:
    (tmp_path / "zips").mkdir()
    members = {f"ModelNet40/chair/train/chair_{i:04}.off": GLUED + bytes(i) for i in range(5)}
    write_zip(tmp_path / "zips" / "ModelNet40.zip", **members)
    copy_files(str(tmp_path / "zips"), f"{bucket}/zips", lambda *_: None)
    target = Target(str(tmp_path / "set"), tmp_path)
    outcome = harvest_archives("modelnet", f"{bucket}/zips/ModelNet40.zip", target)
    assert outcome.objects == 5 and not outcome.missing
    assert (tmp_path / "set/chair/train/chair_0004.off").read_bytes() == GLUED + bytes(4)


@pytest.mark.parametrize("in_bucket", [False, True])
def test_the_aligned_modelnet(tmp_path: Path, bucket: str, in_bucket: bool) -> None:
    (tmp_path / "tars").mkdir()
    members = {f"./chair/{split}/chair_{i:04}.off": GLUED + bytes(i * 70_000) for i, split in
               enumerate(("train", "train", "test"))}  # fmt: skip
    uri = str(write_tar(tmp_path / "tars" / "modelnet40_manually_aligned.tar", **members))
    if in_bucket:
        copy_files(str(tmp_path / "tars"), bucket, lambda *_: None)
        uri = f"{bucket}/modelnet40_manually_aligned.tar"
    outcome = harvest_archives("modelnet", uri, Target(str(tmp_path / "set"), tmp_path))
    assert outcome.objects == 3 and not outcome.missing
    assert [(item.id, item.source_split) for item in objects(str(tmp_path / "set"))] == [
        ("chair/chair_0000", "train"), ("chair/chair_0001", "train"), ("chair/chair_0002", "test"),
    ]  # fmt: skip
    assert (tmp_path / "set/chair/test/chair_0002.off").read_bytes() == GLUED + bytes(140_000)


@pytest.mark.parametrize("uri", ["nothing.zip", "procedural://?objects=3"])
def test_what_is_no_source(tmp_path: Path, uri: str) -> None:
    with pytest.raises(SourceError, match="expected a ZIP or TAR or a folder of them"):
        harvest_archives("modelnet", uri if "://" in uri else f"{tmp_path}/{uri}", Target(str(tmp_path), tmp_path))
