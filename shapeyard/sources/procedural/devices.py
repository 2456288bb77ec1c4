"""Monitors and clocks."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from shapeyard.sources.procedural.assembly import Part, parts_of, placed, stout
from shapeyard.sources.procedural.draw import pick
from shapeyard.sources.procedural.materials import Material, material
from shapeyard.sources.procedural.solids import Solid, ball, block, curve, lathe, loft, rod, superellipse, tube


def monitor(rng: np.random.Generator) -> list[Part]:
    """A flat or bent screen on a foot or two, or a deep tube set."""
    style = pick(rng, ("flat", "flat", "wide", "curved", "television", "tube"))
    body = material(rng, pick(rng, ("dark", "dark", "metal", "white", "plastic")), "body")
    glass = material(rng, pick(rng, ("dark", "screen", "screen")), "screen")
    width = rng.uniform(0.45, 0.62) * (1.3 if style in ("wide", "curved", "television") else 1.0)
    ratio = {"wide": 0.42, "curved": 0.45, "television": 0.57, "tube": 0.78}.get(style, 0.6) * rng.uniform(0.94, 1.06)
    height, rim = width * ratio, rng.uniform(0.015, 0.03) * width
    thick = stout(0.03, width)
    lift = rng.uniform(0.06, 0.16) if style not in ("television", "tube") else rng.uniform(0.05, 0.08)
    if style == "curved":
        screen = _bent_screen(rng, width, height, thick, rim, body, glass)
    else:
        screen = [Part(block((width, height, thick), (0, 0, 0), 0.006), body)]
        pane = block((width - 2 * rim, height - 2 * rim, thick), (0, 0, -0.12 * thick), 0.002)
        screen.append(Part(pane, glass))
        if style == "tube":
            screen += parts_of(_tube_cabinet(rng, width, height, thick), body)
        elif rng.random() < 0.5:
            screen.append(Part(block((width * 0.5, height * 0.5, thick), (0, -0.05 * height, thick * 0.6), 0.01), body))
    tilt = rng.uniform(-2, 8)
    parts = placed(screen, lambda solid: solid.turned("x", tilt).moved(0, lift + height / 2, 0))
    return parts + parts_of(_monitor_foot(rng, style, width, height, lift, thick), body)


def clock(rng: np.random.Generator) -> list[Part]:
    """An alarm clock with bells, a mantel clock, a sunburst, or a pendulum clock; its face to the front."""
    style = pick(rng, ("alarm", "alarm", "mantel", "sunburst", "pendulum"))
    case = material(
        rng, pick(rng, ("paint", "metal", "plastic") if style == "alarm" else ("wood", "paint", "metal")), "case"
    )
    face, hand = material(rng, "white", "face"), material(rng, "dark", "hands")
    radius = rng.uniform(0.05, 0.07) * (2 if style == "sunburst" else 1)
    dial = _dial(rng, radius, face, hand)
    if style == "alarm":
        parts = parts_of(_alarm_case(rng, radius), case)
        parts += parts_of(_bells(rng, radius), material(rng, "metal", "bells"))
        return parts + dial
    if style == "sunburst":
        return parts_of(_sunburst(rng, radius), case) + dial
    if style == "mantel":
        return parts_of(_mantel(rng, radius), case) + dial
    brass = material(rng, "metal", "brass")
    return parts_of(_long_case(rng, radius), case) + dial + parts_of(_pendulum(rng, radius), brass)


def _bent_screen(
    rng: np.random.Generator, width: float, height: float, thick: float, rim: float, body: Material, glass: Material
) -> list[Part]:
    """Bent about an upright axis in front of it."""
    bend = width * rng.uniform(0.05, 0.1)
    return [
        Part(_bent_slab(width, height, bend, -thick / 2, thick / 2), body),
        Part(_bent_slab(width - 2 * rim, height - 2 * rim, bend, -0.62 * thick, 0.3 * thick), glass),
    ]


def _bent_slab(width: float, height: float, bend: float, front: float, rear: float) -> Solid:
    x = np.linspace(-0.5, 0.5, 13) * width
    z = -bend * (2 * x / width) ** 2
    near, far = np.stack([x, z + front], axis=1), np.stack([x, z + rear], axis=1)[::-1]
    outline = np.vstack([near, far])
    return loft(np.stack([np.insert(outline, 1, y, axis=1) for y in (-height / 2, height / 2)]))


def _tube_cabinet(rng: np.random.Generator, width: float, height: float, thick: float) -> Iterator[Solid]:
    """The tapering back of a cathode ray tube, and its thicker front frame."""
    deep = width * rng.uniform(0.6, 0.8)
    yield block((width, height, 0.3 * deep), (0, 0, 0.15 * deep - 0.3 * thick), 0.015)
    outlines = [(0.97, 0.2), (0.9, 0.45), (rng.uniform(0.5, 0.62), 0.85), (0.45, 1.0)]
    rings = [
        np.insert(superellipse(width * s, height * s, 6) + np.array((0, 0.08 * height * (1 - s))), 2, -z * deep, axis=1)
        for s, z in outlines
    ]
    yield loft(np.stack(rings)).turned("y", 180)


def _monitor_foot(
    rng: np.random.Generator, style: str, width: float, height: float, lift: float, thick: float
) -> Iterator[Solid]:
    if style == "tube":
        foot = width * rng.uniform(0.3, 0.36)
        yield lathe([(0, 0), (foot, 0), (foot, thick), (0.6 * foot, lift + 0.02), (0, lift + 0.02)]).moved(
            0, 0, 0.25 * width
        )
        return
    if style == "television":
        half = stout(0.02, width) / 2
        for side in (-1, 1):
            x = side * width * 0.36
            for z in (-0.15, 0.15):
                yield rod((x, half, z * width), (x, lift + 0.03, 0), half, sides=6)
            yield rod((x, half, -0.15 * width), (x, half, 0.15 * width), half, sides=6)
        return
    kind = pick(rng, ("disc", "plate", "fork"))
    neck, reach = stout(rng.uniform(0.03, 0.07), width), width * rng.uniform(0.17, 0.24)
    z = 0.75 * thick
    yield block((neck * 1.6, lift + height * 0.5, thick), (0, (lift + height * 0.5) / 2, z), 0.006)
    if kind == "disc":
        yield lathe([(0, 0), (reach, 0), (reach, 0.9 * thick), (reach * 0.9, thick), (0, thick)])
    elif kind == "plate":
        yield block((reach * 2, thick, reach * 1.25), (0, thick / 2, 0), 0.008)
    else:
        for side in (-1, 1):
            yield rod((0, thick / 2, z), (side * reach * 1.1, thick / 2, -reach * 0.8), thick * 0.55, sides=6)
        yield rod((0, thick / 2, z), (0, thick / 2, reach * 0.8), thick * 0.55, sides=6)


def _dial(rng: np.random.Generator, radius: float, face: Material, hand: Material) -> list[Part]:
    """A disc facing −Z about the origin, with twelve marks and two hands."""
    disc = lathe([(0, 0), (radius * 0.86, 0), (radius * 0.86, radius * 0.46), (0, radius * 0.46)]).turned("x", -90)
    parts = [Part(disc, face)]
    for hour in range(0, 12, 3 if rng.random() < 0.5 else 1):
        mark = rod((0, 0.65 * radius, -0.46 * radius), (0, 0.79 * radius, -0.46 * radius), 0.035 * radius, sides=4)
        parts.append(Part(mark.turned("z", hour * 30), hand))
    for length, breadth in ((0.45, 0.11), (0.66, 0.08)):
        tail, tip = ((0, share * length * radius, -0.46 * radius) for share in (-0.1, 0.95))
        bar = rod(tail, tip, 0.65 * breadth * radius, 0.4 * breadth * radius, 4)
        parts.append(Part(bar.turned("z", rng.uniform(0, 360)), hand))
    parts.append(Part(rod((0, 0, -0.4 * radius), (0, 0, -0.56 * radius), 0.09 * radius), hand))
    return parts


def _alarm_case(rng: np.random.Generator, radius: float) -> Iterator[Solid]:
    deep, stand, spread = (
        radius * rng.uniform(0.3, 0.8),
        rng.uniform(1.15, 1.6) * radius,
        rng.uniform(0.55, 1.0) * radius,
    )
    shape = [(radius * 0.8, -deep), (radius, -0.5 * deep), (radius, 0.5 * radius), (radius * 0.87, 0.5 * radius)]
    yield lathe([(0, -deep), *shape, (radius * 0.84, 0.38 * radius), (0, 0.38 * radius)], 28).turned("x", -90)
    for side in (-1, 1):
        yield rod(
            (side * spread, -stand, 0),
            (side * 0.65 * spread, -radius * 0.65, 0),
            0.1 * radius,
            0.13 * radius,
            8,
        )
        yield ball(radius * 0.13, (side * spread, -stand, 0), 10)


def _bells(rng: np.random.Generator, radius: float) -> Iterator[Solid]:
    size, top, lean = radius * rng.uniform(0.34, 0.52), rng.uniform(1.8, 2.35), rng.uniform(30, 44)
    for side in (-1, 1):
        dome = lathe(
            [(0, 0), *curve([(size, 0), (size * 0.85, size * 0.5), (size * 0.3, size * 0.8)], 3), (0, size * 0.82)], 18
        )
        yield dome.moved(0, radius * 1.1, 0).turned("z", side * lean)
        yield rod((0, radius * 0.9, 0), (0, radius * 1.25, 0), 0.07 * radius, sides=8).turned("z", side * lean)
    arch = (
        curve([(-0.75, 0.9, 0), (-0.55, 0.88 * top, 0), (0, top, 0), (0.55, 0.88 * top, 0), (0.75, 0.9, 0)], 4) * radius
    )
    yield tube(arch, 0.055 * radius * 1.35, 8, across=(0, 0, 1))


def _mantel(rng: np.random.Generator, radius: float) -> Iterator[Solid]:
    """The low clock whose shoulders run out in two curves."""
    half, low, swing = rng.uniform(1.8, 3.2), rng.uniform(-1.7, -1.25), rng.uniform(0.05, 0.6)
    front, rear = 0.42 * radius, rng.uniform(0.25, 1.1) * radius
    shoulder = [(0, 1.18), (0.75, 0.92), (1.15, 0.1 + swing), (1.6, -0.62 + 0.5 * swing), (half, -0.95)]
    right = curve(shoulder, 4)
    top = np.vstack([right[::-1], (right * (-1, 1))[1:]])
    outline = np.vstack([top, [(-half, low), (-half / 3, low), (half / 3, low), (half, low)]]) * radius
    yield _fanned(np.stack([np.insert(outline, 2, z, axis=1) for z in (rear, -front)]), -0.3 * radius)
    foot = ((2 * half + 0.3) * radius, rng.uniform(0.26, 0.5) * radius, rear + front + 0.25 * radius)
    yield block(foot, (0, low * radius, (rear - front) / 2), 0.004)
    yield _bezel(radius, front)


def _fanned(rings: NDArray[np.float64], height: float) -> Solid:
    """A loft closed by fans about a point on its axis at `height`, from which all of the outline is seen."""
    solid = loft(rings)
    vertices = solid.vertices.copy()
    vertices[:2, 0], vertices[:2, 1] = 0.0, height
    return Solid(vertices, solid.faces)


def _bezel(radius: float, deep: float) -> Solid:
    outer = [(radius, 0), (radius, deep + 0.12 * radius), (radius * 0.87, deep + 0.12 * radius)]
    return lathe([(0, 0), *outer, (radius * 0.85, 0.36 * radius), (0, 0.36 * radius)], 28).turned("x", -90)


def _sunburst(rng: np.random.Generator, radius: float) -> Iterator[Solid]:
    """A wall clock with rays."""
    yield _bezel(radius, 0.38 * radius)
    count, short = int(rng.integers(8, 15)), rng.uniform(0.6, 1.0)
    reach, thick = radius * rng.uniform(1.6, 2.4), stout(0, 4.4 * radius) / 2
    for number in range(count):
        long = reach * (short if number % 2 else 1.0)
        tip = [(thick, long), (thick * 1.6, long + thick), (thick * 1.2, long + 2.4 * thick)]
        ray = lathe([(0, 0.8 * radius), (thick * 1.9, 0.8 * radius), *tip, (0, long + 2.6 * thick)], 8)
        yield ray.moved(0, 0, 0.1 * radius).turned("z", 360 * number / count)


def _long_case(rng: np.random.Generator, radius: float) -> Iterator[Solid]:
    """A small wall clock: hood, roof and the case around the pendulum."""
    wide, drop = radius * rng.uniform(1.1, 1.5), radius * rng.uniform(1.7, 3.6)
    front, deep, thick = 0.42 * radius, radius * rng.uniform(0.75, 1.5), 0.18 * radius
    middle = deep / 2 - front
    yield block((2 * wide, 2.4 * radius, deep), (0, 0, middle), 0.004)
    eaves, ridge = wide * rng.uniform(1.08, 1.4), rng.uniform(1.5, 2.3)
    roof = np.array([(eaves, 1.15), (0.1 * wide, ridge), (-0.1 * wide, ridge), (-eaves, 1.15)]) * (1, radius)
    yield loft(np.stack([np.insert(roof, 2, z, axis=1) for z in (middle + 0.6 * deep, middle - 0.6 * deep)]))
    for side in (-1, 1):
        yield block((thick, drop, 0.85 * deep), (side * wide * 0.75, -1.1 * radius - drop / 2, middle), 0.002)
    yield block((1.6 * wide, drop, thick), (0, -1.1 * radius - drop / 2, middle + 0.3 * deep), 0.002)
    yield block((2 * wide, rng.uniform(0.3, 0.7) * radius, deep), (0, -1.1 * radius - drop, middle), 0.004)
    yield _bezel(radius, front)


def _pendulum(rng: np.random.Generator, radius: float) -> Iterator[Solid]:
    length, swing = radius * rng.uniform(0.7, 1.0), rng.uniform(-9, 9)
    bob = lathe([(0, -0.2), (0.36, -0.2), (0.36, 0.2), (0, 0.2)], 18).scaled(radius, radius, radius).turned("x", 90)
    for solid in (rod((0, 0, 0), (0, -length, 0), 0.075 * radius, sides=8), bob.moved(0, -length, 0.15 * radius)):
        yield solid.turned("z", swing).moved(0, -1.15 * radius, 0.05 * radius)
