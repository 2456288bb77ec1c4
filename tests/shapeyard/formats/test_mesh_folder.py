"""Folders that Hugging Face's `datasets` and readers of Croissant take."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh
import yaml
from PIL import Image

from shapeyard.contracts.dataset import DatasetWriter, Sample, Split
from shapeyard.errors import DatasetError
from shapeyard.formats.mesh_folder import MeshFolderWriter, Told
from shapeyard.geometry.frames import UpAxis, canonical_from_bounds

OBJ = (b"mtllib m.mtl\nv 0 0 0\nv 2 0 0\nv 0 1 0\nv 0 0 1\nvt 0 0\nvt 1 0\nvt 0 1\nusemtl red\n"
       b"f 1/1 3/3 2/2\nf 1/1 2/2 4/3\nf 2/1 3/2 4/3\nf 1/1 4/2 3/3\n")  # fmt: skip
STL = trimesh.creation.box((1, 2, 3)).export(file_type="stl")


def add(writer: DatasetWriter, folder: Path, name: str, split: Split, files: dict[str, bytes], main: str,
        up_axis: UpAxis = "y", **terms: Any) -> None:  # fmt: skip
    for key, content in files.items():
        (folder / key).parent.mkdir(parents=True, exist_ok=True)
        (folder / key).write_bytes(content)
    matrix = canonical_from_bounds(np.array([0.0, 0, 0]), np.array([2.0, 1, 1]), up_axis)
    canonical = tuple(tuple(float(x) for x in row) for row in matrix)
    sample = replace(Sample(name, name.partition("/")[0], split, "s", canonical_from_file=canonical), **terms)
    writer.add_files(sample, folder, main)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A textured OBJ, an STL file, an OFF whose up is z, two parts of a thing, and what is no mesh."""
    tmp = tmp_path_factory.mktemp("published")
    Image.new("RGB", (2, 2), (255, 0, 0)).save(tmp / "red.png")
    off = b"OFF\n4 4 0\n0 0 0\n2 0 0\n0 1 0\n0 0 1\n3 0 2 1\n3 0 1 3\n3 1 2 3\n3 0 3 2\n"
    textured = {"models/a.obj": OBJ, "models/m.mtl": b"newmtl red\nmap_Kd ../t/red.png\n",
                "t/red.png": (tmp / "red.png").read_bytes()}  # fmt: skip
    with DatasetWriter(tmp / "meshes", "meshes", "test", {}) as writer:
        add(writer, tmp / "1", "lamp/a", "train", textured, "models/a.obj", license="CC-BY-4.0", creator="Ada *")
        add(writer, tmp / "2", "cup/ü ?#1", "train", {"x.stl": STL}, "x.stl", license="CC0-1.0")
        add(writer, tmp / "3", "cup/ü _1", "train", {"x.STL": STL}, "x.STL", license="CC0-1.0")
        add(writer, tmp / "4", "chair/off", "val", {"x.off": off}, "x.off", "z")
        add(writer, tmp / "5", "cup/two", "test", {"b.stl": STL, "a.stl": STL}, ".")
        add(writer, tmp / "6", "cup/broken", "test", {"b.obj": b"v 0 0"}, "b.obj")
    told = {"lamp/a": Told("A lamp", "https://example.org/lamp")}
    with MeshFolderWriter(tmp / "out", "my set", told) as folder:
        folder.add(tmp / "meshes")
    assert folder.objects == 5
    assert [name for name, _ in folder.skipped] == ["cup/broken"]
    return tmp / "out"


def rows(folder: Path, split: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "data" / split / "metadata.jsonl").read_text().splitlines()]


def test_files_and_rows(published: Path) -> None:
    lamp, cup, other = rows(published, "train")
    assert (lamp["file_name"], lamp["title"], lamp["url"], lamp["creator"], lamp["license"], lamp["unchanged"]) == (
        "lamp/a.glb", "A lamp", "https://example.org/lamp", "Ada *", "CC-BY-4.0", False,
    )  # fmt: skip
    assert (cup["file_name"], other["file_name"]) == ("cup/1.stl", "cup/1-2.stl"), "plain names that differ"
    assert (published / "data/train/cup/1.stl").read_bytes() == STL and cup["unchanged"]
    for split in ("train", "validation", "test"):
        for row in rows(published, split):
            content = (published / "data" / split / row["file_name"]).read_bytes()
            assert (row["bytes"], row["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())


def test_materials_are_in_the_file(published: Path) -> None:
    scene: Any = trimesh.load(published / "data/train/lamp/a.glb")
    (mesh,) = scene.geometry.values()
    assert np.allclose(mesh.bounds, [[0, 0, 0], [2, 1, 1]])
    assert mesh.visual.material.baseColorTexture.getpixel((0, 0))[:3] == (255, 0, 0)


def test_a_file_whose_up_is_z_is_turned(published: Path) -> None:
    (row,) = rows(published, "validation")
    scene: Any = trimesh.load(published / "data/validation" / row["file_name"])
    assert np.allclose(scene.bounds, [[0, 0, -1], [2, 1, 0]]), "z goes to y, y to −z"
    corners = trimesh.transform_points(scene.bounds, np.array(row["canonical_from_file"]))
    assert np.allclose(np.sort(corners, axis=0), [[-0.5, -0.25, -0.25], [0.5, 0.25, 0.25]])


def test_parts_are_one_mesh(published: Path) -> None:
    (row,) = rows(published, "test")
    scene: Any = trimesh.load(published / "data/test" / row["file_name"])
    assert sum(len(mesh.faces) for mesh in scene.geometry.values()) == 24


def test_the_card(published: Path) -> None:
    text = (published / "README.md").read_text()
    front = yaml.safe_load(text.split("---\n")[1])
    assert front["license"] == "unknown" and front["size_categories"] == ["n<1K"]
    assert [(one["split"], one["path"]) for one in front["configs"][0]["data_files"]] == [
        ("train", "data/train/**"), ("validation", "data/validation/**"), ("test", "data/test/**"),
    ]  # fmt: skip
    assert "| [CC0-1.0](https://spdx.org/licenses/CC0-1.0.html) | 2 |" in text
    assert "- Ada \\*: 1 (CC-BY-4.0)" in text and "| cup | 3 |" in text


def test_croissant(published: Path) -> None:
    """What the specification asks for, and that all that it names is there."""
    found = json.loads((published / "croissant.json").read_text())
    assert found["@type"] == "sc:Dataset" and found["conformsTo"] == "http://mlcommons.org/croissant/1.0"
    assert found["license"] == ["https://spdx.org/licenses/CC-BY-4.0.html", "https://spdx.org/licenses/CC0-1.0.html",
                                "unknown"]  # fmt: skip
    assert all(found[name] for name in ("@context", "name", "description", "version"))
    files = {one["@id"]: one for one in found["distribution"]}
    meshes = []
    for one in files.values():
        assert one["name"] and one["encodingFormat"]
        if one["@type"] == "cr:FileObject":
            content = (published / one["contentUrl"]).read_bytes()
            assert one["sha256"] == hashlib.sha256(content).hexdigest() and one["contentSize"] == f"{len(content)} B"
        else:
            meshes += [path for pattern in one["includes"] for path in published.glob(pattern)]
    assert len(meshes) == 5
    ids = list(files)
    for record_set in found["recordSet"]:
        ids.append(record_set["@id"])
        fields = {field["@id"]: field for field in record_set["field"]}
        ids += fields
        assert record_set["key"]["@id"] in fields
        for field in fields.values():
            assert field["dataType"] in ("sc:Text", "sc:Integer", "sc:Boolean")
            path = files[field["source"]["fileObject"]["@id"]]["contentUrl"]
            assert field["source"]["extract"]["column"] in json.loads((published / path).read_text().splitlines()[0])
    assert len(ids) == len(set(ids))


def test_what_is_not_published(published: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/notes.txt").write_text("mine")
    with pytest.raises(DatasetError, match="found other files"), MeshFolderWriter(tmp_path / "mine", "x"):
        pass
    with pytest.raises(DatasetError, match="expected objects to write"), MeshFolderWriter(tmp_path / "none", "x"):
        pass
    assert not (tmp_path / "none/README.md").exists()
