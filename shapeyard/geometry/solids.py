"""What a printed thing shows: its shape as a grid, and numbers that a person could measure on it.

Lengths are in the file's own units, which in STL files are millimetres. A mesh stands upright (+Z up) as it is printed
and is turned about that axis so that the smallest rectangle around its outline has its longer side along x; what looks
the same from four sides or in a mirror stays ambiguous, which is for training to make up for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import ConvexHull, QhullError

from shapeyard.formats.mesh import Mesh
from shapeyard.geometry.frames import canonical_from_bounds, transform
from shapeyard.geometry.voxelization import solid_occupancy

LAYERS = 8
"""Of the profile along the upright axis."""
MOST_HULL_EDGES = 256
UPRIGHT, FLAT = 0.1, 0.95
"""The cosines of a normal to the upright axis: below the first a wall, above the second a floor or ceiling."""
EDGE_DEGREES = (5.0, 30.0, 75.0, 105.0)
"""Between them an edge is smooth, blunt, or square; below flat, above sharp."""
EDGE_QUANTILES = (0.1, 0.5, 0.9)
"""Of the edges by their length, each counting as much as it is long."""
SMALLEST = 1e-9


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
    surfaces = [_Surface.of(part) for part in parts]
    largest = max(surfaces, key=lambda s: float(np.prod(np.ptp(s.vertices, axis=0) + SMALLEST)))
    yaw = _yaw(largest.vertices)
    upright = largest.vertices @ yaw
    lower, upper = upright.min(axis=0), upright.max(axis=0)
    canonical = transform(canonical_from_bounds(lower, upper, "z"), upright)
    occupancy = solid_occupancy(canonical, largest.faces, resolution)
    measures = {
        **_sizes(upper - lower),
        **_amounts(surfaces, largest, upper - lower),
        **_topology(surfaces),
        **_directions(largest, yaw, upright[:, 2]),
        **_edges(largest),
        **_outline(occupancy),
    }
    return Solid(occupancy, {name: float(np.nan_to_num(value)) for name, value in measures.items()})


class _Surface(NamedTuple):
    """A mesh whose triangles share their corners."""

    vertices: NDArray[np.float64]
    faces: NDArray[np.int64]
    """without those that two equal corners leave without an area"""
    pairs: NDArray[np.int64]
    """(E,2) places in `faces` of the two triangles at each edge that exactly two share"""
    ends: NDArray[np.int64]
    """(E,2) vertices of those edges"""
    edge_count: int
    """of all edges"""
    doubled: NDArray[np.float64]
    """(M,3) normals, each as long as twice its triangle's area"""
    areas: NDArray[np.float64]
    """(M,)"""

    @classmethod
    def of(cls, mesh: Mesh) -> _Surface:
        bits = np.ascontiguousarray(mesh.vertices.astype(np.float32) + np.float32(0)).view(np.uint32).astype(np.uint64)
        keys = (bits[:, 0] * np.uint64(0x9E3779B97F4A7C15)) ^ (bits[:, 1] * np.uint64(0xC2B2AE3D27D4EB4F))
        keys ^= (bits[:, 2] + np.uint64(0x165667B19E3779F9)) * np.uint64(0xD6E8FEB86659FD93)
        _, first, place = np.unique(keys, return_index=True, return_inverse=True)
        faces = place[mesh.faces]
        distinct = (faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 2] != faces[:, 0])
        faces = faces[distinct] if distinct.any() else faces
        starts, ends = faces.ravel(), np.roll(faces, -1, axis=1).ravel()
        edges = np.minimum(starts, ends) * len(first) + np.maximum(starts, ends)
        order = np.argsort(edges)
        ordered = edges[order]
        begins = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
        twice = begins[np.diff(begins, append=len(ordered)) == 2]
        low, high = np.divmod(ordered[twice], len(first))
        pairs = np.stack([order[twice], order[twice + 1]], axis=1) // 3
        vertices = mesh.vertices[first]
        corners = vertices[faces]
        doubled = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        areas = np.sqrt(np.einsum("ij,ij->i", doubled, doubled)) / 2
        return cls(vertices, faces, pairs, np.stack([low, high], axis=1), len(begins), doubled, areas)

    @property
    def volume(self) -> float:
        """By the divergence theorem: right where the surface is closed."""
        towards = self.vertices[self.faces[:, 0]] - self.vertices.mean(axis=0)
        return abs(float(np.einsum("ij,ij->", towards, self.doubled))) / 6

    @property
    def area(self) -> float:
        """Of all triangles."""
        return float(self.areas.sum())


def _yaw(vertices: NDArray[np.float64]) -> NDArray[np.float64]:
    """(3,3), to multiply rows by: the turn about z that lays the smallest rectangle's longer side along x."""
    points = vertices[:, :2]
    try:
        hull = points[ConvexHull(points).vertices]
    except (QhullError, ValueError):  # all on a line
        hull = points[[points[:, 0].argmin(), points[:, 0].argmax(), points[:, 1].argmin(), points[:, 1].argmax()]]
    sides = np.roll(hull, -1, axis=0) - hull
    lengths = np.linalg.norm(sides, axis=1)
    sides = sides[np.argsort(-lengths)[:MOST_HULL_EDGES]] if lengths.max() > 0 else np.array([[1.0, 0.0]])
    sides = sides / np.maximum(np.linalg.norm(sides, axis=1, keepdims=True), SMALLEST)
    along = np.ptp(hull @ sides.T, axis=0)
    across = np.ptp(hull @ np.stack([-sides[:, 1], sides[:, 0]]), axis=0)
    area = along * across
    best = int(np.flatnonzero(area <= area.min() * (1 + 1e-9))[0])
    cosine, sine = sides[best]
    if across[best] > along[best]:
        cosine, sine = -sine, cosine
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


def _amounts(surfaces: Sequence[_Surface], largest: _Surface, extents: NDArray[np.float64]) -> dict[str, float]:
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


def _topology(surfaces: Sequence[_Surface]) -> dict[str, float]:
    """Shells, genus (V − E + F = 2·(shells − genus) if closed), the share of edges that two triangles share."""
    shells, genus = 0, 0.0
    edges = shared = 0
    for surface in surfaces:
        faces, count = surface.faces.astype(np.int32), len(surface.vertices)
        used = np.count_nonzero(np.bincount(faces.ravel(), minlength=count))
        links = (np.concatenate([faces[:, 0], faces[:, 1]]), np.concatenate([faces[:, 1], faces[:, 2]]))
        graph = coo_array((np.ones(len(links[0]), np.int8), links), shape=(count, count))
        own = int(connected_components(graph, directed=False, return_labels=False)) - (count - used)
        shells += own
        genus += own - (used - surface.edge_count + len(faces)) / 2
        edges += surface.edge_count
        shared += len(surface.pairs)
    return {
        "log_shells": np.log(shells),
        "log_genus": np.sign(genus) * np.log1p(abs(genus)),
        "closed_share": shared / max(edges, 1),
    }


def _directions(surface: _Surface, yaw: NDArray[np.float64], heights: NDArray[np.float64]) -> dict[str, float]:
    """Shares of the area by where it faces; `base`: what stands on the plate, as a share of the rectangle around it."""
    areas = surface.areas
    total = max(surface.area, SMALLEST)
    normals = (surface.doubled @ yaw) / np.maximum(2 * areas, 1e-30)[:, None]
    wall = np.abs(normals[:, 2]) < UPRIGHT
    square = wall & (np.maximum(np.abs(normals[:, 0]), np.abs(normals[:, 1])) > FLAT)
    is_low = heights < heights.min() + 0.01 * max(float(np.ptp(heights)), SMALLEST)
    low = is_low[surface.faces[:, 0]] & is_low[surface.faces[:, 1]] & is_low[surface.faces[:, 2]]
    rectangle = max(float(np.prod(np.ptp((surface.vertices @ yaw)[:, :2], axis=0))), SMALLEST)
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


def _edges(surface: _Surface) -> dict[str, float]:
    """Shares of the edges' length by the angle between the triangles at them, and of the bent ones' that is hollow."""
    normals = surface.doubled / np.maximum(2 * surface.areas, 1e-30)[:, None]
    one, other = normals[surface.pairs[:, 0]], normals[surface.pairs[:, 1]]
    degrees = np.degrees(np.arccos(np.clip(np.einsum("ij,ij->i", one, other), -1, 1)))
    along = surface.vertices[surface.ends[:, 1]] - surface.vertices[surface.ends[:, 0]]
    lengths = np.sqrt(np.einsum("ij,ij->i", along, along))
    total = max(float(lengths.sum()), SMALLEST)
    summed = sum(surface.vertices[surface.faces[:, corner]] for corner in range(3))
    hollow = np.einsum("ij,ij->i", one, summed[surface.pairs[:, 1]] - summed[surface.pairs[:, 0]]) > 0
    bent = degrees > EDGE_DEGREES[0]
    places = np.digitize(degrees, EDGE_DEGREES)
    shares = np.bincount(places, lengths, minlength=len(EDGE_DEGREES) + 1) / total
    names = ("flat", "smooth", "blunt", "square", "sharp")
    order = np.argsort(lengths)
    summed_lengths = np.cumsum(lengths[order]) / total
    typical = [lengths[order][min(np.searchsorted(summed_lengths, share), len(order) - 1)] if len(order) else 0.0
               for share in EDGE_QUANTILES]  # fmt: skip
    return {f"{name}_edges": float(share) for name, share in zip(names, shares, strict=True)} | {
        "hollow_edges": float(lengths[bent & hollow].sum() / max(float(lengths[bent].sum()), SMALLEST)),
        "log_edge_length": np.log(total + 1e-6),
        **{f"log_edge_{100 * q:.0f}": np.log(v + 1e-3) for q, v in zip(EDGE_QUANTILES, typical, strict=True)},
    }


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
