"""ZIPs that others made: what may be unpacked of them, and in which bounds.

Two kinds of faults. What makes an archive untrustworthy as a whole refuses all of it: a name that leads out of it, a
symbolic link, a name twice, too many members, too much in them together. What spoils one member refuses that member:
encryption, a compression that is unpacked without a bound, a size that no mesh packs to.
"""

from __future__ import annotations

import contextlib
import io
import stat
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from shapeyard.boundary import foreign
from shapeyard.errors import FormatError
from shapeyard.local_paths import local_path

MAX_MEMBERS = 10_000
"""Of an archive, whatever they are: its directory is read into memory."""
DIRECTORY_BYTES = 400
"""Of a member's entry in the directory on average: 46, its name twice, the times of its file."""
MAX_RATIO = 200
"""How much larger than its archive a member may be: STL packs to about a tenth, seldom to a fiftieth."""
FREE_BYTES = 1_000_000
"""Members below this are never taken for a bomb."""
UTF8_FLAG = 0x800
ENCRYPTED_FLAG = 0x1
BLOCK = 1 << 20
NOWHERE = Path("/dev/null")
"""A folder that has no links: names are judged by themselves."""


@dataclass(frozen=True)
class Member:
    """A file in an archive."""

    name: str
    """relative, `/` between its parts, safe as a path"""
    size: int
    """bytes, as the archive says; no more are ever unpacked"""
    info: Any
    """the `ZipInfo`, or the `TarInfo`"""


class Archive:
    """An open ZIP whose names are all inside it."""

    def __init__(self, path: Path | str, content: zipfile.ZipFile, packed: int, max_ratio: int = MAX_RATIO) -> None:
        """Raises `FormatError` as `open_archive` does; `packed`: bytes of the whole archive."""
        self.path = path
        self._content = content
        self._packed = packed
        self._max_ratio = max_ratio
        infos = content.infolist()
        self.members = [Member(_name(info), info.file_size, info) for info in infos if not _name(info).endswith("/")]
        seen: set[str] = set()
        for member in self.members:
            self._require_inside(member)
            if member.name in seen:
                raise FormatError(f"{path}: expected names that differ, got {member.name!r} twice")
            seen.add(member.name)

    def read(self, member: Member) -> bytes:
        """All of a member's content, in memory; raises `FormatError` as `blocks` does."""
        return b"".join(self.blocks(member, max(member.size, 1)))

    def extract(self, member: Member, target: Path) -> None:
        """Write a member to a file; raises `FormatError` as `blocks` does, and leaves no half a file."""
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with target.open("wb") as file:
                for block in self.blocks(member):
                    file.write(block)
        except BaseException:
            target.unlink(missing_ok=True)
            raise

    def blocks(self, member: Member, block: int = BLOCK) -> Iterator[bytes]:
        """A member's content, in pieces of so many bytes.

        Raises:
            FormatError: for a member that is encrypted, packed in a rare way or far too well; and where it ends, if its
                length or checksum is not what the archive says.
        """
        info, where = member.info, f"{self.path}: {member.name}"
        if info.flag_bits & ENCRYPTED_FLAG:
            raise FormatError(f"{where}: expected a member that is not encrypted")
        if member.size > max(FREE_BYTES, self._max_ratio * min(info.compress_size, self._packed)):
            raise FormatError(
                f"{where}: expected a member at most {self._max_ratio} times its packed size, "
                f"got {member.size} bytes out of {info.compress_size}"
            )
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise FormatError(f"{where}: expected a member that is stored or deflated")
        with foreign(self.path, kind="ZIP"):
            content = self._content.open(info)
        with content:
            while True:
                with foreign(self.path, kind="ZIP"):
                    piece = content.read(block)  # never more than `member.size` in all: then the checksum is wrong
                if not piece:
                    return
                yield piece

    def _require_inside(self, member: Member) -> None:
        try:
            # `orig_filename` goes on behind a NUL, and the other may be from an extra field.
            for name in {name.replace("\\", "/") for name in (member.info.orig_filename, member.info.filename)}:
                local_path(NOWHERE, name)
            if not member.info.filename.isascii():
                local_path(NOWHERE, member.name)
        except FormatError as error:
            raise FormatError(f"{self.path}: expected members inside the archive, got {error}") from error
        if stat.S_ISLNK(member.info.external_attr >> 16):
            raise FormatError(f"{self.path}: expected members inside the archive, got {member.name!r}, a symbolic link")


@contextmanager
def open_archive(
    path: Path | str, file: BinaryIO | None = None, max_members: int = MAX_MEMBERS, max_ratio: int = MAX_RATIO
) -> Iterator[Archive]:
    """Open a ZIP, without unpacking anything.

    Args:
        path: where it is, or what messages call it if `file` is given.
        file: its content, from which any position can be read.
        max_members: files and folders in it; more are refused before their names are read.
        max_ratio: how much larger than the archive a member may be, from 1 MB on.

    Raises:
        FormatError: in one line, for a file that is no ZIP, more members, a name twice, a symbolic link, a name that
            leads out of the archive or cannot be a path.
    """
    with ExitStack() as opened:
        with foreign(path, kind="ZIP"):
            content = file or opened.enter_context(Path(path).open("rb"))
            _require_few_members(path, content, max_members)
            archive = opened.enter_context(zipfile.ZipFile(content))
            made = Archive(path, archive, content.seek(0, io.SEEK_END), max_ratio)
        yield made


def _require_few_members(path: Path | str, file: BinaryIO, max_members: int) -> None:
    """By what the archive's end says, as zipfile will read it: its directory takes a microsecond and 500 bytes each."""
    end = zipfile._EndRecData(file)  # type: ignore[attr-defined]  # another parser could see another end
    if end is None:
        raise zipfile.BadZipFile("File is not a zip file")
    members, size = end[zipfile._ECD_ENTRIES_TOTAL], end[zipfile._ECD_SIZE]  # type: ignore[attr-defined]
    if members > max_members or size > max_members * DIRECTORY_BYTES:
        raise FormatError(f"{path}: expected at most {max_members} members, got {members} in {size} bytes")


def is_of_macos(name: str) -> bool:
    """Whether a member is what macOS adds to archives (`__MACOSX/._name.stl`)."""
    parts = name.split("/")
    return parts[0] == "__MACOSX" or parts[-1].startswith("._")


def _name(info: zipfile.ZipInfo) -> str:
    """A member's name with `/` between its parts: old tools on Windows wrote `\\`, against the format.

    macOS and many web servers write UTF-8 and do not say so; then it reads as the code page of DOS.
    """
    name = info.filename
    if not info.flag_bits & UTF8_FLAG:
        with contextlib.suppress(UnicodeError):
            name = name.encode("cp437").decode("utf-8")
    return name.replace("\\", "/")
