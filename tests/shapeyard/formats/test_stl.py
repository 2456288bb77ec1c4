"""Reading STL files of both forms."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import stl
import trimesh

from shapeyard.errors import MeshError
from shapeyard.formats.mesh import Mesh, read_mesh
from shapeyard.formats.stl import STL_HEADER_BYTES, STL_RECORD, parse_stl

FACET = "facet normal 0 0 1\n outer loop\n  vertex 0 0 {z}\n  vertex 1e0 0 {z}\n  vertex 0 1 {z}\n endloop\nendfacet\n"
TWO_SOLIDS = "".join(f"solid part{z}\n{FACET.format(z=z)}endsolid part{z}\n" for z in (0, 2))


def read(path: Path, content: bytes | str) -> Mesh:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_mesh(path)


def test_ascii_of_several_solids_and_a_binary_one_that_says_solid(tmp_path: Path) -> None:
    mesh = read(tmp_path / "text.stl", TWO_SOLIDS)
    assert len(mesh.faces) == 2 and np.ptp(mesh.vertices, axis=0).tolist() == [1, 1, 2]
    assert len(read(tmp_path / "marked.stl", "\ufeff" + TWO_SOLIDS).faces) == 2
    for end in (b"\r\n", b"\r"):
        assert len(read(tmp_path / "ends.stl", TWO_SOLIDS.encode().replace(b"\n", end)).faces) == 2
    binary = trimesh.exchange.stl.export_stl(trimesh.creation.box())
    assert len(read(tmp_path / "binary.STL", b"solid" + binary[5:]).faces) == 12


def test_ascii_keeps_all_digits() -> None:
    assert parse_stl(TWO_SOLIDS.replace("1e0", "0.1").encode()).vertices.max(axis=0).tolist() == [0.1, 1, 2]


def test_binary_as_it_was_written(tmp_path: Path) -> None:
    corners = np.random.default_rng(0).normal(size=(50, 3, 3)).astype(np.float32)
    written = stl.Mesh(np.zeros(50, stl.Mesh.dtype))
    written.vectors[:] = corners
    written.save(tmp_path / "a.stl")
    content = (tmp_path / "a.stl").read_bytes()
    for more in (b"", b"what some programs leave behind the triangles"):
        mesh = read(tmp_path / "a.stl", content + more)
        np.testing.assert_array_equal(mesh.vertices, corners.reshape(-1, 3))
        assert mesh.faces.ravel().tolist() == list(range(150))


def test_a_signalling_nan_is_refused_like_any_other(tmp_path: Path) -> None:
    record = np.zeros(1, STL_RECORD)
    record["corners"].view(np.uint32)[...] = 0x7FA00000
    content = b" " * (STL_HEADER_BYTES - 4) + (1).to_bytes(4, "little") + record.tobytes()
    with pytest.raises(MeshError, match="not finite"):
        read(tmp_path / "nan.stl", content)


def test_a_binary_stl_that_claims_no_triangles_is_read_by_its_length(tmp_path: Path) -> None:
    binary = trimesh.exchange.stl.export_stl(trimesh.creation.box((1, 2, 3)))
    unfilled = binary[:80] + bytes(4) + binary[STL_HEADER_BYTES:]
    mesh = read(tmp_path / "unfilled.stl", unfilled)
    assert len(mesh.faces) == 12 and np.ptp(mesh.vertices, axis=0).tolist() == [1, 2, 3]
    with pytest.raises(MeshError, match="claims no triangles, and 7 bytes are left of 12 of them"):
        read(tmp_path / "cut.stl", unfilled + bytes(7))
    with pytest.raises(MeshError, match="no triangles"):
        read(tmp_path / "none.stl", bytes(STL_HEADER_BYTES))
