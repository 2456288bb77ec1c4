import os
import re
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import quote, unquote

import numpy as np
import pytest
import trimesh

from components.fetch import FetchSettings
from components.fetch.fetch import fetch
from components.plan.plan import plan
from components.voxelize import VoxelizeSettings
from components.voxelize.voxelize import voxelize
from shapeyard.contracts.dataset import Dataset
from shapeyard.errors import FormatError, ParameterError, SourceError, TooManySkippedError
from shapeyard.geometry.frames import transform
from shapeyard.sources.copying import copy_files
from shapeyard.sources.s3 import S3Source
from shapeyard.sources.schemes import open_source
from shapeyard.sources.selection import Selection


def fetched(
    source: str, output: Path, max_skipped: float = 0.9, max_megabytes: int = 1, **selection: object
) -> Dataset:
    (item,) = plan(Selection(source, shards=1, **selection))  # type: ignore[arg-type]
    fetch(item, output, FetchSettings(max_megabytes=max_megabytes, max_triangles=10_000, max_skipped=max_skipped))
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
    data = fetched(str(folder), tmp_path / "out")
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
    copy_files(str(folder), f"{bucket}/p", lambda done, total: None)
    one, two = fetched(str(folder), tmp_path / "a"), fetched(f"{bucket}/p", tmp_path / "b")
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
    data = fetched(str(tmp_path / "src"), tmp_path / "out")
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
    data = fetched(str(folder), tmp_path / "out")
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
        fetched(str(folder), tmp_path / "out", max_skipped=0.5)
    assert not (tmp_path / "out" / "dataset.json").exists()


def test_a_source_that_changed_after_the_plan(folder: Path, tmp_path: Path) -> None:
    (item,) = plan(Selection(str(folder), shards=1))
    time.sleep(0.01)
    save(trimesh.creation.box(), folder / "box" / "new.stl")
    with pytest.raises(SourceError, match="changed since it was planned"):
        fetch(item, tmp_path / "out", FetchSettings(max_megabytes=1, max_triangles=100, max_skipped=0.5))


def test_a_mesh_that_is_gone_when_it_is_brought(folder: Path, tmp_path: Path) -> None:
    (folder / "box" / "dangling.stl").symlink_to(folder / "nowhere.stl")
    assert len(fetched(str(folder), tmp_path / "out").samples) == 4  # a link to nothing is no file


@pytest.mark.parametrize(
    ("values", "message"),
    [({"max_megabytes": 0}, "max_megabytes: expected 1 or more, got 0"),
     ({"max_triangles": 0}, "max_triangles: expected 1 or more, got 0"),
     ({"max_skipped": 1.5}, "max_skipped: expected 0 to 1, got 1.5")],
)  # fmt: skip
def test_parameters_out_of_range(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError, match=f"^{re.escape(message)}$"):
        FetchSettings(**values)


@pytest.mark.realdata
def test_real_models(realdata: Path, tmp_path: Path) -> None:
    data = fetched(str(realdata / "shapenet_v2"), tmp_path / "a", max_megabytes=100, max_per_class=1)
    assert len(data.samples) + len(data.skipped) == len(list((realdata / "shapenet_v2").iterdir()))
    assert not data.skipped or all("triangles" in s.reason for s in data.skipped)


def page(keys: dict[str, bytes]) -> bytes:
    """S3's ListObjectsV2 as XML."""
    items = "".join(
        f"<Contents><Key>{quote(key)}</Key><Size>{len(content)}</Size><ETag>x-1</ETag></Contents>"
        for key, content in keys.items()
    )
    return f"<ListBucketResult><EncodingType>url</EncodingType>{items}</ListBucketResult>".encode()


@contextmanager
def plain_store(keys: dict[str, bytes]) -> Iterator[str]:
    """The endpoint of a store with these objects, which takes any key as it is: SeaweedFS tidies them."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path, _, query = self.path.partition("?")
            content = page(keys) if "list-type=2" in query else keys[unquote(path).removeprefix("/any/")]
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(content)

        do_HEAD = do_GET  # noqa: N815 the name that http.server looks for

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


CUBE = trimesh.creation.box((1, 2, 4)).export(file_type="stl")
TRIANGLE = "v 0 0 0\nv 1 0 0\nv 0 1 1\nf 1 2 3\n"
LONG = "n" * 252 + ".stl"


@pytest.mark.parametrize(
    ("key", "layout"),
    [
        ("cups/thing1//etc/x.stl", "things"),
        ("cups/thing1//etc/x.stl", "classes"),
        ("../../x.stl", "classes"),
        ("cups/../../x.stl", "things"),
        ("/x.stl", "classes"),
        ("cups/..stl", "things"),
        ("cups/a\nb.stl", "classes"),
        ("03001627/../models/model_normalized.obj", "shapenet"),
        ("cup/train/a\u2029.off", "modelnet"),
        ("cups/a\\..\\b.stl", "classes"),
        ("cups/C:/b.stl", "classes"),
        ("cups/a\u2028b.stl", "classes"),
        ("cups/a\u0085b.stl", "things"),
        (f"cups/{LONG}", "classes"),
        ("../x/rendering/rendering_metadata.txt", "r2n2"),
    ],
)
def test_a_key_that_is_no_path_costs_its_object_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, key: str, layout: str
) -> None:
    good = {
        "r2n2": "03001627/a/rendering/rendering_metadata.txt", "shapenet": "03001627/a/models/model_normalized.obj",
        "modelnet": "cup/train/a.off",
    }.get(layout, "cups/good.stl")  # fmt: skip
    content = {".stl": CUBE, ".obj": TRIANGLE.encode(), ".off": b"OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 1\n3 0 1 2\n"}
    scratch = tmp_path / "deep" / "scratch"
    scratch.mkdir(parents=True)
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "any")
    with plain_store({name: content.get(name[-4:], b"") for name in (good, key)}) as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        data = fetched("s3://any", tmp_path / "out", layout=layout)
    assert len(data.samples) == 1
    (skipped,) = data.skipped
    assert "expected a name of a file inside its folder, got" in skipped.reason
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.parent != tmp_path / "out"]
    assert not Path("/etc/x.stl").exists()
    assert not Path("/x.stl").exists()


def test_the_longest_name_that_a_file_can_have_is_brought_from_a_bucket(bucket: str, tmp_path: Path) -> None:
    name = "é" * 125 + "n.stl"
    (tmp_path / "in" / "cups").mkdir(parents=True)
    (tmp_path / "in" / "cups" / name).write_bytes(CUBE)
    copy_files(str(tmp_path / "in"), bucket, lambda done, total: None)
    assert fetched(bucket, tmp_path / "out").samples[0].id == f"cups/{name.removesuffix('.stl')}"


def test_a_file_that_is_a_folder_as_well(bucket: str, tmp_path: Path) -> None:
    target = S3Source(bucket)
    target.ensure_bucket()
    both = f"mtllib m\nmtllib m/x.mtl\n{TRIANGLE}"
    for name, content in {"a/one.obj": both, "a/m": "", "a/m/x.mtl": "", "a/two.obj": TRIANGLE}.items():
        (tmp_path / "file").write_text(content)
        target.upload(tmp_path / "file", name)
    data = fetched(bucket, tmp_path / "out")
    assert [sample.id for sample in data.samples] == ["a/two"]
    assert "expected a name that is not a folder's as well" in data.skipped[0].reason


def test_links_out_of_a_source_folder_are_not_followed(folder: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.stl"
    secret.write_bytes(CUBE)
    (folder / "box" / "link.stl").symlink_to(secret)
    (folder / "box" / "inner.stl").symlink_to("b0.stl")
    (folder / "box" / "away").symlink_to(tmp_path)
    square = "mtllib {0}.mtl\nv 0 0 0\nv 1 0 0\nv 0 1 1\nusemtl m\nf 1 2 3\n"
    for name in ("linked", "pipe"):
        (folder / "box" / f"{name}.obj").write_text(square.format(name))
        (folder / "box" / f"{name}.mtl").write_text(f"newmtl m\nmap_Kd {name}.png\n")
    (folder / "box" / "linked.png").symlink_to(secret)
    os.mkfifo(folder / "box" / "pipe.png")
    data = fetched(str(folder), tmp_path / "out")
    reasons = {skipped.id: skipped.reason for skipped in data.skipped}
    assert reasons.pop("box/away") == "a symbolic link to a folder, which is not followed"
    assert set(reasons) == {"box/link", "box/linked"}
    for reason in reasons.values():
        assert "expected a file of the source, got a symbolic link that leads out of it" in reason
    assert {"box/inner", "box/pipe"} <= {sample.id for sample in data.samples}
    data.extract("box/pipe", tmp_path / "x")
    assert {path.name for path in (tmp_path / "x").iterdir()} == {"pipe.obj", "pipe.mtl"}


def test_a_pipe_that_took_a_files_place_is_not_waited_for(folder: Path, tmp_path: Path) -> None:
    source = open_source(str(folder))
    file = source.list_files()[0]
    (folder / file.key).unlink()
    os.mkfifo(folder / file.key)
    with pytest.raises(FormatError, match="expected a regular file"):
        source.download(file, tmp_path / "x")


def test_a_file_name_that_is_not_utf8_costs_its_object_alone(folder: Path, tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(folder / "box") + b"/caf\xe9.stl")).write_bytes(CUBE)
    data = fetched(str(folder), tmp_path / "out")
    assert len(data.samples) == 4
    assert [(s.id, "not UTF-8" in s.reason) for s in data.skipped] == [("box/caf\\udce9", True)]


def test_what_a_layout_passes_over_is_told_once_and_costs_nothing(tmp_path: Path) -> None:
    root = tmp_path / "parts"
    for number in range(3):
        save(trimesh.creation.box((1, 2, 3 + number)), root / "pins" / f"{number}.stl")
    for name in ("a.STEP", "b.fbx", "c.iges", "d.dae", "e.blend", "f.step", "more.zip"):
        (root / "pins" / name).write_bytes(b"x")
    items = plan(Selection(str(root), shards=64))
    told: list[str] = []
    for number, item in enumerate(items):
        fetch(item, tmp_path / str(number), FetchSettings(max_skipped=0.0))
        told += [skipped.id for skipped in Dataset([tmp_path / str(number)], "meshes").skipped]
    assert len(items) == 3 and len(Dataset([tmp_path / str(n) for n in range(3)], "meshes").samples) == 3
    assert sorted(told) == [
        f"pins/{name}" for name in sorted(p.name for p in (root / "pins").iterdir()) if name[1:] != ".stl"
    ]
    with pytest.raises(SourceError, match=r"x\.step: a STEP file, which is not read: export it"):
        (tmp_path / "only").mkdir()
        (tmp_path / "only" / "x.step").write_bytes(b"x")
        plan(Selection(str(tmp_path / "only")))


def test_links_to_folders_alone_are_refused(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "chair").symlink_to(tmp_path)
    with pytest.raises(SourceError, match="symbolic links to folders alone, which are not followed: chair"):
        plan(Selection(str(tmp_path / "source")))


def test_the_content_of_files_decides_what_is_new(folder: Path) -> None:
    def fingerprints() -> list[str]:
        return [item["fingerprint"] for item in plan(Selection(str(folder), shards=1))]

    before = fingerprints()
    (folder / "box" / "b0.stl").touch()
    assert fingerprints() == before
    content = bytearray((folder / "box" / "b0.stl").read_bytes())
    content[90] ^= 1  # as long as before
    (folder / "box" / "b0.stl").write_bytes(content)
    assert fingerprints() != before


def test_one_empty_file_alone_in_its_shard_ends_no_run(folder: Path, tmp_path: Path) -> None:
    (folder / "box" / "empty.stl").write_bytes(b"")
    outputs = []
    for item in plan(Selection(str(folder), shards=64)):
        outputs.append(tmp_path / item["shard"])
        fetch(item, outputs[-1], FetchSettings())
        voxelize(outputs[-1], Path(f"{outputs[-1]}-voxels"), VoxelizeSettings(resolution=8))
    assert len(outputs) == 5
    for data in (Dataset(outputs, "meshes"), Dataset([Path(f"{path}-voxels") for path in outputs], "voxels")):
        assert len(data.samples) == 4 and [skipped.id for skipped in data.skipped] == ["box/empty"]


def test_what_was_wrong_with_a_part_stands_in_its_row(folder: Path, tmp_path: Path) -> None:
    for name, content in {"a.stl": CUBE, "b.stl": b"", "c.stl": CUBE}.items():
        (folder / "box" / "thing").mkdir(exist_ok=True)
        (folder / "box" / "thing" / name).write_bytes(content)
    data = fetched(str(folder), tmp_path / "out", layout="things")
    assert data["box/thing"].attributes == {"main": ".", "broken_parts": ["b.stl: the file is empty"]}
