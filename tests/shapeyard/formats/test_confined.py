"""What is left of a mesh's references once they may lead to its own files alone."""

from __future__ import annotations

import time
from pathlib import Path

from shapeyard.formats.confined import confine_mesh


def written(folder: Path, obj: str, **files: str) -> tuple[bytes, list[str]]:
    """The copy of an OBJ file, and the lines of its materials."""
    (folder / "m.obj").write_bytes(obj.encode())
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_bytes(content.encode())
    copy = confine_mesh(folder / "m.obj", folder)
    assert (folder / "m.obj").read_bytes() == obj.encode()
    return copy.read_bytes(), copy.with_name("materials.mtl").read_text().splitlines()


def test_materials_keep_what_colours_them(tmp_path: Path) -> None:
    obj, mtl = written(
        tmp_path, "mtllib a.mtl b.mtl\nusemtl one\n",
        a__mtl="Kd 9 9 9\nnewmtl one\nKd 0.5 .25 1e-1 # red\nNs 3\nillum 2\nmap_Kd -clamp on -s 2 2 1 t.png\n",
        b__mtl="newmtl two  words\r\n\tKd 1 0 x\r\nmap_Kd\r\nmap_Bump -bm 0.3 t.png\r\nmap_Kd ../t.png\r\n",
        t__png="",
    )  # fmt: skip
    assert obj == b"mtllib materials.mtl\nusemtl one"
    assert mtl[:3] == ["newmtl one", "Kd 0.5 .25 1e-1", "map_Kd -s 2 2 1 ../t.png"]
    assert mtl[3:6] == ["newmtl two  words", "Kd 1 0", "map_Bump ../t.png"]
    assert mtl[6] == "map_Kd ../t.png", "found beside it, as Blender would"


def test_no_reading_of_a_reference_leads_out(tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_text("")
    (tmp_path / "secret.mtl").write_text("newmtl m\nKd 1 0 0\n")
    (tmp_path / "in" / "film").mkdir(parents=True)
    (tmp_path / "in" / "link.png").symlink_to(tmp_path / "secret.png")
    (tmp_path / "in" / "film.m3u8").write_text("")
    names = [f"{tmp_path}/secret.png", "../secret.png", '"."./secret.png', "..\\secret.png", "link.png", "film", ".",
             "film.m3u8", "-o 1 ../secret.png", "a\0b", "../" * 2000, "~/x.png", "//secret.png"]  # fmt: skip
    statements = "".join(f"map_Kd {name}\n" for name in names)
    libraries = "".join(f"mtllib {name}\n" for name in (f"{tmp_path}/secret.mtl", "../secret.mtl", '"../secret.mtl"'))
    obj, mtl = written(tmp_path / "in", libraries, m__mtl=f"newmtl m\n{statements}")
    assert obj.count(b"mtllib") == 1
    assert mtl[0] == "newmtl m"
    assert {line.rpartition("/")[0] for line in mtl[1:]} == {""}, "names of no file"
    assert all(line.startswith("map_Kd no-") for line in mtl[1:])


def test_a_large_file_is_copied_in_no_time(tmp_path: Path) -> None:
    (tmp_path / "m.obj").write_bytes(b"mtllib m.mtl\n" + b"v 0.123456 0.234567 0.345678\n" * 1_000_000)
    start = time.process_time()
    confine_mesh(tmp_path / "m.obj", tmp_path)
    assert time.process_time() - start < 2


def test_an_obj_file_is_handed_on_with_nothing_but_its_faces(tmp_path: Path) -> None:
    """Curves and lines crash Blender's importer; a statement may also hide behind a carriage return or a backslash."""
    (tmp_path / "m.obj").write_bytes(
        b"cstype bspline\nv 0 0 0 1 0 0\n\tvt 0 0\nvn 0 0 1\rcurv 0 1 1 2\nvp 1\nf 1/1/1 \\\n2 3 # face\nl 1 2\ndeg 3\n"
    )
    lines = confine_mesh(tmp_path / "m.obj", tmp_path).read_bytes().splitlines()
    assert lines == [b"mtllib materials.mtl", b"v 0 0 0 1 0 0", b"\tvt 0 0", b"vn 0 0 1", b"f 1/1/1  2 3 # face"]
