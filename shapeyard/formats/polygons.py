"""The text formats of polygon meshes, read as what they are: vertices and polygons.

    OBJ     Wavefront, https://www.martinreddy.net/gfx/3d/OBJ.spec
    OFF     Geomview, http://www.geomview.org/docs/html/OFF.html

Own readers, since a general one splits vertices by texture and files by material, takes OBJ's relative indices from
the end of the file, and reads a file that was cut off as a smaller mesh.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from shapeyard.errors import MeshError

FLAT = 1e-6
"""Share of a face's area by which its fan may leave it: what the rounding of coordinates does, and no eye sees."""
MAX_CLIPPED_CORNERS = 10_000
"""Ears take 0.1 s for as many corners, and a hundred times that for ten times as many; larger faces stay fans."""


class Polygons(NamedTuple):
    """A mesh whose faces may have any number of corners."""

    vertices: NDArray[np.float64]
    """(N,3)"""
    corners: NDArray[np.int64]
    """(K,) vertex indices, face after face"""
    sizes: NDArray[np.int64]
    """(M,) corners of each face"""


BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def plain_text(content: bytes) -> bytes:
    """A text without its byte order mark, each line ended by a line feed: old programs end them by CR alone."""
    content = content.removeprefix(BYTE_ORDER_MARK)
    return content.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in content else content


def parse_obj(content: bytes) -> Polygons:
    """An OBJ file's `v` and `f` lines; normals, textures, lines and materials are passed over.

    Raises:
        ValueError: for numbers that are none.
        MeshError: for a vertex without three coordinates.
    """
    content = plain_text(content).replace(b"\\\n", b" ")
    vertices = _Rows("d")
    for match in _OBJ_VERTEX.finditer(content):
        vertices.add(map(float, _first_three(match[1].split())))
    faces = _Rows("q")
    for match in _OBJ_FACE.finditer(content):
        faces.add(int(word.partition(b"/")[0]) for word in match[1].split())
    corners, sizes = faces.arrays()
    if (corners < 0).any():
        starts = [match.start() for match in _OBJ_VERTEX.finditer(content)]
        known = np.searchsorted(starts, [match.start() for match in _OBJ_FACE.finditer(content)])
        corners = np.where(corners < 0, corners + np.repeat(known, sizes), corners - 1)
    else:
        corners = corners - 1
    return Polygons(vertices.arrays()[0].reshape(-1, 3), corners, sizes)


def moved_obj(content: bytes, shift: NDArray[np.float64]) -> bytes:
    """An OBJ file with each of its vertices moved by (3,) in double precision, and all else in it as it was."""

    def move(match: re.Match[bytes]) -> bytes:
        words = match[1].split()
        moved = (repr(float(word) + by).encode() for word, by in zip(words, shift.tolist(), strict=False))
        return b"v " + b" ".join([*moved, *words[3:]])

    return _OBJ_VERTEX.sub(move, plain_text(content))


def parse_off(content: bytes) -> Polygons:
    """An OFF file, also with ModelNet's counts glued to the header (`OFF123 456 0`), normals or colours.

    Raises:
        ValueError: for numbers that are none.
        MeshError: for another header, or fewer lines than the counts claim.
    """
    text = re.sub(rb"#[^\n]*", b"", plain_text(content)).lstrip()
    header = re.match(rb"(ST)?C?N?OFF(?![A-Za-z])", text)
    if header is None:
        raise MeshError(f"expected a file that starts with OFF, got {text[:16]!r}")
    lines = [line for line in text[header.end() :].splitlines() if line.strip()]
    counts = [int(word) for word in lines[0].split()[:2]] if lines else []
    if len(counts) < 2 or min(counts) < 0 or sum(counts) > len(lines) - 1:
        raise MeshError(f"expected lines for {counts} vertices and faces, got {max(len(lines) - 1, 0)} lines")
    vertex_count, face_count = counts
    vertices, faces = _Rows("d"), _Rows("q")
    for line in lines[1 : 1 + vertex_count]:
        vertices.add(map(float, _first_three(line.split())))
    for line in lines[1 + vertex_count : 1 + vertex_count + face_count]:
        words = line.split()
        size = int(words[0])
        if not 0 <= size < len(words):
            raise MeshError("a face line has fewer indices than it claims")
        faces.add(map(int, words[1 : size + 1]))
    return Polygons(vertices.arrays()[0].reshape(-1, 3), *faces.arrays())


def triangulate(polygons: Polygons) -> NDArray[np.int64]:
    """Faces as triangles (M,3) int64, n − 2 for a face of n corners; faces of one or two corners are left out.

    A face is the fan around its first corner. Where that leaves the face, because it is concave, a quadrilateral is cut
    along its other diagonal, and a larger polygon is cut by its ears (G. H. Meisters, "Polygons have ears", 1975), seen
    along its normal after Newell.

    Raises:
        MeshError: if an index points outside the vertices.
    """
    vertices, corners, sizes = polygons
    if corners.size and (corners.min() < 0 or corners.max() >= len(vertices)):
        raise MeshError(f"a face points outside the {len(vertices)} vertices")
    if (sizes == 3).all():
        return corners.reshape(-1, 3)
    fans = np.maximum(sizes - 2, 0)
    starts = np.cumsum(sizes) - sizes
    first = np.repeat(starts, fans)
    step = np.arange(len(first)) - np.repeat(np.cumsum(fans) - fans, fans)
    triangles = np.stack([first, first + step + 1, first + step + 2], axis=1)
    if (sizes > 3).any():
        with np.errstate(all="ignore"):  # what isn't finite is refused later
            _cut_concave(vertices[corners], starts, sizes, triangles)
    return np.asarray(corners[triangles])


def _cut_concave(
    points: NDArray[np.float64], starts: NDArray[np.int64], sizes: NDArray[np.int64], triangles: NDArray[np.int64]
) -> None:
    """Replace the fans (M,3) of concave faces; `points` (K,3) are the corners, face after face."""
    rows = np.cumsum(np.maximum(sizes - 2, 0)) - np.maximum(sizes - 2, 0)
    faces = np.flatnonzero(sizes > 3)
    of_faces = np.repeat(sizes > 3, np.maximum(sizes - 2, 0))
    areas = _area_vectors(points, triangles[of_faces])
    bounds = np.cumsum(sizes[faces] - 2) - (sizes[faces] - 2)
    normals = np.add.reduceat(areas, bounds)
    least = -FLAT * np.einsum("ij,ij->i", normals, normals)
    along = np.einsum("ij,ij->i", areas, np.repeat(normals, sizes[faces] - 2, axis=0))
    concave = np.minimum.reduceat(along, bounds) < least
    faces, normals, least = faces[concave], normals[concave], least[concave]

    quads = sizes[faces] == 4
    for corners in ([1, 2, 3], [1, 3, 0]):
        areas = _area_vectors(points, starts[faces[:, None]] + corners)
        quads &= (areas * normals).sum(axis=1) >= least
    chosen = faces[quads]
    triangles[rows[chosen]] = starts[chosen, None] + [1, 2, 3]
    triangles[rows[chosen] + 1] = starts[chosen, None] + [1, 3, 0]

    larger = (sizes[faces] > 4) & (sizes[faces] <= MAX_CLIPPED_CORNERS)
    across, up = _plane(normals[larger])
    for face, x, y in zip(faces[larger], across, up, strict=True):
        start, size = starts[face], sizes[face]
        polygon = points[start : start + size] - points[start]
        fan = triangles[rows[face] : rows[face] + size - 2]
        fan[:] = start + _clip_ears(np.stack([polygon @ x, polygon @ y], axis=1), fan - start)


def _clip_ears(polygon: NDArray[np.float64], fan: NDArray[np.int64]) -> NDArray[np.int64]:
    """The triangles (N-2,3) of a polygon (N,2); the fan, where the polygon crosses itself and that covers no more."""
    from manifold3d import triangulate as clip  # here: not every stage that reads a mesh is installed with it

    ears = clip([polygon])
    if ears.shape == fan.shape and _covered(polygon, ears) < _covered(polygon, fan):
        return np.asarray(ears, np.int64)
    return fan


def _covered(polygon: NDArray[np.float64], triangles: NDArray[np.int64]) -> float:
    """Twice the triangles' area; least where they overlap nowhere."""
    a, b, c = polygon[triangles].transpose(1, 2, 0)
    return float(np.abs((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])).sum())


def _area_vectors(points: NDArray[np.float64], triangles: NDArray[np.int64]) -> NDArray[np.float64]:
    """(M,3): across each triangle, as long as twice its area; of a whole polygon they add up to Newell's normal."""
    a = points[triangles[:, 0]]
    return np.asarray(np.cross(points[triangles[:, 1]] - a, points[triangles[:, 2]] - a))


def _plane(normals: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Two unit vectors (M,3) across each normal, the second to the left of the first, as seen from its tip."""
    least = np.eye(3)[np.abs(normals).argmin(axis=1)]
    across = np.cross(least, normals)
    across /= np.linalg.norm(across, axis=1)[:, None]
    up = np.cross(normals, across)
    return across, up / np.linalg.norm(up, axis=1)[:, None]


_OBJ_VERTEX = re.compile(rb"^[ \t]*v[ \t]+([^\r\n#]*)", re.MULTILINE)
_OBJ_FACE = re.compile(rb"^[ \t]*fo?[ \t]+([^\r\n#]*)", re.MULTILINE)


class _Rows:
    """Rows of numbers as they are read: eight bytes a number, where lists of words would take a hundred."""

    def __init__(self, kind: Literal["d", "q"]) -> None:
        self.values: array[Any] = array(kind)
        self.ends = array("q", [0])

    def add(self, row: Iterable[float]) -> None:
        self.values.extend(row)
        self.ends.append(len(self.values))

    def arrays(self) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """All values, and how many each row has."""
        return np.array(self.values), np.diff(np.array(self.ends))


def _first_three(words: list[bytes]) -> list[bytes]:
    if len(words) < 3:
        raise MeshError("a vertex line has fewer than three coordinates")
    return words[:3]
