"""What a source says of the licences and creators of its objects.

In this order: `samples.jsonl` at its root, a row an object (as a harvest leaves it); the licence file nearest to the
object, beside it or in a folder above; the selection's setting `license`. A licence file that nobody recognizes makes
an object's licence unknown: it says something else than the setting.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from shapeyard.boundary import reader
from shapeyard.contracts.licenses import UNKNOWN, recognize_creator, recognize_license
from shapeyard.errors import FormatError, SourceError, one_line
from shapeyard.sources.layouts import ListedObject
from shapeyard.sources.selection import Selection
from shapeyard.sources.source import Source, SourceFile

ROWS = "samples.jsonl"
LICENSE_FILE = re.compile(
    r"(?:[^/]*[ _-])?(?:licen[cs]e|copying)(?:\.(?:txt|md|rst|html))?|(?:licen[cs]e|copying)[-.][^/]*", re.IGNORECASE
)
"""LICENSE, COPYING, LICENSE.txt, LICENSE-CC0, LICENSE.MIT, CHAIR_LICENSE.txt"""
MODELNET_FILE = "readme.txt"
MAX_BYTES = 1_000_000
MAX_ROWS_BYTES = 2_000_000_000
READERS = 16
MD5_TAG = re.compile(r"[0-9a-f]{32}")
"""The same tag is the same content, so one of the files is read for all."""


class Terms(NamedTuple):
    """Under which licence an object may be used, and whom to name for it."""

    license: str = UNKNOWN
    creator: str = ""


NO_TERMS = Terms()
SAYS_NOTHING = Terms("", "")


class Provenance:
    """The terms of a source's objects; what tells of them is read when it is asked for, each file once."""

    def __init__(self, source: Source, files: Sequence[SourceFile], selection: Selection) -> None:
        """`files`: the source's listing."""
        self._source = source
        self._whole = Terms(recognize_license(selection.license))
        self._rows_file = next((file for file in files if file.key == ROWS), None)
        self._rows: dict[str, Terms] | None = None
        self._texts: dict[str, list[SourceFile]] = {}
        self._read: dict[str, Terms] = {}
        for file in files:
            folder, _, name = file.key.rpartition("/")
            if LICENSE_FILE.fullmatch(name):
                self._texts.setdefault(folder, []).append(file)
        self._readme = next((file for file in files if file.key.lower() == MODELNET_FILE), None)

    def of_objects(self, objects: Sequence[ListedObject]) -> dict[str, Terms]:
        """Object id → its terms.

        Raises:
            SourceError: if `samples.jsonl` is broken, or the source can't be read.
        """
        rows, otherwise = self._known_rows(), self._of_all()
        if not rows and not self._texts:
            return {item.id: otherwise for item in objects}
        nearest = {item.id: self._nearest(item.main.key) for item in objects}
        self._read_texts({file.key: file for texts in nearest.values() for file in texts}.values())
        found = {}
        for item in objects:
            texts = [self._read[_identity(file)] for file in nearest[item.id]]
            terms, row = _agreed(texts) if texts else otherwise, _row_of(item, rows)
            found[item.id] = Terms(row.license or terms.license, row.creator or terms.creator)
        return found

    def _of_all(self) -> Terms:
        """The terms of what neither a row nor a licence file tells of; ModelNet has its terms in its README.txt."""
        if self._readme is not None and not self._texts:
            self._read_texts([self._readme])
            read = self._read[_identity(self._readme)]
            return read if read.license == "LicenseRef-ModelNet" else self._whole
        return self._whole

    def _known_rows(self) -> dict[str, Terms]:
        if self._rows is None:
            self._rows = {}
            if self._rows_file is not None:
                with tempfile.TemporaryDirectory(prefix="shapeyard-terms-") as scratch:
                    path = self._bring(self._rows_file, Path(scratch, ROWS), MAX_ROWS_BYTES)
                    if path is None:
                        raise SourceError(f"{ROWS}: expected a file of at most {MAX_ROWS_BYTES} bytes")
                    self._rows = _read_rows(path)
        return self._rows

    def _nearest(self, key: str) -> list[SourceFile]:
        """The licence files of the first folder that has any, from the object's own up to the root."""
        folder = key
        while self._texts and folder:
            folder = folder.rpartition("/")[0]
            if texts := self._texts.get(folder):
                return texts
        return []

    def _read_texts(self, files: Iterable[SourceFile]) -> None:
        waiting = list({_identity(file): file for file in files if _identity(file) not in self._read}.values())
        with tempfile.TemporaryDirectory(prefix="shapeyard-terms-") as scratch, ThreadPoolExecutor(READERS) as pool:
            paths = [Path(scratch, str(number)) for number in range(len(waiting))]
            for file, terms in zip(waiting, pool.map(self._terms_of_text, waiting, paths), strict=True):
                self._read[_identity(file)] = terms

    def _terms_of_text(self, file: SourceFile, path: Path) -> Terms:
        if self._bring(file, path, MAX_BYTES) is None:
            return NO_TERMS
        text = path.read_text(encoding="utf-8", errors="replace")
        path.unlink()
        return Terms(recognize_license(text), recognize_creator(text))

    def _bring(self, file: SourceFile, path: Path, limit: int) -> Path | None:
        """The file on this machine; None if it is too large or not to be used."""
        try:
            if file.size <= limit:
                self._source.download(file, path)
                return path
        except FormatError:
            return None
        return None


def _identity(file: SourceFile) -> str:
    return file.etag if MD5_TAG.fullmatch(file.etag) else file.key


def _agreed(found: Sequence[Terms]) -> Terms:
    """Of several licence files in a folder: what they agree on."""
    licenses = {terms.license for terms in found}
    creators = sorted({terms.creator for terms in found if terms.creator})
    return Terms(licenses.pop() if len(licenses) == 1 else UNKNOWN, ", ".join(creators))


@reader(SourceError)
def _read_rows(path: Path) -> dict[str, Terms]:
    """The terms of `samples.jsonl`, by the ids of its rows; empty where a row says nothing, or `unknown`."""
    rows = {}
    with path.open(encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                try:
                    row = json.loads(line)
                    said, creator = str(row.get("license") or UNKNOWN), str(row.get("creator") or "")
                    license = "" if said.lower() == UNKNOWN else recognize_license(said)
                    rows[str(row["id"])] = Terms(license, " ".join(creator.split())[:200])
                except (ValueError, KeyError, AttributeError, RecursionError) as error:
                    raise SourceError(
                        f"{ROWS}:{number}: expected a JSON object with an id, got {one_line(error)}"
                    ) from error
    return rows


def _row_of(item: ListedObject, rows: dict[str, Terms]) -> Terms:
    """The row of an object: by its id, by its file, or by the thing that it is a part of."""
    key = item.main.key
    return next((rows[name] for name in (item.id, key, "/".join(key.split("/")[:2])) if name in rows), SAYS_NOTHING)
