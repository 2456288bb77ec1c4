"""Pictures inside a page: colours of a scale, cropping, data URIs."""

from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image

from shapeyard.pages.pictures import (
    DEPTH_SCALE,
    ERROR_SCALE,
    Scale,
    color_picture,
    cropped,
    data_uri,
    sheet_uri,
    thumbnail_uri,
)


def test_colors_of_a_scale() -> None:
    scale = Scale(-1.0, 1.0, ERROR_SCALE)
    pixels = np.asarray(color_picture(np.array([[-5.0, 0.0], [1.0, np.inf]]), scale))
    assert pixels[..., 3].tolist() == [[255, 255], [255, 0]]
    assert pixels[0, 0, 2] > pixels[0, 0, 0] and pixels[1, 0, 0] > pixels[1, 0, 2], "near is blue, far is red"
    assert len(set(pixels[0, 1, :3].tolist())) <= 3 and scale.gradient.startswith("rgb(24,84,160) 0.0%")
    near_to_far = np.asarray(color_picture(np.array([[1.0, 2.0]]), Scale(1.0, 2.0, DEPTH_SCALE)))
    assert near_to_far[0, 0, :3].sum() > near_to_far[0, 1, :3].sum(), "near is bright"


def test_cropping() -> None:
    mask = np.zeros((20, 30), bool)
    mask[5:9, 25:30] = True
    (part,) = cropped([mask], mask)
    assert part.shape[0] == part.shape[1] == 6 and part.sum() == 20, "a square that stays inside and holds all of it"
    (whole,) = cropped([mask], np.zeros((20, 30), bool))
    assert whole.shape == (20, 30)


def test_pictures_as_text() -> None:
    image = Image.fromarray(np.random.default_rng(0).integers(0, 255, (30, 3000, 3), dtype=np.uint8))
    kind, text = data_uri(image).split(",")
    assert kind == "data:image/png;base64"
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(base64.b64decode(text)))), np.asarray(image))
    assert Image.open(io.BytesIO(base64.b64decode(sheet_uri(image).split(",")[1]))).size == (1400, 14)


def decoded(uri: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1])))


def test_thumbnails_are_never_larger_than_asked_for() -> None:
    image = Image.new("RGB", (200, 100))
    assert decoded(thumbnail_uri(image, 50)).size == (50, 25) and image.size == (200, 100)
    assert decoded(thumbnail_uri(image, 500)).size == (200, 100)
