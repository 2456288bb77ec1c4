"""NumPy's .npz files that others made: what an array claims is checked before anything of it is allocated.

Format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html. An .npz is a ZIP with an .npy file for
each array. An own reader of what is behind the header, since NumPy allocates what the header claims.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from shapeyard.boundary import reader
from shapeyard.errors import FormatError
from shapeyard.formats.archives import Archive, Member, open_archive

MAX_BYTES = 2 * 1024**3
MAX_ARRAYS = 1000
MAX_HEADER_BYTES = 10_000
MAX_DEFLATE_RATIO = 1032
"""What deflate can do at the most; grids of voxels come near it."""
KINDS = "biufU"
"""Of numbers and texts: no objects, which are pickles."""
BLOCK = 1 << 24


@reader(FormatError)
def read_npz(
    path: str | Path, names: Collection[str] | None = None, max_bytes: int = MAX_BYTES, content: bytes | None = None
) -> dict[str, NDArray[Any]]:
    """Read arrays of an .npz file.

    Args:
        path: the file, or what messages call it if `content` is given.
        names: of the arrays to read; those that are not there are left out; None for all.
        max_bytes: of these arrays together, unpacked.
        content: of the file.

    Raises:
        FormatError: in one line, for a file that is no ZIP of arrays of numbers or texts, is cut off, or claims more
            than its members hold or than is allowed.
    """
    with open_archive(path, BytesIO(content) if content is not None else None, MAX_ARRAYS, MAX_DEFLATE_RATIO) as opened:
        chosen = {
            member.name.removesuffix(".npy"): member
            for member in opened.members
            if member.name.endswith(".npy") and (names is None or member.name.removesuffix(".npy") in names)
        }
        size = sum(member.size for member in chosen.values())
        if size > max_bytes:
            raise FormatError(f"{path}: expected at most {max_bytes} bytes in {', '.join(chosen)}, got {size}")
        return {name: _read_array(opened, member, f"{path}: {name}") for name, member in chosen.items()}


def _read_array(archive: Archive, member: Member, where: str) -> NDArray[Any]:
    blocks = archive.blocks(member, BLOCK)
    first = next(blocks, b"")
    start = BytesIO(first)
    shape, fortran_order, dtype = _read_header(start, where)
    expected = math.prod(shape) * dtype.itemsize
    if dtype.kind not in KINDS or min(shape, default=0) < 0:
        raise FormatError(f"{where}: expected an array of numbers, got {dtype} {shape}"[:200])
    if expected != member.size - start.tell():
        raise FormatError(f"{where}: the header claims {expected} bytes of numbers, the file holds "
                          f"{member.size - start.tell()}")  # fmt: skip
    array = np.empty(expected, np.uint8)
    position = 0
    for block in itertools.chain([first[start.tell() :]], blocks):
        array[position : position + len(block)] = np.frombuffer(block, np.uint8)
        position += len(block)
    if position != expected:
        raise FormatError(f"{where}: expected {expected} bytes of numbers, got {position}")
    return array.view(dtype).reshape(shape, order="F" if fortran_order else "C")


def _read_header(start: BinaryIO, where: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = npy.read_magic(start)  # type: ignore[no-untyped-call]
    if version not in ((1, 0), (2, 0)):
        raise FormatError(f"{where}: expected an .npy file of version 1 or 2, got {version}")
    read: Any = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, fortran_order, dtype = read(start, max_header_size=MAX_HEADER_BYTES)
    return tuple(shape), bool(fortran_order), dtype
