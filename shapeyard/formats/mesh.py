"""Reading the geometry of mesh files: vertices and triangles, never materials or textures."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
from numpy.typing import NDArray

from shapeyard.boundary import reader
from shapeyard.errors import MeshError, TooLargeError, one_line
from shapeyard.formats.gltf import GltfScene, glb_binary
from shapeyard.formats.ply import claimed_by_ply, parse_ply
from shapeyard.formats.polygons import Polygons, parse_obj, parse_off, triangulate
from shapeyard.formats.stl import parse_stl, stl_triangle_count
from shapeyard.geometry.triangle_mesh import Mesh
from shapeyard.local_paths import is_regular_file_below

MESH_SUFFIXES = (".obj", ".stl", ".off", ".ply", ".glb", ".gltf")
MAX_TRIANGLES = 2_000_000
MAX_BYTES = 256 * 1024**2
"""A text file takes some ten times its size while it is read."""
MAX_PARTS = 20_000
"""Nodes and primitives of a glTF scene: ten thousand of them take a second."""
ACCESSORS_PER_TRIANGLE = 16
"""More glTF accessor elements than this for each triangle that is allowed are no honest mesh."""
MESSAGE_LENGTH = 200
"""A parser's message may quote all of a broken line."""
FOREIGN_CONTENT = {
    b"\x89PNG": "a PNG image", b"\xff\xd8\xff": "a JPEG image", b"GIF8": "a GIF image", b"%PDF": "a PDF document",
    b"PK\x03\x04": "a ZIP archive", b"\x1f\x8b": "a gzip archive", b"<": "an HTML or XML page",
    b"\xff\xfe": "a text in UTF-16", b"\xfe\xff": "a text in UTF-16",
}  # fmt: skip


@reader(MeshError)
def read_mesh(path: str | Path, max_triangles: int = MAX_TRIANGLES, max_bytes: int = MAX_BYTES) -> Mesh:
    """Read an OBJ, STL, OFF, PLY, GLB or glTF file; polygons become triangles (`polygons.triangulate`).

    Scenes come as one mesh, each part where the scene puts it. Nothing is welded: STL has three vertices a triangle.

    Args:
        path: the file; its ending says which format is expected.
        max_triangles: more than this are refused, as far as the format allows before they are read.
        max_bytes: larger files are refused unread.

    Raises:
        MeshError: in one line, for a file that is missing, too large, empty, cut off, of another format than its
            ending says, without triangles, with coordinates that are not finite, with indices out of range, or without
            an extent.
    """
    path = Path(path)
    _require_suffix(path)
    return parse_mesh(_read_bytes(path, max_bytes), path, max_triangles, max_bytes)


@reader(MeshError)
def parse_mesh(
    content: bytes, path: str | Path, max_triangles: int = MAX_TRIANGLES, max_bytes: int = MAX_BYTES
) -> Mesh:
    """The mesh of a file's content; `path` says its format, stands in messages, and is where glTF finds its buffers.

    Raises:
        MeshError: as `read_mesh`.
    """
    path = Path(path)
    suffix = _require_suffix(path)
    if not content.strip():
        raise MeshError(f"{path}: the file is empty")
    try:
        _refuse_foreign(content)
        if suffix in _PARSERS:
            triangles, vertices = _CLAIMS[suffix](content)
            _refuse_too_many(triangles, max_triangles)
            if vertices > 3 * max_triangles:
                raise MeshError(f"expected at most {3 * max_triangles} vertices, got {vertices}")
            polygons = _PARSERS[suffix](content)
            _refuse_too_many(int(np.maximum(polygons.sizes - 2, 0).sum()), max_triangles)
            return _checked(polygons.vertices, triangulate(polygons))
        return _checked(*_parse_gltf(content, path, max_triangles, max_bytes))
    except MeshError as error:
        raise type(error)(f"{path}: {error}") from error
    except (ValueError, OverflowError) as error:
        raise MeshError(f"{path}: not readable as {suffix[1:].upper()}: {one_line(error)[:MESSAGE_LENGTH]}") from error


def _read_bytes(path: Path, max_bytes: int) -> bytes:
    try:
        size = path.stat().st_size
        if size > max_bytes:
            raise TooLargeError(f"{path}: expected at most {max_bytes} bytes, got {size}")
        content = path.read_bytes()
    except OSError as error:
        raise MeshError(f"{path}: not readable: {error.strerror}") from error
    return content


def _require_suffix(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix not in MESH_SUFFIXES:
        raise MeshError(f"{path}: expected one of {', '.join(MESH_SUFFIXES)}, got {suffix or 'no ending'}")
    return suffix


def _refuse_foreign(content: bytes) -> None:
    start = content[:64].lstrip(b"\xef\xbb\xbf \t\r\n")
    for signature, name in FOREIGN_CONTENT.items():
        if start.startswith(signature):
            raise MeshError(f"not a mesh but {name}")


def _refuse_too_many(triangles: int, max_triangles: int) -> None:
    if triangles > max_triangles:
        raise TooLargeError(f"expected at most {max_triangles} triangles, got {triangles}")


def _claimed_by_stl(content: bytes) -> tuple[int, int]:
    binary = stl_triangle_count(content)
    triangles = content.count(b"endfacet") if binary is None else binary
    return triangles, content.count(b"vertex") if binary is None else 3 * triangles


def _claimed_by_obj(content: bytes) -> tuple[int, int]:
    if b"\0" in content[:4096]:
        raise MeshError("expected the text of an OBJ file, got binary data")
    return content.count(b"\nf "), content.count(b"\nv ")


def _claimed_by_off(content: bytes) -> tuple[int, int]:
    counts = re.match(rb"(?:\s|#[^\n]*\n)*\w*OFF(?:\s|#[^\n]*\n)*(\d{1,18})\s+(\d{1,18})\s", content)
    return (int(counts[2]), int(counts[1])) if counts else (0, 0)


_CLAIMS: dict[str, Callable[[bytes], tuple[int, int]]] = {
    ".obj": _claimed_by_obj, ".off": _claimed_by_off, ".ply": claimed_by_ply, ".stl": _claimed_by_stl,
}  # fmt: skip
"""How many triangles and vertices there are at least, before any is read."""
_PARSERS: dict[str, Callable[[bytes], Polygons]] = {
    ".obj": parse_obj, ".off": parse_off, ".ply": parse_ply, ".stl": parse_stl,
}  # fmt: skip


def read_gltf(path: Path, max_triangles: int = MAX_TRIANGLES, max_bytes: int = MAX_BYTES) -> GltfScene:
    """Open a GLB or glTF file; raises `MeshError` as `read_mesh` does."""
    return _open_gltf(_read_bytes(path, max_bytes), path, max_triangles, max_bytes)


def _open_gltf(content: bytes, path: Path, max_triangles: int, max_bytes: int) -> GltfScene:
    header = _gltf_json(content, path.suffix.lower())
    buffers = _gltf_buffers(header, path.parent, max_triangles, max_bytes)
    return GltfScene(header, glb_binary(content), buffers, max_triangles)


def _parse_gltf(
    content: bytes, path: Path, max_triangles: int, max_bytes: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """GLB and glTF: vertices (N,3) and faces (M,3) of all the scene's parts, put where the scene puts them."""
    try:
        parts = list(_open_gltf(content, path, max_triangles, max_bytes).primitives())
    except MeshError:
        raise
    except Exception as error:  # what a broken header holds is of any type
        suffix = path.suffix[1:].upper()
        raise MeshError(f"not readable as {suffix}: {one_line(error)[:MESSAGE_LENGTH]}") from error
    if not parts:
        raise MeshError("no triangles")
    starts = np.cumsum([0, *(len(part.positions) for part in parts)])
    faces = [part.triangles + start for part, start in zip(parts, starts[:-1], strict=True)]
    return np.concatenate([part.positions for part in parts]), np.concatenate(faces)


def _gltf_json(content: bytes, suffix: str) -> Any:
    if suffix == ".glb":
        if content[:4] != b"glTF" or content[16:20] != b"JSON":
            raise MeshError("expected a GLB file, which starts with glTF")
        content = content[20 : 20 + int.from_bytes(content[12:16], "little")]
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise MeshError(f"expected glTF's JSON: {one_line(error)}") from error


def _gltf_buffers(header: Any, folder: Path, max_triangles: int, max_bytes: int) -> dict[str, bytes]:
    """The content of each file that holds a buffer, by its URI; no file outside the mesh's folder is opened.

    A header that asks for more memory than a mesh of the allowed size could need is refused.
    """
    try:
        parts = len(header.get("nodes", ())) + sum(len(mesh["primitives"]) for mesh in header.get("meshes", ()))
        elements = sum(int(accessor["count"]) for accessor in header.get("accessors", []))
        uris = [str(buffer["uri"]) for buffer in header.get("buffers", []) if "uri" in buffer]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise MeshError(f"expected glTF's accessors and buffers: {one_line(error)}") from error
    if elements > ACCESSORS_PER_TRIANGLE * max_triangles:
        raise MeshError(f"expected at most {max_triangles} triangles, got {elements} glTF accessor elements")
    if parts > MAX_PARTS:
        raise MeshError(f"expected at most {MAX_PARTS} nodes and primitives, got {parts}")
    buffers: dict[str, bytes] = {}
    left = max_bytes
    for uri in uris:  # one that is named twice counts twice: it is read so often
        if "base64," in uri:
            continue
        file = folder / unquote(uri)
        if not is_regular_file_below(folder, file):
            raise MeshError(f"expected buffers in files of the mesh's folder, got {uri[:MESSAGE_LENGTH]!r}")
        left -= file.stat().st_size
        if left < 0:
            raise MeshError(f"expected at most {max_bytes} bytes in all buffers, got more")
        if uri not in buffers:
            buffers[uri] = file.read_bytes()
    return buffers


def _checked(vertices: NDArray[np.float64], faces: NDArray[np.int64]) -> Mesh:
    """Vertices without a triangle are dropped first, so that they move no bounding box."""
    if len(faces) == 0:
        raise MeshError("no triangles")
    used = np.zeros(len(vertices), bool)
    used[faces] = True
    if not used.all():
        faces = (np.cumsum(used) - 1)[faces]
        vertices = vertices[used]
    if not np.isfinite(vertices).all():
        raise MeshError("coordinates that are not finite")
    with np.errstate(over="ignore"):
        side = max(float(np.ptp(column)) for column in vertices.T)  # an axis at a time is twenty times as fast
    if not np.finfo(np.float32).tiny < side < np.finfo(np.float32).max:
        raise MeshError(f"expected a mesh with an extent, got a bounding box of side {side:g}")
    return Mesh(np.ascontiguousarray(vertices), np.ascontiguousarray(faces))
