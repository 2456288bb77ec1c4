"""Names that others chose, as local paths: bucket keys, members of archives, ids of samples, references in files."""

from __future__ import annotations

import os
import re
import stat
import unicodedata
from pathlib import Path

from shapeyard.errors import FormatError

MAX_PART_BYTES = 255
"""What Linux's file systems allow."""
UNPRINTABLE = {"Cc": "control characters", "Zl": "line breaks", "Zp": "line breaks", "Cs": "bytes that are not UTF-8"}
"""Kinds of characters (Unicode's general categories) that no name has, and what a message calls them."""
SHOWN_LENGTH = 200


def local_path(folder: Path, name: str) -> Path:
    """Where a file of this name lies below a folder, whoever chose the name.

    Args:
        folder: need not exist.
        name: relative, `/` between its parts.

    Raises:
        FormatError: in one line, for a name that is empty, absolute, or has a part that is empty, `.`, `..`, starts
            with a drive letter or is longer than 255 bytes; for a backslash, a control character or line break; and
            where a symbolic link in `folder` leads out of it.
    """
    path = folder / name if (fault := _fault(name)) is None else None
    if path is not None and not is_below(folder, path):
        path, fault = None, "a symbolic link that leads elsewhere"
    if path is None:
        shown = name if len(name) <= SHOWN_LENGTH else f"{name[:SHOWN_LENGTH]}…"
        raise FormatError(f"{shown!r}: expected a name of a file inside its folder, got {fault}")
    return path


def is_below(folder: Path, path: Path) -> bool:
    """Whether a path, links and `..` followed, stays inside a folder; nothing need exist."""
    try:
        return path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError, ValueError):  # links in a circle, a NUL
        return False


def is_regular_file_below(folder: Path, path: Path) -> bool:
    """Whether a path, links and `..` followed, is a regular file inside a folder: no device, no pipe."""
    try:
        return is_below(folder, path) and stat.S_ISREG(path.stat().st_mode)
    except (OSError, ValueError):
        return False


def _fault(name: str) -> str | None:
    """What is wrong with a name, as a message ends; None if nothing is."""
    for character in name:
        if kind := UNPRINTABLE.get(unicodedata.category(character)):
            return kind
    if name.startswith("/"):
        return "an absolute path"
    if "\\" in name:
        return "a backslash"
    for part in name.split("/"):
        if part in ("", ".", ".."):
            return f"the part {part!r}" if part else "an empty part"
        if re.match(r"[A-Za-z]:", part):
            return f"the drive letter {part[:2]}"
        if len(os.fsencode(part)) > MAX_PART_BYTES:
            return f"a part of more than {MAX_PART_BYTES} bytes"
    return None
