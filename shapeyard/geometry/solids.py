"""What a printed thing shows: its shape as a grid, and numbers that a person could measure on it.

Lengths are in the file's own units, which in STL files are millimetres. A mesh stands upright (+Z up) as it is printed
and is turned about that axis so that the smallest rectangle around its outline has its longer side along x; what looks
the same from four sides or in a mirror stays ambiguous, which is for training to make up for.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull, QhullError

from shapeyard.geometry.frames import canonical_from_bounds, transform
from shapeyard.geometry.projected_triangles import compiled
from shapeyard.geometry.surfaces import Surface, surface_of
from shapeyard.geometry.triangle_mesh import Mesh
from shapeyard.geometry.voxelization import solid_occupancy

LAYERS = 8
"""Of the profile along the upright axis."""
MAX_HULL_EDGES = 256
UPRIGHT, FLAT = 0.1, 0.95
"""The cosines of a normal to the upright axis: below the first a wall, above the second a floor or ceiling."""
EDGE_DEGREES = (5.0, 30.0, 75.0, 105.0)
"""Between them an edge is smooth, blunt, or square; below flat, above sharp."""
EDGE_COSINES = tuple(math.cos(math.radians(degrees)) for degrees in EDGE_DEGREES)
EDGE_QUANTILES = (0.1, 0.5, 0.9)
"""Of the edges by their length, each counting as much as it is long."""
SMALLEST = 1e-9
EQUAL = 1 + 1e-5
"""Sides and areas that differ by less are the same: STL has seven digits."""
MIN_TURN = np.array([1.0, 1e-3])
"""The direction to stay near: x, and between y and −y the first."""


class Solid(NamedTuple):
    """A thing as numbers."""

    occupancy: NDArray[np.bool_]
    """(D,D,D) of its largest part, +Y up, as all grids are"""
    measures: dict[str, float]
    """the same names for every thing, all finite"""


def describe_solid(parts: Sequence[Mesh], resolution: int) -> Solid:
    """Describe a thing by its parts.

    Args:
        parts: one or more meshes, +Z up.
        resolution: of the grid, voxels a side.

    Returns:
        The grid and the proportions are those of the part with the largest bounding box; volume, area, shells and genus
        are sums over all parts.
    """
    surfaces = [surface_of(part) for part in parts]
    largest = max(surfaces, key=lambda s: float(np.prod([np.ptp(axis) + SMALLEST for axis in s.vertices.T])))
    yaw = _yaw(largest.vertices)
    upright = largest.vertices @ yaw
    lower, upper = (np.array([bound(axis) for axis in upright.T]) for bound in (np.min, np.max))
    canonical = transform(canonical_from_bounds(lower, upper, "z"), upright)
    occupancy = solid_occupancy(canonical, largest.faces, resolution)
    measures = {
        **_sizes(upper - lower),
        **_amounts(surfaces, largest, upper - lower),
        **_topology(surfaces),
        **_directions(largest, yaw, upright[:, 2], upper - lower),
        **_edges(largest),
        **_outline(occupancy),
    }
    return Solid(occupancy, {name: float(np.nan_to_num(value)) for name, value in measures.items()})


def _yaw(vertices: NDArray[np.float64]) -> NDArray[np.float64]:
    """(3,3), to multiply rows by: the turn about z that lays the smallest rectangle's longer side along x.

    Of turns that do it equally well the least, so that the order of triangles and the last digits decide nothing.
    """
    points = vertices[:, :2]
    try:
        hull = points[ConvexHull(points).vertices]
    except (QhullError, ValueError):  # all on a line
        hull = points[[points[:, 0].argmin(), points[:, 0].argmax(), points[:, 1].argmin(), points[:, 1].argmax()]]
    sides = np.roll(hull, -1, axis=0) - hull
    lengths = np.linalg.norm(sides, axis=1)
    sides = sides[np.argsort(-lengths)[:MAX_HULL_EDGES]] if lengths.max() > 0 else np.array([[1.0, 0.0]])
    sides = sides / np.maximum(np.linalg.norm(sides, axis=1, keepdims=True), SMALLEST)
    along = np.ptp(hull @ sides.T, axis=0)
    across = np.ptp(hull @ np.stack([-sides[:, 1], sides[:, 0]]), axis=0)
    directions = np.where((across > along * EQUAL)[:, None], sides[:, ::-1] * (-1, 1), sides)
    area = along * across
    directions = directions[area <= area.min() * EQUAL]
    both_ways = np.concatenate([directions, -directions])
    cosine, sine = both_ways[(both_ways @ MIN_TURN).argmax()]
    return np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])


def _sizes(extents: NDArray[np.float64]) -> dict[str, float]:
    length, width, height = np.maximum(extents, SMALLEST)
    longest = max(length, width, height)
    return {
        "log_length": np.log(length),
        "log_width": np.log(width),
        "log_height": np.log(height),
        "width_share": width / longest,
        "length_share": length / longest,
        "height_share": height / longest,
    }


def _amounts(surfaces: Sequence[Surface], largest: Surface, extents: NDArray[np.float64]) -> dict[str, float]:
    """Volume, area, and what they make of each other."""
    volume, area = sum(surface.volume for surface in surfaces), sum(surface.area for surface in surfaces)
    box = float(np.prod(np.maximum(extents, SMALLEST)))
    box_area = 2 * float(np.dot(extents, np.roll(extents, 1)))
    return {
        "log_volume": np.log(volume + 1e-6),
        "log_area": np.log(area + 1e-6),
        "fill": min(largest.volume / box, 2.0),
        "area_share": np.log(largest.area / max(box_area, SMALLEST) + 1e-3),
        "log_thickness": np.log(2 * volume / max(area, SMALLEST) + 1e-6),
        "compactness": (36 * np.pi * volume**2) ** (1 / 3) / max(area, SMALLEST),
        "log_parts": np.log(len(surfaces)),
    }


def _topology(surfaces: Sequence[Surface]) -> dict[str, float]:
    """Shells, genus (V − E + F = 2·(shells − genus) if closed), the share of edges that two triangles share."""
    shells, genus = 0, 0.0
    edges = shared = 0
    for surface in surfaces:
        own, used = _shells(surface.faces, len(surface.vertices))
        shells += own
        genus += own - (used - surface.edge_count + len(surface.faces)) / 2
        edges += surface.edge_count
        shared += len(surface.pairs)
    return {
        "log_shells": np.log(shells),
        "log_genus": np.sign(genus) * np.log1p(abs(genus)),
        "closed_share": shared / max(edges, 1),
    }


@compiled
def _shells(faces: NDArray[np.int64], count: int) -> tuple[int, int]:
    """How many parts hang together by their corners, and how many of the `count` vertices have a triangle."""
    leader = np.full(count, -1, np.int64)
    shells = used = 0
    for face in range(len(faces)):
        for corner in range(3):
            if leader[faces[face, corner]] < 0:
                leader[faces[face, corner]] = faces[face, corner]
                used += 1
                shells += 1
        first = _leader(leader, faces[face, 0])
        for corner in range(1, 3):
            other = _leader(leader, faces[face, corner])
            if other != first:
                leader[other] = first
                shells -= 1
    return shells, used


@compiled
def _leader(leader: NDArray[np.int64], vertex: int) -> int:
    """Follow the links to the vertex that stands for a part, and shorten the way (union by path halving)."""
    while leader[vertex] != vertex:
        leader[vertex] = leader[leader[vertex]]
        vertex = leader[vertex]
    return vertex


def _directions(
    surface: Surface, yaw: NDArray[np.float64], heights: NDArray[np.float64], extents: NDArray[np.float64]
) -> dict[str, float]:
    """Shares of the area by where it faces; `base`: what stands on the plate, as a share of the rectangle around it."""
    areas = surface.areas
    total = max(surface.area, SMALLEST)
    normals = surface.normals @ yaw
    wall = np.abs(normals[:, 2]) < UPRIGHT
    square = wall & (np.maximum(np.abs(normals[:, 0]), np.abs(normals[:, 1])) > FLAT)
    is_low = heights < heights.min() + 0.01 * max(float(np.ptp(heights)), SMALLEST)
    low = is_low[surface.faces[:, 0]] & is_low[surface.faces[:, 1]] & is_low[surface.faces[:, 2]]
    rectangle = max(float(extents[0] * extents[1]), SMALLEST)
    bins = np.clip((normals + 1) * 2.5, 0, 4.999).astype(np.int64) @ np.array([25, 5, 1])
    shares = np.bincount(bins, areas, minlength=125) / total
    return {
        "up_share": float(areas[normals[:, 2] > FLAT].sum()) / total,
        "down_share": float(areas[normals[:, 2] < -FLAT].sum()) / total,
        "wall_share": float(areas[wall].sum()) / total,
        "square_wall_share": float(areas[square].sum()) / total,
        "direction_entropy": float(-(shares * np.log(shares + 1e-12)).sum()),
        "base": min(float(areas[low].sum()) / rectangle, 2.0),
    }


def _edges(surface: Surface) -> dict[str, float]:
    """Shares of the edges' length by the angle between the triangles at them, and of the bent ones' that is hollow."""
    lengths, shares, hollow = _bends(surface.vertices, surface.faces, surface.normals, surface.pairs, surface.ends)
    total = max(float(lengths.sum()), SMALLEST)
    names = ("flat", "smooth", "blunt", "square", "sharp")
    ordered = np.sort(lengths)
    summed = np.cumsum(ordered) / total
    typical = [ordered[min(int(np.searchsorted(summed, share)), len(ordered) - 1)] if len(ordered) else 0.0
               for share in EDGE_QUANTILES]  # fmt: skip
    return {f"{name}_edges": float(share / total) for name, share in zip(names, shares, strict=True)} | {
        "hollow_edges": hollow / max(float(shares[1:].sum()), SMALLEST),
        "log_edge_length": np.log(total + 1e-6),
        **{f"log_edge_{100 * q:.0f}": np.log(v + 1e-3) for q, v in zip(EDGE_QUANTILES, typical, strict=True)},
    }


@compiled
def _bends(
    vertices: NDArray[np.float64], faces: NDArray[np.int64], normals: NDArray[np.float64],
    pairs: NDArray[np.int64], ends: NDArray[np.int64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:  # fmt: skip
    """The lengths of edges (E,2); their sums between the angles of `EDGE_DEGREES`; of the bent ones that are hollow."""
    lengths, sums, hollow = np.empty(len(pairs), np.float64), np.zeros(len(EDGE_COSINES) + 1, np.float64), 0.0
    for edge in range(len(pairs)):
        one, other = pairs[edge, 0], pairs[edge, 1]
        cosine = square = towards = 0.0
        for axis in range(3):
            cosine += normals[one, axis] * normals[other, axis]
            square += (vertices[ends[edge, 1], axis] - vertices[ends[edge, 0], axis]) ** 2
            for corner in range(3):
                step = vertices[faces[other, corner], axis] - vertices[faces[one, corner], axis]
                towards += normals[one, axis] * step
        lengths[edge] = math.sqrt(square)
        place = 0
        while place < len(EDGE_COSINES) and cosine <= EDGE_COSINES[place]:
            place += 1
        sums[place] += lengths[edge]
        if place and towards > 0:
            hollow += lengths[edge]
    return lengths, sums, hollow


def _outline(occupancy: NDArray[np.bool_]) -> dict[str, float]:
    """Of the grid: how full its layers are, from below; how full its outlines; how much it is its own mirror image."""
    places = np.argwhere(occupancy)
    if not len(places):
        places = np.array([[0, 0, 0], np.array(occupancy.shape) - 1])
    box = occupancy[
        tuple(slice(low, high + 1) for low, high in zip(places.min(axis=0), places.max(axis=0), strict=True))
    ]
    layers = np.interp(np.linspace(0, 1, LAYERS), np.linspace(0, 1, box.shape[1]), box.mean(axis=(0, 2)))
    quarter = np.rot90(occupancy, 1, (0, 2))
    return {f"layer_{place}": float(share) for place, share in enumerate(layers)} | {
        "front_outline": float(box.any(axis=2).mean()),
        "side_outline": float(box.any(axis=0).mean()),
        "top_outline": float(box.any(axis=1).mean()),
        "symmetry_x": _overlap(box, box[::-1]),
        "symmetry_y": _overlap(box, box[:, ::-1]),
        "symmetry_z": _overlap(box, box[:, :, ::-1]),
        "symmetry_half_turn": _overlap(box, box[::-1, :, ::-1]),
        "symmetry_quarter_turn": _overlap(occupancy, quarter),
        "voxels": float(box.mean()),
    }


def _overlap(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    return float((one & other).sum() / max(int((one | other).sum()), 1))
