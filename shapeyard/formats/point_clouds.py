"""Clouds of points with normals, and samples of signed distances, from files.

.ply    vertices x, y, z with nx, ny, nz, no faces needed
.xyz    a text with six numbers a line: x, y, z and the normal
.npz    `points` (N,3) and `normals` (N,3); or samples (N,4) of x, y, z and the signed distance, `pos` outside and
        `neg` inside, as DeepSDF's preprocessing writes them
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from shapeyard.boundary import foreign, reader
from shapeyard.errors import FormatError
from shapeyard.formats.mesh import MAX_BYTES
from shapeyard.formats.npz_arrays import read_npz
from shapeyard.formats.ply import parse_ply_vertices

COORDINATES, NORMALS = ("x", "y", "z"), ("nx", "ny", "nz")


class PointCloud(NamedTuple):
    """Points of a surface."""

    points: NDArray[np.float64]
    """(N,3)"""
    normals: NDArray[np.float64]
    """(N,3) leading outside, of any length"""


class SignedSamples(NamedTuple):
    """Samples of a signed distance."""

    positive: NDArray[np.float32]
    """(N,4) x, y, z, distance outside"""
    negative: NDArray[np.float32]
    """(M,4) inside"""


@reader(FormatError)
def read_points(path: str | Path, max_bytes: int = MAX_BYTES) -> PointCloud | SignedSamples:
    """Read a .ply, .xyz or .npz file.

    Args:
        path: the file; its ending says which format is expected.
        max_bytes: what is larger, packed or unpacked, is refused unread.

    Raises:
        FormatError: in one line, for a file that is missing, too large, of another format or without normals.
    """
    path = Path(path)
    parse = _PARSERS.get(path.suffix.lower())
    if parse is None:
        raise FormatError(f"{path}: expected one of {', '.join(_PARSERS)}, got {path.suffix or 'no ending'}")
    size = path.stat().st_size
    if size > max_bytes:
        raise FormatError(f"{path}: expected at most {max_bytes} bytes, got {size}")
    try:
        with foreign(path, kind=path.suffix[1:].upper()):
            return parse(path.read_bytes(), max_bytes)
    except FormatError as error:
        raise error if str(error).startswith(str(path)) else FormatError(f"{path}: {error}") from error


def _parse_ply(content: bytes, _: int) -> PointCloud:
    vertices = parse_ply_vertices(content)
    for names in (COORDINATES, NORMALS):
        if not set(names) <= vertices.keys():
            raise FormatError(f"expected vertices with {', '.join(names)}, got {', '.join(vertices) or 'none'}")
    points, normals = (np.stack([vertices[name] for name in names], axis=1) for names in (COORDINATES, NORMALS))
    return PointCloud(points, normals)


def _parse_xyz(content: bytes, _: int) -> PointCloud:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of a text without numbers, which is said below
        rows = np.loadtxt(BytesIO(content), ndmin=2, dtype=np.float64)
    if rows.shape[1] != 6 or not rows.size:
        got = rows.shape[1] if rows.size else "none"
        raise FormatError(f"expected six numbers a line (x, y, z and the normal), got {got}")
    return PointCloud(rows[:, :3], rows[:, 3:])


def _parse_npz(content: bytes, max_bytes: int) -> PointCloud | SignedSamples:
    arrays = read_npz("its arrays", None, max_bytes, content)
    for first, second, width in (("points", "normals", 3), ("pos", "neg", 4), ("positive", "negative", 4)):
        if {first, second} <= arrays.keys():
            found = [_numbers(arrays[name], name, width) for name in (first, second)]
            if width == 3:
                return PointCloud(*found)
            kept = [one[np.isfinite(one).all(axis=1)] for one in found]  # DeepSDF's own files hold some NaN
            _check_side(first, "at least", kept[0][:, 3] >= 0)
            _check_side(second, "at most", kept[1][:, 3] <= 0)
            with np.errstate(over="ignore"):  # infinite ones are refused where they are used
                return SignedSamples(*(one.astype(np.float32) for one in kept))
    raise FormatError(f"expected points and normals, or pos and neg, got {', '.join(arrays) or 'nothing'}")


def _numbers(values: NDArray[Any], name: str, width: int) -> NDArray[np.float64]:
    if values.ndim != 2 or values.shape[1] != width or values.dtype.kind not in "fiu":
        raise FormatError(f"{name}: expected numbers (N,{width}), got {values.dtype} {values.shape}")
    return values.astype(np.float64)


def _check_side(name: str, bound: str, right: NDArray[np.bool_]) -> None:
    if not right.all():
        raise FormatError(f"{name}: expected distances of {bound} 0, got {(~right).sum()} others of {len(right)}")


_PARSERS: dict[str, Callable[[bytes, int], PointCloud | SignedSamples]] = {
    ".ply": _parse_ply, ".xyz": _parse_xyz, ".npz": _parse_npz,
}  # fmt: skip
