"""What a harvest has done, a line each: it is read when the harvest goes on after whatever ended it."""

from __future__ import annotations

import fcntl
import json
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from shapeyard.errors import DatasetError


class Journal:
    """An append-only file of JSON lines, of which only the last can be torn. May be used from several threads."""

    def __init__(self, path: Path) -> None:
        """Raises `DatasetError` for lines that are no journal, and where another process writes it now."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a+b")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._file.close()
            raise DatasetError(f"{path}: expected one harvest at a time, another one is running") from error
        self._lock = threading.Lock()
        self.path = path
        self.entries: list[dict[str, Any]] = []
        """those that were there when it was opened"""
        try:
            self._read()
        except BaseException:
            self._file.close()
            raise

    def append(self, entry: Mapping[str, Any], *, sync: bool = True) -> None:
        """Write an entry so that it survives the process, and with `sync` the machine."""
        line = json.dumps(entry, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
        with self._lock:
            self._file.write(line)
            self._file.flush()
            if sync:
                os.fsync(self._file.fileno())

    def close(self) -> None:
        """Let others write it."""
        self._file.close()

    def _read(self) -> None:
        self._file.seek(0)
        whole = 0
        for line in self._file:
            if not line.endswith(b"\n"):
                break
            try:
                self.entries.append(dict(json.loads(line)))
            except (ValueError, TypeError) as error:
                raise DatasetError(f"{self.path}: expected a journal of a harvest, got {line[:80]!r}") from error
            whole += len(line)
        self._file.truncate(whole)


@contextmanager
def open_journal(path: Path) -> Iterator[Journal]:
    """A journal for as long as the context lasts; raises `DatasetError` as `Journal` does."""
    journal = Journal(path)
    try:
        yield journal
    finally:
        journal.close()
