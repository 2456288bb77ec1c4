import struct
import time
from pathlib import Path

import numpy as np
import pytest
import trimesh

from components.fetch.fetch import fetch_shard
from components.plan.plan import plan_shards
from shapeyard.contracts.dataset import Dataset
from shapeyard.errors import ParameterError, SourceError, TooManySkippedError
from shapeyard.geometry.frames import transform
from shapeyard.sources.copying import copy_to_bucket
from shapeyard.sources.selection import Selection


def fetch(source: str, output: Path, max_skipped: float = 0.9, max_megabytes: int = 1, **selection: object) -> Dataset:
    (item,) = plan_shards(Selection(source, shards=1, **selection))  # type: ignore[arg-type]
    fetch_shard(item, output, max_megabytes, 10_000, max_skipped)
    return Dataset([output], "meshes")


def save(mesh: trimesh.Trimesh, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    mesh.export(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes, one of them with a single object; sizes and places differ."""
    root = tmp_path / "meshes"
    for number in range(3):
        box = trimesh.creation.box((1 + number, 2, 4))
        box.apply_translation((5, 6, 7))
        save(box, root / "box" / f"b{number}.stl")
    save(trimesh.creation.icosphere(), root / "ball" / "one.obj")
    return root


def test_canonical_frame(folder: Path, tmp_path: Path) -> None:
    data = fetch(str(folder), tmp_path / "out")
    assert len(data.samples) == 4
    for sample in data.samples:
        path = data.extract(sample.id, tmp_path / "x" / sample.id)
        mesh = trimesh.load_mesh(path)
        points = transform(np.array(sample.canonical_from_file), mesh.vertices)
        lower, upper = points.min(axis=0), points.max(axis=0)
        assert np.allclose(lower + upper, 0, atol=1e-6)
        assert np.isclose((upper - lower).max(), 1)
        if sample.class_name == "box":  # the longest side is the file's z, and STL has z up
            assert np.argmax(upper - lower) == 1


def test_from_a_bucket_the_same_as_from_the_folder(folder: Path, bucket: str, tmp_path: Path) -> None:
    copy_to_bucket(str(folder), f"{bucket}/p", lambda done, total: None)
    one, two = fetch(str(folder), tmp_path / "a"), fetch(f"{bucket}/p", tmp_path / "b")
    assert [(s.id, s.split, s.sha256, s.canonical_from_file) for s in one.samples] == [
        (s.id, s.split, s.sha256, s.canonical_from_file) for s in two.samples
    ]
    assert two.samples[0].source.startswith(bucket)
    assert (tmp_path / "a" / "shard-000.zip").read_bytes() == (tmp_path / "b" / "shard-000.zip").read_bytes()


def test_materials_and_textures_come_along(tmp_path: Path) -> None:
    root = tmp_path / "src" / "03001627" / "abc"
    (root / "models").mkdir(parents=True)
    (root / "images").mkdir()
    (root / "models" / "model_normalized.obj").write_text(
        "mtllib model_normalized.mtl\nv 0 0 0\nv 1 0 0\nv 0 1 1\nusemtl m\nf 1 2 3\n"
    )
    (root / "models" / "model_normalized.mtl").write_text(
        "newmtl m\nmap_Kd -s 1 1 1 ../images/t 0.jpg\nmap_Ks ../images/missing.jpg\nmap_d ../../../../outside.png\n"
    )
    (root / "images" / "t 0.jpg").write_bytes(b"jpg")
    (root / "models" / "model_normalized.solid.binvox").write_bytes(b"big")
    data = fetch(str(tmp_path / "src"), tmp_path / "out")
    main = data.extract("chair/abc", tmp_path / "x")
    assert main == tmp_path / "x" / "models" / "model_normalized.obj"
    found = {path.relative_to(tmp_path / "x").as_posix() for path in (tmp_path / "x").rglob("*") if path.is_file()}
    assert found == {"models/model_normalized.obj", "models/model_normalized.mtl", "images/t 0.jpg"}


BAD = {
    "empty.stl": b"",
    "text.stl": b"<html>not found</html>",
    "picture.obj": b"\x89PNG\r\n\x1a\n" + bytes(100),
    "lies.stl": bytes(80) + struct.pack("<I", 1_000_000_000) + bytes(200),
    "nothing.obj": b"# no vertices\n",
    "no_faces.off": b"OFF\n3 0 0\n0 0 0\n1 0 0\n0 1 0\n",
    "nan.obj": b"v 0 0 0\nv 1 0 0\nv nan 1 0\nf 1 2 3\n",
    "point.obj": b"v 1 1 1\nv 1 1 1\nv 1 1 1\nf 1 2 3\n",
    "range.obj": b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 9\n",
    "large.stl": bytes(2_000_000),
}


def test_bad_meshes_are_skipped_with_a_reason(folder: Path, tmp_path: Path) -> None:
    for name, content in BAD.items():
        (folder / "box" / name).write_bytes(content)
    save(trimesh.creation.icosphere(subdivisions=5), folder / "ball" / "many.ply")  # 20,480 triangles
    data = fetch(str(folder), tmp_path / "out")
    reasons = {skipped.id: skipped.reason for skipped in data.skipped}
    assert set(reasons) == {f"box/{Path(name).stem}" for name in BAD} | {"ball/many"}
    assert len(data.samples) == 4
    for reason in reasons.values():
        assert reason
        assert "\n" not in reason
        assert str(tmp_path) not in reason


def test_too_many_bad_ones_fail_the_stage(folder: Path, tmp_path: Path) -> None:
    for name, content in BAD.items():
        (folder / "box" / name).write_bytes(content)
    with pytest.raises(TooManySkippedError, match="10 of 14"):
        fetch(str(folder), tmp_path / "out", max_skipped=0.5)
    assert not (tmp_path / "out" / "dataset.json").exists()


def test_a_source_that_changed_after_the_plan(folder: Path, tmp_path: Path) -> None:
    (item,) = plan_shards(Selection(str(folder), shards=1))
    time.sleep(0.01)
    save(trimesh.creation.box(), folder / "box" / "new.stl")
    with pytest.raises(SourceError, match="changed since it was planned"):
        fetch_shard(item, tmp_path / "out", 1, 100, 0.5)


def test_a_mesh_that_is_gone_when_it_is_brought(folder: Path, tmp_path: Path) -> None:
    (folder / "box" / "dangling.stl").symlink_to(folder / "nowhere.stl")
    assert len(fetch(str(folder), tmp_path / "out").samples) == 4  # a link to nothing is no file


@pytest.mark.parametrize("values", [(0, 1, 0.5), (1, 0, 0.5), (1, 1, 1.5)])
def test_parameters_out_of_range(folder: Path, tmp_path: Path, values: tuple[int, int, float]) -> None:
    (item,) = plan_shards(Selection(str(folder), shards=1))
    with pytest.raises(ParameterError, match="expected"):
        fetch_shard(item, tmp_path / "out", *values)


@pytest.mark.realdata
def test_real_models(realdata: Path, tmp_path: Path) -> None:
    data = fetch(str(realdata / "shapenet_v2"), tmp_path / "a", max_megabytes=100, max_per_class=1)
    assert len(data.samples) + len(data.skipped) == len(list((realdata / "shapenet_v2").iterdir()))
    assert not data.skipped or all("triangles" in s.reason for s in data.skipped)
