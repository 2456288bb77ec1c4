"""A Wavefront OBJ file turned and scaled as a scene places it, with all else in it as it was."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from shapeyard.errors import MeshError


def place_obj(content: bytes, rotation: NDArray[np.float64], size: Sequence[float]) -> bytes:
    """Turn a mesh, scale it along each axis so that its box has a size, and put it on y = 0 with x and z centred.

    Vertices that no face or line uses are turned with the others and do not count for the box; along an axis in which
    the mesh is flat nothing is scaled. Normals are turned to stay perpendicular, of length 1.

    Args:
        content: of the file.
        rotation: (3,3), of columns.
        size: of the box along x, y, z after the rotation, in the unit that the result shall have; above 0.

    Raises:
        MeshError: for a vertex or normal that is not three finite numbers, or a mesh without a face or line.
    """
    lines = content.split(b"\n")
    vertex_lines, vertices = _vectors(lines, b"v ")
    normal_lines, normals = _vectors(lines, b"vn ")
    turned = vertices @ rotation.T
    used = turned[_used(lines, len(turned))]
    lower, upper = used.min(axis=0), used.max(axis=0)
    extent = upper - lower
    scale = np.divide(size, extent, out=np.ones(3), where=extent > 1e-9 * extent.max())
    origin = np.array([(lower[0] + upper[0]) / 2, lower[1], (lower[2] + upper[2]) / 2])
    _replace(lines, b"v", vertex_lines, (turned - origin) * scale)
    perpendicular = normals @ rotation.T / scale
    length = np.linalg.norm(perpendicular, axis=1, keepdims=True)
    _replace(lines, b"vn", normal_lines, perpendicular / np.where(length > 0, length, 1))
    return b"\n".join(lines)


def _vectors(lines: Sequence[bytes], keyword: bytes) -> tuple[list[int], NDArray[np.float64]]:
    """The numbers of the lines with a keyword, and their vectors (N,3)."""
    numbers = [number for number, line in enumerate(lines) if line.startswith(keyword)]
    try:
        vectors = np.array([lines[number].split()[1:4] for number in numbers], dtype=np.float64).reshape(-1, 3)
    except ValueError as error:
        raise MeshError(f"expected three numbers after each {keyword.decode().strip()}: {error}") from error
    if not np.isfinite(vectors).all():
        raise MeshError(f"expected finite numbers after each {keyword.decode().strip()}")
    return numbers, vectors


def _used(lines: Sequence[bytes], count: int) -> NDArray[np.int64]:
    """The vertices that faces and lines are made of, as indices from 0; negative ones count back from their line."""
    found: set[int] = set()
    seen = 0
    try:
        for line in lines:
            if line.startswith(b"v "):
                seen += 1
            elif line.startswith((b"f ", b"l ")):
                corners = (int(corner.split(b"/", 1)[0]) for corner in line.split()[1:])
                found.update(seen + corner if corner < 0 else corner - 1 for corner in corners)
    except ValueError as error:
        raise MeshError(f"expected whole numbers after each f: {error}") from error
    if not found:
        raise MeshError("expected faces, got none")
    if min(found) < 0 or max(found) >= count:
        raise MeshError(f"expected faces of the {count} vertices, got one of vertex {max(found) + 1}")
    return np.array(sorted(found))


def _replace(lines: list[bytes], keyword: bytes, numbers: Sequence[int], vectors: NDArray[np.float64]) -> None:
    """Put vectors into their lines; what follows them there (colours) stays."""
    for number, vector in zip(numbers, vectors.tolist(), strict=True):
        rest = lines[number].split()[4:]
        lines[number] = b" ".join([keyword, *(f"{value:.8g}".encode() for value in vector), *rest])
