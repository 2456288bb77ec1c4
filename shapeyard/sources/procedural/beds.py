"""Beds."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from shapeyard.sources.procedural.assembly import Part, parts_of, stout
from shapeyard.sources.procedural.draw import pick
from shapeyard.sources.procedural.materials import Material, material
from shapeyard.sources.procedural.solids import Solid, ball, block, corners, cushion, prism, rod, superellipse


def bed(rng: np.random.Generator) -> list[Part]:
    """A single, double, four-poster or bunk bed, its head at +Z."""
    style = pick(rng, ("plain", "plain", "plain", "posts", "bunk"))
    width = rng.uniform(0.85, 1.0) if style == "bunk" or rng.random() < 0.35 else rng.uniform(1.3, 1.75)
    length, thick = rng.uniform(1.95, 2.1), stout(0.05, 2.15)
    wood = material(rng, pick(rng, ("wood", "wood", "paint", "metal", "white")), "frame")
    sheet, blanket = material(rng, "white", "sheet"), material(rng, "fabric", "blanket")
    low = rng.uniform(0.24, 0.36)
    parts = _berth(rng, width, length, low, (wood, sheet, blanket))
    if style == "bunk":
        parts += _berth(rng, width, length, low + rng.uniform(0.85, 0.95), (wood, sheet, blanket))
        return parts + parts_of(_bunk_frame(width, length, low, thick), wood)
    panel = material(rng, pick(rng, ("fabric", "leather")), "headboard") if rng.random() < 0.4 else wood
    parts += _headboard(rng, width, length, rng.uniform(0.85, 1.25), thick, wood, panel)
    if style == "posts":
        return parts + parts_of(_canopy(rng, width, length, thick), wood)
    if rng.random() < 0.4:
        parts += parts_of(_footboard(rng, width, length, low, thick), wood)
    for x, z in corners(width / 2 - 0.06, length / 2 - 0.08):
        parts.append(Part(rod((x, 0, z), (x, low - 0.02, z), thick * 0.5, thick * 0.65, 8), wood))
    return parts


def _berth(
    rng: np.random.Generator, width: float, length: float, low: float, materials: tuple[Material, ...]
) -> list[Part]:
    """Side rails, mattress, blanket and pillows; `low` is the middle of the rails."""
    wood, sheet, blanket = materials
    rail, mattress = rng.uniform(0.13, 0.2), rng.uniform(0.17, 0.24)
    top = low + rail / 2 + mattress - 0.07
    parts = [Part(block((width, rail, length), (0, low, 0), 0.015), wood)]
    bedding = block((width - 0.05, mattress, length - 0.06), (0, top - mattress / 2, 0), 0.05)
    parts.append(Part(bedding, sheet))
    cover = length * rng.uniform(0.5, 0.72)
    cloth = block(
        (width + 0.02, mattress + 0.03, cover), (0, top - mattress / 2 + 0.03, -(length - cover) / 2 - 0.005), 0.05
    )
    parts.append(Part(cloth, blanket))
    count = 1 if width < 1.1 else 2
    for number in range(count):
        x = (number - (count - 1) / 2) * width * 0.46
        pillow = cushion((min(width * 0.42, 0.62) * (1.5 if count == 1 else 1), 0.16, 0.38), softness=0.5)
        parts.append(Part(pillow.turned("x", rng.uniform(-25, -8)).moved(x, top + 0.04, length / 2 - 0.27), sheet))
    return parts


def _headboard(
    rng: np.random.Generator, width: float, length: float, top: float, thick: float, wood: Material, panel: Material
) -> list[Part]:
    style, z = pick(rng, ("panel", "arched", "bars", "tall")), length / 2 + thick * 0.3
    if panel is not wood and style == "bars":
        style = "panel"
    if style == "bars":
        half = width / 2 - thick / 2
        bars = [
            rod((x, 0.3, z), (x, top - 0.02, z), thick * 0.5, sides=8)
            for x in np.linspace(-half, half, int(rng.integers(5, 9)))
        ]
        bars += [rod((x, 0, z), (x, top + 0.06, z), thick * 0.65, sides=8) for x in (-half, half)]
        bars += [ball(thick * 0.9, (x, top + 0.08, z), 10) for x in (-half, half)]
        bars += [rod((-half, y, z), (half, y, z), thick * 0.55, sides=8) for y in (0.34, top - 0.02)]
        return parts_of(bars, wood)
    if style == "arched":
        outline = superellipse(width, 2 * (top - 0.15), rng.uniform(2.2, 3))
        outline[:, 1] = np.maximum(outline[:, 1], 0)
        shape = prism(outline, -thick / 2, thick / 2, 0.01).turned("x", -90).moved(0, 0.15, z)
        return [Part(shape, panel)]
    board = block(
        (width * (1.0 if style == "panel" else 1.04), top - 0.12, thick * 1.5), (0, (top + 0.12) / 2, z), 0.02
    )
    parts = [Part(board, panel)]
    for x in (-width / 2 + 0.05, width / 2 - 0.05):
        parts.append(Part(rod((x, 0, z), (x, 0.2, z), thick * 0.55, sides=4), wood))
    if style == "tall":
        count = int(rng.integers(2, 6))
        for number in range(count):
            x = ((number + 0.5) / count - 0.5) * width
            pad = cushion(
                (width / count * 0.99, (top - 0.5), 0.11), (x, top - (top - 0.5) / 2 - 0.03, z - thick * 0.8), 0.35
            )
            parts.append(Part(pad, panel))
    return parts


def _footboard(rng: np.random.Generator, width: float, length: float, low: float, thick: float) -> Iterator[Solid]:
    top, z = low + rng.uniform(0.2, 0.4), -length / 2 - thick * 0.3
    yield block((width, top - low * 0.5, thick), (0, (top + low * 0.5) / 2, z), 0.015)
    for x in (-width / 2 + thick / 2, width / 2 - thick / 2):
        yield rod((x, 0, z), (x, top + 0.05, z), thick * 0.7, sides=4)


def _canopy(rng: np.random.Generator, width: float, length: float, thick: float) -> Iterator[Solid]:
    """Four tall posts and the rails between their tops."""
    top, x, z = rng.uniform(1.7, 2.05), width / 2 - thick / 4, length / 2
    sides = pick(rng, (4, 8))
    for along, across in corners(x, z):
        yield rod((along, 0, across), (along, top, across), thick * 0.62, sides=sides)
    for side in (-1, 1):
        yield rod((side * x, top - 0.04, -z), (side * x, top - 0.04, z), thick * 0.52, sides=4)
        yield rod((-x, top - 0.04, side * z), (x, top - 0.04, side * z), thick * 0.52, sides=4)


def _bunk_frame(width: float, length: float, low: float, thick: float) -> Iterator[Solid]:
    """Posts, guard rails and the ladder at the long side."""
    top, x, z = low + 1.45, width / 2, length / 2
    for along, across in corners(x, z):
        yield rod((along, 0, across), (along, top, across), thick * 0.62, sides=4)
    for y in (top - 0.06, low + 0.3):
        for across in (-z, z):
            yield rod((-x, y, across), (x, y, across), thick * 0.55, sides=4)
    yield rod((x, top - 0.06, -z), (x, top - 0.06, z), thick * 0.55, sides=4)
    yield rod((-x, top - 0.06, -z * 0.3), (-x, top - 0.06, z), thick * 0.55, sides=4)
    yield rod((-x, low + 0.8, -z * 0.3), (-x, top - 0.06, -z * 0.3), thick * 0.55, sides=4)
    for across in (-z * 0.42, -z * 0.82):
        yield rod((-x - 0.05, 0, across), (-x - 0.01, top - 0.2, across), thick * 0.5, sides=4)
    for y in np.arange(0.25, top - 0.3, 0.27):
        yield rod((-x - 0.04, y, -z * 0.82), (-x - 0.04, y, -z * 0.42), thick * 0.5, sides=4)
