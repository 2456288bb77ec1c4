"""Blender is shown an object's own files and no others, whatever they name."""

from __future__ import annotations

import base64
import json
import os
import struct
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scenes import IDENTITY, Files, mean_color, textured_square

from components.fetch import FetchSettings
from components.fetch.fetch import fetch
from components.plan.plan import plan
from components.render import RenderSettings
from components.render.render import render
from shapeyard.contracts.dataset import Dataset
from shapeyard.sources.selection import Selection


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A red image that belongs to no object, and materials that are red."""
    path = tmp_path / "any" / "secret.png"
    path.parent.mkdir()
    Image.new("RGB", (8, 8), (255, 0, 0)).save(path)
    path.with_suffix(".mtl").write_text("newmtl picture\nKd 1 0 0\n")
    return path


def is_red(renders: Dataset, name: str) -> bool:
    colors = np.array([mean_color(renders, name, view) for view in range(2)])
    return bool((colors[:, 0] > 1.3 * colors[:, 1:].max(axis=1)).any())


def climbing(path: Path) -> str:
    return "../" * 20 + str(path)[1:]


def square(map_kd: str, **files: bytes | str) -> tuple[str, Files, np.ndarray]:
    return "square.obj", {**textured_square(map_kd), **files}, IDENTITY


def gltf(image: str, buffer: str = "", glb: bool = False) -> bytes:
    """The square as glTF; the buffer is inside it unless it has a name."""
    corners = np.array([[-0.5, -0.5, 0], [0.5, -0.5, 0], [0.5, 0.5, 0], [-0.5, 0.5, 0]], np.float32)
    places = np.array([[0, 1], [1, 1], [1, 0], [0, 0]], np.float32)
    faces = np.array([0, 1, 2, 0, 2, 3], np.uint16)
    data = corners.tobytes() + places.tobytes() + faces.tobytes()
    inline = "data:application/octet-stream;base64," + base64.b64encode(data).decode()
    document = {
        "asset": {"version": "2.0"}, "scene": 0, "scenes": [{"nodes": [0]}], "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0, "TEXCOORD_0": 1}, "indices": 2, "material": 0}]}],
        "accessors": [
            {"bufferView": 0, "componentType": 5126, "count": 4, "type": "VEC3", "min": [-0.5, -0.5, 0],
             "max": [0.5, 0.5, 0]},
            {"bufferView": 1, "componentType": 5126, "count": 4, "type": "VEC2"},
            {"bufferView": 2, "componentType": 5123, "count": 6, "type": "SCALAR"},
        ],
        "bufferViews": [{"buffer": 0, "byteOffset": 0, "byteLength": 48},
                        {"buffer": 0, "byteOffset": 48, "byteLength": 32},
                        {"buffer": 0, "byteOffset": 80, "byteLength": 12}],
        "buffers": [{"byteLength": len(data), "uri": buffer or inline}],
        "materials": [{"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}, "doubleSided": True}],
        "textures": [{"source": 0}], "images": [{"uri": image}],
    }  # fmt: skip
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    chunk = struct.pack("<I4s", len(text), b"JSON") + text
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunk)) + chunk if glb else text


def png(color: tuple[int, int, int]) -> bytes:
    content = BytesIO()
    Image.new("RGB", (8, 8), color).save(content, "PNG")
    return content.getvalue()


def test_textures_of_the_machine_are_not_shown(draw, secret):
    """By any reading of a name that Blender has; the object is drawn in grey."""
    up = climbing(secret)
    library, library_up = str(secret.with_suffix(".mtl")), climbing(secret.with_suffix(".mtl"))
    lines = {
        "absolute": f"map_Kd {secret}", "up": f"map_Kd {up}", "options": f"map_Kd -s 1 1 1 {up}",
        "fewer": f"map_Kd -s 1 {up}", "tab": f"map_Kd\t{up}", "continued": f"map_Kd \\\n{up}",
        "quotes": 'map_Kd "' + up.replace("..", '."."').replace("secret", '"secret"') + '"',
        "others": f"map_Bump {up}\nmap_Ks {secret}\nmap_d {up}\nrefl {up}", "mac": f"Ns 1\rmap_Kd {up}\r",
    }  # fmt: skip
    objects = {name: square("none", **{"square.mtl": f"newmtl picture\n{line}\n"}) for name, line in lines.items()}
    for number, statement in enumerate((library, library_up, f'"{library_up}"', f"{library} {library_up}")):
        objects[f"library-{number}"] = square("none", **textured_square("none", statement))
    start = f"\u00a0mtllib {library_up}\n\\\nmtllib {library_up}\n"
    objects["odd"] = square("none", **{"square.obj": start + str(textured_square()["square.obj"])})
    renders = draw({f"s/{name}": item for name, item in objects.items()})
    assert not renders.skipped
    assert len(renders.samples) == len(objects)
    assert not [sample.id for sample in renders.samples if is_red(renders, sample.id)]


def test_a_texture_of_the_working_folder_is_not_shown(draw, secret, monkeypatch):
    monkeypatch.chdir(secret.parent)
    renders = draw({"s/1": square("secret.png")})
    assert not is_red(renders, "s/1")


def test_textures_that_belong_to_the_object_are_shown(draw):
    red, obj = png((255, 0, 0)), textured_square(mtl="model_normalized.mtl")["square.obj"]

    def model(map_kd: str, place: str, mtl: str = "models/model_normalized.mtl") -> tuple[str, Files, np.ndarray]:
        files: Files = {"models/model_normalized.obj": obj, mtl: f"newmtl picture\nKd 1 1 1\nmap_Kd {map_kd}\n"}
        return "models/model_normalized.obj", {**files, place: red}, IDENTITY

    renders = draw({
        "s/shapenet": model("../images/t 0.png", "images/t 0.png"),
        "s/subfolder": model("textures/a.png", "models/textures/a.png"),
        "s/blanks": model("my_picture.png", "models/my picture.png"),
        "s/moved": model("C:\\Users\\me\\red.png", "models/red.png"),
        "s/windows": model("..\\images\\red.png", "images/red.png"),
        "s/options": model("-clamp on -o 0 0 0 -bm 1 -s 2 2 1 red.png", "models/red.png"),
        "s/around": model("../models/../models/red.png", "models/red.png"),
        "s/names": model("r\u00e9d \u6905.png", "models/r\u00e9d \u6905.png"),
        "s/library": ("square.obj", {**textured_square("red.png", mtl="sub/m.mtl"), "sub/m.mtl":
                      "newmtl picture\nmap_Kd red.png\n", "sub/red.png": red, "square.mtl": ""}, IDENTITY),
        "s/colour": ("square.obj", {**textured_square(), "square.mtl": "newmtl picture\nKd 1 0 0\n"}, IDENTITY),
    })  # fmt: skip
    assert not renders.skipped
    assert {sample.id for sample in renders.samples if is_red(renders, sample.id)} == {s.id for s in renders.samples}


def embedded(content: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(content).decode()


def test_gltf_that_names_files_of_the_machine_is_refused(draw, secret):
    up, red = climbing(secret), png((255, 0, 0))
    bad = {
        "absolute": gltf(str(secret)), "up": gltf(up), "percent": gltf(up.replace("..", "%2e%2E").replace("/", "%2F")),
        "detour": gltf("none/../" + up), "data": gltf("data:x/../" + up), "playlist": gltf("film.m3u8"),
        "buffer": gltf("t.png", up), "number": gltf("t.png").replace(b'"t.png"', b"7"),
    }  # fmt: skip
    objects = {f"s/{name}": ("s.gltf", {"s.gltf": content}, IDENTITY) for name, content in bad.items()}
    objects |= {
        "s/glb": ("s.glb", {"s.glb": gltf(up, glb=True)}, IDENTITY),
        "s/disguised": ("s.gltf", {"s.gltf": gltf(up, glb=True)}, IDENTITY),
        "s/other": ("s.glb", {"s.glb": gltf(str(secret))}, IDENTITY),
        "good/beside": ("s.gltf", {"s.gltf": gltf("t%200.png"), "t 0.png": red}, IDENTITY),
        "good/up": ("models/s.glb", {"models/s.glb": gltf("../i/t.png", glb=True), "i/t.png": red}, IDENTITY),
        "good/data": ("s.gltf", {"s.gltf": gltf(embedded(red))}, IDENTITY),
        "grey/missing": ("s.gltf", {"s.gltf": gltf("none.png")}, IDENTITY),
        "grey/long": ("s.gltf", {"s.gltf": gltf("n" * 9000 + ".png")}, IDENTITY),
        "grey/windows": ("s.glb", {"s.glb": gltf("file:///C:/Users/me/t.png", glb=True)}, IDENTITY),
    }  # fmt: skip
    renders = draw(objects, max_skipped=0.9)
    reasons = {skipped.id: skipped.reason for skipped in renders.skipped}
    assert set(reasons) == {name for name in objects if name.startswith("s/")}
    for name, reason in reasons.items():
        assert reason.startswith(("s.gltf: expected", "s.glb: expected")), (name, reason)
        assert len(reason) < 500
    assert {s.id: is_red(renders, s.id) for s in renders.samples} == {
        name: name.startswith("good/") for name in objects if not name.startswith("s/")
    }


@pytest.mark.timeout(120)
def test_a_source_folder_with_links_and_pipes(secret, tmp_path):
    """From a folder to images: what a link leads to outside is not shown, and no pipe is waited for."""
    root = tmp_path / "source" / "cups"
    root.mkdir(parents=True)
    for name, texture in {
        "pipe": "pipe.png",
        "up": "../../any/secret.png",
        "linked": "link.png",
        "own": "own.png",
    }.items():
        files = textured_square(texture, f"{name}.mtl")
        (root / f"{name}.obj").write_text(str(files["square.obj"]))
        (root / f"{name}.mtl").write_text(str(files["square.mtl"]))
    os.mkfifo(root / "pipe.png")
    (root / "link.png").symlink_to(secret)
    (root / "own.png").write_bytes(png((255, 0, 0)))

    (item,) = plan(Selection(str(root.parent), shards=1))
    fetch(item, tmp_path / "meshes", FetchSettings(max_megabytes=1, max_triangles=100, max_skipped=0.5))
    render(tmp_path / "meshes", tmp_path / "renders", RenderSettings(views=2, image_size=64, samples=1, workers=1))
    renders = Dataset([tmp_path / "renders"], "renders")
    (skipped,) = renders.skipped
    assert skipped.id == "cups/linked"
    assert "got a symbolic link that leads out of it" in skipped.reason
    assert {s.id: is_red(renders, s.id) for s in renders.samples} == {
        "cups/own": True, "cups/pipe": False, "cups/up": False,
    }  # fmt: skip
