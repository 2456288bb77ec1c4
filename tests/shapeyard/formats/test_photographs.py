"""Photographs: masks by alpha and by a plain background, and files that show nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shapeyard.errors import FormatError
from shapeyard.formats.photographs import read_photograph


def ring(background: tuple[int, ...] = (200, 210, 220)) -> np.ndarray:
    """A dark frame with a hole in the background's colour, 40×60."""
    image = np.tile(np.array(background, np.uint8), (40, 60, 1))
    image[10:30, 20:40, :3] = (60, 40, 20)
    if image.shape[2] == 4:
        image[10:30, 20:40, 3] = 255
    image[16:24, 26:34] = background
    return image


def test_alpha_is_taken_as_it_is(tmp_path: Path) -> None:
    Image.fromarray(ring((9, 9, 9, 100))).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_photograph(tmp_path / "a.png"), ring((9, 9, 9, 100)))


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "bmp"])
def test_a_plain_background_is_what_the_border_is_connected_to(tmp_path: Path, suffix: str) -> None:
    noise = np.random.default_rng(0).integers(-6, 7, (40, 60, 1))
    path = tmp_path / f"a.{suffix}"
    Image.fromarray((ring() + noise).astype(np.uint8)).save(path, quality=95)
    mask = read_photograph(path)[..., 3] > 0
    expected = np.zeros((40, 60), bool)
    expected[10:30, 20:40] = True
    assert (mask != expected).mean() < 0.02 and mask[20, 30], "the hole is not connected to the border"


def test_an_object_that_is_cut_off_at_the_bottom(tmp_path: Path) -> None:
    image = np.full((50, 100, 3), 255, np.uint8)
    image[20:, 40:60] = 0
    Image.fromarray(image).save(tmp_path / "a.png")
    assert (read_photograph(tmp_path / "a.png")[..., 3] > 0).sum() == 30 * 20


def test_the_camera_was_held_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    Image.fromarray(ring()).save(tmp_path / "a.png", exif=exif)
    assert read_photograph(tmp_path / "a.png").shape == (60, 40, 4)


def test_gray_and_palette_images(tmp_path: Path) -> None:
    gray = Image.fromarray(ring()).convert("L")
    gray.save(tmp_path / "a.png")
    gray.convert("P").save(tmp_path / "b.gif")
    for name in ("a.png", "b.gif"):
        assert (read_photograph(tmp_path / name)[..., 3] > 0).sum() == 400


def test_what_shows_no_object(tmp_path: Path) -> None:
    random = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    speck = np.full((40, 40, 3), 255, np.uint8)
    speck[20:22, 20:22] = 0
    files = {"noise": random, "speck": speck, "plain": np.full((40, 40, 3), 7, np.uint8),
             "clear": np.zeros((40, 40, 4), np.uint8)}  # fmt: skip
    for name, image in files.items():
        Image.fromarray(image).save(tmp_path / f"{name}.png")
    with pytest.raises(FormatError, match=r"noise.png: expected a transparent or a plain background, got one of which"):
        read_photograph(tmp_path / "noise.png")
    for name, pixels in (("speck", 4), ("plain", 0), ("clear", 0)):
        with pytest.raises(FormatError, match=rf"{name}.png: expected an object of at least 64 pixels, found {pixels}"):
            read_photograph(tmp_path / f"{name}.png")


def test_what_is_no_image(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no image")
    whole = tmp_path / "whole.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)).save(whole)
    (tmp_path / "cut.png").write_bytes(whole.read_bytes()[:1000])
    for name in ("text.png", "cut.png", "missing.png"):
        with pytest.raises(FormatError, match=rf"{name}: (not readable|expected a PNG or)") as caught:
            read_photograph(tmp_path / name)
        assert "\n" not in str(caught.value)
    with pytest.raises(FormatError, match="not readable: Is a directory"):
        read_photograph(tmp_path)


@pytest.mark.parametrize("mode", ["I;16", "I", "F", "CMYK", "L"])
def test_sixteen_bits_floating_point_and_cmyk(tmp_path: Path, mode: str) -> None:
    grey = np.full((32, 32), 230, np.uint8)
    grey[8:24, 8:24] = 60
    made = {
        "I;16": lambda: Image.fromarray(grey.astype(np.uint16) * 257),
        "I": lambda: Image.fromarray(grey.astype(np.int32) * 257),
        "F": lambda: Image.fromarray((grey / 255).astype(np.float32)),
        "CMYK": lambda: Image.fromarray(grey).convert("CMYK"),
        "L": lambda: Image.fromarray(grey),
    }[mode]()
    made.save(tmp_path / "p.tif")
    rgba = read_photograph(tmp_path / "p.tif")
    assert np.array_equal(rgba[..., 3] > 0, grey == 60)
    assert np.abs(rgba[..., :3].astype(int) - grey[..., None]).max() <= 1
