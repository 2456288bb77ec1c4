"""The files of an artifact's directory: marked as ours, described when they are written, checked when they are read."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from shapeyard.errors import DatasetError

MARK = ".shapeyard-output"
"""The first file that is written into an output folder: only a folder that holds it is ever emptied."""
SPARE_BYTES = 4_000_000
"""What HDF5 may still hold back of samples written before."""
MARK_TEXT = (
    "An output of Shapeyard. Whatever else lies in this folder is removed when the same output is written again.\n"
)


def empty_output(path: Path) -> None:
    """Make `path` an empty directory that is marked as ours, if need be by emptying an earlier output, whole or not.

    Raises:
        DatasetError: for a folder that holds anything and is not marked, a symbolic link, or a file.
    """
    if path.is_symlink():
        raise DatasetError(f"{path}: expected a folder, found a symbolic link")
    if path.exists() and not path.is_dir():
        raise DatasetError(f"{path}: expected a folder, found a file")
    path.mkdir(parents=True, exist_ok=True)
    there = [child for child in path.iterdir() if child.name != MARK]
    mark = path / MARK
    if there and not mark.is_file():
        raise DatasetError(
            f"{path}: expected an empty folder or an earlier output (with {MARK}) to replace, found other files"
        )
    mark.write_text(MARK_TEXT, encoding="utf-8")  # never removed: a folder that was emptied halfway is still ours
    for child in there:
        if child.is_dir() and not child.is_symlink():
            shutil.rmtree(child)
        else:
            child.unlink()


def require_space(path: Path, size: int) -> None:
    """Stop while an HDF5 file can still be closed: the library does not survive a disk that fills up.

    Raises:
        OSError: if the disk has less than `size` bytes for it, and some to spare.
    """
    if shutil.disk_usage(path.parent).free < size + SPARE_BYTES:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


def leave_stamps(path: Path, names: Iterable[str]) -> None:
    """Write down by which the files of a folder are known again: what a copy from elsewhere cannot have.

    Raises:
        OSError: if the folder can't be written to.
    """
    (path / MARK).write_text(MARK_TEXT + json.dumps(_stamps(path, names)), encoding="utf-8")


def is_as_left(path: Path, names: Iterable[str]) -> bool:
    """Whether the files are those that lay there at `leave_stamps`, and untouched since."""
    try:
        stamps = json.loads((path / MARK).read_text(encoding="utf-8").removeprefix(MARK_TEXT))
        return bool(stamps == _stamps(path, names))
    except (OSError, ValueError, RecursionError):
        return False


def _stamps(path: Path, names: Iterable[str]) -> dict[str, list[int]]:
    """Of each file its number in the file system, the time of its last change in nanoseconds, its bytes."""
    stats = {name: (path / name).stat() for name in names}
    return {name: [stat.st_ino, stat.st_mtime_ns, stat.st_size] for name, stat in stats.items()}


def describe_file(path: Path) -> dict[str, Any]:
    """What is written down of a file, so that it can be checked later: its length and its hash."""
    with path.open("rb") as file:
        return {"bytes": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def check_file(path: Path, described: Mapping[str, Any], *, content: bool) -> None:
    """Raise `DatasetError` if a file is not as long, or with `content` not the same, as `describe_file` saw it."""
    actual = path.stat().st_size if path.is_file() else None
    if actual != described["bytes"]:
        found = "no file" if actual is None else f"{actual}"
        raise DatasetError(f"{path}: expected {described['bytes']} bytes, found {found}")
    if content and describe_file(path) != described:
        raise DatasetError(f"{path}: its content is not what was written")


def write_json(path: Path, value: Any) -> None:
    """Write JSON so that the file is either whole or not there."""
    part = path.with_name(f"{secrets.token_hex(8)}.part")
    with part.open("x", encoding="utf-8") as file:  # readable as the user's umask says, other than a temporary file
        json.dump(value, file, indent=1, ensure_ascii=False)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
