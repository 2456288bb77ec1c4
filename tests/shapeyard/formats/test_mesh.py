"""Reading mesh files."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st

from shapeyard.errors import MeshError
from shapeyard.formats.mesh import MESH_SUFFIXES, read_mesh
from shapeyard.geometry.triangle_mesh import Mesh

Write = Callable[[str, bytes | str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_file(name: str, content: bytes | str) -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write_file


def box_file(folder: Path, suffix: str) -> Path:
    """A box of sides 1, 2, 3 in each of the formats."""
    box = trimesh.creation.box((1, 2, 3))
    path = folder / f"box{suffix}"
    if suffix == ".gltf":
        for name, content in trimesh.exchange.gltf.export_gltf(trimesh.Scene(box)).items():
            (folder / name).write_bytes(content)
        (folder / "model.gltf").rename(path)
    else:
        box.export(path)
    return path


def area(mesh: Mesh) -> float:
    a, b, c = mesh.vertices[mesh.faces].transpose(1, 0, 2)
    return float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2)


@pytest.mark.parametrize("suffix", MESH_SUFFIXES)
def test_every_format_gives_the_same_box(tmp_path: Path, suffix: str) -> None:
    mesh = read_mesh(box_file(tmp_path, suffix))
    assert mesh.vertices.dtype == np.float64 and mesh.faces.dtype == np.int64
    assert len(mesh.faces) == 12
    assert np.ptp(mesh.vertices, axis=0).tolist() == [1, 2, 3]
    assert area(mesh) == pytest.approx(22)


def test_obj_polygons_textures_relative_indices_and_comments(write: Write) -> None:
    text = (
        "mtllib nowhere.mtl\no first\nv 0 0 0\nv 1 0 0 0.5 0.5 0.5\n  v 1 1 0 # corner\nv 0 1 0\r\nvt 0 0\nvn 0 0 1\n"
        "usemtl red\nf 1/1/1 2//1 3/1 4\nv 0 0 5\nv 1 0 5\nv 1 1 5\nf -3 -2 \\\n -1\nl 1 2\nv 9 9 9\n"
    )
    mesh = read_mesh(write("a.obj", text))
    assert mesh.faces.tolist() == [[0, 1, 2], [0, 2, 3], [4, 5, 6]]
    assert mesh.vertices[4:].tolist() == [[0, 0, 5], [1, 0, 5], [1, 1, 5]]  # and the vertex without a face is gone


@pytest.mark.parametrize(
    "header", ["OFF\n4 1 0\n", "OFF4 1 0\n", "# made by hand\nOFF\n# counts\n4 1 0\n", "OFF 4 1 0\n"]
)
def test_off_headers(write: Write, header: str) -> None:
    mesh = read_mesh(write("a.off", header + "0 0 0\n1 0 0 # here\n\n1 1 0\n0 1 0\n4 0 1 2 3 255 0 0\n"))
    assert mesh.faces.tolist() == [[0, 1, 2], [0, 2, 3]]


PLY_HEADER = """ply
format {form} 1.0
comment nothing
element vertex 5
property double x
property double y
property double z
property uchar red
element extra 1
property list uchar short numbers
element face {faces}
property uchar material
property list uchar int vertex_indices
end_header
"""
PLY_VERTICES = [(0, 0, 0, 9), (1, 0, 0, 9), (1, 1, 0, 9), (0, 1, 0, 9), (0, 0, 1, 9)]


@pytest.mark.parametrize(
    "faces", [[(0, 1, 4), (1, 2, 4)], [(0, 1, 2, 3), (0, 1, 4), (), (0, 1, 2, 3, 4)], [(), (0, 1, 4)]]
)
@pytest.mark.parametrize("form", ["ascii", "binary_little_endian", "binary_big_endian"])
def test_ply_of_both_forms_with_polygons_of_any_size(write: Write, form: str, faces: list[tuple[int, ...]]) -> None:
    header = PLY_HEADER.format(form=form, faces=len(faces))
    if form == "ascii":
        rows = [*PLY_VERTICES, (2, 7, 8), *((1, len(face), *face) for face in faces)]
        content = (header + "".join(" ".join(map(str, row)) + "\n" for row in rows)).encode()
    else:
        order = "<" if form == "binary_little_endian" else ">"
        content = header.encode() + b"".join(struct.pack(order + "3dB", *row) for row in PLY_VERTICES)
        content += struct.pack(order + "B2h", 2, 7, 8)
        content += b"".join(struct.pack(f"{order}BB{len(face)}i", 1, len(face), *face) for face in faces)
    mesh = read_mesh(write("a.ply", content))
    fans = [[face[0], face[step], face[step + 1]] for face in faces for step in range(1, len(face) - 1)]
    assert mesh.vertices[mesh.faces].tolist() == [[list(PLY_VERTICES[i][:3]) for i in fan] for fan in fans]
    with pytest.raises(MeshError, match="more than the file holds"):
        read_mesh(write("cut.ply", content[:-3]))


def test_a_scene_comes_as_one_mesh_where_it_is_placed(tmp_path: Path) -> None:
    scene, ball = trimesh.Scene(), trimesh.creation.icosphere(1)
    scene.add_geometry(ball)
    scene.add_geometry(ball, transform=trimesh.transformations.translation_matrix([5, 0, 0]))
    scene.export(tmp_path / "two.glb")
    mesh = read_mesh(tmp_path / "two.glb")
    assert len(mesh.faces) == 2 * len(ball.faces)
    assert np.ptp(mesh.vertices, axis=0) == pytest.approx([7, 2, 2])
    with pytest.raises(MeshError, match="at most 100 triangles"):
        read_mesh(tmp_path / "two.glb", max_triangles=100)


PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 200
TRIANGLE_OFF = "OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 2\n"


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("empty.obj", b"", "empty"),
        ("blank.stl", b" \n\n", "empty"),
        ("image.stl", PNG, "a PNG image"),
        ("utf16.stl", "solid a\nendsolid a\n".encode("utf-16"), "UTF-16"),
        ("page.obj", b"<!DOCTYPE html><html></html>", "HTML"),
        ("archive.glb", b"PK\x03\x04" + b"\0" * 50, "ZIP"),
        ("binary.obj", b"\0\1\2\3" * 50, "binary data"),
        ("words.obj", b"hello world\n", "no triangles"),
        ("points.obj", b"v 0 0 0\nv 1 1 1\n", "no triangles"),
        ("line.obj", b"v 0 0 0\nv 1 1 1\nf 1 2\n", "no triangles"),
        ("short.obj", b"v 0 0\nf 1 1 1\n", "fewer than three"),
        ("letters.obj", b"v a b c\nf 1 1 1\n", "not readable as OBJ"),
        ("long.obj", "v " + "x" * 1_000_000 + " 0 0\n", "not readable as OBJ: .{,250}$"),
        ("lines.stl", b"solid" + b"\n" * 1_000_000, "cut off"),
        ("nan.obj", b"v nan 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", "not finite"),
        ("inf.obj", b"v 1e999 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", "not finite"),
        ("huge.obj", b"v 1e308 0 0\nv -1e308 0 0\nv 0 1 0\nf 1 2 3\n", "extent"),
        ("point.obj", b"v 1 1 1\nf 1 1 1\n", "extent"),
        ("zero.obj", b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 0 1 2\n", "outside the 3 vertices"),
        ("beyond.obj", b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 4\n", "outside the 3 vertices"),
        ("before.obj", b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf -4 -1 -2\n", "outside the 3 vertices"),
        ("astronomic.obj", b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 99999999999999999999\n", "not readable as OBJ"),
        ("cut.off", TRIANGLE_OFF[:-9], "expected lines"),
        ("cut2.off", TRIANGLE_OFF[:-3], "fewer indices"),
        ("claims.off", "OFF\n3 999999999 0\n0 0 0\n", "at most"),
        ("beyond.off", TRIANGLE_OFF.replace("0 1 2", "0 1 3"), "outside"),
        ("header.off", "PLY\n3 1 0\n", "starts with OFF"),
        ("cut.stl", trimesh.exchange.stl.export_stl(trimesh.creation.box())[:-1], "claims 12 triangles"),
        ("liar.stl", b"\0" * 80 + b"\xff\xff\xff\xff" + b"\0" * 100, "claims 4294967295"),
        ("none.stl", b"\0" * 84, "no triangles"),
        ("tiny.stl", b"abc", "got another text"),
        ("comment.stl", b"# exported\nfacet normal 0 0 1\n" * 9, "got another text"),
        ("cut_text.stl", "solid x\nfacet normal 0 0 1\nouter loop\nvertex 0 0 0\nvertex 1 0 0\n", "cut off"),
        ("noheader.ply", "nothing", "PLY file with a header"),
        (
            "liar.ply",
            "ply\nformat binary_little_endian 1.0\nelement vertex 999999999999\nproperty float x\nend_header\n",
            "more than the file holds",
        ),
        ("json.gltf", "{", "JSON"),
        ("list.gltf", "[1]", "accessors"),
        ("deep.gltf", "[" * 100_000, "JSON"),
        ("nothing.gltf", "{}", "GLTF|no triangles"),
        ("liar.gltf", json.dumps({"asset": {"version": "2.0"}, "accessors": [{"count": 10**15}]}), "accessor elements"),
        ("short.glb", b"glTF", "glTF"),
        ("mesh.xyz", b"0 0 0", "expected one of"),
    ],
)  # fmt: skip
def test_what_cannot_be_used(write: Write, name: str, content: bytes | str, reason: str) -> None:
    path = write(name, content)
    with pytest.raises(MeshError, match=reason) as caught:
        read_mesh(path)
    assert name in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", MESH_SUFFIXES)
def test_limits_and_files_that_are_not_there(tmp_path: Path, suffix: str) -> None:
    path = box_file(tmp_path, suffix)
    with pytest.raises(MeshError, match="at most"):
        read_mesh(path, max_triangles=2)
    with pytest.raises(MeshError, match="at most 10 bytes"):
        read_mesh(path, max_bytes=10)
    with pytest.raises(MeshError, match="not readable"):
        read_mesh(tmp_path / f"missing{suffix}")
    (tmp_path / f"folder{suffix}").mkdir()
    with pytest.raises(MeshError, match="not readable"):
        read_mesh(tmp_path / f"folder{suffix}")


@pytest.mark.parametrize("suffix", MESH_SUFFIXES)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_damaged_files_are_refused_or_read(
    suffix: str, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = box_file(tmp_path_factory.mktemp("damaged"), suffix)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place : place + data.draw(st.integers(0, 8))] = data.draw(st.binary(max_size=8))
    path.write_bytes(content[: data.draw(st.integers(len(content) // 2, len(content)))])
    try:
        mesh = read_mesh(path, max_triangles=1000)
    except MeshError as error:
        assert "\n" not in str(error)
        return
    assert np.isfinite(mesh.vertices).all() and mesh.faces.max() < len(mesh.vertices) and mesh.faces.min() >= 0


@pytest.mark.realdata
def test_real_files_as_trimesh_reads_them(realdata: Path) -> None:
    paths = [path for suffix in (".obj", ".stl", ".off") for path in sorted(realdata.rglob(f"*{suffix}"))]
    paths = [path for path in paths if "cases" not in path.parts]  # made to be read otherwise
    assert len(paths) > 400
    for path in paths[::6]:
        mesh = read_mesh(path)
        if path.suffix == ".stl" or "shapenet" not in str(path):
            other = trimesh.load_mesh(path, process=False, skip_materials=True)
            assert area(mesh) == pytest.approx(other.area, rel=1e-6), path


def test_gltf_reads_buffers_of_its_folder_alone(tmp_path: Path) -> None:
    parts = trimesh.exchange.gltf.export_gltf(trimesh.Scene(trimesh.creation.box()))
    text = parts.pop("model.gltf").decode()
    (name, *others) = sorted(parts)
    folder = tmp_path / "in"
    folder.mkdir()
    for target in (tmp_path / "out.bin", folder / "my buffer.bin", *(folder / other for other in others)):
        target.write_bytes(parts.get(target.name, parts[name]))
    os.mkfifo(folder / "pipe.bin")
    (folder / "link.bin").symlink_to(tmp_path / "out.bin")
    path = folder / "box.gltf"
    path.write_text(text.replace(name, "my%20buffer.bin"))
    assert len(read_mesh(path).faces) == 12
    for uri in (
        "../out.bin",
        "%2e%2e/out.bin",
        str(tmp_path / "out.bin"),
        "pipe.bin",
        "link.bin",
        "none.bin",
        "data:x",
    ):
        path.write_text(text.replace(name, uri))
        with pytest.raises(MeshError, match=r"box\.gltf: expected buffers in files of the mesh's folder, got '"):
            read_mesh(path)


def test_texts_with_a_byte_order_mark_and_any_line_ends(tmp_path: Path) -> None:
    box = trimesh.creation.box((1, 2, 3))
    vertices, faces = box.vertices.tolist(), box.faces.tolist()
    rows = "".join("{} {} {}\n".format(*v) for v in vertices)
    texts = {
        "obj": "".join("v {} {} {}\n".format(*v) for v in vertices)
        + "".join(f"f {a+1} {b+1} {c+1}\n" for a, b, c in faces),
        "off": f"OFF\n# made by hand\n8 12 0\n{rows}" + "".join(f"3 {a} {b} {c}\n" for a, b, c in faces),
        "ply": "ply\nformat ascii 1.0\nelement vertex 8\nproperty float x\nproperty float y\nproperty float z\n"
        "element face 12\nproperty list uchar int vertex_indices\nend_header\n"
        + rows + "".join(f"3 {a} {b} {c}\n" for a, b, c in faces),
    }  # fmt: skip
    for ending, text in texts.items():
        for mark in ("", "\ufeff"):
            for end in ("\n", "\r\n", "\r"):
                path = tmp_path / f"m.{ending}"
                path.write_bytes((mark + text.replace("\n", end)).encode())
                mesh = read_mesh(path)
                assert mesh.vertices.tolist() == vertices and mesh.faces.tolist() == faces, (ending, mark, end)
