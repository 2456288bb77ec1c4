"""The files of an artifact's directory: emptied first, described when they are written, checked when they are read."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from shapeyard.errors import DatasetError

WRITTEN_BY_STAGES = ("dataset.json", "shard-000.h5", "shard-000.zip", "config.json", "metrics.json")
"""Files by which an output of ours is known, whole or not: only such a directory is ever emptied."""


def empty_output(path: Path) -> None:
    """Make `path` an empty directory, if need be by removing what an earlier attempt at the same output left there.

    Raises:
        DatasetError: if something lies there that no stage wrote.
    """
    if path.is_dir() and any(path.iterdir()) and not any((path / name).exists() for name in WRITTEN_BY_STAGES):
        raise DatasetError(f"{path}: expected an empty folder or an earlier output to replace, found other files")
    if path.exists() and not path.is_dir():
        raise DatasetError(f"{path}: expected a folder, found a file")
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)


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
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, delete=False, suffix=".part") as file:
        json.dump(value, file, indent=1, ensure_ascii=False)
        file.flush()
        os.fsync(file.fileno())
    Path(file.name).chmod(0o644)  # NamedTemporaryFile is private to its owner; other stages read this one
    Path(file.name).replace(path)
