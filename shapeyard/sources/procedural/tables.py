"""Tables and desks."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from shapeyard.sources.procedural.assembly import Part, parts_of, stout
from shapeyard.sources.procedural.draw import pick
from shapeyard.sources.procedural.materials import Material, material
from shapeyard.sources.procedural.solids import (
    Solid,
    ball,
    block,
    corners,
    curve,
    lathe,
    prism,
    rod,
    superellipse,
)


def table(rng: np.random.Generator) -> list[Part]:
    """A dining, coffee or bistro table on legs, a turned column, trestles or crosses."""
    style = pick(rng, ("legs", "legs", "turned", "pedestal", "trestle", "cross", "hoops"))
    height = (
        rng.uniform(0.38, 0.48)
        if style in ("legs", "cross", "hoops") and rng.random() < 0.35
        else rng.uniform(0.7, 0.78)
    )
    width = rng.uniform(1.0, 1.65) if height > 0.6 else rng.uniform(0.75, 1.2)
    depth = width * rng.uniform(0.5, 0.75)
    if style == "pedestal":
        width = rng.uniform(0.8, 1.15)
        depth = width * rng.uniform(0.85, 1.0)
    thickness = stout(rng.uniform(0.03, 0.05), width)
    board = material(rng, pick(rng, ("wood", "wood", "white", "dark")), "top")
    frame = material(rng, pick(rng, ("wood", "paint", "metal", "dark")), "frame")
    round_top = style == "pedestal" or (style in ("legs", "turned") and rng.random() < 0.35)
    outline = superellipse(width, depth, rng.uniform(2, 2.6) if round_top else rng.uniform(8, 30))
    parts = [Part(prism(outline, height - thickness, height, 0.2 * thickness), board)]
    under = height - thickness + 0.005
    inset = 0.31 if round_top else 0.5
    x, z = inset * width - 0.07 * width, inset * depth - 0.07 * width
    return parts + parts_of(_table_support(rng, style, x, z, under, width), frame)


def desk(rng: np.random.Generator) -> list[Part]:
    """A writing desk with drawers on one side or both, at times with a hutch above."""
    width, depth, height = rng.uniform(1.1, 1.55), rng.uniform(0.55, 0.72), rng.uniform(0.71, 0.78)
    thickness = stout(0.035, width)
    body = material(rng, pick(rng, ("wood", "wood", "white", "paint")), "body")
    front = material(rng, pick(rng, ("wood", "white", "paint")), "drawers")
    knob = material(rng, pick(rng, ("metal", "dark")), "handles")
    parts = [Part(block((width, thickness, depth), (0, height - thickness / 2, 0), 0.01), body)]
    under, chest = height - thickness + 0.004, rng.uniform(0.3, 0.4)
    lift = rng.uniform(0.0, 0.1)
    x = width / 2 - chest / 2 - 0.02
    sides = pick(rng, ((-1,), (1,), (-1, 1)))
    rows = int(rng.integers(2, 5))
    for side in sides:
        parts += _drawer_chest(
            side * x, (chest, under - lift, depth - 0.08), lift, rows, (body, front, knob), thickness
        )
    if lift > 0.03:
        for side in sides:
            for dx, z in corners(chest / 2 - 0.03, depth / 2 - 0.08):
                parts.append(
                    Part(rod((side * x + dx, 0, z), (side * x + dx, lift + 0.01, z), thickness / 2, sides=8), body)
                )
    if len(sides) == 1:
        parts += parts_of(_far_support(rng, -sides[0] * (width / 2 - 0.04), depth, under, thickness), body)
    panel = rng.uniform(0.25, 0.5)
    parts.append(Part(block((width - 0.08, panel, thickness), (0, under - panel / 2, depth / 2 - 0.06)), body))
    if rng.random() < 0.35:
        parts += parts_of(_hutch(rng, width, depth, height, thickness), body)
    return parts


def _table_support(
    rng: np.random.Generator, style: str, x: float, z: float, under: float, longest: float
) -> Iterator[Solid]:
    if style in ("legs", "turned"):
        yield from _table_legs(rng, style, x, z, under, longest)
    elif style == "pedestal":
        yield from _table_column(rng, max(x, z) * 1.25, under)
    elif style == "trestle":
        yield from _trestles(rng, x, z, under, longest)
    elif style == "cross":
        half = stout(rng.uniform(0.04, 0.06), longest) / 2
        for side in (-x, x):
            for lean in (-1, 1):
                yield rod((side, half, -lean * z), (side, under, lean * z), half, sides=4)
        yield rod((-x, under / 2, 0), (x, under / 2, 0), half * 0.95, sides=4)
    else:
        half = stout(rng.uniform(0.035, 0.06), longest) / 2
        for side in (-x, x):
            yield block((2 * half, 2 * half, 2 * z + 2 * half), (side, half, 0), 0.005)
            yield block((2 * half, 2 * half, 2 * z + 2 * half), (side, under - half, 0), 0.005)
            for across in (-z, z):
                yield block((2 * half, under - half, 2 * half), (side, (under + half) / 2, across), 0.005)


def _table_legs(
    rng: np.random.Generator, style: str, x: float, z: float, under: float, longest: float
) -> Iterator[Solid]:
    half = stout(rng.uniform(0.04, 0.075), longest) / 2
    if style == "turned":
        shape = rng.uniform(0.75, 1.35, 5)
        wave = [(half * max(f, 0.85), under * y) for f, y in zip(shape, (0.02, 0.2, 0.4, 0.6, 0.78), strict=True)]
        leg = lathe(
            [(0, 0), (half, 0), *curve([*wave, (half * 1.15, under * 0.85)], 3), (half * 1.15, under), (0, under)], 12
        )
        for along, across in corners(x, z):
            yield leg.moved(along, 0, across)
    else:
        splay, foot, sides = rng.uniform(0, 0.1) * (rng.random() < 0.5), rng.uniform(0.7, 1), pick(rng, (4, 10))
        thin = max(half * foot, 0.5 * stout(0, longest))
        for along, across in corners(x, z):
            bottom = (along * (1 + splay), 0, across * (1 + splay))
            yield rod(bottom, (along, under, across), thin, half, sides)
    if rng.random() < 0.65:
        drop, thick = rng.uniform(0.06, 0.11), stout(0.03, longest)
        for side in (-1, 1):
            yield block((2 * x, drop, thick), (0, under - drop / 2, side * z))
            yield block((thick, drop, 2 * z), (side * x, under - drop / 2, 0))
    if under < 0.5 and style == "legs" and rng.random() < 0.5:
        yield block((2 * x + 0.01, stout(0.03, longest), 2 * z + 0.01), (0, under * 0.32, 0))


def _table_column(rng: np.random.Generator, reach: float, under: float) -> Iterator[Solid]:
    radius = rng.uniform(0.035, 0.06)
    swell = radius * rng.uniform(1.0, 1.9)
    if rng.random() < 0.5:
        foot = reach * rng.uniform(0.6, 0.8)
        base = [(foot, 0), (foot, 0.03), *curve([(foot * 0.9, 0.04), (radius * 1.8, 0.09), (radius, 0.2)], 4)]
    else:
        base = [(radius * 1.3, 0.09), (radius * 1.3, 0.2)]
        for arm in range(feet := pick(rng, (3, 4))):
            angle = 2 * np.pi * (arm + 0.25) / feet
            x, z = reach * 0.8 * np.cos(angle), reach * 0.8 * np.sin(angle)
            yield rod((0, 0.16, 0), (x, 0.03, z), 0.04, 0.024, 8)
            yield ball(0.03, (x, 0.03, z), 8)
    middle = curve([(radius, 0.25), (swell, 0.38), (radius * 0.9, 0.55), (radius * 1.2, under - 0.05)], 4)
    yield lathe([(0, base[0][1]), *base, *middle, (radius * 3, under), (0, under)], 20)


def _trestles(rng: np.random.Generator, x: float, z: float, under: float, longest: float) -> Iterator[Solid]:
    thick, breadth = stout(0.045, longest), rng.uniform(0.12, 0.3)
    for side in (-x * 0.85, x * 0.85):
        yield block((thick * 1.4, 0.07, 2 * z), (side, 0.035, 0), 0.015)
        yield block((thick * 1.4, 0.07, 2 * z), (side, under - 0.035, 0), 0.015)
        yield block((thick, under, breadth), (side, under / 2, 0), 0.01)
    yield block((1.7 * x, 0.08, thick * 0.95), (0, under * rng.uniform(0.3, 0.6), 0), 0.01)


def _drawer_chest(
    x: float, size: tuple[float, float, float], lift: float, rows: int, materials: tuple[Material, ...], thick: float
) -> Iterator[Part]:
    """A box on the floor or on feet whose drawer fronts stand out towards −Z, each with its handle."""
    body, front, knob = materials
    width, height, depth = size
    yield Part(block(size, (x, lift + height / 2, 0.01)), body)
    each = height / rows
    for row in range(rows):
        y = lift + (row + 0.5) * each
        yield Part(block((width - 0.05, each - 0.035, 0.05), (x, y, -depth / 2), 0.008), front)
        yield Part(block((width * 0.4, thick, thick), (x, y, -depth / 2 - 0.035), 0.012), knob)


def _far_support(rng: np.random.Generator, x: float, depth: float, under: float, thick: float) -> Iterator[Solid]:
    """What carries the desk's end without drawers: a panel or two legs."""
    if rng.random() < 0.5:
        yield block((thick, under, depth - 0.06), (x, under / 2, 0))
    else:
        for z in (-depth / 2 + 0.05, depth / 2 - 0.06):
            yield rod((x, 0, z), (x, under, z), thick * 0.6, sides=pick(rng, (4, 8)))


def _hutch(rng: np.random.Generator, width: float, depth: float, height: float, thick: float) -> Iterator[Solid]:
    rise, reach = rng.uniform(0.28, 0.5), rng.uniform(0.2, 0.26)
    z = depth / 2 - reach / 2 - 0.01
    for place in np.linspace(-1, 1, int(rng.integers(2, 5))):
        yield block((thick, rise, reach), (place * (width - thick) / 2, height + rise / 2 - 0.01, z))
    yield block((width, thick, reach + 0.01), (0, height + rise, z))
    yield block((width - 0.01, rise, thick), (0, height + rise / 2 - 0.01, depth / 2 - thick / 2 - 0.01))
