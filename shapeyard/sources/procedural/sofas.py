"""Sofas and benches."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from shapeyard.sources.procedural.assembly import Part, parts_of, placed, stout
from shapeyard.sources.procedural.draw import pick
from shapeyard.sources.procedural.materials import Material, material
from shapeyard.sources.procedural.solids import Solid, block, corners, cushion, filleted, prism, rod, superellipse, tube


def sofa(rng: np.random.Generator) -> list[Part]:
    """An upholstered seat for two to four, with square, rolled or sloping arms, at times with a chaise."""
    seats = int(rng.integers(2, 4))
    arm = rng.uniform(0.13, 0.24)
    width = seats * rng.uniform(0.56, 0.7) + 2 * arm
    depth, seat_height, back_height = rng.uniform(0.8, 0.95), rng.uniform(0.4, 0.46), rng.uniform(0.75, 0.92)
    foot = rng.uniform(0.06, 0.14)
    cover = material(rng, pick(rng, ("fabric", "fabric", "leather")), "cover")
    legs = material(rng, pick(rng, ("wood", "metal", "dark")), "legs")
    inner, back = width - 2 * arm, rng.uniform(0.2, 0.26)
    base = block((width - 0.04, seat_height - 0.09 - foot, depth - 0.03), (0, (seat_height - 0.09 + foot) / 2, 0), 0.02)
    parts = [Part(base, cover), Part(_sofa_back(rng, width, back_height, foot, back, depth), cover)]
    parts += parts_of(_sofa_arms(rng, width, depth, arm, foot, seat_height), cover)
    chaise = pick(rng, (-1, 0, 0, 1))
    parts += _cushions(rng, seats, inner, depth - back, seat_height, back_height, chaise, cover)
    if chaise:
        parts.append(_chaise_base(chaise, inner / seats, inner, depth, seat_height, cover))
    radius = stout(0.05, width) / 2
    for x, z in corners(width / 2 - 0.07, depth / 2 - 0.07):
        parts.append(Part(rod((x * 1.01, 0, z * 1.02), (x, foot + 0.02, z), radius * 0.9, radius * 1.1, 8), legs))
    return parts


def bench(rng: np.random.Generator) -> list[Part]:
    """A long narrow seat: a garden bench with back and arms, a slatted one, a plank on two feet, or a padded one."""
    style = pick(rng, ("garden", "garden", "slatted", "plank", "padded"))
    width, depth, height = rng.uniform(1.15, 1.6), rng.uniform(0.34, 0.44), rng.uniform(0.42, 0.48)
    thick = stout(0.035, width)
    wood = material(rng, pick(rng, ("wood", "wood", "paint")), "seat")
    frame = material(rng, pick(rng, ("wood", "metal", "dark", "paint")), "frame")
    if style == "plank":
        plank = Part(block((width, thick * 1.3, depth), (0, height - thick * 0.65, 0), 0.012), wood)
        return [plank, *parts_of(_plank_feet(rng, width, depth, height - thick, thick), frame)]
    if style == "padded":
        pad = material(rng, pick(rng, ("fabric", "leather")), "pad")
        parts = [Part(cushion((width, 0.13, depth), (0, height - 0.065, 0), 0.2), pad)]
        parts.append(Part(block((width - 0.03, thick, depth - 0.02), (0, height - 0.12, 0)), frame))
        return parts + parts_of(_bench_legs(rng, width, depth, height - 0.1, thick), frame)
    parts = parts_of(_slats(rng, width, depth, height, thick), wood)
    parts += parts_of(_end_frames(rng, width, depth, height, thick), frame)
    if style == "garden":
        parts += _garden_back(rng, width, depth, height, thick, wood, frame)
    return parts


def _sofa_back(rng: np.random.Generator, width: float, top: float, foot: float, thick: float, depth: float) -> Solid:
    rise = top - foot
    if rng.random() < 0.3:
        x = np.linspace(-0.5, 0.5, 13)
        crest = rise * (0.8 + 0.2 * np.cos(2 * np.pi * x) ** 3)
        outline = np.vstack([np.stack([x, -crest + rise / 2], 1)[::-1], [(-0.5, rise / 2), (0.5, rise / 2)]])
        outline[:, 0] *= width * 0.98
        outline = outline[::-1]
    else:
        outline = superellipse(width * 0.99, rise, rng.uniform(6, 20))
    panel = prism(outline, -thick / 2, thick / 2, 0.03).turned("x", 90)
    return panel.moved(0, foot + rise / 2, 0).turned("x", rng.uniform(0, 5)).moved(0, 0, depth / 2 - thick / 2 - 0.03)


def _sofa_arms(
    rng: np.random.Generator, width: float, depth: float, arm: float, foot: float, seat: float
) -> Iterator[Solid]:
    style, top = pick(rng, ("square", "rolled", "sloping", "soft")), seat + rng.uniform(0.12, 0.22)
    for side in (-1, 1):
        x = side * (width - arm) / 2
        if style == "rolled":
            yield block((arm * 0.8, top - foot - 0.05, depth - 0.04), (x, (top - 0.05 + foot) / 2, 0), 0.02)
            yield rod((x, top - 0.06, -depth / 2), (x, top - 0.06, depth / 2 - 0.06), arm * 0.58, sides=14)
        elif style == "soft":
            yield cushion((arm * 1.1, top - foot, depth), (x, (top + foot) / 2, 0), 0.3)
        else:
            yield block((arm, top - foot, depth), (x, (top + foot) / 2, -0.005), 0.035)
            if style == "sloping":
                yield rod((x, seat, -depth / 2 + 0.1), (x, top + 0.12, depth / 2 - 0.1), arm * 0.46, sides=4)


def _cushions(
    rng: np.random.Generator,
    seats: int,
    inner: float,
    reach: float,
    height: float,
    top: float,
    chaise: int,
    cover: Material,
) -> Iterator[Part]:
    """Seat and back cushions; the chaise's reaches far out to the front."""
    each, loose, rear = inner / seats, rng.random() < 0.75, reach - 0.45
    soft, accent = rng.uniform(0.18, 0.3), material(rng, "fabric", "pillow")
    for number in range(seats):
        x = (number + 0.5) * each - inner / 2
        longer = 0.5 if chaise and number == (0 if chaise < 0 else seats - 1) else 0.0
        size = (each * 1.005, 0.19, reach + 0.03 + longer)
        yield Part(cushion(size, (x, height - 0.08, -0.11 - longer / 2), soft), cover)
        if loose:
            back = cushion((each * 0.98, top - height + 0.06, 0.17), (0, 0, 0), 0.35).turned("x", 10)
            yield Part(back.moved(x, (top + height) / 2 + 0.0, rear - 0.13), cover)
    if rng.random() < 0.4:
        for side in (-1, 1)[: int(rng.integers(1, 3))]:
            pillow = cushion((0.38, 0.36, 0.15), softness=0.5).turned("x", 20).turned("y", side * -18)
            yield Part(pillow.moved(side * (inner / 2 - 0.17), height + 0.15, rear - 0.26), accent)


def _chaise_base(side: int, each: float, inner: float, depth: float, height: float, cover: Material) -> Part:
    x, front = side * (inner - each) / 2, -depth / 2 - 0.42
    size = (each, height - 0.09, depth * 0.3 - front)
    return Part(block(size, (x, (height - 0.09) / 2, (depth * 0.3 + front) / 2), 0.02), cover)


def _slats(rng: np.random.Generator, width: float, depth: float, height: float, thick: float) -> Iterator[Solid]:
    count = int(rng.integers(3, 6))
    for z in (np.arange(count) + 0.5) / count - 0.5:
        yield block((width, thick, depth / count * 0.78), (0, height - thick / 2, z * depth), 0.008)


def _end_frames(rng: np.random.Generator, width: float, depth: float, height: float, thick: float) -> Iterator[Solid]:
    """Under each end, two legs (or a bent hoop) below a bearer that carries the slats."""
    x, z, y = width * rng.uniform(0.38, 0.46), depth / 2 - thick / 2, height - thick * 1.4
    hoop = rng.random() < 0.3
    for side in (-x, x):
        if hoop:
            path = [(side, y, -z), (side, thick / 2, -z), (side, thick / 2, z), (side, y, z)]
            yield tube(filleted(path, 0.07), thick / 2, 8, across=(1, 0, 0))
        else:
            for across in (-z, z):
                yield rod((side, 0, across), (side, y + 0.01, across), thick * 0.55, sides=4)
        yield block((thick, thick, depth - 0.01), (side, y, 0))
    if not hoop and rng.random() < 0.5:
        yield rod((-x, height * 0.3, 0), (x, height * 0.3, 0), thick * 0.5, sides=4)
        for side in (-x, x):
            yield rod((side, height * 0.3, -z), (side, height * 0.3, z), thick * 0.5, sides=4)


def _garden_back(
    rng: np.random.Generator, width: float, depth: float, height: float, thick: float, wood: Material, frame: Material
) -> list[Part]:
    rise, upright = rng.uniform(0.36, 0.48), rng.random() < 0.4
    x = width / 2 - thick * 0.7
    back = [Part(rod((side, -0.03, 0), (side, rise, 0), thick * 0.55, sides=4), frame) for side in (-x, x)]
    if upright:
        count = int(rng.integers(6, 10))
        back += [Part(block((width, thick * 1.6, thick), (0, y, 0)), wood) for y in (0.08, rise - 0.02)]
        for place in (np.arange(count) + 1) / (count + 1) * 2 - 1:
            back.append(Part(block((thick * 1.1, rise - 0.09, thick * 0.85), (place * x, rise / 2 + 0.03, 0)), wood))
    else:
        for y in np.linspace(0.12, rise - 0.03, int(rng.integers(2, 4))):
            back.append(Part(block((width, rng.uniform(0.06, 0.09), thick), (0, y, 0), 0.008), wood))
    recline = rng.uniform(4, 16)
    parts = placed(back, lambda solid: solid.turned("x", recline).moved(0, height - 0.01, depth / 2 - thick * 0.5))
    if rng.random() < 0.7:
        level, front = height + rng.uniform(0.17, 0.23), -depth / 2 + thick * 0.6
        for side in (-x, x):
            rest = block((thick * 1.4, thick, depth + 0.03), (side, level, 0.03), 0.01)
            post = rod((side, height - 0.01, front), (side, level, front), thick * 0.5, sides=4)
            parts += parts_of((rest, post), frame)
    return parts


def _plank_feet(rng: np.random.Generator, width: float, depth: float, under: float, thick: float) -> Iterator[Solid]:
    x, splay = width * rng.uniform(0.32, 0.42), rng.uniform(0, 0.08)
    for side in (-1, 1):
        foot = block((thick * 1.2, under + 0.02, depth * 0.9), (0, -under / 2, 0)).turned("z", side * np.degrees(splay))
        yield foot.moved(side * x, under, 0)
    yield block((2 * x, 0.09, thick), (0, under * 0.62, 0))


def _bench_legs(rng: np.random.Generator, width: float, depth: float, under: float, thick: float) -> Iterator[Solid]:
    splay, sides = rng.uniform(0, 0.06), pick(rng, (4, 10))
    for x, z in corners(width / 2 - 0.1, depth / 2 - 0.06):
        foot = (x + np.sign(x) * splay, 0, z + np.sign(z) * splay * 0.5)
        yield rod(foot, (x, under, z), thick * 0.5, thick * 0.7, sides)
