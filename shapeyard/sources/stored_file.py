"""One file in a folder or in a bucket, where a training leaves what it goes on from.

It is either whole or not there: locally it is written beside its place and renamed, and an object appears in a bucket
when its last part has come.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shapeyard.sources.s3 import S3Source


class StoredFile:
    """The file `name` in `folder`, a local path or s3://bucket/prefix."""

    def __init__(self, folder: str, name: str) -> None:
        self.name = name
        self.uri = f"{folder.rstrip('/')}/{name}"
        self._bucket = S3Source(folder) if re.match(r"s3://", folder) else None

    @contextmanager
    def to_read(self) -> Iterator[Path | None]:
        """Where the file lies on this machine as long as the context lasts, or None where there is no such file.

        Raises:
            SourceError: for a bucket that can't be read.
        """
        if not self._bucket:
            yield Path(self.uri) if Path(self.uri).is_file() else None
            return
        found = next((file for file in self._bucket.list_files() if file.key == self.name), None)
        if found is None:
            yield None
            return
        with tempfile.TemporaryDirectory(prefix="shapeyard-stored-") as scratch:
            self._bucket.download(found, Path(scratch, self.name))
            yield Path(scratch, self.name)

    @contextmanager
    def to_write(self) -> Iterator[Path]:
        """Where to write the file, which takes the place of the one before when the context ends well.

        Raises:
            OSError, SourceError: if it can't be put there; what was there before stays.
        """
        with tempfile.TemporaryDirectory(prefix="shapeyard-stored-") as scratch:
            path = Path(scratch, self.name) if self._bucket else Path(f"{self.uri}.part")
            path.parent.mkdir(parents=True, exist_ok=True)
            yield path
            if self._bucket:
                self._bucket.upload(path, self.name)
            else:
                with path.open("rb") as file:
                    os.fsync(file.fileno())
                path.replace(self.uri)

    def remove(self) -> None:
        """Remove the file, if it is there."""
        if self._bucket:
            self._bucket.remove(self.name)
        else:
            Path(self.uri).unlink(missing_ok=True)
