"""One shape, a plate with a tower in its corner, in the forms that glTF 2.0 has for it."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

QUADS = np.array([[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]])
"""Of a box whose corners are counted in binary, x first; seen from outside counterclockwise."""
CUBE = np.indices((2, 2, 2)).reshape(3, 8).T.astype(np.float64)
BOXES = np.array([[[0, 0, 0], [2, 1, 3]], [[0, 1, 0], [0.5, 2.5, 0.5]]])
POINTS = np.concatenate([low + CUBE * (high - low) for low, high in BOXES])
ALL_QUADS = np.concatenate([QUADS, QUADS + 8])
FACES = ALL_QUADS[:, [[0, 1, 2], [0, 2, 3]]].reshape(-1, 3)
CODES = {"i1": 5120, "u1": 5121, "i2": 5122, "u2": 5123, "u4": 5125, "f4": 5126}
KINDS = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4", 16: "MAT4"}
TURN = [-(0.5**0.5), 0, 0, 0.5**0.5]
"""A quarter about x: y becomes −z, z becomes y."""


class Glb:
    """A file that is being made."""

    def __init__(self, **header: Any) -> None:
        self.header: dict[str, Any] = {"asset": {"version": "2.0"}, "bufferViews": [], "accessors": [], **header}
        self.body = b""

    def view(self, content: bytes, **more: Any) -> int:
        self.header["bufferViews"].append(
            {"buffer": 0, "byteOffset": len(self.body), "byteLength": len(content), **more}
        )
        self.body += content + bytes(-len(content) % 4)
        return len(self.header["bufferViews"]) - 1

    def add(self, values: Any, kind: str = "f4", stride: int = 0, **more: Any) -> int:
        array = np.atleast_2d(np.asarray(values, f"<{kind}").T).T
        rows = [row.tobytes() for row in array]
        content = b"".join(row + bytes(max(stride - len(row), 0)) for row in rows)
        view = self.view(content, **({"byteStride": stride} if stride else {}))
        kinds = {"componentType": CODES[kind], "type": KINDS[array.shape[1]]}
        self.header["accessors"].append({"bufferView": view, "count": len(array), **kinds, **more})
        if array.shape[1] == 3:
            self.header["accessors"][-1] |= {"min": array.min(axis=0).tolist(), "max": array.max(axis=0).tolist()}
        return len(self.header["accessors"]) - 1

    def written(self) -> bytes:
        self.header["buffers"] = [{"byteLength": len(self.body)}]
        text = json.dumps(self.header).encode()
        text += b" " * (-len(text) % 4)
        chunks = b"".join(
            len(chunk).to_bytes(4, "little") + kind + chunk for kind, chunk in ((b"JSON", text), (b"BIN\0", self.body))
        )
        return b"glTF" + (2).to_bytes(4, "little") + (12 + len(chunks)).to_bytes(4, "little") + chunks


def glb(points: NDArray[np.float64] = POINTS, *, node: Any = None, part: Any = None, **how: Any) -> bytes:
    """One mesh in one node; `how` goes to the positions' accessor."""
    file = Glb()
    primitive = {"attributes": {"POSITION": file.add(points, **how)}, "indices": file.add(FACES.ravel(), "u2")}
    file.header |= {"meshes": [{"primitives": [primitive | (part or {})]}], "nodes": [{"mesh": 0, **(node or {})}],
                    "scenes": [{"nodes": [0]}], "scene": 0}  # fmt: skip
    return file.written()


def by_mode(mode: int) -> bytes:
    """A primitive a side: a strip (5) or a fan (6)."""
    file = Glb()
    points = file.add(POINTS)
    order = [0, 1, 3, 2] if mode == 5 else [0, 1, 2, 3]
    parts = [
        {"attributes": {"POSITION": points}, "indices": file.add(quad[order], "u1"), "mode": mode} for quad in ALL_QUADS
    ]
    parts.append({"attributes": {"POSITION": file.add(POINTS * 9)}, "mode": 0})  # points: they have no surface
    file.header |= {"meshes": [{"primitives": parts}], "nodes": [{"mesh": 0}]}
    return file.written()


def sparse() -> bytes:
    file = Glb()
    values, places = file.view(POINTS.astype("<f4").tobytes()), file.view(np.arange(16, dtype="<u2").tobytes())
    file.header["accessors"].append(
        {"componentType": 5126, "count": 16, "type": "VEC3", "min": [0, 0, 0], "max": [2, 2.5, 3],
         "sparse": {"count": 16, "indices": {"bufferView": places, "componentType": 5123},
                    "values": {"bufferView": values}}}
    )  # fmt: skip
    part = {"attributes": {"POSITION": 0}, "indices": file.add(FACES.ravel(), "u2")}
    file.header |= {"meshes": [{"primitives": [part]}], "nodes": [{"mesh": 0}], "scenes": [{"nodes": [0]}]}
    return file.written()


def morphed() -> bytes:
    file = Glb()
    flat = POINTS * (1, 0.5, 1)
    part = {"attributes": {"POSITION": file.add(flat)}, "indices": file.add(FACES.ravel(), "u2"),
            "targets": [{"POSITION": file.add(POINTS - flat)}, {"POSITION": file.add(POINTS * 7)}]}  # fmt: skip
    file.header |= {"meshes": [{"primitives": [part], "weights": [0.0, 1.0]}],
                    "nodes": [{"mesh": 0, "weights": [1.0, 0.0]}], "scenes": [{"nodes": [0]}]}  # fmt: skip
    return file.written()


def skinned() -> bytes:
    """In hundredths, lying on its back, under an armature that turns it up; the mesh's own node does not count."""
    file = Glb()
    lying = 100 * POINTS[:, [0, 2, 1]] * (1, -1, 1)
    joints, weights = np.zeros((16, 4)), np.zeros((16, 4))
    joints[:, 1], weights[:, 0], weights[:, 1] = 1, 0.25, 0.75
    part = {"attributes": {"POSITION": file.add(lying), "JOINTS_0": file.add(joints, "u1"),
                           "WEIGHTS_0": file.add(weights)}, "indices": file.add(FACES.ravel(), "u2")}  # fmt: skip
    moved = np.eye(4)
    moved[3, 0] = -50  # by columns: undoes what joint 1 moves
    bound = file.add(np.stack([np.eye(4).ravel(), moved.ravel()]))
    file.header |= {
        "meshes": [{"primitives": [part]}], "skins": [{"joints": [2, 3], "inverseBindMatrices": bound}],
        "nodes": [{"mesh": 0, "skin": 0, "scale": [7, 7, 7]},
                  {"children": [2, 3], "scale": [0.01] * 3, "rotation": TURN},
                  {}, {"translation": [50, 0, 0]}],
        "scenes": [{"nodes": [0, 1]}],
    }  # fmt: skip
    return file.written()


def instanced() -> bytes:
    file = Glb(extensionsUsed=["EXT_mesh_gpu_instancing"], extensionsRequired=["EXT_mesh_gpu_instancing"])
    faces = QUADS[:, [[0, 1, 2], [0, 2, 3]]].ravel()
    part = {"attributes": {"POSITION": file.add(CUBE)}, "indices": file.add(faces, "u2")}
    where = {"TRANSLATION": file.add(BOXES[:, 0]), "SCALE": file.add(BOXES[:, 1] - BOXES[:, 0])}
    file.header |= {
        "meshes": [{"primitives": [part]}], "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "extensions": {"EXT_mesh_gpu_instancing": {"attributes": where}}}],
    }  # fmt: skip
    return file.written()


def nested() -> bytes:
    """The default scene's, below two nodes; the other scene's is elsewhere."""
    file = Glb()
    parts = [{"attributes": {"POSITION": file.add(points)}, "indices": file.add(FACES.ravel(), "u2")}
             for points in (POINTS[:, [0, 2, 1]] * (2, 2, -2) - (1, 0, 0), POINTS * 50)]  # fmt: skip
    half = np.diag([0.5, 0.5, 0.5, 1.0])
    half[3, :3] = 0.5, 0, 0
    file.header |= {
        "meshes": [{"primitives": [part]} for part in parts], "scenes": [{"nodes": [2]}, {"nodes": [0]}], "scene": 1,
        "nodes": [{"children": [1], "rotation": [0.5**0.5, 0, 0, 0.5**0.5]},
                  {"mesh": 0, "matrix": half.ravel().tolist()},
                  {"mesh": 1}],
    }  # fmt: skip
    return file.written()


FORMS = {
    "plain": glb(),
    "strip": by_mode(5),
    "fan": by_mode(6),
    "normalized": glb(POINTS / 4 * 32767, kind="i2", stride=8, normalized=True, node={"scale": [4, 4, 4]}),
    "whole-numbers": glb(POINTS * 2, kind="u1", stride=4, node={"scale": [0.5, 0.5, 0.5]}),
    "interleaved": glb(stride=24),
    "sparse": sparse(),
    "morphed": morphed(),
    "skinned": skinned(),
    "instanced": instanced(),
    "nested": nested(),
}
