"""A folder with copies of every kind: which are found, what is said of them, and what else may lie there."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import trimesh

from shapeyard.errors import SourceError
from shapeyard.formats.binvox import write_binvox
from shapeyard.sources.copying import copy_files
from shapeyard.sources.duplicate_files import Duplicates, find_duplicates
from shapeyard.sources.shape_groups import _stars

Shape = Callable[[], trimesh.Trimesh]


def bracket() -> trimesh.Trimesh:
    parts = [trimesh.creation.box((30, 10, 3)), trimesh.creation.box((4, 6, 20))]
    parts[1].apply_translation((11, 1, 11))
    return trimesh.util.concatenate(parts)


def ring() -> trimesh.Trimesh:
    return trimesh.creation.torus(10, 2, major_sections=32, minor_sections=16)


def plate(shape: trimesh.Trimesh, count: int) -> trimesh.Trimesh:
    parts = [shape.copy().apply_translation((50 * number, 0, 0)) for number in range(count)]
    return trimesh.util.concatenate(parts)


def save(shape: trimesh.Trimesh, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    shape.export(path)


def words(found: Duplicates) -> dict[str, dict[str, list[str]]]:
    return {group[0].file: {member.file: member.differs for member in group[1:]} for group in found.groups}


def test_copies_of_every_kind_are_told_apart(tmp_path: Path) -> None:
    save(bracket(), tmp_path / "a/bracket.stl")
    (tmp_path / "b").mkdir()
    (tmp_path / "b/again.stl").write_bytes((tmp_path / "a/bracket.stl").read_bytes())
    save(bracket(), tmp_path / "b/export.obj")
    save(bracket().apply_scale(25.4), tmp_path / "b/inches.ply")
    turned = bracket().apply_transform(trimesh.transformations.rotation_matrix(1.1, (1, 2, 3)))
    save(turned, tmp_path / "b/turned.glb")
    save(bracket().apply_scale((1, -1, 1)), tmp_path / "b/mirrored.off")
    save(bracket().subdivide(), tmp_path / "b/fine.stl")
    save(plate(bracket(), 3), tmp_path / "b/three.stl")
    save(
        trimesh.util.concatenate([plate(bracket(), 2), ring().apply_translation((0, 90, 0))]), tmp_path / "b/mixed.stl"
    )
    with zipfile.ZipFile(tmp_path / "b/packed.zip", "w") as archive:
        archive.writestr("files/part.STL", bracket().export(file_type="stl"))
    save(ring(), tmp_path / "c/ring.stl")
    save(trimesh.creation.torus(10, 2.1, major_sections=32, minor_sections=16), tmp_path / "c/thicker.stl")
    found = find_duplicates(str(tmp_path), 2)
    assert words(found) == {
        "a/bracket.stl": {
            "b/again.stl": ["exact copy"],
            "b/export.obj": ["re-export"],
            "b/inches.ply": ["scaled ×25.4"],
            "b/turned.glb": ["turned"],
            "b/mirrored.off": ["mirrored"],
            "b/fine.stl": ["remeshed"],
            "b/three.stl": ["plate of 3"],
            "b/mixed.stl": ["plate with 2 among others"],
            "b/packed.zip": ["re-export"],
        },
        "c/ring.stl": {"b/mixed.stl": ["plate with 1 among others"]},
    }
    assert found.plates == {"b/three.stl": 3} and not found.broken and found.files == 12
    told = json.loads(json.dumps(found.as_json({"a/bracket.stl": "train"})))
    assert told["groups"][0][0]["split"] == "train" and told["groups"][0][0]["differs"] == []


def test_a_broken_file_is_listed_and_stops_nothing(tmp_path: Path) -> None:
    save(ring(), tmp_path / "one.stl")
    save(ring(), tmp_path / "two.ply")
    (tmp_path / "cut.stl").write_bytes((tmp_path / "one.stl").read_bytes()[:999])
    (tmp_path / "page.obj").write_text("<html>")
    (tmp_path / "flat.off").write_text("OFF 3 1 0\n0 0 0\n1 0 0\n2 0 0\n3 0 1 2\n")
    (tmp_path / "empty.binvox").write_bytes(b"")
    (tmp_path / "bad\nname.stl").write_bytes((tmp_path / "one.stl").read_bytes())
    (tmp_path / "link.stl").symlink_to("/etc/hostname")
    (tmp_path / os.fsdecode(b"\xff.stl")).write_bytes(b"")
    found = find_duplicates(str(tmp_path), 1)
    assert words(found) == {"one.stl": {"two.ply": ["re-export"]}}
    broken = {"cut.stl", "page.obj", "flat.off", "empty.binvox", r"bad\nname.stl", "link.stl", r"\udcff.stl"}
    assert set(found.broken) == broken
    assert found.broken["cut.stl"].startswith("cut.stl: the STL header claims")
    assert all("\n" not in reason and str(tmp_path) not in reason for reason in found.broken.values())


def test_grids_and_gltf_with_buffers_beside_it_are_read(tmp_path: Path) -> None:
    grid = np.zeros((8, 8, 8), bool)
    grid[2:7, 3:5, 1:3] = grid[2:4, 3:5, 1:6] = True
    write_binvox(tmp_path / "one.binvox", grid, (0, 0, 0), 1)
    write_binvox(tmp_path / "two.binvox", np.rot90(grid), (5, 5, 5), 2)
    for name, content in trimesh.exchange.gltf.export_gltf(trimesh.Scene(ring())).items():
        (tmp_path / name).write_bytes(content)
    save(ring(), tmp_path / "ring.stl")
    found = find_duplicates(str(tmp_path), 1)
    assert words(found) == {"model.gltf": {"ring.stl": ["re-export"]}, "one.binvox": {"two.binvox": ["turned"]}}


def test_more_copies_than_neighbours_are_one_group(tmp_path: Path) -> None:
    for number in range(30):
        save(ring().apply_scale(1 + number), tmp_path / f"{number:02}.stl")
    (group,) = find_duplicates(str(tmp_path), 2).groups
    assert [member.file for member in group] == [f"{number:02}.stl" for number in range(30)]
    assert [member.relation.scale for member in group] == pytest.approx(range(1, 31), rel=1e-4)


def test_likenesses_make_no_chains() -> None:
    assert list(_stars([(0, 1), (1, 2), (2, 3)])) == [(1, [0, 2])]
    assert list(_stars([(0, 1), (2, 3), (3, 4)])) == [(3, [2, 4]), (0, [1])]


def test_a_bucket_is_compared_as_a_folder_is(tmp_path: Path, bucket: str) -> None:
    save(ring(), tmp_path / "a.stl")
    save(ring().apply_scale(2), tmp_path / "b.obj")
    copy_files(str(tmp_path), bucket, lambda *_: None)
    copy_files(
        bucket, str(tmp_path / "back"), lambda *_: None
    )  # obstore has threads here: forked processes must not use it
    assert words(find_duplicates(bucket, 1)) == {"a.stl": {"b.obj": ["scaled ×2"]}}


def test_a_source_without_meshes_is_refused(tmp_path: Path) -> None:
    (tmp_path / "readme.txt").touch()
    with pytest.raises(SourceError, match=r"expected meshes .*found none in 1 files"):
        find_duplicates(str(tmp_path))


@pytest.mark.realdata
def test_the_copies_among_printed_things(realdata: Path) -> None:
    found = words(find_duplicates(str(realdata / "stl/prosthetic_hand_part")))
    sleeves = [name for name in found if "hex_sleeve_solo" in name]
    assert len(found) == len(sleeves) == 1 and list(found[sleeves[0]].values()) == [["turned"]]
