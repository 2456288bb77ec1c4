"""Each form of glTF's geometry is the same shape."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from gltf_forms import FACES, FORMS, POINTS, Glb, glb

from shapeyard.errors import MeshError
from shapeyard.formats.mesh import Mesh, read_gltf, read_mesh
from shapeyard.formats.plain_glb import plain_glb


def triangles(mesh: Mesh) -> set[tuple[tuple[float, ...], ...]]:
    """Each triangle as its corners, whichever comes first, rounded to a thousandth."""
    corners = np.round(mesh.vertices[mesh.faces], 3) + 0.0
    return {min(tuple(map(tuple, np.roll(face, k, axis=0).tolist())) for k in range(3)) for face in corners}


SHAPE = triangles(Mesh(POINTS, FACES))


@pytest.mark.parametrize("name", FORMS)
def test_a_form_is_the_shape(name: str, tmp_path: Path) -> None:
    (tmp_path / "m.glb").write_bytes(FORMS[name])
    mesh = read_mesh(tmp_path / "m.glb")
    if name in ("strip", "fan"):  # a strip cuts a side along its other diagonal
        assert len(mesh.faces) == 24 and {p for face in triangles(mesh) for p in face} == {p for f in SHAPE for p in f}
    else:
        assert triangles(mesh) == SHAPE
    shifted = plain_glb(read_gltf(tmp_path / "m.glb"), np.array([0.0, 5.0, 0.0]))
    (tmp_path / "plain.glb").write_bytes(shifted)
    again = read_mesh(tmp_path / "plain.glb")
    assert triangles(Mesh(again.vertices - (0, 5, 0), again.faces)) == triangles(mesh)


def test_what_is_not_supported_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "m.glb"
    path.write_bytes(Glb(extensionsRequired=["KHR_draco_mesh_compression"]).written())
    with pytest.raises(MeshError, match="the glTF extension KHR_draco_mesh_compression is required and not supported"):
        read_mesh(path)
    file = Glb()
    file.header["accessors"].append({"componentType": 5126, "count": 8, "type": "VEC3"})
    part = {"attributes": {"POSITION": 0}, "indices": file.add([0, 1, 2], "u2"),
            "extensions": {"KHR_draco_mesh_compression": {"bufferView": 0, "attributes": {"POSITION": 0}}}}  # fmt: skip
    file.header |= {"meshes": [{"primitives": [part]}], "nodes": [{"mesh": 0}]}
    path.write_bytes(file.written())
    with pytest.raises(MeshError, match="the glTF extension KHR_draco_mesh_compression is not supported"):
        read_mesh(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (glb(node={"mesh": 7}), "glTF names meshes 7, there are 1"),
        (glb(part={"indices": -1}), "glTF names accessors -1, there are 2"),
        (glb(POINTS[:5]), "a face points outside the 5 vertices"),
        (glb(part={"attributes": {"POSITION": "x"}}), "glTF names accessors x"),
        (glb(part={"mode": 1}), "no triangles"),
        (glb(node={"matrix": [1, 2]}), "not readable as GLB"),
        (glb(node={"children": [0]}), None),
    ],
)
def test_a_broken_file_is_one_line(content: bytes, message: str | None, tmp_path: Path) -> None:
    (tmp_path / "m.glb").write_bytes(content)
    if message is None:  # a node below itself is shown once
        assert len(read_mesh(tmp_path / "m.glb").faces) == 24
        return
    with pytest.raises(MeshError, match=message):
        read_mesh(tmp_path / "m.glb")
