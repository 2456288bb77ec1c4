"""A local folder as a source."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from shapeyard.errors import FormatError, SourceError
from shapeyard.local_paths import is_below
from shapeyard.sources.source import SourceFile

BLOCK = 8 << 20
MAX_TAGGED_BYTES = 256_000_000


class FolderSource:
    """All regular files below a folder; hidden ones are left out, and links are followed inside the folder alone.

    Attributes:
        links: the symbolic links to folders that `list_files` met: they are not followed, since they may lead anywhere,
            in a circle, or to what is listed already.
    """

    def __init__(self, root: Path) -> None:
        """Raises `SourceError` if `root` is not a folder."""
        if not root.is_dir():
            raise SourceError(f"source {root}: expected a folder, found {'a file' if root.exists() else 'nothing'}")
        self.root = root
        self.links: list[str] = []

    def list_files(self) -> list[SourceFile]:
        """All files, sorted by key; the tag is the time of the last change with the size.

        Raises:
            SourceError: if there is nothing but links to folders.
        """
        files, links = [], []
        for path in self.root.rglob("*"):
            inside = path.relative_to(self.root)
            if any(part.startswith(".") for part in inside.parts):
                continue
            if path.is_file():
                stat = path.stat()
                files.append(SourceFile(inside.as_posix(), stat.st_size, f"{stat.st_mtime_ns}-{stat.st_size}"))
            elif path.is_symlink() and path.is_dir():
                links.append(inside.as_posix())
        self.links = sorted(links)
        if links and not files:
            raise SourceError(
                f"source {self.root}: expected files, got symbolic links to folders alone, which are not followed: "
                f"{', '.join(self.links[:3])}"
            )
        return sorted(files, key=lambda file: file.key)

    def download(self, file: SourceFile, target: Path) -> None:
        """Copy one file; raises `FormatError` for a link that leads out of the folder, and what is no regular file."""
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f".{secrets.token_hex(8)}.part")  # the longest names have no room for an ending
        with self._opened(file) as content:
            try:
                with part.open("wb") as copy:
                    shutil.copyfileobj(content, copy)
                part.replace(target)
            finally:
                part.unlink(missing_ok=True)

    def read(self, file: SourceFile) -> Iterator[memoryview]:
        """The bytes of a file in blocks; raises what `download` does."""
        with self._opened(file) as content:
            while block := content.read(BLOCK):
                yield memoryview(block)

    def content_tag(self, file: SourceFile) -> str:
        """A hash of a file's content; of one that cannot be opened, or is larger than any mesh, what was listed.

        A copied, restored or touched file is the same file.
        """
        if file.size > MAX_TAGGED_BYTES:
            return file.etag
        digest = hashlib.blake2b(digest_size=16)
        try:
            for block in self.read(file):
                digest.update(block)
        except (FormatError, OSError):
            return file.etag  # what is wrong with it is said where it is brought
        return digest.hexdigest()

    @contextmanager
    def _opened(self, file: SourceFile) -> Iterator[IO[bytes]]:
        path = self.root / file.key
        if not is_below(self.root, path):
            raise FormatError(f"{file.key}: expected a file of the source, got a symbolic link that leads out of it")
        try:
            # What the path leads to may be another than when it was listed: a pipe would wait for ever.
            descriptor = os.open(path.resolve(), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except FileNotFoundError as error:
            raise SourceError(f"{path}: the file was there when listed and is gone now") from error
        with os.fdopen(descriptor, "rb") as content:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise FormatError(f"{file.key}: expected a regular file")
            yield content
