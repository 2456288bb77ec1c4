"""Files made to break a reader: a clear error or a valid mesh, never a crash, a hang or gigabytes."""

from __future__ import annotations

import json
import resource
import struct
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import trimesh
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shapeyard.errors import FormatError, MeshError
from shapeyard.formats.binvox import read_binvox
from shapeyard.formats.mesh import MESH_SUFFIXES, read_mesh
from shapeyard.formats.references import referenced_files
from shapeyard.geometry.voxelization import solid_occupancy

MORE_MEMORY = 512 * 1024**2
"""Bytes that a reader may take beyond what the process has."""
EXAMPLES = settings(
    max_examples=120, deadline=timedelta(seconds=10),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip


@pytest.fixture
def little_memory() -> Iterator[None]:
    """What asks for more fails, and so does the test."""
    with tempfile.TemporaryDirectory() as folder:  # what a first call imports and compiles is not the file's doing
        trimesh.creation.box().export(f"{folder}/box.glb")
        mesh = read_mesh(f"{folder}/box.glb")
    solid_occupancy(mesh.vertices, mesh.faces, 8)
    before = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MORE_MEMORY, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


def read(name: str, content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        path.write_bytes(content)
        try:
            if path.suffix == ".binvox":
                occupancy = read_binvox(path).occupancy
                assert occupancy.dtype == bool and len(set(occupancy.shape)) == 1
                return
            mesh = read_mesh(path, max_triangles=10_000)
        except FormatError as error:
            assert "\n" not in str(error) and len(str(error)) < 600 and name in str(error)
            assert "MemoryError" not in str(error)
            return
    assert np.isfinite(mesh.vertices).all() and len(mesh.faces) <= 10_000
    assert mesh.faces.min() >= 0 and mesh.faces.max() < len(mesh.vertices)
    side = float(np.ptp(mesh.vertices, axis=0).max())
    occupancy = solid_occupancy(mesh.vertices, mesh.faces, 8, mesh.vertices.min(axis=0), side)
    assert occupancy.shape == (8, 8, 8)


NUMBERS = st.sampled_from(
    ["0", "1", "2", "3", "-1", "-9", "0.5", "1e-300", "1e308", "-1e308", "1e999", "nan", "-inf", "4294967295",
     "99999999999999999999", "1/2/3", "1//3", "2/", "/", "x", "é", "\x00", "1_0", "0x1", "\u0661"]
)  # fmt: skip
WORDS = st.sampled_from(
    ["v", "f", "fo", "vt", "vn", "l", "o", "g", "#", "mtllib", "OFF", "COFF", "STOFF", "solid", "endsolid", "facet",
     "vertex", "endloop", "ply", "\\\n", "\r"]
)  # fmt: skip
LINES = st.lists(st.builds(" ".join, st.lists(st.one_of(WORDS, NUMBERS, NUMBERS), max_size=7)), max_size=14)
TRIANGLES = {
    ".obj": "v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\nf 1 2 3\nf 1 2 4\n",
    ".off": "OFF\n4 2 0\n0 0 0\n1 0 0\n0 1 0\n0 0 1\n3 0 1 2\n3 0 1 3\n",
    ".stl": "solid\nfacet normal 0 0 1\nouter loop\nvertex 0 0 0\nvertex 1 0 0\nvertex 0 1 0\n"
    "endloop\nendfacet\nendsolid\n",
    ".ply": "ply\nformat ascii 1.0\nelement vertex 3\nproperty float x\nproperty float y\nproperty float z\n"
    "element face 1\nproperty list uchar int vertex_indices\nend_header\n0 0 0\n1 0 0\n0 1 0\n3 0 1 2\n",
}  # fmt: skip


@pytest.mark.parametrize("suffix", TRIANGLES)
@EXAMPLES
@given(lines=LINES, place=st.integers(0, 12), whole=st.booleans())
def test_texts_of_words_and_numbers(
    suffix: str, lines: list[str], place: int, whole: bool, little_memory: None
) -> None:
    base = TRIANGLES[suffix].splitlines() if whole else []
    text = "\n".join([*base[:place], *lines, *base[place:]]) + "\n"
    read(f"text{suffix}", text.encode("utf-8", "surrogateescape"))


COUNTS = st.one_of(st.integers(0, 5), st.sampled_from([-1, 2**31, 2**32 - 1, 10**9, 10**18, 10**30]))
KINDS = st.sampled_from(["char", "uchar", "int", "uint", "float", "double", "int64", "list"])


@EXAMPLES
@given(
    form=st.sampled_from(["ascii", "binary_little_endian", "binary_big_endian", "binary"]),
    vertices=COUNTS, faces=COUNTS, kinds=st.lists(KINDS, min_size=5, max_size=5), body=st.binary(max_size=120),
)  # fmt: skip
def test_ply_headers(form: str, vertices: int, faces: int, kinds: list[str], body: bytes, little_memory: None) -> None:
    header = f"ply\nformat {form} 1.0\nelement vertex {vertices}\n"
    header += "".join(f"property {kind} {name}\n" for kind, name in zip(kinds[:3], "xyz", strict=True))
    header += f"element face {faces}\nproperty list {kinds[3]} {kinds[4]} vertex_indices\nend_header\n"
    read("header.ply", header.encode() + body)


@EXAMPLES
@given(claim=st.integers(0, 2**32 - 1), start=st.binary(max_size=90), body=st.binary(max_size=300))
def test_binary_stl(claim: int, start: bytes, body: bytes, little_memory: None) -> None:
    read("claim.stl", start[:80].ljust(80, b" ") + struct.pack("<I", claim) + body)
    whole = len(body) // 50
    if whole:
        read("whole.stl", start[:80].ljust(80, b" ") + struct.pack("<I", whole) + body[: 50 * whole])


JSON_COUNTS = st.one_of(st.integers(-3, 9), st.sampled_from([10**7, 10**12, 2**63, -(10**12), None, "3", 1.5, [], {}]))


@EXAMPLES
@given(counts=st.lists(JSON_COUNTS, min_size=9, max_size=9), binary=st.binary(max_size=80), glb=st.booleans())
def test_gltf_numbers(counts: list[object], binary: bytes, glb: bool, little_memory: None) -> None:
    document = {
        "asset": {"version": "2.0"}, "scene": counts[0], "scenes": [{"nodes": [counts[1]]}],
        "nodes": [{"mesh": counts[2], "children": [counts[3]]}, {"mesh": 0}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": counts[4]}, "indices": counts[5]}]}],
        "accessors": [
            {"bufferView": 0, "componentType": 5126, "count": counts[6], "type": "VEC3"},
            {"bufferView": 0, "componentType": 5125, "count": counts[7], "type": "SCALAR"},
        ],
        "bufferViews": [{"buffer": 0, "byteOffset": counts[8], "byteLength": len(binary)}],
        "buffers": [{"byteLength": len(binary)}],
    }  # fmt: skip
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    binary += b"\0" * (-len(binary) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(binary), b"BIN\0") + binary
    read(
        "numbers.glb" if glb else "numbers.gltf",
        struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks if glb else text,
    )


@EXAMPLES
@given(
    dim=st.lists(st.one_of(st.integers(0, 9), st.sampled_from([-1, 256, 512, 10**6, 10**18])), max_size=4),
    scale=NUMBERS, runs=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 255)), max_size=40),
    tail=st.binary(max_size=3),
)  # fmt: skip
def test_binvox_headers_and_runs(
    dim: list[int], scale: str, runs: list[tuple[int, int]], tail: bytes, little_memory: None
) -> None:
    header = f"#binvox 1\ndim {' '.join(map(str, dim))}\ntranslate 0 {scale} 0\nscale {scale}\ndata\n"
    read("header.binvox", header.encode("utf-8", "surrogateescape") + bytes(b for run in runs for b in run) + tail)


@pytest.mark.parametrize("suffix", [*MESH_SUFFIXES, ".binvox"])
@EXAMPLES
@given(content=st.binary(max_size=400))
def test_noise(suffix: str, content: bytes, little_memory: None) -> None:
    read(f"noise{suffix}", content)


def test_a_billion_triangles_in_two_hundred_bytes(tmp_path: Path, little_memory: None) -> None:
    path = tmp_path / "claim.stl"
    path.write_bytes(b" " * 80 + struct.pack("<I", 10**9) + b"\0" * 200)
    with pytest.raises(MeshError, match="claims 1000000000 triangles"):
        read_mesh(path, max_triangles=2 * 10**9)


def test_names_and_references_beyond_ascii(tmp_path: Path) -> None:
    folder = tmp_path / "Stühle 椅子"
    folder.mkdir()
    path = folder / "Größe №1 🪑.obj"
    path.write_bytes("mtllib fehlt – 無.mtl\n".encode() + b"o caf\xe9\n" + TRIANGLES[".obj"].encode())
    assert len(read_mesh(path).faces) == 2
    assert "fehlt – 無.mtl" in referenced_files(path)
    path.write_bytes(b"v 0 0 0\n")
    with pytest.raises(MeshError, match=r"Größe №1 🪑\.obj: no triangles"):
        read_mesh(path)
