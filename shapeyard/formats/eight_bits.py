"""Images of any depth and colour space as eight bits a channel: Pillow's own conversion cuts off what is above 255."""

from __future__ import annotations

import numpy as np
from PIL import Image


def to_rgba(image: Image.Image) -> Image.Image:
    """An image as RGBA of eight bits a channel.

    Args:
        image: of any of Pillow's modes. Grey of 16 bits is scaled, by 65,535; of 32 bits by its type's usual range: 1
            for floating point, 65,535 for whole numbers, or the brightest pixel where that is brighter. CMYK is
            converted as Pillow does it, without a profile.
    """
    if image.mode.startswith(("I", "F")):
        values = np.nan_to_num(np.asarray(image, np.float64))
        white = 1.0 if image.mode == "F" else 65535.0
        scaled = values.clip(min=0) * (255 / max(white, float(values.max(initial=0))))
        image = Image.fromarray(np.rint(scaled).astype(np.uint8))
    elif image.mode in ("CMYK", "YCbCr", "LAB", "HSV"):
        image = image.convert("RGB")
    return image.convert("RGBA")
