"""Chairs and stools."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from shapeyard.sources.procedural.assembly import Part, parts_of, placed
from shapeyard.sources.procedural.draw import pick
from shapeyard.sources.procedural.materials import Material, material
from shapeyard.sources.procedural.solids import (
    Solid,
    ball,
    block,
    circle,
    corners,
    curve,
    cushion,
    filleted,
    lathe,
    loft,
    prism,
    ring,
    rod,
    superellipse,
    tube,
)


class Seat(NamedTuple):
    """The seat that the rest of a chair is fitted to, metres; `height` is its upper face."""

    width: float
    depth: float
    height: float
    thickness: float
    rounded: bool = False

    @property
    def under(self) -> float:
        """The height of its lower face."""
        return self.height - self.thickness

    @property
    def corner(self) -> tuple[float, float]:
        """Where a leg may stand, x and z, and still be below it."""
        share = 0.36 if self.rounded else 0.5
        inset = 0.0 if self.rounded else 0.037
        return share * self.width - inset, share * self.depth - inset


def chair(rng: np.random.Generator) -> list[Part]:
    """A dining, sled, cantilever, swivel or upholstered chair, with or without arms."""
    style = pick(rng, ("legs", "legs", "splayed", "sled", "cantilever", "pedestal", "swivel", "club"))
    seat = Seat(
        rng.uniform(0.41, 0.52),
        rng.uniform(0.4, 0.5),
        rng.uniform(0.42, 0.49),
        rng.uniform(0.035, 0.055),
        bool(rng.random() < 0.3),
    )
    if style == "club":
        return _club_chair(rng, seat)
    metal_frame = style in ("sled", "cantilever", "swivel")
    frame = material(
        rng, pick(rng, ("metal", "dark")) if metal_frame else pick(rng, ("wood", "wood", "paint")), "frame"
    )
    soft = material(rng, pick(rng, ("fabric", "leather", "plastic") if metal_frame else ("fabric", "leather")), "cover")
    bare = rng.random() < 0.4 and style != "swivel" and not seat.rounded
    parts = [Part(_seat_board(rng, seat, bare), frame if bare and not metal_frame else soft)]
    parts += parts_of(_support(rng, style, seat), frame)
    parts += _back(rng, style, seat, frame, soft)
    if style != "splayed" and not seat.rounded and rng.random() < 0.35:
        parts += parts_of(_arms(rng, seat), frame)
    return parts


def stool(rng: np.random.Generator) -> list[Part]:
    """A backless seat, clearly higher than wide, on legs or on a column."""
    height = rng.uniform(0.5, 0.78)
    width = height * rng.uniform(0.44, 0.6)
    seat = Seat(width, width * rng.uniform(0.85, 1.0), height, rng.uniform(0.045, 0.075))
    frame = material(rng, pick(rng, ("wood", "wood", "paint", "metal", "dark")), "frame")
    cover = material(rng, pick(rng, ("wood", "leather", "fabric", "plastic")), "seat")
    shape = pick(rng, ("round", "round", "square", "saddle"))
    parts = [Part(_stool_seat(shape, seat), cover)]
    if shape == "round" and rng.random() < 0.35:
        return parts + parts_of(_column_and_disc(rng, seat), frame)
    return parts + parts_of(_stool_legs(rng, shape, seat), frame)


def _seat_board(rng: np.random.Generator, seat: Seat, bare: bool) -> Solid:
    size, centre = (seat.width, seat.thickness, seat.depth), (0, seat.height - seat.thickness / 2, 0)
    if bare:
        return block(size, centre, 0.008)
    if not seat.rounded and rng.random() < 0.5:
        return cushion((size[0], size[1] * 1.6, size[2]), centre, 0.3)
    outline = superellipse(seat.width, seat.depth, rng.uniform(2.6, 3.5) if seat.rounded else rng.uniform(5, 9))
    return prism(outline, seat.under, seat.height + 0.01, 0.012)


def _support(rng: np.random.Generator, style: str, seat: Seat) -> list[Solid]:
    if style == "legs":
        return list(_four_legs(rng, seat, rng.uniform(0, 0.02)))
    if style == "splayed":
        return list(_four_legs(rng, seat, rng.uniform(0.05, 0.09)))
    if style == "sled":
        return list(_sled(rng, seat))
    if style == "cantilever":
        return list(_cantilever(seat))
    if style == "pedestal":
        return list(_column_and_disc(rng, seat))
    return list(_swivel(rng, seat))


def _four_legs(rng: np.random.Generator, seat: Seat, splay: float) -> Iterator[Solid]:
    """Square or round legs, tapered or not, at times with an apron or stretchers."""
    radius = rng.uniform(0.018, 0.026)
    foot, sides = radius * rng.uniform(0.75, 1.0), pick(rng, (4, 10))
    x, z = seat.corner
    for along, across in corners(x, z):
        bottom = (along + np.sign(along) * splay, 0, across + np.sign(across) * splay)
        yield rod(bottom, (along, seat.height - 0.02, across), max(foot, 0.0145), radius, sides)
    kind = pick(rng, ("apron", "stretchers", "none"))
    if kind == "apron":
        y, drop = seat.under - 0.02, rng.uniform(0.05, 0.08)
        for side in (-1, 1):
            yield block((2 * x, drop, 0.03), (0, y, side * z))
            yield block((0.03, drop, 2 * z), (side * x, y, 0))
    elif kind == "stretchers":
        y = rng.uniform(0.12, 0.22)
        out = splay * (1 - y / seat.height)
        for side in (-1, 1):
            yield rod((side * (x + out), y, -z - out), (side * (x + out), y, z + out), 0.016, sides=6)
        yield rod((-x - out, y, 0), (x + out, y, 0), 0.016, sides=6)


def _sled(rng: np.random.Generator, seat: Seat) -> Iterator[Solid]:
    (x, z), top = seat.corner, seat.under + 0.01
    radius, reach = rng.uniform(0.0155, 0.019), rng.uniform(0.0, 0.07)
    for side in (-x, x):
        path = [(side, top, -z), (side, radius, -z - reach), (side, radius, z + reach), (side, top, z)]
        yield tube(filleted(path, 0.06), radius, across=(1, 0, 0))
    for across in (-z, z):
        yield rod((-x, top - 0.005, across), (x, top - 0.005, across), radius * 0.95)


def _cantilever(seat: Seat) -> Iterator[Solid]:
    """The bent tube chair: no hind legs."""
    (x, z), top, radius = seat.corner, seat.under + 0.008, 0.018
    for side in (-x, x):
        path = [(side, top, z), (side, top, -z - 0.07), (side, radius, -z - 0.03), (side, radius, z + 0.04)]
        yield tube(filleted(path, 0.08), radius, across=(1, 0, 0))
    yield rod((-x, radius, z + 0.02), (x, radius, z + 0.02), radius * 0.98)


def _column_and_disc(rng: np.random.Generator, seat: Seat) -> Iterator[Solid]:
    foot, radius = seat.width * rng.uniform(0.42, 0.52), rng.uniform(0.022, 0.035)
    rise, top = rng.uniform(0.03, 0.09), seat.under + 0.01
    flare = curve([(foot, 0.028), (foot * 0.45, 0.028 + 0.35 * rise), (radius, 0.03 + rise), (radius, 0.1 + rise)])
    profile = [(0, 0), (foot, 0), *flare, (radius, top - 0.05), (radius * 2.2, top), (0, top)]
    yield lathe(profile)


def _swivel(rng: np.random.Generator, seat: Seat) -> Iterator[Solid]:
    """The five-armed foot of an office chair, on castors."""
    reach, hub = rng.uniform(0.25, 0.31), rng.uniform(0.09, 0.12)
    yield rod((0, hub - 0.03, 0), (0, seat.under + 0.01, 0), rng.uniform(0.024, 0.032))
    yield block((seat.width * 0.5, 0.035, seat.depth * 0.5), (0, seat.under - 0.005, 0))
    for arm in range(5):
        angle = 2 * np.pi * (arm + 0.25) / 5
        x, z = reach * np.cos(angle), reach * np.sin(angle)
        yield rod((0, hub, 0), (x, 0.062, z), 0.026, 0.018, 6)
        yield ball(0.032, (x, 0.032, z), 8)


def _back(rng: np.random.Generator, style: str, seat: Seat, frame: Material, soft: Material) -> list[Part]:
    """A back built upright above the seat's rear edge, then reclined about it."""
    width = seat.width * (rng.uniform(0.66, 0.74) if seat.rounded else rng.uniform(0.86, 1.0))
    height = rng.uniform(0.38, 0.56)
    swivel = style == "swivel"
    kind = "panel" if swivel else pick(rng, ("slats", "ladder", "panel", "spindles", "shell", "cross"))
    if kind == "panel":
        parts = _panel_back(rng, width, height, frame, soft, floating=swivel or rng.random() < 0.4)
    elif kind == "shell":
        parts = [Part(_shell_back(rng, width, height), soft)]
    elif kind == "spindles":
        parts = parts_of(_spindle_back(rng, width, height), frame)
    else:
        parts = parts_of(_framed_back(rng, kind, width, height), frame)
    recline = rng.uniform(3, 14)
    z = 0.38 * seat.depth if seat.rounded else seat.depth / 2 - 0.025
    return placed(parts, lambda solid: solid.turned("x", recline).moved(0, seat.height - 0.025, z))


def _panel_back(
    rng: np.random.Generator, width: float, height: float, frame: Material, soft: Material, floating: bool
) -> list[Part]:
    thickness, start = rng.uniform(0.04, 0.065), rng.uniform(0.1, 0.17) if floating else 0.0
    middle = (start + height) / 2
    board = superellipse(width, height - start, rng.uniform(3, 9))
    panel = prism(board, -thickness / 2, thickness / 2, 0.012).turned("x", -90).moved(0, middle, 0)
    parts = [Part(panel, soft)]
    if floating:
        posts = (0.0,) if rng.random() < 0.5 else (-width * 0.36, width * 0.36)
        breadth = 0.05 if len(posts) == 1 else 0.017
        for x in posts:
            bar = block((2 * breadth, start + 0.12, 0.034), (x, (start + 0.1) / 2, thickness / 2 - 0.004))
            parts.append(Part(bar, frame))
    return parts


def _shell_back(rng: np.random.Generator, width: float, height: float) -> Solid:
    """A bent sheet that embraces the sitter."""
    bend, half = rng.uniform(0.05, 0.12), 0.021
    sides = np.array([(-0.5, -bend), (-0.27, -0.25 * bend), (0, 0), (0.27, -0.25 * bend), (0.5, -bend)])
    arc = curve(sides * (width, 1), 3)
    rear = np.stack([arc[:, 0], arc[:, 1] + half], axis=1)
    front = np.stack([arc[:, 0], arc[:, 1] - half], axis=1)[::-1]
    outline = np.vstack([front[::-1], rear[::-1]])
    levels = np.array([(0, 0.78), (0.1, 0.86), (0.45, 1.0), (0.8, 0.95), (0.93, 0.82), (1, 0.6)])
    rings = [np.insert(outline * (breadth, 1), 1, share * height, axis=1) for share, breadth in levels]
    return loft(np.stack(rings))


def _spindle_back(rng: np.random.Generator, width: float, height: float) -> Iterator[Solid]:
    """The Windsor chair: a hoop filled with sticks."""
    half, radius = width / 2 - 0.02, 0.0165
    shape = [(-half * 0.85, 0), (-half, 0.45), (-half * 0.72, 0.86), (0, 1), (half * 0.72, 0.86), (half, 0.45)]
    hoop = curve([(x, y * height, 0) for x, y in [*shape, (half * 0.85, 0)]], 4)
    yield tube(hoop, radius, across=(0, 0, 1))
    count = int(rng.integers(3, 6))
    for x in np.linspace(-0.55, 0.55, count) * half:
        top = float(np.interp(x, hoop[8:17, 0], hoop[8:17, 1]))
        yield rod((x * 0.8, 0, 0), (x, top, 0), 0.0155, sides=8)


def _framed_back(rng: np.random.Generator, kind: str, width: float, height: float) -> Iterator[Solid]:
    """Two posts and a top rail with upright slats, rungs or a cross between them."""
    post, crest = rng.uniform(0.016, 0.022), rng.uniform(0.05, 0.09)
    x = width / 2 - post
    for side in (-x, x):
        yield rod((side, 0, 0), (side, height - 0.01, 0), post, sides=pick(rng, (4, 4, 8)))
    yield block((2 * (x + post), crest, 0.036), (0, height - crest / 2, 0), 0.01)
    if kind == "slats":
        count, low = int(rng.integers(2, 6)), rng.uniform(0.08, 0.14)
        yield block((2 * x, 0.036, 0.032), (0, low, 0))
        breadth = min(rng.uniform(0.03, 0.06), 1.2 * x / count)
        for place in (np.arange(count) + 1) / (count + 1):
            yield block(
                (breadth, height - low - crest / 2, 0.029), (x * (2 * place - 1), (height + low - crest) / 2, 0)
            )
    elif kind == "ladder":
        count, breadth = int(rng.integers(2, 5)), rng.uniform(0.032, 0.055)
        for y in np.linspace(0.13, height - crest, count, endpoint=False):
            yield block((2 * x, breadth, 0.03), (0, y, 0))
    else:
        for side in (-x, x):
            yield rod((-side, 0.06, 0), (side, height - crest * 0.6, 0), 0.0165, sides=6)
        yield block((2 * x, 0.036, 0.034), (0, 0.06, 0))


def _arms(rng: np.random.Generator, seat: Seat) -> Iterator[Solid]:
    rise, x = rng.uniform(0.18, 0.24), seat.width / 2 + 0.012
    front, y = -seat.depth * rng.uniform(0.28, 0.42), seat.height + rise
    for side in (-x, x):
        yield block((0.045, 0.034, seat.depth / 2 - front + 0.03), (side, y, (seat.depth / 2 + front + 0.03) / 2), 0.01)
        yield rod((side, seat.under + 0.005, front + 0.03), (side, y, front + 0.03), 0.0165, sides=6)
        yield block((0.04, seat.thickness * 0.8, 0.08), (side * 0.97, seat.height - seat.thickness / 2, front + 0.03))


def _club_chair(rng: np.random.Generator, seat: Seat) -> list[Part]:
    """A low upholstered armchair for one."""
    cover, pad = material(rng, pick(rng, ("fabric", "leather")), "cover"), rng.uniform(0.1, 0.15)
    wood = material(rng, "wood", "legs")
    width, depth, back, foot = seat.width + 2 * pad, seat.depth + 0.22, rng.uniform(0.36, 0.5), rng.uniform(0.08, 0.16)
    rise = rng.uniform(0.16, 0.24)
    parts = [
        Part(
            block((width - 0.02, seat.under - foot - 0.06, depth - 0.02), (0, (seat.under - 0.06 + foot) / 2, 0)), cover
        )
    ]
    parts.append(
        Part(cushion((seat.width + 0.02, 0.15, seat.depth + 0.1), (0, seat.height - 0.06, -0.05), 0.25), cover)
    )
    support = superellipse(width * rng.uniform(0.9, 1.0), seat.height + back - foot, rng.uniform(3, 8))
    panel = prism(support, -0.07, 0.07, 0.02).turned("x", -90).turned("x", rng.uniform(4, 12))
    parts.append(Part(panel.moved(0, (seat.height + back + foot) / 2, depth / 2 - 0.05), cover))
    for side in (-1, 1):
        x, top = side * (width - pad) / 2, seat.height + rise
        parts.append(Part(block((pad, top - foot, depth * 0.92), (x, (top + foot) / 2, -depth * 0.02), 0.03), cover))
        for z in (-1, 1):
            end = (side * (width / 2 - 0.05), foot + 0.02, z * (depth / 2 - 0.06))
            parts.append(Part(rod((end[0] * 1.04, 0, end[2] * 1.04), end, 0.017, 0.028, 8), wood))
    return parts


def _stool_seat(shape: str, seat: Seat) -> Solid:
    if shape == "round":
        r, t = seat.width / 2, seat.thickness
        edge = curve([(r * 0.95, 0), (r, 0.35 * t), (r, 0.75 * t), (r * 0.92, t)], 2)
        return lathe([(0, 0), *edge, (0, t * 0.94)]).moved(0, seat.under, 0)
    if shape == "square":
        return block((seat.width, seat.thickness, seat.depth), (0, seat.height - seat.thickness / 2, 0), 0.015)
    x = np.linspace(-0.5, 0.5, 9)
    sag = 0.14 * seat.width * (2 * x) ** 2
    low, top = np.stack([x * seat.width, sag - seat.thickness]), np.stack([x * seat.width, sag])
    outline = np.concatenate([low, top[:, ::-1]], axis=1).T
    rings = [np.insert(outline, 2, z * seat.depth / 2, axis=1) for z in (1, -1)]
    return loft(np.stack(rings)).moved(0, seat.height, 0)


def _stool_legs(rng: np.random.Generator, shape: str, seat: Seat) -> Iterator[Solid]:
    count = pick(rng, (3, 4)) if shape == "round" else 4
    radius, sides = rng.uniform(0.016, 0.024), pick(rng, (4, 10)) if count == 4 else 10
    splay, rest = rng.uniform(0.0, 0.085), seat.height * rng.uniform(0.22, 0.4)
    if shape == "round":
        angle = (np.arange(count) + 0.5) * (2 * np.pi / count)
        tops = np.stack([np.cos(angle), np.sin(angle)], axis=1) * (seat.width / 2 - radius - 0.02)
    else:
        tops = np.array(list(corners(seat.width / 2 - radius - 0.01, seat.depth / 2 - radius - 0.01)))
    feet = tops * (1 + splay / np.linalg.norm(tops, axis=1, keepdims=True))
    reach = seat.height if shape == "saddle" else seat.under + 0.012
    for top, foot in zip(tops, feet, strict=True):
        yield rod((foot[0], 0, foot[1]), (top[0], reach, top[1]), radius * 0.85, radius, sides)
    ring_at = tops + (feet - tops) * (1 - rest / seat.under)
    if shape == "round":
        if rng.random() < 0.7:
            yield ring(circle(float(np.linalg.norm(ring_at[0])), rest), 0.0125, 6)
    else:
        x, z = np.abs(ring_at).max(axis=0)
        for side in (-1, 1):
            yield rod((-x, rest, side * z), (x, rest, side * z), 0.0135, sides=6)
            yield rod((side * x, rest + 0.05, -z), (side * x, rest + 0.05, z), 0.0135, sides=6)
