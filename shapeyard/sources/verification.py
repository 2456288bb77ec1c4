"""Whether a set is what its own list says, and what differs between two sets.

A dataset of ours lists its files in dataset.json; a harvested set lists an object a line in samples.jsonl:

    {"id": "chair/0012", "files": [{"key": "chair/0012.stl", "size": 84, "sha256": "…"}], …}
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from shapeyard.contracts.progress import track
from shapeyard.errors import FormatError, SourceError, one_line
from shapeyard.ordered_map import bounded_ordered_map
from shapeyard.sources.folder import FolderSource
from shapeyard.sources.s3 import CONNECTIONS, S3Source
from shapeyard.sources.schemes import open_source
from shapeyard.sources.set_versions import Changes, compare_identities, identities, set_version
from shapeyard.sources.source import SourceFile

DATASET, SAMPLES, HARVEST = "dataset.json", "samples.jsonl", "harvest.json"


class _Content(NamedTuple):
    """What a list says of a file."""

    size: int
    sha256: str


@dataclass
class Verified:
    """What was found; each is a list of (key, what is wrong), sorted by key."""

    files: int = 0
    """that the set's list has"""
    missing: list[tuple[str, str]] = field(default_factory=list)
    changed: list[tuple[str, str]] = field(default_factory=list)
    extra: list[tuple[str, str]] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        """Whether nothing is wrong."""
        return not (self.missing or self.changed or self.extra)


def verify(uri: str, *, content: bool = True) -> Verified:
    """Compare all files of a set with its list.

    Args:
        uri: a folder or s3://bucket/prefix with samples.jsonl or dataset.json.
        content: read every file and compare its SHA-256; else its size alone, which a listing has.

    Raises:
        SourceError: if it can't be listed, is no set, or its list is malformed.
    """
    source = _open(uri)
    there = {file.key: file for file in source.list_files()}
    listed = _listed(uri, source, there)
    found = Verified(len(listed))
    own = {DATASET} if DATASET in there else {SAMPLES, HARVEST}
    if HARVEST in there:
        found.changed += _other_version(uri, source, there)
    found.extra += [(key, "is not in the list") for key in sorted(there.keys() - listed.keys() - own)]

    def compare(key: str) -> tuple[str, str, bool]:
        """Key, what is wrong with it, and whether it is missing."""
        if key not in there:
            return key, "expected a file, found none", True
        size, sha256 = listed[key]
        if there[key].size != size:
            return key, f"expected {size} bytes, found {there[key].size}", False
        try:
            digest = _sha256(source.read(there[key])) if content else sha256
        except (SourceError, FormatError, OSError) as error:
            return key, one_line(error), True
        return key, "" if digest == sha256 else f"expected SHA-256 {sha256}, found {digest}", False

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        compared = bounded_ordered_map(pool, compare, sorted(listed), 8 * CONNECTIONS)
        for key, fault, is_missing in track(compared, len(listed), "files"):
            if fault:
                (found.missing if is_missing else found.changed).append((key, fault))
    return found


def compare_sets(before_uri: str, after_uri: str) -> Changes:
    """What is new, gone and changed in a set since another: by the lists alone, no file of an object is read.

    Args:
        before_uri: a folder or s3://bucket/prefix with samples.jsonl, harvested or a dataset.
        after_uri: the same, of later.

    Raises:
        SourceError: if one can't be listed, is no set, or its list is malformed.
    """
    return compare_identities(_objects(before_uri), _objects(after_uri))


def read_set_rows(uri: str) -> Iterator[dict[str, Any]]:
    """The rows of samples.jsonl, one after the other; none where a folder or bucket has no such file.

    Raises:
        SourceError: if it can't be listed or read, or a line is no JSON object.
    """
    source = open_source(uri)
    if isinstance(source, FolderSource | S3Source):
        there = {file.key: file for file in source.list_files()}
        if SAMPLES in there:
            yield from _rows(uri, source, there)


def _open(uri: str) -> FolderSource | S3Source:
    source = open_source(uri)
    if not isinstance(source, FolderSource | S3Source):
        raise SourceError(f"{uri}: expected a folder or s3://bucket/prefix")
    return source


def _listed(uri: str, source: FolderSource | S3Source, there: dict[str, SourceFile]) -> dict[str, _Content]:
    """Key → what the set's list says of it."""
    listed: dict[str, _Content] = {}
    where = f"{uri.rstrip('/')}/{DATASET if DATASET in there else SAMPLES}"
    try:
        if DATASET in there:
            files = json.loads(b"".join(source.read(there[DATASET])))["files"]
            return {str(key): _Content(int(one["bytes"]), str(one["sha256"])) for key, one in files.items()}
        for row in _rows(uri, source, there):
            for one in row["files"]:
                content = _Content(int(one["size"]), str(one["sha256"]))
                if listed.setdefault(str(one["key"]), content) != content:
                    raise SourceError(f"{where}: expected one size and hash of {one['key']}, got two")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SourceError(f"{where}: not readable as the list of a set: {one_line(error)}") from error
    return listed


def _other_version(uri: str, source: FolderSource | S3Source, there: dict[str, SourceFile]) -> list[tuple[str, str]]:
    """What is wrong with samples.jsonl: it is not that of the version which harvest.json names, where it names one."""
    try:
        expected = json.loads(b"".join(source.read(there[HARVEST]))).get("version")
    except (ValueError, AttributeError) as error:
        return [(HARVEST, f"not readable as JSON: {one_line(error)}")]
    version = set_version(_identities(uri, source, there))
    return [(SAMPLES, f"expected version {expected}, found {version}")] if expected not in (None, version) else []


def _objects(uri: str) -> dict[str, Any]:
    source = _open(uri)
    return _identities(uri, source, {file.key: file for file in source.list_files()})


def _identities(uri: str, source: FolderSource | S3Source, there: dict[str, SourceFile]) -> dict[str, Any]:
    try:
        return identities(_rows(uri, source, there))
    except (KeyError, TypeError, AttributeError) as error:
        raise SourceError(
            f"{uri.rstrip('/')}/{SAMPLES}: not readable as the list of a set: {one_line(error)}"
        ) from error


def _rows(uri: str, source: FolderSource | S3Source, there: dict[str, SourceFile]) -> Iterator[dict[str, Any]]:
    """The rows of samples.jsonl, one after the other: a list of a million objects is never in memory as text."""
    if SAMPLES not in there:
        raise SourceError(
            f"{uri}: expected a harvested set ({SAMPLES}) or a dataset ({DATASET}), found neither in {len(there)} files"
        )
    number, rest = 0, b""
    for block in source.read(there[SAMPLES]):
        *lines, rest = (rest + bytes(block)).split(b"\n")
        for line in lines:
            number += 1
            if line:
                yield _row(f"{uri.rstrip('/')}/{SAMPLES}: line {number}", line)
    if rest:
        yield _row(f"{uri.rstrip('/')}/{SAMPLES}: line {number + 1}", rest)


def _row(where: str, line: bytes) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise SourceError(f"{where}: not readable as JSON: {error}") from error
    if not isinstance(row, dict):
        raise SourceError(f"{where}: expected an object, got {type(row).__name__}")
    return row


def _sha256(blocks: Iterable[memoryview]) -> str:
    digest = hashlib.sha256()
    for block in blocks:
        digest.update(block)
    return digest.hexdigest()
