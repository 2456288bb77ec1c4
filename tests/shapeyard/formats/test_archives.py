"""ZIPs that others made: what is refused, and why."""

from __future__ import annotations

import stat
import warnings
import zipfile
from pathlib import Path

import pytest

from shapeyard.errors import FormatError
from shapeyard.formats.archives import MAX_MEMBERS, open_archive


def write_zip(path: Path, *members: tuple[str | zipfile.ZipInfo, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a name twice
        for name, content in members:
            archive.writestr(name, content)
    return path


def names(path: Path) -> list[str]:
    with open_archive(path) as archive:
        return [member.name for member in archive.members]


def test_members_are_read_and_extracted(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", ("a/", b""), ("a/b.stl", b"mesh" * 1000), ("empty", b""))
    with open_archive(path) as archive:
        mesh, empty = archive.members
        assert archive.read(mesh) == b"mesh" * 1000
        archive.extract(mesh, tmp_path / "out" / "0")
        archive.extract(empty, tmp_path / "out" / "1")
    assert (tmp_path / "out" / "0").read_bytes() == b"mesh" * 1000
    assert (tmp_path / "out" / "1").read_bytes() == b""


def test_what_refuses_an_archive(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("link.stl")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    for members, message in (
        ([("../a.stl", b"x")], r"a\.zip: expected members inside the archive, got '\.\./a\.stl'"),
        ([("/a.stl", b"x")], "an absolute path"),
        ([("C:\\a.stl", b"x")], "the drive letter C:"),
        ([(link, b"/etc/passwd")], r"'link\.stl', a symbolic link"),
        ([("a.stl", b"x"), ("a.stl", b"y")], r"expected names that differ, got 'a\.stl' twice"),
        ([("a\\b.stl", b"x"), ("a/b.stl", b"y")], r"expected names that differ, got 'a/b\.stl' twice"),
        ([(str(i), b"") for i in range(MAX_MEMBERS + 1)], r"expected at most 10000 members, got 10001"),
    ):
        path = write_zip(tmp_path / "a.zip", *members)  # type: ignore[arg-type]
        with pytest.raises(FormatError, match=message) as caught, open_archive(path):
            pass
        assert "\n" not in str(caught.value)
    assert not (tmp_path.parent / "a.stl").exists()


def test_what_refuses_a_member(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", ("bomb.stl", bytes(30_000_000)), ("good.stl", b"good"))
    with open_archive(path) as archive:
        bomb, good = archive.members
        with pytest.raises(FormatError, match=r"bomb\.stl: expected a member at most 200 times its packed size"):
            archive.extract(bomb, tmp_path / "bomb.stl")
        assert archive.read(good) == b"good"
    content = bytearray(path.read_bytes())
    content[content.rfind(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(bytes(content))
    with open_archive(path) as archive, pytest.raises(FormatError, match=r"good\.stl: expected .* not encrypted"):
        archive.read(archive.members[1])
    assert [file.name for file in tmp_path.iterdir()] == ["a.zip"]


def test_a_damaged_member_leaves_no_half_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.stl", bytes(range(256)) * 20_000)
    content = bytearray(path.read_bytes())
    content[4_000_000] ^= 1
    path.write_bytes(bytes(content))
    with open_archive(path) as opened, pytest.raises(FormatError, match=r"not readable as ZIP: BadZipFile: Bad CRC-32"):
        opened.extract(opened.members[0], tmp_path / "a.stl")
    assert not (tmp_path / "a.stl").exists()


def test_names_in_other_encodings(tmp_path: Path) -> None:
    """UTF-8 that does not say so, as macOS writes it; DOS's code page; a name that claims to be UTF-8 and is not."""
    path = write_zip(tmp_path / "a.zip", ("Gehxuse.stl", b"x"))
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"Gehxuse", "Gehäse".encode()))
    assert names(path) == ["Gehäse.stl"]
    path.write_bytes(whole.replace(b"Gehxuse", b"Geh\x84use"))
    assert names(path) == ["Gehäuse.stl"]
    claims = bytearray(whole.replace(b"Gehxuse", b"Geh\xffuse"))
    claims[claims.rfind(b"PK\x01\x02") + 9] |= 8
    path.write_bytes(bytes(claims))
    with pytest.raises(FormatError, match="not readable as ZIP: UnicodeDecodeError"):
        names(path)


@pytest.mark.parametrize("content", [b"", b"<html>", b"PK\x05\x06" + bytes(18) + b"x", b"PK\x03\x04" * 10])
def test_what_is_no_zip(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.zip").write_bytes(content)
    try:
        assert names(tmp_path / "a.zip") == []
    except FormatError as error:
        assert "not readable as ZIP" in str(error)
