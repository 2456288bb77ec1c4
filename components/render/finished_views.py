"""From Blender's linear, premultiplied passes to the arrays of a dataset."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.render.lighting import Light

FAR = 1e9
"""Cycles gives the background a depth of 1e10."""
OUTSIDE_CROP = 0


def finished_view(
    passes: Mapping[str, NDArray[np.float32]], light: Light, background: NDArray[np.float32] | None
) -> dict[str, NDArray[Any]]:
    """One view's arrays.

    Args:
        passes: Blender's rgba (H,W,4), linear and premultiplied, and depth (H,W); where they were asked for, normals
            (H,W,3), the mean over the pixel's samples, and albedo (H,W,3), linear and premultiplied.
        light: whose exposure the image gets.
        background: (H,W,3) in linear light; none leaves the image transparent.

    Returns:
        rgba (H,W,4) uint8; depth (H,W) float32, background inf; normals (H,W,3) float16 and albedo (H,W,3) uint8, 0
        outside the object's mask.
    """
    color, alpha = (
        passes["rgba"][..., :3] * np.array(light.exposure, np.float32),
        np.clip(passes["rgba"][..., 3:], 0, 1),
    )
    if background is None:
        rgba = _encode(_straight(color, alpha), alpha)
    else:
        rgba = _encode(color + background * (1 - alpha), np.ones_like(alpha))
    depth = passes["depth"].copy()
    depth[(depth == OUTSIDE_CROP) | (depth > FAR)] = np.inf
    mask = np.isfinite(depth)[..., None]
    arrays: dict[str, NDArray[Any]] = {"rgba": rgba, "depth": depth}
    if "normals" in passes:
        lengths = np.linalg.norm(passes["normals"], axis=-1, keepdims=True)
        arrays["normals"] = np.where(mask, passes["normals"] / np.maximum(lengths, 1e-6), 0).astype(np.float16)
    if "albedo" in passes:
        albedo = _encode(_straight(passes["albedo"], alpha), alpha)[..., :3]
        arrays["albedo"] = np.where(mask, albedo, 0).astype(np.uint8)
    return arrays


def _straight(premultiplied: NDArray[np.float32], alpha: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(premultiplied / np.maximum(alpha, 1e-6), np.float32)


def _encode(linear: NDArray[np.float32], alpha: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Linear light (H,W,3) and alpha (H,W,1) → sRGB (IEC 61966-2-1) with alpha (H,W,4) uint8."""
    linear = np.clip(linear, 0, 1)
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.asarray(np.concatenate([encoded, alpha], axis=-1) * 255 + 0.5).astype(np.uint8)
