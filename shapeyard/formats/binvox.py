"""The binvox format: occupancy grids as run lengths.

Specification: Patrick Min, https://www.patrickmin.com/binvox/binvox.html

    #binvox 1
    dim 128 128 128
    translate -0.27 -0.04 -0.42       minimum corner of the grid's cube
    scale 0.81                        side of the grid's cube
    data                              then pairs of bytes: value (0 or 1), count (1 to 255)

Values run fastest along y, then z, then x. Voxel i of D spans `translate + scale·[i, i+1]/D` along each axis.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shapeyard.boundary import reader
from shapeyard.errors import FormatError

MAX_RESOLUTION = 512
"""Beyond it a grid is more than 128 MB in memory."""
MAX_HEADER_BYTES = 4096
LONGEST_RUN = 255


class Binvox(NamedTuple):
    """A grid and the cube that it fills."""

    occupancy: NDArray[np.bool_]
    """(D,D,D), index order x, y, z"""
    translate: NDArray[np.float64]
    """(3,) minimum corner of the cube"""
    scale: float
    """side of the cube"""


@reader(FormatError)
def read_binvox(path: str | Path, max_resolution: int = MAX_RESOLUTION) -> Binvox:
    """Read a .binvox file.

    Raises:
        FormatError: if the file cannot be read, its header is not that of binvox 1, its grid is not a cube or more
            than `max_resolution` a side, or its runs do not add up to exactly the grid.
    """
    try:
        with Path(path).open("rb") as file:
            header = _read_header(file.read(MAX_HEADER_BYTES), path, max_resolution)
            file.seek(header.length)
            content = file.read(2 * header.resolution**3 + 2)  # one pair too many is noticed
    except OSError as error:
        raise FormatError(f"{path}: not readable: {error.strerror}") from error
    return Binvox(_decode(content, header.resolution, path), header.translate, header.scale)


def write_binvox(path: str | Path, occupancy: NDArray[np.bool_], translate: ArrayLike, scale: float) -> None:
    """Write a .binvox file, its runs as long as they can be: what binvox itself writes, byte for byte.

    Args:
        path: the file.
        occupancy: (D,D,D) bool, index order x, y, z.
        translate: (3,) minimum corner of the grid's cube.
        scale: side of the grid's cube.

    Raises:
        FormatError: if the grid is not a cube, or the cube not finite.
    """
    if occupancy.ndim != 3 or len(set(occupancy.shape)) != 1 or occupancy.size == 0:
        raise FormatError(f"{path}: expected a grid of shape (D,D,D), got {occupancy.shape}")
    corner = np.asarray(translate, np.float64)
    if corner.shape != (3,) or not np.isfinite([*corner, scale]).all() or scale <= 0:
        raise FormatError(
            f"{path}: expected a finite translate (3,) and a positive scale, got {corner.tolist()} and {scale}"
        )
    dim = " ".join([str(occupancy.shape[0])] * 3)
    where = " ".join(_number(value) for value in corner.tolist())
    header = f"#binvox 1\ndim {dim}\ntranslate {where}\nscale {_number(float(scale))}\ndata\n"
    Path(path).write_bytes(header.encode("ascii") + _encode(occupancy))


class _Header(NamedTuple):
    length: int
    resolution: int
    translate: NDArray[np.float64]
    scale: float


def _read_header(start: bytes, path: str | Path, max_resolution: int) -> _Header:
    if not start.startswith(b"#binvox 1"):
        raise FormatError(f"{path}: expected a file that starts with '#binvox 1', got {start[:16]!r}")
    text, found, _ = start.partition(b"\ndata\n")
    if not found:
        raise FormatError(f"{path}: the header has no line 'data'")
    lines = [line.split() for line in text.decode("ascii", "replace").splitlines()[1:]]
    fields = {words[0]: words[1:] for words in lines if words}
    try:
        dim = [int(word) for word in fields["dim"]]
        translate = np.array([float(word) for word in fields.get("translate", ["0"] * 3)])
        (scale,) = [float(word) for word in fields.get("scale", ["1"])]
    except (KeyError, ValueError) as error:
        raise FormatError(f"{path}: the header has no valid dim, translate or scale: {error}") from error
    if len(dim) != 3 or len(set(dim)) != 1 or not 1 <= dim[0] <= max_resolution:
        raise FormatError(f"{path}: expected a cubic grid of 1 to {max_resolution} voxels a side, got dim {dim}")
    if translate.shape != (3,) or not np.isfinite([*translate, scale]).all() or scale <= 0:
        raise FormatError(f"{path}: expected three finite numbers to translate by and a positive scale")
    return _Header(len(text) + len(found), dim[0], translate, scale)


def _decode(content: bytes, resolution: int, path: str | Path) -> NDArray[np.bool_]:
    """Runs → (D,D,D) bool, index order x, y, z; nothing is allocated before the counts are known to add up."""
    if len(content) % 2:
        raise FormatError(f"{path}: cut off: the data ends between a value and its count")
    pairs = np.frombuffer(content, np.uint8).reshape(-1, 2)
    values, counts = pairs[:, 0], pairs[:, 1]
    if values.size and (values.max() > 1 or counts.min() == 0):
        raise FormatError(f"{path}: expected runs of value 0 or 1 and count 1 to 255")
    total = int(counts.sum(dtype=np.int64))
    if total != resolution**3:
        problem = "cut off" if total < resolution**3 else "too long"
        raise FormatError(f"{path}: {problem}: expected {resolution**3} voxels for {resolution}³, got {total}")
    runs_along_y = np.repeat(values.view(bool), counts).reshape((resolution,) * 3)
    return np.ascontiguousarray(runs_along_y.transpose(0, 2, 1))


def _encode(occupancy: NDArray[np.bool_]) -> bytes:
    flat = np.ascontiguousarray(occupancy.transpose(0, 2, 1), dtype=bool).ravel()
    starts = np.concatenate([[0], np.flatnonzero(flat[1:] != flat[:-1]) + 1])
    lengths = np.diff(starts, append=flat.size)
    pieces = -(-lengths // LONGEST_RUN)
    pairs = np.full((int(pieces.sum()), 2), LONGEST_RUN, np.uint8)
    pairs[:, 0] = np.repeat(flat[starts], pieces)
    pairs[np.cumsum(pieces) - 1, 1] = lengths - LONGEST_RUN * (pieces - 1)
    return pairs.tobytes()


def _number(value: float) -> str:
    """As C++ streams print it (binvox's own way) where that loses nothing, else with all digits."""
    short = f"{value:g}"
    return short if float(short) == value else repr(value)
