"""Cups and bottles."""

from __future__ import annotations

import numpy as np

from shapeyard.sources.procedural.assembly import Part
from shapeyard.sources.procedural.draw import pick
from shapeyard.sources.procedural.materials import material
from shapeyard.sources.procedural.solids import Solid, Vectors, curve, filleted, lathe, polygon_section, tube


def cup(rng: np.random.Generator) -> list[Part]:
    """A mug, a teacup on its saucer, or a lidded cup to take away."""
    style = pick(rng, ("mug", "mug", "teacup", "takeaway"))
    if style == "takeaway":
        return _takeaway(rng)
    clay, inside = material(rng, "ceramic", "outside"), material(rng, pick(rng, ("white", "ceramic")), "inside")
    if style == "mug":
        radius, height = rng.uniform(0.037, 0.046), rng.uniform(0.08, 0.115)
        low, middle = rng.uniform(0.75, 1.05), rng.uniform(0.92, 1.18)
        wall, start = rng.uniform(0.0045, 0.006), 0.0
    else:
        radius, height = rng.uniform(0.042, 0.052), rng.uniform(0.052, 0.068)
        low, middle = rng.uniform(0.4, 0.55), rng.uniform(0.8, 0.95)
        wall, start = rng.uniform(0.005, 0.006), 0.008
    outside = curve([(radius * low, 0.0), (radius * middle, 0.5 * height), (radius, height)], 4)
    sides = int(rng.integers(5, 11)) if rng.random() < 0.15 else 0
    section = polygon_section(sides, 30, 0.3) if sides else None
    parts = [Part(lathe([(0, 0), *outside, (0, height)], 30, section).moved(0, start, 0), clay)]
    parts.append(Part(_handle(rng, outside, height).moved(0, start, 0), clay))
    parts.append(Part(_hollow(outside, wall, section).moved(0, start, 0), inside, carve=True))
    if rng.random() < 0.6:
        drink = _drink(outside, wall, height * rng.uniform(0.6, 0.85), section)
        parts.append(Part(drink.moved(0, start, 0), material(rng, "wood", "drink")))
    if style == "teacup":
        parts.append(Part(_saucer(rng, radius), clay))
    return parts


def bottle(rng: np.random.Generator) -> list[Part]:
    """A wine, beer, flask, square, sports or canister bottle, closed by a cap or a cork."""
    style = pick(rng, ("wine", "beer", "flask", "square", "sports", "canister"))
    glass = material(rng, "plastic" if style in ("sports", "canister") else "glass", "body")
    cap = material(rng, pick(rng, ("metal", "plastic", "dark", "wood")), "cap")
    height = rng.uniform(0.22, 0.33)
    radius = (
        height * {"wine": 0.125, "beer": 0.135, "flask": 0.24, "square": 0.17}.get(style, 0.15) * rng.uniform(0.8, 1.4)
    )
    neck = max(height * rng.uniform(0.036, 0.062), rng.uniform(0.28, 0.42) * radius)
    shoulder = {"wine": 0.62, "beer": 0.55, "flask": 0.4, "square": 0.66, "sports": 0.72}.get(style, 0.6)
    shoulder *= rng.uniform(0.82, 1.12)
    outline = _bottle_outline(rng, style, height, radius, neck, shoulder)
    section = None
    if style in ("square", "canister"):
        section = polygon_section(4, 28, rng.uniform(0.25, 0.5))
        share = np.clip((outline[:, :1] - neck) / (radius - neck), 0, 1)
        section = 1 + np.vstack([share[:1], share, share[-1:]]) * (section - 1)
    body = lathe([(0, 0), *outline, (0, height)], 28, section)
    flat = 0.55 if style == "canister" else rng.uniform(0.55, 0.9) if style == "flask" and rng.random() < 0.4 else 1.0
    squeeze = max(flat, 1.3 * neck / radius)
    parts = [Part(body.scaled(z=squeeze), glass)]
    parts.append(Part(_cap(rng, style, height, neck).scaled(z=squeeze), cap))
    if style in ("wine", "beer", "sports", "square") and rng.random() < 0.75:
        parts.append(
            Part(_label(rng, outline, height, shoulder, style), material(rng, pick(rng, ("white", "paint")), "label"))
        )
    if style == "canister":
        parts.append(Part(_grip(radius, height), glass))
    return parts


def _handle(rng: np.random.Generator, outside: Vectors, height: float) -> Solid:
    """A loop at +x whose ends stand inside the wall; what reaches the hollow is carved away with it."""
    low, high = height * rng.uniform(0.14, 0.28), height * rng.uniform(0.72, 0.88)
    first, last = (float(np.interp(y, outside[:, 1], outside[:, 0])) - 0.004 for y in (high, low))
    reach, middle = max(first, last) + height * rng.uniform(0.28, 0.4), (low + high) / 2
    if rng.random() < 0.25:
        path = filleted([(first, high, 0), (reach, high, 0), (reach, low, 0), (last, low, 0)], 0.012)
    else:
        ear = rng.uniform(0.0, 0.25) * (high - low)
        path = curve([(first, high, 0), (reach * 0.88, high + 0.2 * ear, 0), (reach, middle + ear, 0),
                      (reach * 0.86, low + 0.3 * ear, 0), (last, low, 0)], 4)  # fmt: skip
    thickness, breadth = rng.uniform(0.0038, 0.0048), rng.uniform(0.0045, 0.0075)
    return tube(path, np.tile((thickness, breadth), (len(path), 1)), 8, across=(0, 0, 1))


def _hollow(outside: Vectors, wall: float, section: Vectors | None) -> Solid:
    """The room inside, open upwards."""
    height = outside[-1, 1]
    inner = outside[outside[:, 1] > 1.5 * wall] - (wall, 0)
    floor = float(np.interp(wall, outside[:, 1], outside[:, 0])) - wall
    return lathe(
        [(0, wall), (floor * 0.9, wall), *inner, (inner[-1, 0], height + 0.01), (0, height + 0.01)], 30, section
    )


def _drink(outside: Vectors, wall: float, level: float, section: Vectors | None) -> Solid:
    """What the cup holds; it reaches half into the wall, so that no gap stays below it."""
    heights = np.linspace(0.5 * wall, level, 6)
    reach = np.interp(heights, outside[:, 1], outside[:, 0]) - 0.5 * wall
    return lathe([(0, 0.5 * wall), *np.stack([reach, heights], axis=1), (0, level)], 30, section)


def _saucer(rng: np.random.Generator, radius: float) -> Solid:
    rim, rise = radius * rng.uniform(1.5, 1.8), rng.uniform(0.008, 0.016)
    top = [(rim, rise + 0.005), (rim * 0.55, 0.0105), (0, 0.0105)]
    return lathe([(0, 0), (rim * 0.5, 0), (rim * 0.93, rise * 0.8), (rim, rise), *top], 30)


def _takeaway(rng: np.random.Generator) -> list[Part]:
    """A paper cup with a lid and, mostly, a sleeve."""
    height, low = rng.uniform(0.1, 0.15), rng.uniform(0.026, 0.032)
    top = low * rng.uniform(1.3, 1.5)
    paper, lid = (
        material(rng, pick(rng, ("white", "paint")), "paper"),
        material(rng, pick(rng, ("dark", "white")), "lid"),
    )
    parts = [Part(lathe([(0, 0), (low, 0), (top, height), (0, height)]), paper)]
    rim, rise = top * 1.07, rng.uniform(0.008, 0.016)
    shape = [(rim, 0), (rim, 0.006), (top * 0.92, 0.008), (top * 0.86, rise + 0.004), (top * 0.7, rise + 0.004)]
    parts.append(Part(lathe([(0, 0), *shape, (top * 0.66, rise), (0, rise)]).moved(0, height - 0.005, 0), lid))
    if rng.random() < 0.7:
        first, last = height * rng.uniform(0.15, 0.3), height * rng.uniform(0.6, 0.8)
        at = [low + (top - low) * y / height + 0.003 for y in (first, last)]
        band = lathe([(0, first), (at[0], first), (at[1], last), (0, last)])
        parts.append(Part(band, material(rng, pick(rng, ("wood", "paint")), "sleeve")))
    return parts


def _bottle_outline(
    rng: np.random.Generator, style: str, height: float, radius: float, neck: float, shoulder: float
) -> Vectors:
    """Radius and height from the foot to the mouth."""
    rise = shoulder * height
    bend = rng.uniform(0.3, 0.75) * (height - rise)
    if style == "flask":
        belly = curve([(radius * 0.55, 0), (radius, 0.42 * rise), (radius * 0.72, 0.9 * rise), (neck, rise + bend)], 4)
        return np.vstack([belly, [(neck, height)]])
    bottom = [(radius * 0.9, 0), (radius, 0.03 * height)]
    if style == "sports":
        waist = radius * rng.uniform(0.78, 0.92)
        body = curve([(radius, 0.05 * height), (radius, 0.3 * rise), (waist, 0.6 * rise), (radius, rise)], 3)
    else:
        body = np.array([(radius, 0.3 * rise), (radius, rise)])
    round_off = curve([(radius, rise), (radius * 0.82, rise + 0.45 * bend), (neck, rise + bend)], 4)[1:]
    return np.vstack([bottom, body, round_off, [(neck, height)]])


def _cap(rng: np.random.Generator, style: str, height: float, neck: float) -> Solid:
    tall = height * rng.uniform(0.05, 0.1)
    if style == "sports":
        shape = [(neck * 1.25, 0), (neck * 1.25, tall), (neck * 0.75, tall * 1.1), (neck * 0.7, tall * 1.8)]
        return lathe([(0, 0), *shape, (0, tall * 1.8)], 20).moved(0, height - 0.3 * tall, 0)
    if style == "wine" and rng.random() < 0.5:
        return lathe([(0, 0), (neck * 1.08, 0), (neck * 1.08, 3 * tall), (0, 3 * tall)], 20).moved(
            0, height - 2.8 * tall, 0
        )
    wide = neck * rng.uniform(1.15, 1.35)
    return lathe([(0, 0), (wide, 0), (wide, tall * 0.9), (wide * 0.9, tall), (0, tall)], 20).moved(
        0, height - 0.5 * tall, 0
    )


def _label(rng: np.random.Generator, outline: Vectors, height: float, shoulder: float, style: str) -> Solid:
    """A band that follows the body, a little proud of it."""
    low, high = rng.uniform(0.12, 0.25) * height, rng.uniform(0.7, 0.9) * shoulder * height
    levels = np.linspace(low, high, 5)
    reach = np.interp(levels, outline[:, 1], outline[:, 0]) * 1.02 + 0.0006
    section = polygon_section(4, 28, 0.5) if style == "square" else None
    return lathe([(0, low), *np.stack([reach, levels], axis=1), (0, high)], 28, section)


def _grip(radius: float, height: float) -> Solid:
    path = [(radius * 0.1, 0.86, 0), (radius * 1.15, 0.84, 0), (radius * 1.45, 0.62, 0), (radius * 0.9, 0.42, 0)]
    return tube(curve([(x, y * height, z) for x, y, z in path], 4), 0.019 * height, 8, across=(0, 0, 1))
