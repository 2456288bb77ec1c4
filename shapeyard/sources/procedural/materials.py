"""Materials of the catalogue: families of colours, drawn with a little variation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

Family = Literal[
    "wood", "fabric", "leather", "metal", "ceramic", "paint", "plastic", "glass", "foliage", "dark", "white", "screen"
]

# sRGB, as one reads colours
_COLOURS: dict[Family, tuple[str, ...]] = {
    "wood": ("c89b6a", "a8743f", "8a5a33", "6b4226", "d9b98a", "4a2e1d", "b5653a", "e0c7a0"),
    "fabric": ("8c3b3b", "2f5d7c", "4f7f5f", "c9a24b", "777f8a", "b9a48a", "5b4a73", "d06b4c", "3b4252", "7fb0b5"),
    "leather": ("5a3420", "8b4f2a", "2b211d", "b98a5e", "6e1f1f"),
    "metal": ("9aa0a6", "6f757b", "b8a271", "4a4f55", "c4c8cc", "a86b45"),
    "ceramic": ("e9e4da", "2e5f8a", "b5482f", "3f7f6f", "d8a13a", "7a3f63", "86b6c9", "39434d", "c7d3b0", "e38f86"),
    "paint": ("f0ece2", "c0392b", "2980b9", "27795a", "e0a526", "34495e", "8fb9aa", "d98f9c", "5e3b6f"),
    "plastic": ("d7d9dc", "e04f3a", "3a78c2", "44a36b", "f2c14b", "8e5aa8", "f08a3c"),
    "glass": ("2f6b45", "5c3d1e", "a9cbb9", "7fa8c9", "94a13c", "20303a"),
    "foliage": ("3f7d3a", "5a9448", "2f5e36", "7da453", "48806a"),
    "dark": ("1d1f22", "2a2d31", "141517", "35302c"),
    "white": ("f3f1ec", "e8e6e1", "f5efe4", "e3e8ea"),
    "screen": ("1f4e79", "2a6f97", "3d8b8b", "5a7fb5", "31445c"),
}
_ROUGHNESS: dict[Family, float] = {
    "wood": 0.5, "fabric": 0.95, "leather": 0.5, "metal": 0.3, "ceramic": 0.2, "paint": 0.4,
    "plastic": 0.35, "glass": 0.1, "foliage": 0.7, "dark": 0.4, "white": 0.3, "screen": 0.1,
}  # fmt: skip


@dataclass(frozen=True)
class Material:
    """What a face is made of."""

    name: str
    """unique within its object"""
    rgb: tuple[float, float, float]
    """diffuse colour, linear (Rec. 709 primaries), 0 to 1: what an MTL file's Kd means to a renderer"""
    roughness: float = 0.5
    """0 mirror-like, 1 matt"""


def material(rng: np.random.Generator, family: Family, name: str = "") -> Material:
    """A material of the family, its colour jittered; named after the family where no name is given."""
    colours = _COLOURS[family]
    code = int(colours[rng.integers(len(colours))], 16)
    srgb = np.array([code >> 16, code >> 8 & 255, code & 255]) / 255
    srgb = np.clip(srgb * rng.uniform(0.85, 1.12) + rng.uniform(-0.025, 0.025, 3), 0.02, 0.98)
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    red, green, blue = (round(float(value), 4) for value in linear)
    return Material(name or family, (red, green, blue), _ROUGHNESS[family])
