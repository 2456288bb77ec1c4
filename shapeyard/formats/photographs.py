"""Photographs of one object before a transparent or plain background: where in the picture the object is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import ImageOps
from scipy import ndimage

from shapeyard.boundary import reader
from shapeyard.errors import FormatError
from shapeyard.formats.eight_bits import to_rgba
from shapeyard.formats.image_files import read_image
from shapeyard.geometry.framing import OPAQUE

TOLERANCE = 24
"""Of 255 in each channel: what a plain background may differ from its colour by shadow, noise and JPEG."""
PLAIN_SHARE = 0.9
"""Of the border's pixels that must have the background's colour; an object may be cut off by the rest."""
MIN_PIXELS = 64


@reader(FormatError)
def read_photograph(path: str | Path, tolerance: int = TOLERANCE) -> NDArray[np.uint8]:
    """Read an image file and cut the object out.

    Where the image has transparent pixels, alpha says what the object is. Otherwise the background is what is connected
    to the border and of the border's colour; a hole through the object that is not connected stays part of it.

    Args:
        path: PNG, JPEG, WebP, BMP, TIFF or GIF; an EXIF orientation is applied. Above 16 million pixels it is reduced.
        tolerance: how much a channel of the background may differ from the median of the border, 0 to 255.

    Returns:
        (H,W,4) uint8, straight alpha.

    Raises:
        FormatError: if the file cannot be read as an image, its background is neither transparent nor plain, or there
            is no object of at least 64 pixels before it.
    """
    rgba = _read(Path(path))
    if not (rgba[..., 3] < OPAQUE).any():
        rgba = rgba.copy()
        rgba[..., 3] = np.where(_background(rgba[..., :3], tolerance, path), 0, 255)
    shown = int(np.count_nonzero(rgba[..., 3] >= OPAQUE))
    if shown < MIN_PIXELS:
        raise FormatError(f"{path}: expected an object of at least {MIN_PIXELS} pixels, found {shown}")
    return rgba


def _read(path: Path) -> NDArray[np.uint8]:
    return np.asarray(to_rgba(ImageOps.exif_transpose(read_image(path))))


def _background(rgb: NDArray[np.uint8], tolerance: int, path: str | Path) -> NDArray[np.bool_]:
    """(H,W) bool: what is of the border's colour and connected to it by such pixels."""
    border = np.concatenate([rgb[0], rgb[-1], rgb[:, 0], rgb[:, -1]])
    color = np.median(border, axis=0)
    alike = np.ones(rgb.shape[:2], bool)
    for channel, value in enumerate(color.tolist()):  # one after the other: all at once take eight times the memory
        alike &= np.abs(rgb[..., channel] - np.float32(value)) <= tolerance
    share = float(np.concatenate([alike[0], alike[-1], alike[:, 0], alike[:, -1]]).mean())
    if share < PLAIN_SHARE:
        raise FormatError(
            f"{path}: expected a transparent or a plain background, got one of which {100 * share:.0f} % of the border "
            f"have one colour, not {100 * PLAIN_SHARE:.0f} %"
        )
    regions, _ = ndimage.label(alike)
    outside = np.unique(np.concatenate([regions[0], regions[-1], regions[:, 0], regions[:, -1]]))
    return np.isin(regions, outside[outside > 0])
