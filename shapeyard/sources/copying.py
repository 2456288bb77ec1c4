"""Copying a source into a bucket or a folder: what is there already stays, and what was interrupted goes on."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

from shapeyard.errors import FormatError, SourceError, one_line
from shapeyard.local_paths import local_path
from shapeyard.ordered_map import bounded_ordered_map
from shapeyard.sources.s3 import CONNECTIONS, S3Source, has_etag
from shapeyard.sources.schemes import open_source
from shapeyard.sources.source import Source, SourceFile

JOURNAL = ".shapeyard-copied.jsonl"
"""In the target folder, a line a file: its key, the source's tag of it, its size and the time of its change here."""


@dataclass
class Copied:
    """What became of the files of a source."""

    sent: int = 0
    unchanged: int = 0
    missing: list[tuple[str, str]] = field(default_factory=list)
    """key and reason, of what could not be copied"""


def copy_files(source_uri: str, target_uri: str, progress: Callable[[int, int], None]) -> Copied:
    """Copy all files of a source to a folder or to s3://bucket/prefix, making either if need be.

    A file of the target that is not in the source stays. One that could not be copied does not stop the others.

    Args:
        source_uri: what `open_source` takes.
        target_uri: a folder or s3://bucket/prefix. There an object with the same content (by its tag) is left alone; in
            a folder a file that was copied before and changed neither here nor, by its tag, in the source.
        progress: is called with (done, total).

    Raises:
        SourceError: if the source can't be listed or the bucket not be made.
    """
    source = open_source(source_uri)
    files = source.list_files()
    target: _Bucket | _Folder
    target = _Bucket(source, target_uri) if target_uri.startswith("s3://") else _Folder(source, Path(target_uri))
    copied = Copied()
    with target, ThreadPoolExecutor(CONNECTIONS) as pool:
        try:
            waiting = [file for file in files if not target.has(file)]
            copied.unchanged = done = len(files) - len(waiting)
            progress(done, len(files))

            def bring(file: SourceFile) -> bool | Exception:
                try:
                    return target.bring(file)
                except (SourceError, FormatError, FileExistsError, NotADirectoryError, IsADirectoryError) as error:
                    return error

            brought = bounded_ordered_map(pool, bring, waiting, 8 * CONNECTIONS)
            for file, answer in zip(waiting, brought, strict=True):
                if isinstance(answer, Exception):
                    copied.missing.append((file.key, one_line(answer)))
                else:
                    copied.sent += answer
                    copied.unchanged += not answer
                progress(done := done + 1, len(files))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return copied


class _Bucket:
    """A bucket that files are copied to."""

    def __init__(self, source: Source, uri: str) -> None:
        self._source, self._target = source, S3Source(uri)
        self._target.ensure_bucket()
        self._there = {file.key: file for file in self._target.list_files()}
        self._scratch = tempfile.TemporaryDirectory(prefix="shapeyard-copy-")

    def __enter__(self) -> _Bucket:
        return self

    def __exit__(self, *_: object) -> None:
        self._scratch.cleanup()

    def has(self, file: SourceFile) -> bool:
        """Of two buckets the tags say it; else the content has to be looked at."""
        there = self._there.get(file.key)
        return isinstance(self._source, S3Source) and there == file

    def bring(self, file: SourceFile) -> bool:
        with tempfile.TemporaryDirectory(dir=self._scratch.name) as folder:
            path = Path(folder, "file")  # never by a name that others chose
            self._source.download(file, path)
            there = self._there.get(file.key)
            if there and there.size == path.stat().st_size and has_etag(path, there.etag):
                return False
            self._target.upload(path, file.key)
            return True


class _Folder:
    """A folder that files are copied to, with a journal of them."""

    def __init__(self, source: Source, folder: Path) -> None:
        self._source, self._folder = source, folder.expanduser()
        self._folder.mkdir(parents=True, exist_ok=True)
        self._copied = _read_journal(self._folder / JOURNAL)
        self._journal = (self._folder / JOURNAL).open("a", encoding="utf-8", buffering=1)
        self._lock = Lock()

    def __enter__(self) -> _Folder:
        return self

    def __exit__(self, *_: object) -> None:
        self._journal.close()

    def has(self, file: SourceFile) -> bool:
        return file.key in self._copied and self._copied[file.key] == self._line(file)

    def bring(self, file: SourceFile) -> bool:
        target = local_path(self._folder, file.key)
        # Whoever was killed may have had no time to write it down.
        there = target.is_file() and target.stat().st_size == file.size and has_etag(target, file.etag)
        if not there:
            self._source.download(file, target)
        line = json.dumps(self._line(file)) + "\n"
        with self._lock:
            self._journal.write(line)
        return not there

    def _line(self, file: SourceFile) -> Sequence[object]:
        try:
            stat = (self._folder / file.key).lstat()
        except OSError:
            return ()
        return [file.key, file.etag, stat.st_size, stat.st_mtime_ns]


def _read_journal(path: Path) -> dict[str, Sequence[object]]:
    """Key → line; a line that was being written when someone was killed counts for nothing."""
    copied: dict[str, Sequence[object]] = {}
    if path.is_file():
        text = path.read_text(encoding="utf-8", errors="replace")
        for row in text.split("\n"):
            try:
                key, etag, size, changed = json.loads(row)
                copied[str(key)] = [key, etag, size, changed]
            except (ValueError, TypeError):
                continue
        if text and not text.endswith("\n"):
            with path.open("a", encoding="utf-8") as journal:
                journal.write("\n")
    return copied
