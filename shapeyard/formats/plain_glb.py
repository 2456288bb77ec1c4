"""A glTF scene as the plainest GLB file that looks the same: what any program shows alike."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shapeyard.formats.gltf import GltfScene

FLOAT, UNSIGNED = 5126, 5125
KINDS = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4"}
APPEARANCE = ("materials", "textures", "samplers", "images")


def plain_glb(scene: GltfScene, shift: NDArray[np.float64]) -> bytes:
    """Write all parts of a scene as one mesh of one node, without anything that moves or compresses it.

    Materials, textures and images stay as they are; an image in another file stays there, so the result belongs into
    the same folder.

    Args:
        scene: what to write.
        shift: (3,) that is added to the positions in double precision, before they are stored in single.
    """
    body = bytearray()
    header: dict[str, Any] = {
        "asset": {"version": "2.0"}, "scene": 0, "scenes": [{"nodes": [0]}], "nodes": [{"mesh": 0}],
        "bufferViews": [], "accessors": [],
    }  # fmt: skip

    def view(content: bytes) -> int:
        start = len(body)
        body.extend(content + bytes(-len(content) % 4))
        header["bufferViews"].append({"buffer": 0, "byteOffset": start, "byteLength": len(content)})
        return len(header["bufferViews"]) - 1

    def accessor(values: NDArray[Any], kind: int) -> int:
        found = {"bufferView": view(values.tobytes()), "componentType": kind, "count": len(values),
                 "type": KINDS[values.shape[1]]}  # fmt: skip
        if values.shape[1] == 3:
            found |= {"min": values.min(axis=0).tolist(), "max": values.max(axis=0).tolist()}
        header["accessors"].append(found)
        return len(header["accessors"]) - 1

    parts = []
    for primitive in scene.primitives():
        columns = {"POSITION": (primitive.positions + shift).astype(np.float32), **primitive.attributes}
        part: dict[str, Any] = {
            "attributes": {name: accessor(np.ascontiguousarray(column), FLOAT) for name, column in columns.items()},
            "indices": accessor(primitive.triangles.astype(np.uint32).reshape(-1, 1), UNSIGNED),
        }
        if primitive.material is not None:
            part["material"] = primitive.material
        parts.append(part)
    header["meshes"] = [{"primitives": parts}]
    for kind in APPEARANCE:
        if kind in scene.header:
            header[kind] = [dict(item) for item in scene.header[kind]]
    for image in header.get("images", ()):
        if "bufferView" in image:
            image["bufferView"] = view(scene.view(image["bufferView"]))
    names = [
        name
        for name in scene.header.get("extensionsUsed", ())
        if str(name).startswith(("KHR_mat", "KHR_tex", "EXT_tex"))
    ]
    header |= {"extensionsUsed": names} if names else {}
    header["buffers"] = [{"byteLength": len(body)}]
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 4)
    chunks = b"".join(
        len(chunk).to_bytes(4, "little") + kind + chunk for kind, chunk in ((b"JSON", text), (b"BIN\0", bytes(body)))
    )
    return b"glTF" + (2).to_bytes(4, "little") + (12 + len(chunks)).to_bytes(4, "little") + chunks
