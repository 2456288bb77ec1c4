"""Bricks."""

from __future__ import annotations

import numpy as np

from shapeyard.sources.procedural.assembly import Part
from shapeyard.sources.procedural.materials import material
from shapeyard.sources.procedural.solids import block


def brick(rng: np.random.Generator) -> list[Part]:
    """A clay brick, some 25 cm long, with mortar left on its top."""
    length, height, depth = rng.uniform(0.2, 0.3), rng.uniform(0.05, 0.08), rng.uniform(0.1, 0.14)
    mortar = rng.uniform(0.006, 0.012)
    return [
        Part(block((length, height, depth), (0, height / 2, 0)), material(rng, "ceramic", "clay")),
        Part(block((length, mortar, depth), (0, height + mortar / 2, 0)), material(rng, "white", "mortar")),
    ]
