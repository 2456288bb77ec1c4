"""Images that others made: of a few formats, and no larger than what fits into memory several times."""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import BinaryIO

from PIL import Image, UnidentifiedImageError

from shapeyard.boundary import reader
from shapeyard.errors import FormatError

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF")
"""Pillow opens some forty, many of them with decoders that hardly anybody has looked at."""
MAX_PIXELS = 89_000_000
"""Of a file; Pillow warns of larger ones."""
KEPT_PIXELS = 16_000_000
"""Larger images are reduced to this: no network sees as much."""


@reader(FormatError)
def read_image(
    path: Path, max_pixels: int = MAX_PIXELS, kept_pixels: int = KEPT_PIXELS, formats: tuple[str, ...] = FORMATS
) -> Image.Image:
    """Read an image file, as it is stored.

    Args:
        path: the file.
        max_pixels: more are refused before they are read.
        kept_pixels: larger ones are reduced by a whole factor.
        formats: Pillow's names of those that are opened.

    Raises:
        FormatError: in one line, for a file that is no image of these formats, broken, or too large.
    """
    with path.open("rb") as file:
        image = _opened(file, path, max_pixels, formats)
        factor = math.ceil(math.sqrt(image.width * image.height / kept_pixels))
        if factor == 1:
            image.load()
            return image
        image.draft(None, (image.width // factor, image.height // factor))  # JPEG is decoded smaller, to start with
        exif = image.getexif()
        # Premultiplied, so that what is transparent has no colour to mix in.
        small = image.convert("RGBa" if "A" in image.getbands() or "transparency" in image.info else "RGB")
        factor = math.ceil(math.sqrt(small.width * small.height / kept_pixels))
        small = small.reduce(factor) if factor > 1 else small
        small = small.convert("RGBA")
        small.info["exif"] = exif.tobytes()
        return small


@reader(FormatError)
def pixels_of_image(path: Path, formats: tuple[str, ...] = FORMATS) -> int:
    """How many pixels an image file has, by its header; raises `FormatError` for one of no known format."""
    with path.open("rb") as file:
        return pixels_in(file, path, formats)


def pixels_in(file: BinaryIO, where: object, formats: tuple[str, ...] = FORMATS) -> int:
    """The same of a file's content; `where` stands in messages."""
    image = _opened(file, where, math.inf, formats)
    return image.width * image.height


def _opened(file: BinaryIO, where: object, max_pixels: float, formats: tuple[str, ...]) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # it is looked at below
            image = Image.open(file, formats=formats)
    except Image.DecompressionBombError as error:
        raise FormatError(f"{where}: expected at most {MAX_PIXELS} pixels: {error}") from error
    except UnidentifiedImageError as error:
        raise FormatError(f"{where}: expected a {' or '.join(formats)} image") from error
    if image.width * image.height > max_pixels:
        raise FormatError(f"{where}: expected at most {max_pixels} pixels, got {image.width} × {image.height}")
    return image
