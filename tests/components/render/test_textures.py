"""Textures as people have them: many formats, some that Blender can't read; the object is drawn either way."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from scenes import IDENTITY, Files, mean_color, textured_square

RED_AND_BLUE = np.zeros((16, 16, 3), np.uint8)
RED_AND_BLUE[:, :8, 0], RED_AND_BLUE[:, 8:, 2] = 220, 220


def encoded(kind: str, mode: str = "RGB", **options: object) -> bytes:
    content = BytesIO()
    Image.fromarray(RED_AND_BLUE).convert(mode).save(content, kind, **options)
    return content.getvalue()


def square_with(name: str, content: bytes) -> Files:
    files = textured_square(name)
    del files["tex.png"]
    return {**files, name: content}


READABLE = {
    "t.jpg": encoded("JPEG", quality=95),
    "t.jpeg": encoded("JPEG", quality=95, progressive=True),
    "upper.JPG": encoded("JPEG", quality=95),
    "t.bmp": encoded("BMP"),
    "t.tga": encoded("TGA"),
    "run lengths.tga": encoded("TGA", compression="tga_rle"),
    "t.tif": encoded("TIFF", compression="tiff_lzw"),
    "t.webp": encoded("WEBP", lossless=True),
    "palette.png": encoded("PNG", "P"),
    "rgba.png": encoded("PNG", "RGBA"),
    "wrong-ending.png": encoded("JPEG", quality=95),
}


def test_formats_that_blender_reads_are_seen(draw):
    renders = draw(
        {f"square/{name}": ("square.obj", square_with(name, content), IDENTITY) for name, content in READABLE.items()},
        views=3,
    )  # fmt: skip
    assert not renders.skipped and len(renders.samples) == len(READABLE)
    for sample in renders.samples:
        red, green, blue = np.mean([mean_color(renders, sample.id, view) for view in range(3)], axis=0)
        assert red > 2 * green, sample.id
        assert blue > 2 * green, sample.id


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.gif", encoded("GIF")),
        ("t.dds", b"DDS " + bytes(124)),
        ("cut.png", encoded("PNG")[:60]),
        ("empty.png", b""),
        ("text.jpg", b"not an image"),
        ("huge.png", encoded("PNG")[:16] + (10**6).to_bytes(4, "big") * 2 + encoded("PNG")[24:]),
    ],
)
def test_what_blender_cannot_read_is_drawn_in_grey(draw, name, content):
    renders = draw({"square/1": ("square.obj", square_with(name, content), IDENTITY)}, views=3)
    for view in range(3):
        color = mean_color(renders, "square/1", view)
        assert np.ptp(color) < 3, "neither magenta nor black"
        assert color.mean() > 40


@pytest.mark.parametrize("mode", ["L", "CMYK", "1"])
def test_grey_cmyk_and_black_and_white_are_drawn(draw, mode):
    name, kind = ("t.jpg", "JPEG") if mode == "CMYK" else ("t.png", "PNG")
    renders = draw({"square/1": ("square.obj", square_with(name, encoded(kind, mode)), IDENTITY)})
    assert not renders.skipped
    assert np.isfinite(renders.read("square/1", "depth")).any()


def test_sixteen_bits_a_channel(draw):
    content = BytesIO()
    Image.fromarray(np.full((8, 8), 40_000, np.uint16)).save(content, "PNG")
    renders = draw({"square/1": ("square.obj", square_with("t.png", content.getvalue()), IDENTITY)}, views=3)
    assert np.ptp(mean_color(renders, "square/1", 0)) < 3


def test_materials_that_are_no_materials_are_drawn_in_grey(draw):
    files = textured_square()
    renders = draw({
        "square/bytes": ("square.obj", {**files, "square.mtl": bytes(range(256)) * 4}, IDENTITY),
        "square/empty": ("square.obj", {**files, "square.mtl": ""}, IDENTITY),
        "square/latin": ("square.obj", {**files, "square.mtl": b"newmtl b\xfccher\nKd 1 0 0\n"}, IDENTITY),
        "square/folder": ("square.obj", {**files, "square.mtl": "newmtl picture\nmap_Kd .\n"}, IDENTITY),
        "square/up": ("square.obj", {**files, "square.mtl": "newmtl picture\nmap_Kd ../../etc/passwd\n"}, IDENTITY),
    })  # fmt: skip
    assert not renders.skipped and len(renders.samples) == 5
    for sample in renders.samples:
        assert np.ptp(mean_color(renders, sample.id, 0)) < 3, sample.id
