"""The scene of a glTF 2.0 file, as the specification says that a viewer shows it before any animation starts.

Khronos Group, "glTF 2.0 Specification", https://registry.khronos.org/glTF/specs/2.0/glTF-2.0.html; the extensions
KHR_mesh_quantization and EXT_mesh_gpu_instancing. Read are triangles, strips and fans; accessors with strides, sparse
ones, and normalized whole numbers; morph targets at their default weights; skins in the pose of their joints; the
default scene, or the first. Points and lines have no surface and are left out. What is compressed in another way is
refused by the extension's name.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import unquote, unquote_to_bytes

import numpy as np
from numpy.typing import NDArray

from shapeyard.errors import MeshError, TooLargeError

COMPONENTS = {5120: "<i1", 5121: "<u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}
TRIANGLES, STRIP, FAN = 4, 5, 6
SUPPORTED = frozenset(
    ("KHR_mesh_quantization", "EXT_mesh_gpu_instancing", "KHR_texture_transform", "KHR_lights_punctual",
     "KHR_materials_unlit", "KHR_materials_pbrSpecularGlossiness", "EXT_texture_webp")
)  # fmt: skip
"""Extensions that a file may require, besides those that say how light falls on a surface."""
COMPRESSED = ("KHR_draco_mesh_compression", "EXT_meshopt_compression", "KHR_meshopt_compression")
MAX_NAME = 100


class Primitive(NamedTuple):
    """A part of a scene with one material, where the scene puts it."""

    positions: NDArray[np.float64]
    """(N,3)"""
    triangles: NDArray[np.int64]
    """(M,3)"""
    attributes: dict[str, NDArray[np.float32]]
    """TEXCOORD_0, … (N,2) and COLOR_0 (N,3 or 4)"""
    material: int | None
    """which of the file's"""


class GltfScene:
    """A file's content, read as it is asked for."""

    def __init__(self, header: Any, binary: bytes, files: Mapping[str, bytes], max_triangles: int) -> None:
        """Open a scene.

        Args:
            header: the file's JSON.
            binary: a GLB file's second chunk; empty if it has none.
            files: the content of buffers in other files, by their URIs.
            max_triangles: of all parts together.

        Raises:
            MeshError: for an extension that is required and not supported.
        """
        self.header, self._binary, self._files, self._max = header, binary, files, max_triangles
        for name in header.get("extensionsRequired", ()):
            if name not in SUPPORTED and not str(name).startswith("KHR_materials_"):
                raise MeshError(f"the glTF extension {str(name)[:MAX_NAME]} is required and not supported")

    def primitives(self) -> Iterator[Primitive]:
        """The parts of the scene.

        Raises:
            MeshError: for more triangles than allowed, indices out of range, or compressed content; anything else
                that Python raises, where the file is not what the specification asks for.
        """
        placed, left = self._global_transforms(), self._max
        for number in self._shown_nodes():
            node = self._item("nodes", number)
            if "mesh" not in node:
                continue
            mesh = self._item("meshes", node["mesh"])
            weights = node.get("weights", mesh.get("weights", ()))
            instances = self._instances(node)
            for part in mesh["primitives"]:
                triangles = self._triangles(part)
                left -= len(triangles) * len(instances)
                if left < 0:
                    raise TooLargeError(f"expected at most {self._max} triangles, got more")
                if not len(triangles):
                    continue
                positions = self._morphed(part, weights)
                if triangles.min() < 0 or triangles.max() >= len(positions):
                    raise MeshError(f"a face points outside the {len(positions)} vertices")
                attributes = self._appearance(part, len(positions))
                for instance in instances:
                    if "skin" in node:
                        at = self._skinned(part, positions, self._item("skins", node["skin"]), placed)
                    else:
                        at = _transformed(placed[number] @ instance, positions)
                    yield Primitive(at, triangles, attributes, part.get("material"))

    def view(self, number: int) -> bytes:
        """The bytes of a buffer view."""
        view = self._item("bufferViews", number)
        _refuse_compressed(view)
        buffer = self._item("buffers", view["buffer"])
        content = self._buffer(buffer)
        start, length = int(view.get("byteOffset", 0)), int(view["byteLength"])
        if start < 0 or length < 0 or start + length > len(content):
            raise MeshError(f"expected {start + length} bytes in a glTF buffer, got {len(content)}")
        return content[start : start + length]

    def accessor(self, number: int) -> NDArray[Any]:
        """(N,W) numbers: normalized ones as float64 from −1 or 0 to 1, others as they are stored."""
        accessor = self._item("accessors", number)
        count, width = int(accessor["count"]), WIDTHS[accessor["type"]]
        dtype = np.dtype(COMPONENTS[accessor["componentType"]])
        values: NDArray[Any]
        if "bufferView" in accessor:
            stride = self._item("bufferViews", accessor["bufferView"]).get("byteStride") or width * dtype.itemsize
            content, start = self.view(accessor["bufferView"]), int(accessor.get("byteOffset", 0))
            values = np.ndarray((count, width), dtype, content, start, (stride, dtype.itemsize))
        else:
            values = np.zeros((count, width), dtype)
        if "sparse" in accessor:
            sparse = accessor["sparse"]
            places = self._sparse_part(sparse["indices"], int(sparse["count"]), 1)[:, 0].astype(np.int64)
            if places.size and places.max() >= count:
                raise MeshError(f"a sparse glTF accessor points outside its {count} elements")
            values = values.copy()
            values[places] = self._sparse_part(
                {"componentType": accessor["componentType"], **sparse["values"]}, int(sparse["count"]), width
            )
        if accessor.get("normalized") and dtype.kind in "iu":
            return np.maximum(values / np.iinfo(dtype).max, -1.0)
        return values

    def _sparse_part(self, part: Any, count: int, width: int) -> NDArray[Any]:
        dtype = np.dtype(COMPONENTS[part["componentType"]])
        return np.ndarray((count, width), dtype, self.view(part["bufferView"]), int(part.get("byteOffset", 0)))

    def _buffer(self, buffer: Any) -> bytes:
        uri = buffer.get("uri")
        if uri is None:
            return self._binary
        if uri.startswith("data:"):
            kind, _, content = uri.partition(",")
            return base64.b64decode(unquote(content)) if kind.endswith(";base64") else unquote_to_bytes(content)
        return self._files[uri]

    def _item(self, kind: str, number: Any) -> Any:
        items = self.header.get(kind, ())
        if not isinstance(number, int) or not 0 <= number < len(items):
            raise MeshError(f"glTF names {kind} {str(number)[:MAX_NAME]}, there are {len(items)}")
        return items[number]

    def _shown_nodes(self) -> list[int]:
        scenes = self.header.get("scenes", ())
        if scenes:
            waiting = list(self._item("scenes", self.header.get("scene", 0)).get("nodes", ()))
        else:  # a library of nodes: all that are nobody's children
            children = {child for node in self.header.get("nodes", ()) for child in node.get("children", ())}
            waiting = [number for number in range(len(self.header.get("nodes", ()))) if number not in children]
        shown: dict[int, None] = {}
        while waiting:
            number = waiting.pop(0)
            if number not in shown:  # each has one parent, in a file that keeps to the specification
                waiting += self._item("nodes", number).get("children", ())
                shown[number] = None
        return list(shown)

    def _global_transforms(self) -> list[NDArray[np.float64]]:
        """(4,4) of each node; a node in a circle of parents stays where it is in its own."""
        nodes = self.header.get("nodes", ())
        parent = {child: number for number, node in enumerate(nodes) for child in node.get("children", ())}
        placed: dict[int, NDArray[np.float64]] = {}
        for number in range(len(nodes)):
            chain = {number: None}
            above = parent.get(number)
            while above is not None and above not in placed and above not in chain:
                chain[above] = None
                above = parent.get(above)
            for one in reversed(chain):
                base = placed.get(parent.get(one, -1), np.eye(4))
                placed[one] = base @ _local(nodes[one])
        return [placed[number] for number in range(len(nodes))]

    def _instances(self, node: Any) -> NDArray[np.float64]:
        """(I,4,4): one, or as many as EXT_mesh_gpu_instancing says."""
        given = node.get("extensions", {}).get("EXT_mesh_gpu_instancing", {}).get("attributes", {})
        columns = {name: self.accessor(number) for name, number in given.items() if not name.startswith("_")}
        if not columns:
            return np.eye(4)[None]
        count = min(len(column) for column in columns.values())
        if count > self._max:
            raise TooLargeError(f"expected at most {self._max} triangles, got {count} instances")
        names = {"TRANSLATION": "translation", "ROTATION": "rotation", "SCALE": "scale"}
        return np.stack([_local({names[name]: columns[name][i] for name in names if name in columns})
                         for i in range(count)])  # fmt: skip

    def _triangles(self, part: Any) -> NDArray[np.int64]:
        mode = part.get("mode", TRIANGLES)
        if mode not in (TRIANGLES, STRIP, FAN) or "POSITION" not in part["attributes"]:
            return np.zeros((0, 3), np.int64)
        if "KHR_draco_mesh_compression" in part.get("extensions", {}):
            position = self._item("accessors", part["attributes"]["POSITION"])
            if "bufferView" not in position:
                _refuse_compressed(part)
        if "indices" in part:
            corners = self.accessor(part["indices"])[:, 0].astype(np.int64)
        else:
            corners = np.arange(int(self._item("accessors", part["attributes"]["POSITION"])["count"]))
        if mode == TRIANGLES:
            return corners[: len(corners) // 3 * 3].reshape(-1, 3)
        first = np.arange(max(len(corners) - 2, 0))
        if mode == STRIP:
            odd = first % 2
            return np.asarray(corners[np.stack([first, first + 1 + odd, first + 2 - odd], axis=1)])
        return np.asarray(corners[np.stack([first + 1, first + 2, np.zeros_like(first)], axis=1)])

    def _morphed(self, part: Any, weights: Any) -> NDArray[np.float64]:
        positions = self.accessor(part["attributes"]["POSITION"]).astype(np.float64)
        for target, weight in zip(part.get("targets", ()), weights, strict=False):
            if weight and "POSITION" in target:
                positions = positions + float(weight) * self.accessor(target["POSITION"])
        return positions

    def _skinned(
        self, part: Any, positions: NDArray[np.float64], skin: Any, placed: list[NDArray[np.float64]]
    ) -> NDArray[np.float64]:
        """Each vertex by the weighted mean of its joints' transforms; the node's own does not count."""
        joints = [placed[number] for number in skin["joints"]]
        if "inverseBindMatrices" in skin:
            bound = self.accessor(skin["inverseBindMatrices"]).astype(np.float64).reshape(-1, 4, 4).transpose(0, 2, 1)
            joints = [joint @ inverse for joint, inverse in zip(joints, bound, strict=False)]
        total, moved, number = np.zeros((len(positions), 1)), np.zeros_like(positions), 0
        while f"JOINTS_{number}" in part["attributes"]:
            chosen = self.accessor(part["attributes"][f"JOINTS_{number}"])
            weights = self.accessor(part["attributes"][f"WEIGHTS_{number}"])
            for column in range(chosen.shape[1]):
                for joint in np.unique(chosen[:, column]).tolist():
                    rows = chosen[:, column] == joint
                    share = weights[rows, column, None].astype(np.float64)
                    if share.any():
                        moved[rows] += share * _transformed(joints[int(joint)], positions[rows])
                        total[rows] += share
            number += 1
        return np.where(total > 0, moved / np.where(total > 0, total, 1), positions)

    def _appearance(self, part: Any, count: int) -> dict[str, NDArray[np.float32]]:
        found = {}
        for name, number in part["attributes"].items():
            if name.startswith("TEXCOORD_") or name == "COLOR_0":
                values = self.accessor(number).astype(np.float32)
                if len(values) == count:
                    found[name] = values
        return found


def glb_binary(content: bytes) -> bytes:
    """A GLB file's second chunk; empty if it has none."""
    if content[:4] != b"glTF":
        return b""
    start = 20 + int.from_bytes(content[12:16], "little")
    length, kind = int.from_bytes(content[start : start + 4], "little"), content[start + 4 : start + 8]
    return content[start + 8 : start + 8 + length] if kind == b"BIN\0" else b""


def _refuse_compressed(item: Any) -> None:
    for name in COMPRESSED:
        if name in item.get("extensions", {}):
            raise MeshError(f"the glTF extension {name} is not supported")


def _local(node: Mapping[str, Any]) -> NDArray[np.float64]:
    """(4,4): a node's own matrix, or translation, rotation (x, y, z, w) and scale."""
    if "matrix" in node:
        return np.array(node["matrix"], np.float64).reshape(4, 4).T
    matrix = np.eye(4)
    x, y, z, w = np.asarray(node.get("rotation", (0, 0, 0, 1)), np.float64)
    norm = x * x + y * y + z * z + w * w
    if norm > 0:
        s = 2 / norm
        matrix[:3, :3] = [
            [1 - s * (y * y + z * z), s * (x * y - z * w), s * (x * z + y * w)],
            [s * (x * y + z * w), 1 - s * (x * x + z * z), s * (y * z - x * w)],
            [s * (x * z - y * w), s * (y * z + x * w), 1 - s * (x * x + y * y)],
        ]
    matrix[:3, :3] *= np.asarray(node.get("scale", (1, 1, 1)), np.float64)
    matrix[:3, 3] = node.get("translation", (0, 0, 0))
    return matrix


def _transformed(matrix: NDArray[np.float64], positions: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(positions @ matrix[:3, :3].T + matrix[:3, 3])
