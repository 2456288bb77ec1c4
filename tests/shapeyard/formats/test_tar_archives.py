"""TARs that others made: what is refused, and why."""

from __future__ import annotations

import gzip
import tarfile
from pathlib import Path

import pytest
from tar_files import write_tar

from shapeyard.errors import FormatError
from shapeyard.formats.tar_archives import open_tar


def info(name: str, kind: bytes = tarfile.REGTYPE, target: str = "", **pax: str) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname, made.pax_headers = kind, target, pax
    return made


def test_members_are_extracted(tmp_path: Path) -> None:
    long = f"{'long' * 50}/a.off"
    members = {"./a/b.off": b"mesh" * 500_000, "empty": b"", long: b"x"}
    path = write_tar(tmp_path / "a.tar", info("a", tarfile.DIRTYPE), **members)
    with open_tar(path) as archive:
        assert [(one.name, one.size) for one in archive.members] == [("a/b.off", 2_000_000), ("empty", 0), (long, 1)]
        for number, member in enumerate(reversed(archive.members)):
            archive.extract(member, tmp_path / str(number))
    assert [(tmp_path / str(number)).read_bytes() for number in range(3)] == [*reversed(members.values())]


@pytest.mark.parametrize(
    ("infos", "message"),
    [
        ([info("../a.off")], r"a\.tar: expected members inside the archive, got '\.\./a\.off'"),
        ([info("/a.off")], "an absolute path"),
        ([info("a.off", tarfile.SYMTYPE, "/etc/passwd")], r"got 'a\.off', a link"),
        ([info("a.off", tarfile.LNKTYPE, "b.off")], r"got 'a\.off', a link"),
        ([info("pipe", tarfile.FIFOTYPE)], "got 'pipe', a device"),
        ([info("a.off"), info("./a.off")], r"expected names that differ, got 'a\.off' twice"),
        ([info(str(number)) for number in range(4)], "expected at most 3 members, got more"),
        ([info("a.off", comment="x" * 2_000_000)], "not readable as TAR: ReadError: a header of"),
    ],
)
def test_what_refuses_an_archive(tmp_path: Path, infos: list[tarfile.TarInfo], message: str) -> None:
    path = write_tar(tmp_path / "a.tar", *infos)
    with pytest.raises(FormatError, match=message) as caught, open_tar(path, max_members=3):
        pass
    assert "\n" not in str(caught.value)


def test_what_is_no_whole_tar(tmp_path: Path) -> None:
    whole = write_tar(tmp_path / "a.tar", a=b"a" * 5000, b=b"b" * 5000).read_bytes()
    hole = bytearray(whole)
    hole[512 + 5120 : 512 + 5120 + 512] = bytes(512)  # the second header
    for content in (b"", b"PK", whole[:3000], whole[: 512 + 5120 + 600], bytes(hole), gzip.compress(whole)):
        (tmp_path / "b.tar").write_bytes(content)
        with pytest.raises(FormatError, match=r"b\.tar: "), open_tar(tmp_path / "b.tar"):
            pass
