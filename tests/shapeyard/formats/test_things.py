"""Things: one mesh, a ZIP of STL files, a folder; and what people send instead."""

from __future__ import annotations

import struct
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
import trimesh

from shapeyard.errors import MeshError, TooLargeError
from shapeyard.formats.things import read_parts, read_thing


def stl(size: float = 1.0) -> bytes:
    return bytes(trimesh.creation.box((size, 1, 1)).export(file_type="stl"))


def write_zip(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def test_a_zip_gives_its_stl_files_by_name(tmp_path: Path) -> None:
    members = {"b/lid.STL": stl(3), "a.stl": stl(2), "readme.txt": b"hello", "__MACOSX/._a.stl": b"junk", "c/": b""}
    parts = read_thing(write_zip(tmp_path / "thing.zip", **members))
    assert [float(np.ptp(part.vertices[:, 0])) for part in parts] == [2, 3]
    assert list(tmp_path.iterdir()) == [tmp_path / "thing.zip"]


def test_a_zip_with_backslashes_between_its_folders_is_read(tmp_path: Path) -> None:
    """As .NET's archives were before version 4.6.1, the entries of folders included."""
    members = {"b\\": b"", "b\\lid.STL": stl(3), "a\\in\\side.stl": stl(2), "__MACOSX\\._a.stl": b"junk"}
    parts = read_thing(write_zip(tmp_path / "thing.zip", **members))
    assert [float(np.ptp(part.vertices[:, 0])) for part in parts] == [2, 3]
    assert list(tmp_path.iterdir()) == [tmp_path / "thing.zip"]


def test_folders_and_single_meshes(tmp_path: Path) -> None:
    (tmp_path / "thing" / "sub").mkdir(parents=True)
    (tmp_path / "thing" / "z.stl").write_bytes(stl(2))
    (tmp_path / "thing" / "sub" / "a.stl").write_bytes(stl(3))
    (tmp_path / "thing" / "notes.md").write_text("no mesh")
    assert [float(np.ptp(part.vertices[:, 0])) for part in read_thing(tmp_path / "thing")] == [3, 2]
    assert len(read_thing(tmp_path / "thing" / "z.stl")) == 1


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({}, r"thing\.zip: expected 1 to 1000 STL files, found none"),
        ({"readme.txt": b"x"}, r"found none"),
        ({"../evil.stl": stl()}, r"expected members inside the archive, got '\.\./evil\.stl'"),
        ({"a/../../evil.txt": b"x", "a.stl": stl()}, r"inside the archive"),
        ({"/etc/a.stl": stl()}, r"inside the archive"),
        ({"..\\a.stl": stl()}, r"inside the archive, .* the part '\.\.'"),
        ({"a\\..\\..\\b.stl": stl()}, r"inside the archive, .* the part '\.\.'"),
        ({"C:\\a.stl": stl()}, r"inside the archive, .* the drive letter C:"),
        ({"\\\\host\\a.stl": stl()}, r"inside the archive, .* an absolute path"),
        ({"sub//a.stl": stl()}, r"inside the archive, got 'sub//a\.stl': .* an empty part"),
        ({"./a.stl": stl()}, r"inside the archive"),
        ({"sub/C:/a.stl": stl()}, r"inside the archive, .* the drive letter C:"),
        ({"a\u2028.stl": stl()}, r"inside the archive, got 'a\\u2028\.stl': .* line breaks"),
        ({"a\u0085.stl": stl()}, r"inside the archive, .* control characters"),
        ({"ü" * 126 + ".stl": stl()}, r"inside the archive, .* more than 255 bytes"),
        ({"bomb.stl": bytes(30_000_000)}, r"bomb\.stl: expected a member at most 200 times its packed size"),
        ({"empty.stl": b""}, r"thing\.zip/empty\.stl: the file is empty"),
        ({"a.stl": stl()[:300]}, r"claims 12 triangles \(684 bytes\), the file has 300 bytes"),
    ],
)
def test_archives_that_are_refused(tmp_path: Path, members: dict[str, bytes], message: str) -> None:
    with pytest.raises(MeshError, match=message) as caught:
        read_thing(write_zip(tmp_path / "thing.zip", **members))
    assert "\n" not in str(caught.value)


def test_broken_and_encrypted_archives(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "thing.zip", **{"a.stl": stl()})
    whole = path.read_bytes()
    path.write_bytes(whole[:-30])
    with pytest.raises(MeshError, match=r"thing\.zip: not readable as ZIP"):
        read_thing(path)
    flagged = bytearray(whole)
    flagged[flagged.find(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(bytes(flagged))
    with pytest.raises(MeshError, match=r"a\.stl: expected a member that is not encrypted"):
        read_thing(path)
    path.write_bytes(whole[:60] + bytes(40) + whole[100:])
    with pytest.raises(MeshError, match=r"thing\.zip"):
        read_thing(path)


def test_a_member_that_lies_about_its_size_is_not_unpacked(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "thing.zip", **{"a.stl": stl() + bytes(100_000_000)})
    lying = bytearray(path.read_bytes())
    place = lying.rfind(b"PK\x01\x02") + 24
    lying[place : place + 4] = struct.pack("<I", len(stl()))
    path.write_bytes(bytes(lying))
    tracemalloc.start()
    with pytest.raises(MeshError, match=r"thing\.zip: not readable as ZIP: BadZipFile: Bad CRC-32"):
        read_thing(path)
    assert tracemalloc.get_traced_memory()[1] < 2_000_000
    tracemalloc.stop()


def test_rare_compressions_are_refused(tmp_path: Path) -> None:
    """Python unpacks them without a bound."""
    with zipfile.ZipFile(tmp_path / "thing.zip", "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("a.stl", stl())
    with pytest.raises(MeshError, match=r"a\.stl: expected a member that is stored or deflated"):
        read_thing(tmp_path / "thing.zip")


def test_limits_are_of_all_parts_together(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "thing.zip", **{f"{i}.stl": stl() for i in range(3)})
    assert len(read_thing(path, max_triangles=36)) == 3
    with pytest.raises(MeshError, match=r"at most 30 triangles in all parts"):
        read_thing(path, max_triangles=30)
    with pytest.raises(MeshError, match=r"at most 1000 bytes in all parts, got 2052"):
        read_thing(path, max_bytes=1000)


def test_forms_of_stl_that_are_mixed_up(tmp_path: Path) -> None:
    """A binary file whose header says solid is read; text behind a binary header is one clear line."""
    text = trimesh.creation.box().export(file_type="stl_ascii").encode()
    named = b"solid cube".ljust(80) + stl()[80:]
    (tmp_path / "named.stl").write_bytes(named)
    assert len(read_thing(tmp_path / "named.stl")[0].faces) == 12
    (tmp_path / "text.stl").write_bytes(b"binary header".ljust(80, b"\0") + struct.pack("<I", 12) + text)
    (tmp_path / "claims.stl").write_bytes(b"\0" * 80 + text)
    for name in ("text", "claims"):
        with pytest.raises(
            MeshError, match=rf"{name}\.stl: a binary STL header with the text of an ASCII STL"
        ) as caught:
            read_thing(tmp_path / f"{name}.stl")
    assert "\n" not in str(caught.value)


def test_a_broken_part_costs_that_part_alone(tmp_path: Path) -> None:
    members = {"a.stl": stl(2), "b.stl": b"", "c.stl": stl(3)}
    parts = read_parts(write_zip(tmp_path / "thing.zip", **members))
    assert [float(np.ptp(part.vertices[:, 0])) for part in parts.meshes] == [2, 3]
    assert parts.broken == [f"{tmp_path}/thing.zip/b.stl: the file is empty"]
    (tmp_path / "folder").mkdir()
    for name, content in members.items():
        (tmp_path / "folder" / name).write_bytes(content)
    assert len(read_thing(tmp_path / "folder")) == 2
    with pytest.raises(MeshError, match=r"b\.stl: the file is empty"):
        read_parts(write_zip(tmp_path / "all.zip", **{"b.stl": b"", "d.stl": b""}))
    with pytest.raises(TooLargeError, match="expected at most 11 triangles, got 12"):
        read_parts(tmp_path / "thing.zip", max_triangles=11)
