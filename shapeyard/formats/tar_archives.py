"""TAR files that others made, as `formats.archives` has ZIPs: what may be unpacked of them, and in which bounds.

They are read where they lie: a tar has no directory, so its headers are read one after the other, and the members'
bytes between them only when they are asked for. Compressed ones are refused: to find a member all before it would have
to be unpacked.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from threading import Lock
from typing import Any, BinaryIO

from shapeyard.errors import FormatError, one_line
from shapeyard.formats.archives import BLOCK, MAX_MEMBERS, NOWHERE, Member
from shapeyard.local_paths import local_path

MAX_HEADER_BYTES = 1 << 20
"""Of a header and its extensions, which are read into memory: they hold a name."""


class TarArchive:
    """An open TAR whose names are all inside it. Members may be extracted by several threads."""

    def __init__(self, path: Path | str, file: BinaryIO, max_members: int) -> None:
        """Raises `FormatError` as `open_tar` does."""
        self.path, self._file = path, file
        self._lock = Lock()
        self.members: list[Member] = []
        seen: set[str] = set()
        size = file.seek(0, io.SEEK_END)
        file.seek(0)
        headers: Any = _Headers(file)
        with tarfile.open(fileobj=headers, mode="r:") as content:
            for number, info in enumerate(content):
                if number == max_members:
                    raise FormatError(f"{path}: expected at most {max_members} members, got more")
                name = info.name.removeprefix("./")
                if not info.isdir():
                    self._require_file(info, name, size)
                    if name in seen:
                        raise FormatError(f"{path}: expected names that differ, got {name!r} twice")
                    seen.add(name)
                    self.members.append(Member(name, info.size, info))
            file.seek(content.offset)
            if any(file.read(BLOCK)):  # zeros end an archive, also where they are those of a hole
                raise FormatError(f"{path}: expected the end of the archive behind its last member, got more")

    def extract(self, member: Member, target: Path) -> None:
        """Write a member to a file; raises `FormatError` if it is cut off, and leaves no half a file."""
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with target.open("wb") as file:
                position = 0
                while position < member.size:
                    with self._lock:
                        self._file.seek(member.info.offset_data + position)
                        block = self._file.read(min(BLOCK, member.size - position))
                    if not block:
                        raise FormatError(f"{self.path}: {member.name}: expected {member.size} bytes, got {position}")
                    file.write(block)
                    position += len(block)
        except BaseException:
            target.unlink(missing_ok=True)
            raise

    def _require_file(self, info: tarfile.TarInfo, name: str, size: int) -> None:
        try:
            local_path(NOWHERE, name)
        except FormatError as error:
            raise FormatError(f"{self.path}: expected members inside the archive, got {error}") from error
        if not info.isreg() or info.issparse():
            kind = "link" if info.islnk() or info.issym() else "sparse file" if info.isreg() else "device"
            raise FormatError(f"{self.path}: expected members that are files, got {name!r}, a {kind}")
        if info.offset_data + info.size > size:
            raise FormatError(f"{self.path}: {name}: expected {info.size} bytes, got a shorter archive")


class _Headers:
    """What tarfile reads headers from: never more of them than a name takes."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def read(self, size: int) -> bytes:
        if size > MAX_HEADER_BYTES:
            raise tarfile.ReadError(f"a header of {size} bytes")
        return self._file.read(size)

    def seek(self, offset: int) -> int:
        return self._file.seek(offset)

    def tell(self) -> int:
        return self._file.tell()


@contextmanager
def open_tar(path: Path | str, file: BinaryIO | None = None, max_members: int = MAX_MEMBERS) -> Iterator[TarArchive]:
    """Open a TAR, without unpacking anything.

    Args:
        path: where it is, or what messages call it if `file` is given.
        file: its content, from which any position can be read.
        max_members: files and folders in it.

    Raises:
        FormatError: in one line, for a file that is no uncompressed TAR or is cut off, more members, a name twice, a
            link, a name that leads out of the archive or cannot be a path.
    """
    with nullcontext(file) if file else Path(path).open("rb") as content:
        try:
            archive = TarArchive(path, content, max_members)
        except (tarfile.TarError, EOFError, ValueError, OSError) as error:
            raise FormatError(f"{path}: not readable as TAR: {one_line(error)}") from error
        yield archive
