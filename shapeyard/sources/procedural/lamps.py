"""Lamps."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from shapeyard.sources.procedural.assembly import Part, parts_of, stout
from shapeyard.sources.procedural.draw import pick
from shapeyard.sources.procedural.materials import Material, material
from shapeyard.sources.procedural.solids import Solid, ball, block, curve, inset, lathe, polygon_section, rod, tube


def lamp(rng: np.random.Generator) -> list[Part]:
    """A table, floor, tripod, arc or reading lamp."""
    style = pick(rng, ("table", "table", "floor", "tripod", "arc", "reading", "reading"))
    shade = material(rng, pick(rng, ("white", "fabric", "paint")), "shade")
    frame = material(rng, pick(rng, ("metal", "dark", "wood", "paint")), "frame")
    if style == "table":
        body = material(rng, pick(rng, ("ceramic", "wood", "metal", "paint")), "body")
        return _table_lamp(rng, body, shade)
    if style == "arc":
        return [*parts_of(_arc(rng, height := rng.uniform(1.3, 1.7)), frame), _arc_shade(rng, height, shade)]
    if style == "reading":
        head = material(rng, pick(rng, ("paint", "metal", "plastic")), "head")
        return _reading_lamp(rng, head, frame)
    height = rng.uniform(1.2, 1.6)
    parts = parts_of(_tripod(rng, height) if style == "tripod" else _pole(rng, height), frame)
    tall = rng.uniform(0.24, 0.34)
    return [
        *parts,
        Part(_shade(rng, rng.uniform(0.19, 0.27), tall, height + 0.4 * tall).moved(0, height - 0.6 * tall, 0), shade),
    ]


def _shade(rng: np.random.Generator, radius: float, height: float, longest: float) -> Solid:
    """An open shade standing on y=0: cone, drum, dome, bell or globe; hollow from both ends up to a middle floor."""
    kind = pick(rng, ("cone", "cone", "drum", "dome", "bell", "pleated", "square"))
    wall, floor = 1.15 * stout(0.1 * radius, longest), 0.5 * height
    top = {"drum": rng.uniform(0.9, 1.0), "cone": rng.uniform(0.45, 0.75), "dome": 0.25}.get(kind, 0.55) * radius
    if kind == "dome":
        angle = np.linspace(0, 1.3, 6)
        outside = np.stack([radius * np.cos(angle), height * np.sin(angle) / np.sin(1.3)], axis=1)
    elif kind == "bell":
        outside = curve([(radius, 0), (0.75 * radius, 0.25 * height), (0.6 * radius, 0.6 * height), (top, height)], 2)
    else:
        outside = np.array([(radius, 0), (top, height)])
    levels = np.linspace(0, height, 9)
    inside = inset(np.stack([np.interp(levels, outside[:, 1], outside[:, 0]), levels], axis=1), wall)
    profile = [(0, floor), *inside[4::-1], *outside]
    profile += [(0, height)] if kind == "dome" else [*inside[:5:-1], (inside[6, 0], floor + wall), (0, floor + wall)]
    if kind == "pleated":
        columns = 36
        return lathe(profile, columns, 1 + 0.035 * (-1.0) ** np.arange(columns))
    if kind == "square":
        return lathe(profile, 24, polygon_section(4, 24, 0.15) * 0.93).turned("y", 45 * float(rng.integers(2)))
    return lathe(profile, 24)


def _table_lamp(rng: np.random.Generator, body: Material, shade: Material) -> list[Part]:
    height = rng.uniform(0.22, 0.38)
    radius, tall = rng.uniform(0.13, 0.19), rng.uniform(0.17, 0.26)
    belly = height * rng.uniform(0.2, 0.36)
    neck = stout(0.02, height + tall) / 2 * rng.uniform(1.0, 1.4)
    where = rng.uniform(0.25, 0.6)
    foot = max(belly * rng.uniform(0.6, 1.0), 0.055)
    kind = pick(rng, ("gourd", "stacked", "column", "urn"))
    if kind == "stacked":
        parts, y = [Part(lathe([(0, 0), (foot, 0), (foot, 0.025), (0, 0.025)]), body)], 0.015
        for size in belly * np.array([0.8, 0.62, 0.48]) * rng.uniform(0.8, 1.1, 3):
            parts.append(Part(ball((size, size * 0.9, size), (0, y + size * 0.8, 0)), body))
            y += size * 1.6
        height = y + 0.06
        parts.append(Part(rod((0, 0.01, 0), (0, height + 0.35 * tall, 0), neck), body))
    else:
        shapes = {
            "gourd": [(foot, 0.02), (belly, where * 0.6 * height), (belly * 0.5, 0.62 * height), (neck, 0.85 * height)],
            "column": [(foot, 0.02), (neck * 1.8, 0.12 * height), (neck * 1.3, 0.5 * height), (neck, 0.85 * height)],
            "urn": [(foot * 0.7, 0.02), (belly * 0.45, 0.15 * height), (belly, 0.6 * height), (neck, 0.88 * height)],
        }
        outline = curve(shapes[kind], 5)
        outline[:, 0] = np.maximum(outline[:, 0], neck)
        end = height + 0.35 * tall
        section = polygon_section(int(rng.integers(4, 9)), 24, 0.1) if rng.random() < 0.25 else None
        profile = [(0, 0), (foot, 0), *outline, (neck, end), (0, end)]
        parts = [Part(lathe(profile, 24, section), body)]
    return [*parts, Part(_shade(rng, radius, tall, height + tall).moved(0, height - 0.2 * tall, 0), shade)]


def _pole(rng: np.random.Generator, height: float) -> Iterator[Solid]:
    foot, radius = rng.uniform(0.13, 0.2), stout(0.03, 1.12 * height) / 2
    yield lathe([(0, 0), (foot, 0), (foot, 0.03), (radius * 1.5, 0.03 + rng.uniform(0.015, 0.1)), (0, 0.14)])
    yield rod((0, 0.01, 0), (0, height, 0), radius)
    if rng.random() < 0.3:
        yield lathe([(0, 0), (0.2, 0), (0.2, 0.045), (0, 0.045)]).moved(0, height * 0.42, 0)


def _tripod(rng: np.random.Generator, height: float) -> Iterator[Solid]:
    spread, joint, radius = rng.uniform(0.22, 0.34), height * rng.uniform(0.62, 0.8), stout(0.045, 1.15 * height) / 2
    for leg in range(3):
        angle = 2 * np.pi * (leg + 0.25) / 3
        x, z = np.cos(angle), np.sin(angle)
        yield rod((spread * x, 0, spread * z), (-0.02 * x, joint, -0.02 * z), radius * 0.9, radius, 8)
    yield ball(radius * 2.2, (0, joint - 0.02, 0), 12)
    yield rod((0, joint - 0.03, 0), (0, height, 0), radius)


def _arc(rng: np.random.Generator, height: float) -> Iterator[Solid]:
    """A heavy foot at one end, a rod that bows over to the shade at the other."""
    radius, reach = stout(0.03, height * 1.1) / 2, 0.5 * height
    foot = rng.uniform(0.14, 0.19)
    if rng.random() < 0.5:
        yield lathe([(0, 0), (foot, 0), (foot, 0.06), (0, 0.06)]).moved(reach, 0, 0)
    else:
        yield block((2 * foot, 0.08, 1.6 * foot), (reach, 0.04, 0), 0.01)
    points = [(1.0, 0.03), (1.03, 0.5), (0.72, 0.88), (0.2, 1.0), (-0.35, 0.93), (-0.5, 0.78)]
    yield tube(curve([(x * reach, y * height, 0) for x, y in points], 4), radius, 8, across=(0, 0, 1))


def _arc_shade(rng: np.random.Generator, height: float, shade: Material) -> Part:
    radius, tall = rng.uniform(0.17, 0.23), rng.uniform(0.16, 0.22)
    angle = np.linspace(0, 1.45, 6)
    dome = np.stack([radius * np.cos(angle), tall * np.sin(angle)], axis=1)
    hollow = [(0, 0.4 * tall), (radius * 0.5, 0.35 * tall), (radius * 0.74, 0)]
    return Part(lathe([*hollow, *dome, (0, tall)]).moved(-0.25 * height, 0.79 * height - tall, 0), shade)


def _reading_lamp(rng: np.random.Generator, head: Material, frame: Material) -> list[Part]:
    """A foot, two arms with joints, and a conical head that looks down and forwards."""
    radius, foot = rng.uniform(0.0105, 0.014), rng.uniform(0.075, 0.1)
    lower, upper = rng.uniform(0.2, 0.27), rng.uniform(0.18, 0.25)
    lean, bow = np.radians(rng.uniform(10, 30)), np.radians(rng.uniform(40, 65))
    start = np.array([0, 0.03, 0.0])
    elbow = start + lower * np.array([0, np.cos(lean), np.sin(lean)])
    wrist = elbow + upper * np.array([0, np.cos(bow), -np.sin(bow)])
    parts = [Part(lathe([(0, 0), (foot, 0), (foot, 0.018), (foot * 0.5, 0.035), (0, 0.04)]), frame)]
    parts += [Part(tube([a, b], radius, 10), frame) for a, b in ((start, elbow), (elbow, wrist))]
    parts += [Part(ball(radius * 1.9, joint, 12), frame) for joint in (elbow, wrist)]
    size, tall = rng.uniform(0.055, 0.08), rng.uniform(0.1, 0.14)
    bell = [(size, 0), (size * 0.92, 0.25 * tall), (size * 0.45, 0.62 * tall), (size * 0.38, tall), (0, tall)]
    cone = lathe([(0, 0.3 * tall), (size * 0.5, 0.24 * tall), (size * 0.72, 0), *bell])
    return [*parts, Part(cone.moved(0, -0.85 * tall, 0).turned("x", rng.uniform(15, 45)).moved(*wrist), head)]
