"""Vases and teapots."""

from __future__ import annotations

import numpy as np

from shapeyard.sources.procedural.assembly import Part, parts_of
from shapeyard.sources.procedural.draw import pick
from shapeyard.sources.procedural.materials import material
from shapeyard.sources.procedural.solids import (
    Solid,
    Vectors,
    ball,
    curve,
    inset,
    lathe,
    polygon_section,
    ripple_section,
    tube,
)


def vase(rng: np.random.Generator) -> list[Part]:
    """A hollow vessel turned, faceted, fluted or twisted, at times with two handles and a painted band."""
    height = rng.uniform(0.2, 0.42)
    outside = _vase_outline(rng, height)
    wall = height * rng.uniform(0.036, 0.044)
    clay, inside = (
        material(rng, pick(rng, ("ceramic", "ceramic", "glass", "metal")), "clay"),
        material(rng, "dark", "inside"),
    )
    section, twist = _vase_section(rng)
    columns = len(section)
    profile = np.vstack([[(0, 0)], outside, [(0, height)]])
    parts = [Part(lathe(profile, columns, section, twist), clay)]
    if twist == 0 and rng.random() < 0.3:
        parts += parts_of(_two_handles(rng, outside, height), clay)
    if twist == 0 and rng.random() < 0.5:
        low = height * rng.uniform(0.2, 0.45)
        levels = np.linspace(low, low + height * rng.uniform(0.1, 0.25), 4)
        reach = np.interp(levels, outside[:, 1], outside[:, 0]) + 0.008 * height
        band = lathe([(0, levels[0]), *np.stack([reach, levels], axis=1), (0, levels[-1])], columns, section)
        parts.append(Part(band, material(rng, pick(rng, ("ceramic", "white")), "band")))
    hollow = inset(outside, wall)[outside[:, 1] > 2 * wall]
    hollow[:, 0] = np.maximum(hollow[:, 0], 0.4 * wall)
    top = (hollow[-1, 0], height + 0.1 * height)
    room = np.vstack([[(0, 1.5 * wall), (hollow[0, 0] * 0.8, 1.5 * wall)], hollow, [top, (0, top[1])]])
    return [*parts, Part(lathe(room * (section.min(), 1.0), columns), inside, carve=True)]


def teapot(rng: np.random.Generator) -> list[Part]:
    """A pot with spout, handle, lid and knob."""
    clay = material(rng, pick(rng, ("ceramic", "ceramic", "metal", "white")), "clay")
    accent = clay if rng.random() < 0.4 else material(rng, pick(rng, ("ceramic", "dark", "wood")), "accent")
    radius = rng.uniform(0.075, 0.1)
    height = radius * rng.uniform(1.05, 2.2)
    fullest, mouth = rng.uniform(0.28, 0.65), rng.uniform(0.4, 0.68)
    shoulder = mouth + (1 - mouth) * rng.uniform(0.45, 0.8)
    foot = rng.uniform(0.45, 0.8)
    points = [(foot, 0), (0.5 + foot / 2, 0.4 * fullest), (1, fullest), (shoulder, 0.85), (mouth, 1)]
    outside = curve(points, 4) * (radius, height)
    section = polygon_section(pick(rng, (6, 8)), 24, 0.25) if rng.random() < 0.2 else None
    parts = [Part(lathe([(0, 0), *outside, (0, height)], 24, section), clay)]
    parts += parts_of(_lid(rng, radius * mouth, height), accent)
    parts.append(Part(_spout(rng, radius, height), clay))
    grip = _bail(rng, radius, height) if rng.random() < 0.3 else _ear(rng, radius, height, fullest)
    return [*parts, Part(grip, accent)]


def _vase_outline(rng: np.random.Generator, height: float) -> Vectors:
    """Radius and height of one of five families, each with its own proportions."""
    family = pick(rng, ("bulb", "shouldered", "flaring", "waisted", "bowl"))
    wide = height * rng.uniform(0.22, 0.34)
    shapes = {
        "bulb": [(0.55, 0), (1, rng.uniform(0.25, 0.4)), (0.42, 0.72), (rng.uniform(0.45, 0.65), 1)],
        "shouldered": [(0.5, 0), (0.75, 0.35), (1, rng.uniform(0.62, 0.75)), (rng.uniform(0.42, 0.6), 1)],
        "flaring": [(rng.uniform(0.38, 0.55), 0), (0.5, 0.35), (0.62, 0.7), (1, 1)],
        "waisted": [(0.85, 0), (rng.uniform(0.45, 0.6), 0.35), (0.6, 0.65), (1, 1)],
        "bowl": [(0.55, 0), (1.15, 0.4), (1.2, 0.68), (rng.uniform(0.75, 0.95), 1)],
    }
    return curve(shapes[family], 5) * (wide, height)


def _vase_section(rng: np.random.Generator) -> tuple[Vectors, float]:
    """The factors around and the twist in degrees."""
    kind = pick(rng, ("round", "round", "faceted", "fluted", "twisted"))
    if kind == "faceted":
        return polygon_section(int(rng.integers(4, 9)), 30, rng.uniform(0.05, 0.4)), 0.0
    if kind == "fluted":
        return ripple_section(int(rng.integers(6, 10)), rng.uniform(0.04, 0.07), 40), 0.0
    if kind == "twisted":
        return ripple_section(int(rng.integers(4, 7)), rng.uniform(0.06, 0.1), 36), float(rng.uniform(40, 110))
    return np.ones(28), 0.0


def _two_handles(rng: np.random.Generator, outside: Vectors, height: float) -> list[Solid]:
    low, high = height * rng.uniform(0.42, 0.55), height * rng.uniform(0.8, 0.9)
    radius = [float(np.interp(y, outside[:, 1], outside[:, 0])) - 0.008 * height for y in (low, high)]
    reach = max(radius) + height * rng.uniform(0.09, 0.16)
    path = curve([(radius[1], high, 0), (reach * 0.95, high, 0), (reach, (low + high) / 2, 0), (radius[0], low, 0)], 4)
    handle = tube(path, 0.0175 * height, 8, across=(0, 0, 1))
    return [handle, handle.turned("y", 180)]


def _lid(rng: np.random.Generator, mouth: float, height: float) -> list[Solid]:
    rise, knob = mouth * rng.uniform(0.25, 0.55), mouth * rng.uniform(0.2, 0.32)
    dome = curve([(mouth * 1.08, 0.004), (mouth * 0.75, 0.65 * rise), (0.006, rise)], 3)
    lid = lathe([(0, -0.006), (mouth * 1.08, -0.006), *dome, (0, rise)], 24).moved(0, height, 0)
    if rng.random() < 0.7:
        return [lid, ball((knob, knob * rng.uniform(0.8, 1.2), knob), (0, height + rise + knob * 0.6, 0), 12)]
    stem = [(0, -0.006), (knob * 0.5, -0.006), (knob * 0.5, knob * 0.5), (knob, knob * 0.8), (knob, knob * 1.3)]
    return [lid, lathe([*stem, (0, knob * 1.3)], 12).moved(0, height + rise, 0)]


def _spout(rng: np.random.Generator, radius: float, height: float) -> Solid:
    """Bent and tapering, towards −x, its mouth at about the height of the lid."""
    reach, tip = radius * rng.uniform(1.5, 2.0), height * rng.uniform(0.88, 1.1)
    start, bend = height * rng.uniform(0.25, 0.42), rng.uniform(0.0, 0.5)
    middle = (-radius * 1.25, start + (tip - start) * (0.5 - 0.35 * bend), 0)
    path = curve([(-radius * 0.7, start, 0), middle, (-reach * 0.92, tip * 0.86, 0), (-reach, tip, 0)], 4)
    thick = np.linspace(radius * rng.uniform(0.26, 0.34), radius * rng.uniform(0.09, 0.13), len(path))
    return tube(path, thick, 10, across=(0, 0, 1))


def _ear(rng: np.random.Generator, radius: float, height: float, fullest: float) -> Solid:
    low, high, reach = height * fullest * 0.6, height * rng.uniform(0.78, 0.88), radius * rng.uniform(1.45, 1.95)
    if rng.random() < 0.3:
        points = [
            (radius * 0.7, high, 0),
            (reach, high * 1.05, 0),
            (reach * 0.96, height * 0.5, 0),
            (radius * 0.85, low, 0),
        ]
    else:
        points = [
            (radius * 0.7, high, 0),
            (reach * 0.85, high * 1.1, 0),
            (reach, height * 0.62, 0),
            (radius * 0.85, low, 0),
        ]
    return _round_bar(rng, curve(points, 5), radius)


def _bail(rng: np.random.Generator, radius: float, height: float) -> Solid:
    """A handle that arches over the lid."""
    top, wide = height + radius * rng.uniform(0.85, 1.2), radius * rng.uniform(0.75, 0.95)
    points = [(-radius * 0.72, height * 0.82, 0), (-wide, height * 1.12, 0), (-wide * 0.55, top * 0.96, 0), (0, top, 0)]
    points += [(wide * 0.55, top * 0.96, 0), (wide, height * 1.12, 0), (radius * 0.72, height * 0.82, 0)]
    return _round_bar(rng, curve(points, 4), radius)


def _round_bar(rng: np.random.Generator, path: Vectors, radius: float) -> Solid:
    return tube(path, radius * rng.uniform(0.065, 0.095), 8, across=(0, 0, 1))
