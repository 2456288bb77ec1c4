"""Plants in pots."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from shapeyard.sources.procedural.assembly import Part, parts_of
from shapeyard.sources.procedural.draw import pick
from shapeyard.sources.procedural.materials import Material, material
from shapeyard.sources.procedural.solids import (
    Solid,
    Vectors,
    ball,
    curve,
    filleted,
    lathe,
    polygon_section,
    ripple_section,
    rod,
    tube,
)


def plant(rng: np.random.Generator) -> list[Part]:
    """A cactus, a clipped tree, an upright-leaved plant, a palm or a bush, in a pot."""
    style = pick(rng, ("cactus", "tree", "blades", "palm", "bush"))
    radius, height = rng.uniform(0.09, 0.15), rng.uniform(0.13, 0.24)
    soil, green = material(rng, "dark", "soil"), material(rng, "foliage", "leaves")
    parts = [Part(_pot(rng, radius, height), material(rng, pick(rng, ("ceramic", "wood", "white", "paint")), "pot"))]
    heap = 0.03 if style == "bush" else 0.0  # a sunken bed under a bush would enclose air
    bed = lathe([(0, 0), (radius * 0.8, 0), (radius * 0.8, 0.03 + heap), (0, 0.045 + 1.5 * heap)], 20)
    parts.append(Part(bed.moved(0, height - 0.045, 0), soil))
    if style == "cactus":
        parts += parts_of(_cactus(rng, radius, height), green)
        if rng.random() < 0.5:
            parts.append(Part(*_flower(rng, parts[2].solid)))
        return parts
    if style == "tree":
        wood = material(rng, "wood", "stem")
        return parts + _tree(rng, radius, height, wood, green)
    if style == "bush":
        return parts + parts_of(_bush(rng, radius, height), green)
    leaves = _blades(rng, radius, height) if style == "blades" else _palm(rng, radius, height)
    return parts + parts_of(leaves, green)


def _pot(rng: np.random.Generator, radius: float, height: float) -> Solid:
    kind = pick(rng, ("tapered", "rimmed", "round", "square"))
    low = radius * rng.uniform(0.6, 0.85)
    inside = [(radius * 0.78, height), (radius * 0.76, height - 0.03), (0, height - 0.03)]
    if kind == "rimmed":
        lip = height * 0.78
        shape = [(low, 0), (radius * 0.92, lip), (radius * 1.06, lip), (radius * 1.06, height)]
    elif kind == "round":
        shape = [*curve([(low, 0), (radius * 1.15, 0.45 * height), (radius, height)], 5)]
    else:
        shape = [(low, 0), (radius, height)]
    section = polygon_section(4, 24, 0.25) if kind == "square" else None
    return lathe([(0, 0), *shape, *inside], 24, section)


def _cactus(rng: np.random.Generator, radius: float, pot: float) -> Iterator[Solid]:
    """A ribbed column, with arms that bend upwards if it is tall."""
    thick, tall = radius * rng.uniform(0.42, 0.7), rng.uniform(0.2, 0.55)
    yield _ribbed(thick, tall).moved(0, pot - 0.03, 0)
    if tall < 0.3:
        return
    turn = rng.uniform(0, 180)
    for number in range(int(rng.integers(1, 4))):
        start, reach, rise = tall * rng.uniform(0.3, 0.55), thick * rng.uniform(1.7, 2.3), tall * rng.uniform(0.18, 0.4)
        arm = thick * rng.uniform(0.42, 0.58)
        path = filleted([(0, start, 0), (reach, start, 0), (reach, start + rise, 0)], 0.7 * reach)
        for solid in (tube(path, arm, 10, across=(0, 0, 1)), ball(arm, path[-1], 10)):
            yield solid.turned("y", turn + 150 * number).moved(0, pot - 0.03, 0)


def _ribbed(thick: float, tall: float) -> Solid:
    """A column with a rounded top."""
    angle = np.linspace(0, np.pi / 2, 5)[:-1]
    dome = np.stack([thick * np.cos(angle), tall - thick + thick * np.sin(angle)], axis=1)
    return lathe([(0, 0), (thick * 0.8, 0), (thick, 0.3 * tall), *dome, (0, tall)], 32, ripple_section(8, 0.06, 32))


def _flower(rng: np.random.Generator, column: Solid) -> tuple[Solid, Material]:
    top = column.vertices[column.vertices[:, 1].argmax()]
    size = float(np.ptp(column.vertices[:, 0])) * rng.uniform(0.18, 0.26)
    return ball((size, size * 0.7, size), top, 10), material(rng, pick(rng, ("paint", "plastic")), "flower")


def _tree(rng: np.random.Generator, radius: float, pot: float, wood: Material, green: Material) -> list[Part]:
    """A bare stem under one clipped crown, or several on top of each other."""
    stem, crown = rng.uniform(0.2, 0.4), radius * rng.uniform(1.1, 1.5)
    trunk = rod((0, pot - 0.04, 0), (0, pot + stem + crown * 0.5, 0), radius * rng.uniform(0.14, 0.2), sides=8)
    kind, base = pick(rng, ("ball", "cone", "stack")), pot + stem
    if kind == "ball":
        crowns = [_clipped(rng, crown).moved(0, base + crown * 0.8, 0)]
    elif kind == "cone":
        tall = crown * rng.uniform(2.0, 3.0)
        profile = [(0, 0), (crown * 0.75, 0), (crown, 0.12 * tall), (crown * 0.6, 0.5 * tall), (0.02, tall), (0, tall)]
        crowns = [lathe(profile, 18, ripple_section(9, 0.04, 18)).moved(0, base - crown * 0.3, 0)]
    else:
        sizes, crowns, y = crown * np.array([0.95, 0.72, 0.5]), [], base
        for size in sizes[: int(rng.integers(2, 4))]:
            crowns.append(_clipped(rng, size).moved(0, y + size * 0.7, 0))
            y += size * 1.55
    return [Part(trunk, wood), *parts_of(crowns, green)]


def _clipped(rng: np.random.Generator, radius: float) -> Solid:
    """A ball with an uneven surface."""
    solid = ball(radius, columns=14)
    bumps = rng.uniform(0.93, 1.06, (len(solid.vertices), 1))
    return Solid(solid.vertices * bumps, solid.faces)


def _bush(rng: np.random.Generator, radius: float, pot: float) -> Iterator[Solid]:
    """Clumps of foliage around a middle one."""
    size = radius * rng.uniform(0.8, 1.15)
    yield _clipped(rng, size).scaled(y=rng.uniform(0.9, 1.3)).moved(0, pot + size * 0.7, 0)
    for number in range(count := int(rng.integers(4, 7))):
        angle = 2 * np.pi * (number + rng.uniform(-0.25, 0.25)) / count
        clump, out = size * rng.uniform(0.5, 0.75), size * rng.uniform(0.75, 1.0)
        yield _clipped(rng, clump).moved(out * np.cos(angle), pot + size * rng.uniform(0.35, 1.3), out * np.sin(angle))


def _blades(rng: np.random.Generator, radius: float, pot: float) -> Iterator[Solid]:
    """Stiff leaves that stand up from the soil."""
    tall = rng.uniform(0.3, 0.55)
    for number in range(count := int(rng.integers(5, 9))):
        angle = 2 * np.pi * (number + rng.uniform(-0.2, 0.2)) / count
        length, lean = tall * rng.uniform(0.6, 1.0), rng.uniform(0.05, 0.3)
        start = radius * rng.uniform(0.1, 0.4)
        path = curve(
            [(start, 0, 0), (start + 0.3 * lean * length, 0.5 * length, 0), (start + lean * length, length, 0)], 3
        )
        yield (
            _leaf(path, radius * rng.uniform(0.17, 0.25), pot + tall)
            .turned("y", np.degrees(angle))
            .moved(0, pot - 0.03, 0)
        )


def _palm(rng: np.random.Generator, radius: float, pot: float) -> Iterator[Solid]:
    """Leaves that arch outwards from a short stem."""
    stem, reach = rng.uniform(0.08, 0.3), radius * rng.uniform(1.7, 2.4)
    thick = 0.02 + 0.02 * (pot + stem)
    yield rod((0, pot - 0.04, 0), (0, pot + stem + 0.02, 0), thick, thick * 0.8, 8)
    for number in range(count := int(rng.integers(6, 10))):
        rise, droop = reach * rng.uniform(0.45, 1.1), reach * rng.uniform(-0.1, 0.45)
        points = [(0, 0, 0), (0.35 * reach, 0.75 * rise, 0), (0.75 * reach, rise, 0), (reach, rise - droop, 0)]
        leaf = _leaf(curve(points, 3), radius * rng.uniform(0.24, 0.34), max(pot + stem + rise, 2 * reach))
        yield leaf.turned("y", 360 * (number + rng.uniform(-0.2, 0.2)) / count).moved(0, pot + stem, 0)


def _leaf(path: Vectors, half: float, longest: float) -> Solid:
    """A blade along a path in the plane of x and y, widest in its middle."""
    share = np.linspace(0, 1, len(path))
    thick = np.full(len(path), 0.0155 * longest)
    breadth = np.maximum(half * np.sin(np.pi * (0.12 + 0.8 * share)) ** 0.8, thick)
    return tube(path, np.stack([thick, breadth], axis=1), 4, across=(0, 0, 1))
