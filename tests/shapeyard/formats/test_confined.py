"""What is left of a mesh's references once they may lead to its own files alone."""

from __future__ import annotations

import base64
import json
import struct
import time
import zlib
from pathlib import Path

import pytest

from shapeyard.errors import MeshError
from shapeyard.formats.confined import confine_mesh


def written(folder: Path, obj: str, **files: str) -> tuple[bytes, list[str]]:
    """The copy of an OBJ file, and the lines of its materials."""
    (folder / "m.obj").write_bytes(obj.encode())
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_bytes(content.encode("latin-1"))
    copy = confine_mesh(folder / "m.obj", folder)
    assert (folder / "m.obj").read_bytes() == obj.encode()
    return copy.read_bytes(), copy.with_name("materials.mtl").read_text().splitlines()


def image(size: tuple[int, int] = (2, 2)) -> str:
    """A PNG image as a text of its bytes; its pixels are missing."""
    head = struct.pack(">4sIIBBBBB", b"IHDR", *size, 8, 2, 0, 0, 0)
    chunks = struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head)) + struct.pack(">I4s", 0, b"IDAT")
    return (b"\x89PNG\r\n\x1a\n" + chunks + struct.pack(">I", zlib.crc32(b"IDAT"))).decode("latin-1")


def test_textures_too_large_for_memory_are_not_shown(tmp_path: Path) -> None:
    """30,000 × 30,000 take 3.9 GB and a minute; many small ones take as much."""
    material = "newmtl m\nmap_Kd {0}.png\nmap_Kd {0}.png\n"
    with pytest.raises(MeshError, match="expected at most 89000000 pixels in all textures, got more"):
        written(tmp_path, "mtllib a.mtl\n", a__mtl=material.format("a"), a__png=image((30_000, 30_000)))
    once = written(tmp_path, "mtllib b.mtl\n", b__mtl=material.format("b"), b__png=image((8_000, 8_000)))
    assert once[1][1:] == ["map_Kd ../b.png"] * 2
    with pytest.raises(MeshError, match="expected at most 89000000 pixels in all textures, got 128000000"):
        written(tmp_path, "mtllib b.mtl c.mtl\n", c__mtl=material.format("c"), c__png=image((8_000, 8_000)))
    assert written(tmp_path, "mtllib d.mtl\n", d__mtl=material.format("d"), d__png="EXR")[1][1].startswith("map_Kd no-")


@pytest.mark.parametrize("place", ["data", "view", "file", "glb"])
def test_the_images_of_gltf_are_counted_wherever_they_are(tmp_path: Path, place: str) -> None:
    for number, (size, said) in enumerate((((4, 4), ""), ((30_000, 30_000), "pixels"), ((0, 0), "image 0 is none"))):
        content = image(size).encode("latin-1") if size[0] else b"EXR"
        data = "data:application/octet-stream;base64," + base64.b64encode(content).decode()
        (tmp_path / "i.png").write_bytes(content)
        one = {"data": {"uri": data}, "file": {"uri": "i.png"}}.get(place, {"bufferView": 0})
        buffer = {"byteLength": len(content), **({"uri": data} if place == "view" else {})}
        views = [{"buffer": 0, "byteLength": len(content)}]
        text = json.dumps({"images": [one], "buffers": [buffer], "bufferViews": views}).encode()
        path = tmp_path / f"{number}.gltf"
        if place == "glb":
            chunks = (
                struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(content), b"BIN\0") + content
            )
            text = struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks
        path.write_bytes(text)
        if said:
            with pytest.raises(MeshError, match=said):
                confine_mesh(path, tmp_path)
        else:
            assert confine_mesh(path, tmp_path) == path


def test_materials_keep_what_colours_them(tmp_path: Path) -> None:
    obj, mtl = written(
        tmp_path, "mtllib a.mtl b.mtl\nusemtl one\n",
        a__mtl="Kd 9 9 9\nnewmtl one\nKd 0.5 .25 1e-1 # red\nNs 3\nillum 2\nmap_Kd -clamp on -s 2 2 1 t.png\n",
        b__mtl="newmtl two  words\r\n\tKd 1 0 x\r\nmap_Kd\r\nmap_Bump -bm 0.3 t.png\r\nmap_Kd ../t.png\r\n",
        t__png=image(),
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
