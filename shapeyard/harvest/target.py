"""Where a harvest goes: a folder or a bucket, file by file, each whole or not there.

Beside the meshes lie samples.jsonl, a line an object, and harvest.json: where from, when, how many, what is missing.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from shapeyard.boundary import reader
from shapeyard.errors import DatasetError, FormatError, ParameterError
from shapeyard.local_paths import local_path
from shapeyard.sources.folder import FolderSource
from shapeyard.sources.layouts import HARVEST
from shapeyard.sources.s3 import S3Source
from shapeyard.sources.stored_file import StoredFile

SAMPLES = "samples.jsonl"
MAX_KEY_BYTES = 900
"""S3 allows 1024, with the prefix."""
HIDDEN = ".harvest"
"""A folder's journal and what is being fetched; sources leave hidden files out."""


class Target:
    """A folder, or s3://bucket/prefix."""

    def __init__(self, uri: str, state: Path) -> None:
        """Make the folder or bucket unless it is there.

        Args:
            uri: of either.
            state: a folder on this machine that keeps the journals of what goes to buckets.

        Raises:
            ParameterError: for a URI of another kind.
            SourceError: if the bucket can't be reached.
        """
        self.uri = uri.rstrip("/")
        scheme, separator, rest = uri.partition("://")
        if separator and scheme not in ("s3", "file"):
            raise ParameterError(f"target {uri}: expected a folder or s3://bucket/prefix, got {scheme}://")
        self._bucket = S3Source(uri) if scheme == "s3" else None
        if self._bucket:
            self._bucket.ensure_bucket()
            name = re.sub(r"[^a-z0-9]+", "-", self.uri.lower())[:60].strip("-")
            self.journal = state / f"{name}-{hashlib.sha256(self.uri.encode()).hexdigest()[:12]}.jsonl"
        else:
            self.folder = Path(rest or uri).expanduser()
            self.folder.mkdir(parents=True, exist_ok=True)
            self.journal = self.folder / HIDDEN / "journal.jsonl"

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """An empty folder for what is being fetched, for one harvest at a time.

        For a folder as target it is on its disk, so that a file is moved to its place.
        """
        beside = None if self._bucket else self.folder / HIDDEN / "unfinished"
        if beside:
            shutil.rmtree(beside, ignore_errors=True)  # of one that was killed
            beside.mkdir(parents=True)
        with tempfile.TemporaryDirectory(prefix="shapeyard-harvest-", dir=beside) as name:
            yield Path(name)
        if beside:
            beside.rmdir()

    def sizes(self) -> dict[str, int]:
        """All that is there, by its path below the target, with its length in bytes."""
        files = (self._bucket or FolderSource(self.folder)).list_files()
        return {file.key: file.size for file in files}

    def put(self, path: Path, key: str) -> None:
        """Move a file of the scratch folder to its place, over what is there.

        Raises:
            FormatError: for a key that leads out of the target, is too long, or is a folder's as well.
        """
        if len(key.encode()) > MAX_KEY_BYTES:
            raise FormatError(f"{key[:80]}…: expected a name of at most {MAX_KEY_BYTES} bytes, got {len(key.encode())}")
        if self._bucket:
            local_path(path.parent, key)
            self._bucket.upload(path, key)
            path.unlink()
            return
        place = local_path(self.folder, key)
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            path.replace(place)
        except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
            raise FormatError(f"{key}: expected a name that is not a folder's as well") from error

    def remove(self, key: str) -> None:
        """Remove a file; in a folder also the folders that are empty then."""
        if self._bucket:
            self._bucket.remove(key)
            return
        place = local_path(self.folder, key)
        place.unlink(missing_ok=True)
        for folder in place.parents:
            if folder == self.folder or any(folder.iterdir()):
                break
            folder.rmdir()

    @reader(DatasetError, "self.uri")
    def read_samples(self) -> list[dict[str, Any]]:
        """The rows of samples.jsonl; none where there is no such file.

        Raises:
            DatasetError: for lines that are no rows.
        """
        with self._stored(SAMPLES).to_read() as path:
            if path is None:
                return []
            with path.open(encoding="utf-8") as lines:
                try:
                    rows = [dict(json.loads(line)) for line in lines]
                    if all(row.keys() >= {"id", "class", "files"} for row in rows):
                        return rows
                except (ValueError, TypeError):
                    pass
        raise DatasetError(f"{self.uri}/{SAMPLES}: expected a JSON object with id, class and files in each line")

    def write_samples(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write samples.jsonl."""
        with self._stored(SAMPLES).to_write() as path, path.open("w", encoding="utf-8") as file:
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)

    def write_summary(self, summary: Mapping[str, Any]) -> None:
        """Write harvest.json."""
        with self._stored(HARVEST).to_write() as path:
            path.write_text(json.dumps(summary, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")

    def _stored(self, name: str) -> StoredFile:
        return StoredFile(self.uri if self._bucket else str(self.folder), name)
