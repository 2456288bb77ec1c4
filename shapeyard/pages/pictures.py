"""Pictures inside the page: data URIs, depth as colour, contact sheets."""

from __future__ import annotations

import base64
import io
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageColor
from plotly.colors import get_colorscale

DEPTH_SCALE = tuple((float(share), str(color)) for share, color in get_colorscale("Viridis_r"))
"""Near is bright."""
ERROR_SCALE = ((0.0, "rgb(24,84,160)"), (0.5, "rgb(212,214,218)"), (1.0, "rgb(192,48,36)"))
"""Blue is too near, red too far, grey right: white would vanish on a page."""
Stops = tuple[tuple[float, str], ...]
SHEET_WIDTH = 1400
"""Pixels: two for each of the page's own, nearly."""


class Scale(NamedTuple):
    """What the colours of a picture mean."""

    low: float
    high: float
    stops: Stops
    """shares from 0 to 1 with their colours"""

    @property
    def gradient(self) -> str:
        """The scale as the stops of a CSS gradient, low first."""
        return ", ".join(f"{color} {100 * share:.1f}%" for share, color in self.stops)


def data_uri(image: Image.Image, quality: int | None = None) -> str:
    """An image as a data URI: lossless PNG, or WebP of a quality (1 to 100) where it is given."""
    buffer = io.BytesIO()
    if quality is None:
        image.save(buffer, "PNG", optimize=True)
    else:
        image.save(buffer, "WEBP", quality=quality)
    kind = "png" if quality is None else "webp"
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"


def thumbnail_uri(image: Image.Image, size: int) -> str:
    """An image as a data URI, made smaller where it is larger than so many pixels."""
    small = image.copy()
    small.thumbnail((size, size))
    return data_uri(small, quality=85)


def color_picture(values: NDArray[np.floating[Any]], scale: Scale) -> Image.Image:
    """(H,W) → RGBA, transparent where a value is not finite."""
    mask = np.isfinite(values)
    share = (np.where(mask, values, scale.low) - scale.low) / max(scale.high - scale.low, 1e-9)
    colors = _lookup(scale.stops)[np.rint(255 * np.clip(share, 0, 1)).astype(np.intp)]
    return Image.fromarray(np.dstack([colors, np.where(mask, 255, 0).astype(np.uint8)]))


def cropped(arrays: list[NDArray[Any]], mask: NDArray[np.bool_], margin: float = 0.08) -> list[NDArray[Any]]:
    """The same square out of each array (H,W,…): around the mask, `margin` of its side more; all of it if empty."""
    rows, columns = np.nonzero(mask)
    if not len(rows):
        return arrays
    low, high = np.array([rows.min(), columns.min()]), np.array([rows.max(), columns.max()]) + 1
    side = int(min((high - low).max() * (1 + 2 * margin) + 1, *mask.shape))
    top, left = np.clip((low + high - side) // 2, 0, np.array(mask.shape) - side)
    return [array[top : top + side, left : left + side] for array in arrays]


def sheet_uri(image: Image.Image) -> str:
    """A contact sheet, made smaller where it is wider than the page."""
    if image.width > SHEET_WIDTH:
        image = image.resize((SHEET_WIDTH, round(image.height * SHEET_WIDTH / image.width)), Image.Resampling.LANCZOS)
    return data_uri(image, quality=82)


def _lookup(stops: Stops) -> NDArray[np.uint8]:
    """(256,3) colours along a scale."""
    shares, colors = [share for share, _ in stops], np.array([ImageColor.getrgb(color) for _, color in stops])
    channels = [np.interp(np.linspace(0, 1, 256), shares, channel) for channel in colors.T]
    return np.asarray(np.rint(np.stack(channels, axis=1)), dtype=np.uint8)
