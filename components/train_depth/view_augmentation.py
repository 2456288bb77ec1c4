"""Views as they might have been: mirrored, in other colours, cut out of another background, cropped."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from shapeyard.inference.depth import View
from shapeyard.networks.unet import SIZE_MULTIPLE


class Augmentation(NamedTuple):
    """How much of each; the mirror image, which is as true as the image, is always shown half of the time."""

    color: float = 0.0
    """by what share a colour channel, the contrast and the brightness change at the most, 0 to 1"""
    background: float = 0.0
    """share of the views whose edges hold some of a background, as those of an object cut out of a photograph do"""
    crop: float = 0.0
    """by what share a view is smaller in height and width, 0 to below 1: a part that shows some of the object"""


def augmented(view: View, changes: Augmentation, rng: np.random.Generator) -> View:
    """A view, rgba (H,W,4) and depth (H,W), changed; the given one stays as it is.

    A mirrored object is an object, and the lens looks the same in a mirror. A crop's size divides by 8.
    """
    rgba, depth = view
    if rng.random() < 0.5:
        rgba, depth = rgba[:, ::-1], depth[:, ::-1]
    if changes.crop:
        rows, columns = _part(np.isfinite(depth), changes.crop, rng)
        rgba, depth = rgba[rows, columns], depth[rows, columns]
    if changes.color:
        rgba = _recolored(rgba, changes.color, rng)
    if rng.random() < changes.background:
        rgba = _composited(rgba, rng)
    return rgba, depth


def _part(mask: NDArray[np.bool_], share: float, rng: np.random.Generator) -> tuple[slice, slice]:
    """Rows and columns of a part around a pixel of the object, which is anywhere in it."""
    pixels = np.argwhere(mask)
    pixel = pixels[rng.integers(len(pixels))]
    slices = []
    for place, side in zip(pixel, mask.shape, strict=True):
        size = max(int(side * (1 - share)) // SIZE_MULTIPLE, 1) * SIZE_MULTIPLE
        start = int(np.clip(place - rng.integers(size), 0, side - size))
        slices.append(slice(start, start + size))
    return slices[0], slices[1]


def _recolored(rgba: NDArray[np.uint8], share: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Another contrast, brightness and white balance."""
    contrast, *gains = 1 + share * rng.uniform(-1, 1, 4)
    shift = 0.5 * share * rng.uniform(-1, 1)
    color = ((rgba[..., :3] / np.float32(255) - 0.5) * contrast + 0.5 + shift) * np.array(gains, np.float32)
    return np.concatenate([(color.clip(0, 1) * 255).round().astype(np.uint8), rgba[..., 3:]], axis=-1)


def _composited(rgba: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Composited on a plain background and its grain; alpha stays, as that of a mask that was found in a photograph."""
    background = rng.uniform(0, 255, 3) + rng.normal(0, 16, (*rgba.shape[:2], 1))
    alpha = rgba[..., 3:] / np.float32(255)
    color = rgba[..., :3] * alpha + background.clip(0, 255).astype(np.float32) * (1 - alpha)
    return np.concatenate([color.round().astype(np.uint8), rgba[..., 3:]], axis=-1)
