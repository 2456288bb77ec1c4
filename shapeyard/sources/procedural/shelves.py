"""Shelves with things on them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from shapeyard.sources.procedural.assembly import Part, parts_of, stout
from shapeyard.sources.procedural.draw import pick
from shapeyard.sources.procedural.materials import Material, material
from shapeyard.sources.procedural.solids import Solid, ball, block, corners, lathe, rod


def shelf(rng: np.random.Generator) -> list[Part]:
    """A bookcase, an open rack, cubes, stairs or a leaning ladder, partly filled."""
    style = pick(rng, ("bookcase", "bookcase", "rack", "cubes", "stairs", "ladder"))
    height, width = rng.uniform(1.2, 1.9), rng.uniform(0.65, 1.15)
    depth = rng.uniform(0.28, 0.38)
    thick = stout(0.035, height)
    frame = material(rng, pick(rng, ("wood", "wood", "white", "paint", "dark")), "frame")
    if style == "cubes":
        return _cubes(rng, frame, thick)
    if style == "stairs":
        return _stairs(rng, depth, frame, thick)
    levels = _levels(rng, height, thick, lowest=0.05 if style == "bookcase" else rng.uniform(0.1, 0.25))
    if style == "bookcase":
        parts = parts_of(_case(rng, width, height, depth, thick, levels), frame)
    elif style == "rack":
        board = material(rng, pick(rng, ("wood", "wood", "white")), "boards")
        parts = parts_of((block((width, thick, depth), (0, y, 0)) for y in levels), board)
        parts += parts_of(_posts(rng, width, levels[-1] + thick, depth, thick), frame)
    else:
        return _leaning(rng, width, height, depth, thick, frame)
    for low, high in pairwise(levels):
        span = (-width / 2 + 1.6 * thick, width / 2 - 1.6 * thick)
        parts += _contents(rng, span, low + thick / 2, high - low - thick, depth, thick)
    return parts


def _levels(rng: np.random.Generator, height: float, thick: float, lowest: float) -> list[float]:
    """The heights of the boards' middles, unevenly spread."""
    gaps = rng.uniform(0.8, 1.25, int(rng.integers(3, 6)))
    steps = np.concatenate([[0], np.cumsum(gaps) / gaps.sum()])
    return [float(y) for y in lowest + steps * (height - lowest - thick / 2)]


def _case(
    rng: np.random.Generator, width: float, height: float, depth: float, thick: float, levels: list[float]
) -> Iterator[Solid]:
    for side in (-1, 1):
        yield block((thick, height, depth), (side * (width - thick) / 2, height / 2, 0))
    for y in levels:
        yield block((width - thick, thick, depth - 0.01), (0, y, 0))
    if rng.random() < 0.8:
        yield block((width - thick, height - 0.02, thick), (0, height / 2, depth / 2 - thick / 2 - 0.004))
    if rng.random() < 0.4:
        yield block((width + 0.05, thick * 1.2, depth + 0.04), (0, height, 0), 0.015)


def _posts(rng: np.random.Generator, width: float, top: float, depth: float, thick: float) -> Iterator[Solid]:
    sides = pick(rng, (4, 8))
    for x, z in corners(width / 2 - thick * 0.6, depth / 2 - thick * 0.6):
        yield rod((x, 0, z), (x, top, z), thick * 0.52, sides=sides)


def _contents(
    rng: np.random.Generator, span: tuple[float, float], floor: float, room: float, depth: float, thick: float
) -> list[Part]:
    """Books from one end, a box or a vase, or nothing."""
    kind = pick(rng, ("books", "books", "box", "vase", "nothing"))
    left, right = span
    if room < 0.14:
        return []
    if kind == "books":
        return list(_books(rng, left, left + (right - left) * rng.uniform(0.4, 0.95), floor, room, depth, thick))
    if kind == "box":
        size = (min(0.32, (right - left) * 0.6), room * rng.uniform(0.45, 0.75), depth * 0.7)
        x = rng.uniform(left + size[0] / 2, right - size[0] / 2)
        return [Part(block(size, (x, floor + size[1] / 2 - 0.005, -0.02), 0.015), material(rng, "fabric", "box"))]
    if kind == "vase":
        radius, tall = min(0.1, depth * 0.3), room * rng.uniform(0.6, 0.85)
        shape = [
            (0, 0),
            (radius * 0.6, 0),
            (radius, tall * 0.4),
            (radius * 0.4, tall * 0.8),
            (radius * 0.5, tall),
            (0, tall),
        ]
        vessel = lathe(shape, 14).moved(rng.uniform(left + radius, right - radius), floor - 0.005, -0.02)
        return [Part(vessel, material(rng, "ceramic", "vase"))]
    return []


def _books(
    rng: np.random.Generator, left: float, right: float, floor: float, room: float, depth: float, thick: float
) -> Iterator[Part]:
    covers = [material(rng, "paint", f"book{number}") for number in range(3)]
    x = left - thick
    while x < right - 2 * thick:
        breadth, tall = thick * rng.uniform(1.0, 1.9), room * rng.uniform(0.6, 0.92)
        size = (breadth + 0.004, tall + 0.01, depth * rng.uniform(0.6, 0.72))
        yield Part(block(size, (x + breadth / 2, floor + tall / 2 - 0.005, 0.02), 0.006), covers[int(rng.integers(3))])
        x += breadth


def _cubes(rng: np.random.Generator, frame: Material, thick: float) -> list[Part]:
    """A grid of square compartments, some with a basket."""
    columns, rows = pick(rng, ((2, 3), (2, 4), (3, 3), (3, 2), (3, 4), (4, 2)))
    cell, depth = rng.uniform(0.36, 0.44), rng.uniform(0.32, 0.4)
    thick = max(thick, 0.03 * cell * max(columns, rows))
    width, height = columns * cell, rows * cell
    parts = parts_of(
        [
            block((thick, height + thick, depth), (x * cell - width / 2, height / 2 + thick / 2, 0))
            for x in range(columns + 1)
        ],
        frame,
    )
    parts += parts_of(
        [block((width, thick, depth - 0.008), (0, y * cell + thick / 2, 0)) for y in range(rows + 1)], frame
    )
    if rng.random() < 0.5:
        parts.append(Part(block((width, height, thick), (0, height / 2 + thick / 2, depth / 2 - thick * 0.6)), frame))
    basket = material(rng, pick(rng, ("fabric", "wood")), "basket")
    for column in range(columns):
        for row in range(rows):
            if rng.random() < 0.3:
                centre = ((column + 0.5) * cell - width / 2, row * cell + thick / 2 + cell * 0.4, -0.015)
                parts.append(Part(block((cell - thick - 0.02, cell * 0.75, depth * 0.93), centre, 0.02), basket))
    return parts


def _stairs(rng: np.random.Generator, depth: float, frame: Material, thick: float) -> list[Part]:
    """Compartments that rise like steps to one side."""
    steps, cell, side = int(rng.integers(3, 5)), rng.uniform(0.32, 0.4), pick(rng, (-1, 1))
    thick = max(thick, 0.031 * cell * steps)
    solids = []
    for column in range(steps + 1):
        rows = min(steps - column + 1, steps)
        x = side * (column - steps / 2) * cell
        solids.append(block((thick, rows * cell + thick, depth), (x, rows * cell / 2 + thick / 2, 0)))
    for row in range(steps + 1):
        columns = min(steps - row + 1, steps)
        x = side * (columns - steps) * cell / 2
        solids.append(block((columns * cell, thick, depth - 0.006), (x, row * cell + thick / 2, 0)))
    parts = parts_of(solids, frame)
    ornament = material(rng, "ceramic", "ornament")
    for row in range(steps):
        if rng.random() < 0.6:
            x = side * (steps / 2 - row - 0.5) * cell
            parts.append(Part(ball(cell * 0.22, (x, (row + 1) * cell + thick + cell * 0.2, 0), 14), ornament))
    return parts


def _leaning(
    rng: np.random.Generator, width: float, height: float, depth: float, thick: float, frame: Material
) -> list[Part]:
    """Two leaning rails, upright ones behind, and boards that grow shallower upwards."""
    run, rear = depth * rng.uniform(1.2, 1.6), depth * 0.7
    parts = []
    for side in (-1, 1):
        x = side * (width - thick) / 2
        parts.append(Part(rod((x, 0, rear - run), (x, height, rear - 0.06), thick * 0.55, sides=4), frame))
        parts.append(Part(rod((x, 0, rear), (x, height, rear), thick * 0.55, sides=4), frame))
    board = material(rng, "wood", "boards")
    steps = int(rng.integers(3, 6))
    for number in range(steps):
        y = height * (0.12 + 0.82 * number / (steps - 1))
        front = rear - run + (run - 0.06) * y / height - thick / 2
        reach = rear + thick / 2 - front
        parts.append(Part(block((width, thick, reach), (0, y, front + reach / 2)), board))
        if number < steps - 1 and rng.random() < 0.5:
            tall = 0.55 * height * 0.82 / (steps - 1)
            x = rng.uniform(-0.3, 0.15) * width
            for extra in range(3):
                size = (thick * 1.5, tall * rng.uniform(0.8, 1.1), reach * 0.6)
                centre = (x + extra * thick * 1.48, y + thick / 2 + size[1] / 2 - 0.005, front + reach / 2)
                parts.append(Part(block(size, centre, 0.006), material(rng, "paint", f"book{extra}")))
    return parts
