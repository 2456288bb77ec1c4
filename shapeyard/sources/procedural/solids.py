"""Closed solids that the catalogue is put together from, as plain arrays.

Every solid is one closed surface wound outwards: of the sphere's topology (blocks, lofts, lathes, rods, tubes) or of
the torus's (rings). +Y is up; lengths are metres, angles degrees.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from manifold3d import Manifold
from numpy.typing import ArrayLike, NDArray

Vectors = NDArray[np.float64]
Faces = NDArray[np.uint64]


@dataclass(frozen=True)
class Solid:
    """A closed triangle mesh: vertices (N,3) in metres, faces (M,3) wound outwards."""

    vertices: Vectors
    faces: Faces

    def moved(self, x: float = 0, y: float = 0, z: float = 0) -> Solid:
        """The solid shifted by (x, y, z)."""
        return Solid(self.vertices + np.array((x, y, z)), self.faces)

    def turned(self, axis: str, degrees: float) -> Solid:
        """The solid rotated about the axis "x", "y" or "z" through the origin, counter-clockwise seen from its tip."""
        i, j = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
        cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
        vertices = self.vertices.copy()
        vertices[:, i] = cosine * self.vertices[:, i] - sine * self.vertices[:, j]
        vertices[:, j] = sine * self.vertices[:, i] + cosine * self.vertices[:, j]
        return Solid(vertices, self.faces)

    def scaled(self, x: float = 1, y: float = 1, z: float = 1) -> Solid:
        """The solid stretched by positive factors about the origin."""
        return Solid(self.vertices * np.array((x, y, z)), self.faces)


def block(size: Sequence[float], centre: Sequence[float] = (0, 0, 0), bevel: float | None = None) -> Solid:
    """A box of `size` (3,) about `centre` (3,) with chamfered edges, `bevel` wide (a tenth of the shortest side)."""
    half = np.asarray(size, dtype=np.float64) / 2
    width = 0.2 * half.min() if bevel is None else min(bevel, 0.45 * half.min())
    signs, full, faces = _block_template()
    return Solid(signs * (half - np.where(full, 0.0, width)) + np.asarray(centre), faces)


def cushion(size: Sequence[float], centre: Sequence[float] = (0, 0, 0), softness: float = 0.35) -> Solid:
    """A superellipsoid filling a box of `size` about `centre`; softness 0.2 is nearly the box, 1 the ellipsoid."""
    rows, columns = 7, 16
    latitude = np.linspace(-0.5, 0.5, rows + 2)[1:-1] * np.pi
    longitude = np.arange(columns) * (2 * np.pi / columns)
    ring, height = _signed_power(np.cos(latitude), softness), _signed_power(np.sin(latitude), softness)
    unit = np.empty((rows, columns, 3))
    unit[..., 0] = ring[:, None] * _signed_power(np.cos(longitude), softness)
    unit[..., 1] = height[:, None]
    unit[..., 2] = ring[:, None] * _signed_power(np.sin(longitude), softness)
    half = np.asarray(size, dtype=np.float64) / 2
    poles = np.array([[0.0, -1.0, 0.0], [0.0, 1.0, 0.0]])
    vertices = np.vstack([poles, unit.reshape(-1, 3)]) * half + np.asarray(centre)
    return Solid(vertices, _capped_faces(rows, columns))


def ball(radius: float | Sequence[float], centre: Sequence[float] = (0, 0, 0), columns: int = 16) -> Solid:
    """A sphere of `radius`, or an ellipsoid of radii (3,), about `centre` (3,)."""
    latitude = np.linspace(-np.pi / 2, np.pi / 2, columns // 2 + 1)
    unit = lathe(np.stack([np.cos(latitude), np.sin(latitude)], axis=1), columns)
    return Solid(unit.vertices * np.asarray(radius, dtype=np.float64) + np.asarray(centre), unit.faces)


def lathe(profile: ArrayLike, columns: int = 24, section: ArrayLike | None = None, twist: float = 0) -> Solid:
    """A surface of revolution about +Y.

    Args:
        profile: (K,2) radius and height, from the axis at the bottom, up the outside and back to the axis at the top
            (or, for a vessel, down the inside). The first and the last radius are taken as 0.
        columns: vertices around.
        section: factors (columns,) or (K,columns) on the radius; `polygon_section` makes them.
        twist: degrees by which the section turns from the lowest to the highest point.
    """
    profile = np.asarray(profile, dtype=np.float64)
    radius, height = profile[1:-1, 0], profile[1:-1, 1]
    factors = np.ones((1, columns)) if section is None else np.atleast_2d(np.asarray(section, dtype=np.float64))
    if len(factors) == len(profile):
        factors = factors[1:-1]
    share = (height - height.min()) / max(float(np.ptp(height)), 1e-9)
    angle = np.arange(columns) * (2 * np.pi / columns) + np.radians(twist) * share[:, None]
    rings = np.empty((len(radius), columns, 3))
    rings[..., 0] = radius[:, None] * factors * np.cos(angle)
    rings[..., 1] = height[:, None]
    rings[..., 2] = radius[:, None] * factors * np.sin(angle)
    poles = np.array([[0, profile[0, 1], 0], [0, profile[-1, 1], 0]])
    return Solid(np.vstack([poles, rings.reshape(-1, 3)]), _capped_faces(len(radius), columns))


def loft(rings: ArrayLike) -> Solid:
    """The surface through closed rings (K,n,3), each counter-clockwise about the direction away from the others
    seen from below (as `lathe` has them: x towards z), closed by fans from the middle of the first and the last."""
    rings = np.asarray(rings, dtype=np.float64)
    poles = rings[[0, -1]].mean(axis=1)
    return Solid(np.vstack([poles, rings.reshape(-1, 3)]), _capped_faces(*rings.shape[:2]))


def prism(outline: ArrayLike, low: float, high: float, bevel: float = 0) -> Solid:
    """An outline (n,2) of x and z, star-shaped about its mean, running from x towards z, extruded from y=low to high;
    `bevel` shrinks the two ends by that length."""
    outline = np.asarray(outline, dtype=np.float64)
    middle = outline.mean(axis=0)
    inset = middle + (outline - middle) * (1 - bevel / np.abs(outline - middle).max())
    levels = [(inset, low), (outline, low + bevel), (outline, high - bevel), (inset, high)]
    rings = [np.insert(points, 1, y, axis=1) for points, y in (levels if bevel else levels[1:3])]
    return loft(np.stack(rings))


def rod(
    start: Sequence[float], end: Sequence[float], radius: float, radius_end: float | None = None, sides: int = 10
) -> Solid:
    """A straight bar; with four sides `radius` is half the side of its square, whose faces look along the axes."""
    return tube([start, end], [radius, radius if radius_end is None else radius_end], sides)


def tube(path: ArrayLike, radius: ArrayLike, sides: int = 8, across: Sequence[float] | None = None) -> Solid:
    """A bar along a path.

    Args:
        path: (K,3) points, no two neighbours alike; it should stay near one plane.
        radius: a number, (K,) or (K,2): half the thickness across and along the normal of the path's plane.
        sides: vertices of the section; with four, the radius is half the side of the square.
        across: (3,) the normal of the path's plane; default: the coordinate axis that the path follows least.
    """
    path = np.asarray(path, dtype=np.float64)
    tangent = np.gradient(path, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    normal, binormal = _frame(tangent, across)
    return loft(_sections(path, _both_radii(radius, len(path)), normal, binormal, sides))


def ring(path: ArrayLike, radius: float, sides: int = 8) -> Solid:
    """A bar along a closed path (K,3) whose last point is followed by its first; a plane path."""
    path = np.asarray(path, dtype=np.float64)
    tangent = np.roll(path, -1, axis=0) - np.roll(path, 1, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    normal, binormal = _frame(tangent, None)
    sections = _sections(path, _both_radii(radius, len(path)), normal, binormal, sides)
    return Solid(sections.reshape(-1, 3), _grid_faces(len(path), sides, closed=True))


def corners(x: float, z: float) -> Iterator[tuple[float, float]]:
    """The four corners (±x, ±z) of a rectangle, one after the other around it."""
    yield from ((-x, -z), (x, -z), (x, z), (-x, z))


def circle(radius: float, height: float = 0, columns: int = 24) -> Vectors:
    """Points (columns,3) of a level circle about the axis, from x towards z."""
    angle = np.arange(columns) * (2 * np.pi / columns)
    return np.stack([radius * np.cos(angle), np.full(columns, height), radius * np.sin(angle)], axis=1)


def superellipse(width: float, depth: float, exponent: float = 4, columns: int = 28) -> Vectors:
    """An outline (columns,2) of x and z, from x towards z; exponent 2 is the ellipse, 8 nearly the rectangle."""
    angle = (np.arange(columns) + 0.5) * (2 * np.pi / columns)
    cosine, sine = _signed_power(np.cos(angle), 2 / exponent), _signed_power(np.sin(angle), 2 / exponent)
    return np.stack([cosine * width / 2, sine * depth / 2], axis=1)


def polygon_section(sides: int, columns: int = 24, roundness: float = 0.3) -> Vectors:
    """Factors (columns,) for `lathe` that turn the circle into a polygon, its faces (not corners) at factor 1."""
    angle = np.arange(columns) * (2 * np.pi / columns)
    flat = 1 / np.cos((angle + np.pi / sides) % (2 * np.pi / sides) - np.pi / sides)
    return np.asarray((1 - roundness) * flat + roundness, dtype=np.float64)


def ripple_section(waves: int, depth: float, columns: int = 36) -> Vectors:
    """Factors (columns,) for `lathe`: a wavy rim, `depth` to either side of 1."""
    return np.asarray(1 + depth * np.cos(np.arange(columns) * (2 * np.pi * waves / columns)), dtype=np.float64)


def curve(points: ArrayLike, steps: int = 4) -> Vectors:
    """A Catmull-Rom spline through control points (K,n), `steps` pieces between two → ((K-1)·steps+1, n)."""
    points = np.asarray(points, dtype=np.float64)
    padded = np.vstack([2 * points[0] - points[1], points, 2 * points[-1] - points[-2]])
    t = np.arange(steps) / steps
    basis = 0.5 * np.stack(
        [-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, -(t**2) + t**3], axis=1
    )
    windows = np.stack([padded[i : i + len(points) - 1] for i in range(4)])
    fine = np.einsum("tk,kin->itn", basis, windows).reshape(-1, points.shape[1])
    return np.vstack([fine, points[-1]])


def inset(profile: ArrayLike, wall: float) -> Vectors:
    """A rising profile (K,2) of radius and height, moved towards the axis so that `wall` is left across its slope."""
    profile = np.asarray(profile, dtype=np.float64)
    slope = np.gradient(profile, axis=0)
    across = np.hypot(slope[:, 0], slope[:, 1]) / np.maximum(slope[:, 1], 1e-9)
    return np.stack([profile[:, 0] - wall * np.minimum(across, 2.0), profile[:, 1]], axis=1)


def filleted(points: ArrayLike, radius: float, steps: int = 4) -> Vectors:
    """A polyline (K,3) with its inner corners cut back by `radius` and rounded by quadratic curves."""
    points = np.asarray(points, dtype=np.float64)
    path = [points[:1]]
    t = np.linspace(0, 1, steps + 1)[:, None]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        reach = [min(radius / np.linalg.norm(end - corner), 0.48) for end in (before, after)]
        first, last = corner + reach[0] * (before - corner), corner + reach[1] * (after - corner)
        path.append((1 - t) ** 2 * first + 2 * t * (1 - t) * corner + t**2 * last)
    return np.vstack([*path, points[-1:]])


def _signed_power(values: Vectors, exponent: float) -> Vectors:
    return np.asarray(np.sign(values) * np.abs(values) ** exponent, dtype=np.float64)


@lru_cache
def _block_template() -> tuple[Vectors, NDArray[np.bool_], Faces]:
    """Signs (24,3), whether a coordinate reaches the full side (24,3), and faces of a chamfered box."""
    signs = np.array([(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], dtype=np.float64)
    reach = np.full((3, 3), 0.5) + 0.5 * np.eye(3)
    hull = Manifold.hull_points((signs[:, None] * reach).reshape(-1, 3)).to_mesh64()
    vertices = np.array(hull.vert_properties)[:, :3]
    return np.sign(vertices), np.abs(vertices) > 0.75, np.array(hull.tri_verts, dtype=np.uint64)


@lru_cache
def _capped_faces(rows: int, columns: int) -> Faces:
    """Vertices 0 and 1 are the poles below the first and above the last row."""
    column = np.arange(columns)
    following = (column + 1) % columns
    last = (rows - 1) * columns
    bottom = np.stack([np.full(columns, -2), column, following], axis=1)
    top = np.stack([np.full(columns, -1), last + following, last + column], axis=1)
    grid = _grid_faces(rows, columns, closed=False).astype(np.int64)
    return np.asarray(np.vstack([bottom, grid, top]) + 2, dtype=np.uint64)


@lru_cache
def _grid_faces(rows: int, columns: int, closed: bool) -> Faces:
    row, column = np.divmod(np.arange((rows if closed else rows - 1) * columns), columns)
    above, following = (row + 1) % rows, (column + 1) % columns
    a, b = row * columns + column, above * columns + column
    c, d = above * columns + following, row * columns + following
    return np.asarray(np.stack([a, b, c, a, c, d], axis=1).reshape(-1, 3), dtype=np.uint64)


def _frame(tangent: Vectors, across: Sequence[float] | None) -> tuple[Vectors, Vectors]:
    """Unit vectors (K,3) in the plane of the path and along its normal."""
    axis = np.eye(3)[np.abs(tangent).max(axis=0).argmin()] if across is None else np.asarray(across, dtype=np.float64)
    normal = np.cross(axis, tangent)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    return normal, np.cross(tangent, normal)


def _both_radii(radius: ArrayLike, count: int) -> Vectors:
    radii = np.asarray(radius, dtype=np.float64)
    if radii.ndim < 2:
        radii = np.repeat(np.broadcast_to(radii, (count,))[:, None], 2, axis=1)
    return radii


def _sections(path: Vectors, radii: Vectors, normal: Vectors, binormal: Vectors, sides: int) -> Vectors:
    """Rings (K,sides,3) across the path, wound as `loft` wants them."""
    angle = -(np.arange(sides) + 0.5 * (sides == 4)) * (2 * np.pi / sides)
    reach = np.sqrt(2) if sides == 4 else 1.0
    first = (radii[:, :1] * reach * np.cos(angle))[..., None] * normal[:, None]
    second = (radii[:, 1:] * reach * np.sin(angle))[..., None] * binormal[:, None]
    return np.asarray(path[:, None] + first + second, dtype=np.float64)
