"""Toilets and bathtubs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from shapeyard.sources.procedural.assembly import Part, parts_of, stout
from shapeyard.sources.procedural.draw import pick
from shapeyard.sources.procedural.materials import material
from shapeyard.sources.procedural.solids import (
    Solid,
    Vectors,
    ball,
    block,
    corners,
    curve,
    filleted,
    lathe,
    loft,
    prism,
    rod,
    superellipse,
    tube,
)


def toilet(rng: np.random.Generator) -> list[Part]:
    """A bowl on its foot with seat, lid (up or down) and cistern; the cistern at +Z."""
    china = material(rng, "white" if rng.random() < 0.7 else "ceramic", "china")
    seat_cover = china if rng.random() < 0.3 else material(rng, pick(rng, ("white", "wood", "dark", "plastic")), "seat")
    metal, basin = material(rng, "metal", "metal"), material(rng, "white", "basin")
    width, length, height = rng.uniform(0.33, 0.42), rng.uniform(0.42, 0.55), rng.uniform(0.35, 0.46)
    rim = _egg(width, length)
    foot = rng.uniform(0.55, 0.92)
    bowl = _bowl(rng, rim, height, foot, length)
    parts = [
        Part(bowl, china),
        Part(block((width * 0.72, height, 0.28), (0, height / 2, length * 0.46 + 0.04), 0.025), china),
    ]
    thick = stout(0.026, 0.85)
    parts.append(Part(prism(rim * 1.03, height - 0.002, height + thick, 0.006), seat_cover))
    closed = rng.random() < 0.4
    inner = [(0.3, 0.62 * height, 0.08), (0.58, 0.86 * height, 0.0), (0.7, height + 0.1, -0.02)]
    room = loft(np.stack([np.insert(rim * scale + (0, back * length), 1, y, axis=1) for scale, y, back in inner]))
    if not closed:
        parts.append(Part(room, basin, carve=True))
    parts.append(Part(_lid(rng, closed, rim * 1.03, height + thick, length, thick), seat_cover))
    tank = (rng.uniform(0.34, 0.52), rng.uniform(0.24, 0.46), rng.uniform(0.16, 0.22))
    z = length * 0.46 + 0.14
    parts.append(Part(block(tank, (0, height + tank[1] / 2 - 0.03, z), 0.025), china))
    top = height + tank[1] - 0.03
    parts.append(Part(block((tank[0] + 0.03, 0.045, tank[2] + 0.03), (0, top + 0.01, z), 0.012), china))
    if rng.random() < 0.5:
        parts.append(Part(lathe([(0, 0), (0.03, 0), (0.03, 0.04), (0, 0.04)], 14).moved(0, top + 0.02, z), metal))
    else:
        x, front = -tank[0] * 0.36, z - tank[2] / 2
        parts.append(Part(rod((x, top - 0.07, front + 0.02), (x, top - 0.07, front - 0.03), 0.014), metal))
        parts.append(
            Part(rod((x - 0.012, top - 0.07, front - 0.025), (x + 0.07, top - 0.075, front - 0.025), 0.013), metal)
        )
    return parts


def bathtub(rng: np.random.Generator) -> list[Part]:
    """An oval or rectangular tub on claws, a plinth or the floor, at times with one high end and a tap."""
    length, width, height = rng.uniform(1.45, 1.8), rng.uniform(0.68, 0.84), rng.uniform(0.5, 0.62)
    enamel = material(rng, pick(rng, ("white", "white", "ceramic", "paint", "metal")), "outside")
    inside, metal = material(rng, "white", "inside"), material(rng, pick(rng, ("metal", "dark")), "metal")
    exponent = pick(rng, (rng.uniform(2.0, 3.0), rng.uniform(2.5, 4.0), rng.uniform(6, 12)))
    style = pick(rng, ("claws", "plinth", "floor")) if exponent < 5 else pick(rng, ("floor", "floor", "claws"))
    slipper = rng.uniform(0.1, 0.22) if exponent < 5 and rng.random() < 0.45 else 0.0
    lift = rng.uniform(0.1, 0.15) if style == "claws" else 0.0
    shrink = rng.uniform(0.7, 0.86) if exponent < 5 else rng.uniform(0.9, 0.98)
    wall = stout(0.05, length)
    body = _tub(length, width, height, exponent, shrink, slipper, rolled=exponent < 5)
    parts = [Part(body.moved(0, lift, 0), enamel)]
    if style == "claws":
        parts += parts_of(_claws(length * shrink, width * shrink, lift, wall), metal)
    elif style == "plinth":
        parts.append(Part(prism(superellipse(length * shrink * 0.98, width * shrink * 0.98, exponent), 0, 0.1), metal))
    room = _tub_room(length, width, height, exponent, shrink, slipper, wall)
    parts.append(Part(room.moved(0, lift, 0), inside, carve=True))
    if rng.random() < 0.65:
        parts += parts_of(_tap(rng, length, lift + height, wall), metal)
    return parts


def _egg(width: float, length: float) -> Vectors:
    """An outline (n,2) longer towards −z (the front), from x towards z."""
    angle = np.arange(28) * (2 * np.pi / 28)
    z = np.sin(angle)
    stretched = np.where(z < 0, z * 0.62, np.sign(z) * np.abs(z) ** 0.8 * 0.4)
    return np.stack([np.cos(angle) * width / 2, stretched * length], axis=1)


def _bowl(rng: np.random.Generator, rim: Vectors, height: float, foot: float, length: float) -> Solid:
    waist = foot * rng.uniform(0.85, 1.0)
    levels = [
        (foot, 0, 0.12),
        (waist, 0.25, 0.14),
        (waist * 1.1, 0.5, 0.1),
        (0.93, 0.85, 0.01),
        (1.0, 0.93, 0),
        (1.0, 1.0, 0),
    ]
    rings = [np.insert(rim * scale + (0, back * length), 1, y * height, axis=1) for scale, y, back in levels]
    return loft(np.stack(rings))


def _lid(rng: np.random.Generator, closed: bool, rim: Vectors, top: float, length: float, thick: float) -> Solid:
    hinge = length * 0.41
    lid = prism(rim * 0.99, -0.003, thick, 0.006)
    if closed:
        return lid.moved(0, top, 0)
    return lid.moved(0, 0, -hinge).turned("x", rng.uniform(86, 93)).moved(0, top - 0.005, hinge - 0.005)


def _tub(
    length: float, width: float, height: float, exponent: float, shrink: float, slipper: float, rolled: bool
) -> Solid:
    """The outside, rising at the end +x by `slipper`."""
    lip = 0.03 if rolled else 0.012
    levels = [(shrink * 0.93, 0.0), (shrink, 0.06), ((1 + shrink) / 2, 0.5), (0.985, 0.9)]
    levels += [(1 + lip, 0.92), (1 + lip, 0.985), (1.0, 1.0)]
    outline = superellipse(length, width, exponent, 32)
    return loft(np.stack([_tub_ring(outline, scale, y * height, y, slipper, length) for scale, y in levels]))


def _tub_ring(outline: Vectors, scale: float, height: float, share: float, slipper: float, length: float) -> Vectors:
    points = np.insert(outline * scale, 1, height, axis=1)
    points[:, 1] += slipper * share**2 * np.clip(points[:, 0] / (length / 2) * 0.8 + 0.2, 0, None) ** 2
    return points


def _tub_room(
    length: float, width: float, height: float, exponent: float, shrink: float, slipper: float, wall: float
) -> Solid:
    inner = superellipse(length - 2 * wall, width - 2 * wall, exponent, 32)
    floor = 1.3 * wall
    levels = [
        (shrink * 0.85, floor),
        (shrink * 0.95, floor + 0.06),
        ((1 + shrink) / 2, 0.55 * height),
        (0.99, height),
    ]
    rings = [_tub_ring(inner, scale, y, y / height, slipper, length) for scale, y in levels]
    above = rings[-1] + np.array((0, 0.1, 0))
    return loft(np.stack([*rings, above]))


def _claws(length: float, width: float, lift: float, wall: float) -> Iterator[Solid]:
    for x, z in corners(length * 0.3, width * 0.3):
        knee = (x * 1.12, lift * 0.75, z * 1.25)
        path = curve([(x, lift + 0.09, z), knee, (x * 1.1, 0.03, z * 1.15)], 3)
        yield tube(path, np.linspace(wall * 0.75, wall * 0.5, len(path)), 8, across=_normal(path))
        yield ball(wall * 0.62, (x * 1.1, wall * 0.6, z * 1.15), 10)


def _normal(path: Vectors) -> Sequence[float]:
    """The normal of the plane of three points of a bent path."""
    normal = np.cross(path[0] - path[len(path) // 2], path[-1] - path[len(path) // 2])
    return [float(value) for value in normal / np.linalg.norm(normal)]


def _tap(rng: np.random.Generator, length: float, rim: float, wall: float) -> Iterator[Solid]:
    """A spout bent over the low end and two handles."""
    radius, x = wall * 0.52, -length / 2 + wall * 0.5
    tall, reach = rng.uniform(0.14, 0.24), rng.uniform(0.14, 0.2)
    path = [(x, rim - 0.05, 0), (x, rim + tall, 0), (x + reach, rim + tall, 0), (x + reach, rim + tall - 0.09, 0)]
    yield tube(filleted(path, 0.07), radius, 8, across=(0, 0, 1))
    for side in (-1, 1):
        z = side * rng.uniform(0.09, 0.11)
        yield rod((x + 0.01, rim - 0.05, z), (x + 0.01, rim + 0.07, z), radius, sides=8)
        yield ball(radius * 1.4, (x + 0.01, rim + 0.08, z), 10)
