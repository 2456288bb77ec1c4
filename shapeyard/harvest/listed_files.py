"""Files from anywhere, by a list of their addresses and checksums."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from shapeyard.contracts.files import describe_file
from shapeyard.errors import FormatError, one_line
from shapeyard.harvest.collect import Brought, Outcome, harvest_into
from shapeyard.harvest.pacing import Clock, Pacer
from shapeyard.harvest.target import Target
from shapeyard.harvest.web import OTHER_SERVERS, Web
from shapeyard.local_paths import local_path

SHA256 = re.compile(r"[0-9a-f]{64}")
COLUMNS = ("path", "url", "sha256")
FACTS = ("license", "creator", "title", "date")
"""Columns that may be left out."""


@dataclass
class ListedObject:
    """An object of the list: one file, or several in a folder."""

    files: dict[str, tuple[str, str]] = field(default_factory=dict)
    """path → address, SHA-256"""
    facts: dict[str, str] = field(default_factory=dict)


def harvest_list(path: Path, target: Target, max_megabytes: int = 1000, clock: Clock | None = None) -> Outcome:
    """Bring the files of a list that are not in a target yet, or have another checksum there than the list says.

    What comes has to have the list's checksum.

    Args:
        path: a CSV file whose first line names its columns: path, url, sha256, and license, creator, title, date where
            they are known. A path is CLASS/NAME.stl (or any mesh, or ZIP), or CLASS/THING/… for several files that are
            one object.
        target: where to.
        max_megabytes: of an object.
        clock: what waiting is measured by.

    Raises:
        FormatError: for a list of another form, with the line.
        SourceError: if 25 objects fail one after the other.
    """
    listed = read_list(path)
    clock = clock or Clock()
    web = Web("", "", Pacer(*OTHER_SERVERS, clock))

    def bring(name: str, folder: Path) -> Brought:
        files: dict[str, Path] = {}
        left = max_megabytes * 1_000_000
        for number, (key, (url, sha256)) in enumerate(sorted(listed[name].files.items())):
            files[key] = folder / str(number)
            web.download(url, files[key], left)
            found = describe_file(files[key])
            left -= found["bytes"]
            if found["sha256"] != sha256:
                raise FormatError(f"{key}: expected a file with the SHA-256 {sha256}, got {found['sha256']}")
        return Brought(files, listed[name].facts)

    def is_current(row: Mapping[str, Any]) -> bool:
        wanted = {key: sha256 for key, (_, sha256) in listed[row["id"]].files.items()}
        return wanted == {file["key"]: file["sha256"] for file in row["files"]}

    source = {"name": "http", "list": path.name, "sha256": describe_file(path)["sha256"]}
    return harvest_into(
        target, source, lambda collection: collection.bring_all(list(listed), bring, clock, is_current)
    )  # fmt: skip


def read_list(path: Path) -> dict[str, ListedObject]:
    """The objects of a list by their ids, in its order; raises `FormatError` as `harvest_list` does."""
    objects: dict[str, ListedObject] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file, strict=True)
            if missing := [name for name in COLUMNS if name not in (rows.fieldnames or ())]:
                raise FormatError(f"{path}: expected the columns {', '.join(COLUMNS)}, got none named {missing[0]}")
            for row in rows:
                _add(objects, row, f"{path}: line {rows.line_num}")
    except (csv.Error, UnicodeDecodeError) as error:
        raise FormatError(f"{path}: expected CSV: {one_line(error)}") from error
    if not objects:
        raise FormatError(f"{path}: expected a line a file, got none")
    return objects


def _add(objects: dict[str, ListedObject], row: Mapping[str, str | None], where: str) -> None:
    key, url, sha256 = ((row.get(name) or "").strip() for name in COLUMNS)
    try:
        local_path(Path(), key)
    except FormatError as error:
        raise FormatError(f"{where}: {error}") from error
    parts = PurePosixPath(key).parts
    if len(parts) < 2:
        raise FormatError(f"{where}: expected a path CLASS/NAME or CLASS/THING/…, got {key}")
    if not SHA256.fullmatch(sha256.lower()):
        raise FormatError(f"{where}: expected a SHA-256 of 64 hexadecimal digits, got {sha256 or 'none'}")
    if not url.startswith(("https://", "http://")):
        raise FormatError(f"{where}: expected an address that starts with https:// or http://")
    name = f"{parts[0]}/{parts[1] if len(parts) > 2 else PurePosixPath(key).stem}"
    item = objects.setdefault(name, ListedObject())
    if key in item.files:
        raise FormatError(f"{where}: expected paths that differ, got {key} twice")
    item.files[key] = url, sha256.lower()
    item.facts |= {fact: " ".join((row.get(fact) or "").split()) for fact in FACTS}
    item.facts["license"] = item.facts["license"] or "unknown"
