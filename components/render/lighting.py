"""What falls on the object and what lies behind it: the studio's light, or for training on photographs random ones."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

AMBIENT_SIDE = 0.28
AMBIENT_SLOPE = 0.12
"""The light from all around on a vertical surface, and how much more of it a surface gets that faces upwards."""
WHITE = (1.0, 1.0, 1.0)
BRIGHTEST = 0.98
"""Linear: what a white surface comes to at the most, so that no object is burnt out."""
WARMTH = 0.12
"""How far red and blue of a random light are off from white, at the most."""
OCTAVES = (2, 4, 8, 16, 32)
"""Cells along the side of a random background's patterns, the coarse ones strongest."""


class Light(NamedTuple):
    """The key light; the light from all around is in the materials and stays."""

    direction: tuple[float, float, float]
    """where it comes from, in Blender's camera axes: x to the right, y up, z towards the photographer"""
    watts: float
    """W/m²"""
    color: tuple[float, float, float]
    angle_radians: float
    """its width in the sky: how soft the shadows' edges are"""
    exposure: tuple[float, float, float]
    """what red, green and blue of the image are multiplied by"""


STUDIO = Light((-0.5, 0.8, 1.0), 1.9, WHITE, 0.05, WHITE)
"""From over the left shoulder; it moves with the camera, as if the object was turned before the photographer: every
view is lit alike. With the light from all around a white surface that faces both comes to 0.98 of what the image can
hold. The shadows' edges are soft, yet not grainy at four samples."""


def random_light(rng: np.random.Generator) -> Light:
    """From the front or the side, flat or hard, cold or warm, bright or dim; never so that white is burnt out."""
    azimuth, elevation = np.radians(rng.uniform(-110, 110)), np.radians(rng.uniform(10, 80))
    across, up, near = np.cos(elevation) * np.sin(azimuth), np.sin(elevation), np.cos(elevation) * np.cos(azimuth)
    watts = STUDIO.watts * float(np.exp(rng.uniform(np.log(0.3), np.log(3))))
    lamp = _tint(rng.uniform(-WARMTH, WARMTH))
    brightest = AMBIENT_SIDE + AMBIENT_SLOPE + watts / np.pi
    exposure = rng.uniform(0.55, 1.0) * BRIGHTEST / brightest
    red, green, blue = _tint(rng.uniform(-WARMTH / 2, WARMTH / 2))
    return Light(
        direction=(float(across), float(up), float(near)),
        watts=watts,
        color=lamp,
        angle_radians=rng.uniform(0.02, 0.1),
        exposure=(exposure * red, exposure * green, exposure * blue),
    )


def _tint(warmth: float) -> tuple[float, float, float]:
    """Warmer than white above 0, colder below; no channel above 1."""
    most = 1 + abs(warmth)
    return (1 + warmth) / most, 1 / most, (1 - warmth) / most


def random_background(rng: np.random.Generator, size: int) -> NDArray[np.float32]:
    """Something that could be a wall and a floor, a garden or a street, out of focus: (size,size,3), linear light."""
    wall, floor, spots = (_muted_color(rng) for _ in range(3))
    rows = np.linspace(0, 1, size)[:, None]
    horizon, softness = rng.uniform(0.3, 1.3), rng.uniform(0.01, 0.3)
    below = 1 / (1 + np.exp(-np.clip((rows - horizon) / softness, -50, 50)))
    picture = (wall + (floor - wall) * below[..., None]) * np.ones((size, size, 1))
    strength = rng.uniform(0, 0.8)
    mixing = sum(_noise(rng, cells, size) / cells**0.7 for cells in OCTAVES)
    share = np.clip(0.5 + mixing, 0, 1)[..., None] * strength
    return np.asarray(np.clip(picture * (1 - share) + spots * share, 0, 1), dtype=np.float32)


def _muted_color(rng: np.random.Generator) -> NDArray[np.float64]:
    """Nearer to grey than colours drawn at random, as most of the world is: (3,), linear."""
    gray, saturation = rng.uniform(0.03, 0.8), rng.uniform(0, 0.6)
    return np.clip(gray * (1 + saturation * rng.uniform(-1, 1, 3)), 0, 1)


def _noise(rng: np.random.Generator, cells: int, size: int) -> NDArray[np.float64]:
    """Value noise, about `cells` along the side: (size,size), −1 to 1."""
    grid = Image.fromarray(rng.uniform(-1, 1, (cells + 2, cells + 2)).astype(np.float32))
    return np.asarray(grid.resize((size, size), Image.Resampling.BICUBIC), dtype=np.float64)
