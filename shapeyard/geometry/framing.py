"""Put the object of a photograph where the objects of rendered images are: what a network saw, it understands."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

OPAQUE = 128
"""An object's mask is alpha at or above this, in photographs and in the images of a dataset."""


class Framed(NamedTuple):
    """An object in an image of its own."""

    rgba: NDArray[np.uint8]
    """(S,S,4), straight alpha, black and transparent around the object"""
    scale: float
    """its pixels along one of the photograph's"""


def framed(rgba: NDArray[np.uint8], size: int, centre: tuple[float, float], extent: float) -> Framed:
    """Cut out the box around the object, and lay it scaled into a square image.

    Args:
        rgba: (H,W,4), straight alpha; something of it is opaque.
        size: side S of the image, pixels.
        centre: column and row of the image where the box's centre comes to lie, to the pixel.
        extent: pixels along the box's longer side, above 0; what reaches beyond the image is cut off.
    """
    rows, columns = np.nonzero(rgba[..., 3] >= OPAQUE)
    cut = rgba[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1].astype(np.float32)
    scale = extent / max(cut.shape[:2])
    height, width = (max(1, round(scale * length)) for length in cut.shape[:2])
    alpha = cut[..., 3:] / 255
    layers = np.concatenate([cut[..., :3] * alpha, 255 * alpha], axis=2)  # or the background would bleed in
    small = np.stack([_resized(layers[..., channel], width, height) for channel in range(4)], axis=2)
    small[..., :3] /= np.maximum(small[..., 3:] / 255, 1e-3)
    object_image = Image.fromarray(np.rint(np.clip(small, 0, 255)).astype(np.uint8))
    image = Image.new("RGBA", (size, size))
    image.paste(object_image, (round(centre[0] - width / 2), round(centre[1] - height / 2)))
    return Framed(np.asarray(image), scale)


def _resized(channel: NDArray[np.float32], width: int, height: int) -> NDArray[np.float32]:
    image = Image.fromarray(channel).resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(image, dtype=np.float32)
