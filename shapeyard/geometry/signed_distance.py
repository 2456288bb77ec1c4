"""The signed distance to a triangle mesh, whatever its triangles do: negative inside.

The distance is exact: libigl's bounding volume tree over the triangles. What nobody sees from outside (the inside of a
drawer, the seats in a car) counts neither as a surface nor for the distance, as in DeepSDF.

The sign is visibility, as in DeepSDF (Park et al., arXiv 1901.05103, appendix): outside is what can be seen from
outside. DeepSDF looks from 100 virtual cameras and lets the 11 nearest seen points vote with their normals; here every
point looks out itself, along `DIRECTIONS` fixed directions, by Embree's rays, and is outside if at least two of them
meet no triangle; where it is one, rays beside it have to confirm that it is no crack. Nothing in it asks which way a
triangle faces, how often it is there, or in which order, so flipped normals and doubled faces do no harm. The
generalized winding number (Jacobson et al. 2013) does ask, is wrong on meshes whose faces are there both ways, and
takes ten times as long; `benchmarks/sdf.py` compares them.

Not every point has to look out. No triangle reaches into the ball around a point that ends at the surface, so two
points whose balls meet lie on one side: one point of each cell of a grid looks, the farthest from the surface, and
answers for those whose balls meet its own; of what is left the farthest again, in ever smaller cells, until those few
that nobody answered for look themselves.

What that means on bad meshes:

- Cracks and T-junctions: a ray that slips through is not enough.
- A hole, or the mouth of a glass or vase: what sees out through more than some 2 % of all directions is outside.
- A single sheet, a bowl or tube without thickness: outside on both sides. It has no inside, and `two_sided` says so.
- A cavity inside a closed shape, or behind a neck through which less than 1 % of the directions lead: inside.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shapeyard.errors import MeshError, require

DIRECTIONS = 64
ESCAPES = 2
CONFIRMING_DIRECTIONS = 8
CONFIRMING_TANGENT = 0.1
"""How far beside a direction that escaped alone those lie that confirm it: an opening of 1 % has twice this radius."""
CELL_BITS = 5
"""Points are asked for cell by cell of a grid of 2⁵ a side, along a Z-order curve: half the time of a random order."""
FARTHEST_HIT = 1e30
"""Embree's own infinity is larger."""
SURFACE_POINTS = 4096
SURFACE_OFFSET = 1e-5
"""How far from the surface its two sides are looked at from: far above single precision, far below a wall."""
FINEST_CELL_BITS, ROUNDS = 7, 4
"""Cells are halved twice; of each size, how often the farthest point of each answers for others."""
BALL = 0.999
"""Of the distance to the surface, in single precision, what counts as its radius."""
DECIDED_SHARE = 0.05
"""The points that are known to be outside are put aside once they are so many: moving them costs time, too."""


class SignedDistance:
    """The signed distance to one mesh of about unit size, as a function of points.

    Attributes:
        vertices: (N,3) float64.
        faces: (M,3) int64, the triangles that can be seen from outside.
        two_sided: the share, 0 to 1, of the visible surface that can be seen from both sides; of a closed shape none.
            DeepSDF counts triangles and observations; by area it does not depend on how finely a mesh is cut up.
    """

    def __init__(self, vertices: NDArray[np.float64], faces: NDArray[np.int64]) -> None:
        """Build the trees and look at each triangle from both sides.

        Raises:
            ParameterError: for coordinates that are not finite, or indices out of range.
            MeshError: if no triangle has an area, or none can be seen from outside.
        """
        from embreex.mesh_construction import TriangleMesh
        from embreex.rtcore_scene import EmbreeScene
        from igl import AABB

        self.vertices = np.ascontiguousarray(vertices, np.float64)
        self.faces = np.ascontiguousarray(faces, np.int64)
        in_range = self.faces.size == 0 or (self.faces.min() >= 0 and self.faces.max() < len(self.vertices))
        require(bool(in_range), f"expected face indices below {len(self.vertices)}")
        require(bool(np.isfinite(self.vertices).all()), "expected finite vertices")
        a, b, c = (self.vertices[self.faces[:, k]] for k in range(3))
        normals = np.cross(b - a, c - a)
        areas = np.linalg.norm(normals, axis=1)
        if not areas.any():
            raise MeshError("no triangle has an area")
        self._scene: Any = EmbreeScene(robust=True)  # no ray slips between two triangles that share an edge
        TriangleMesh(self._scene, self.vertices.astype(np.float32), self.faces.astype(np.int32))

        self._cumulated_areas = np.cumsum(areas)
        points, index = self.surface_points(SURFACE_POINTS, np.random.default_rng(0))
        points = np.concatenate([points, (a + b + c) / 3])
        index = np.concatenate([index, np.arange(len(self.faces))])
        offset = normals[index] * (SURFACE_OFFSET / np.where(areas > 0, areas, 1)[index])[:, None]
        front, back = self.outside(points + offset), self.outside(points - offset)
        seen, both = front | back, front & back
        self.two_sided = float(both[:SURFACE_POINTS].sum() / max(seen[:SURFACE_POINTS].sum(), 1))
        visible = np.zeros(len(self.faces), np.bool_)
        visible[index[seen]] = True
        visible &= areas > 0
        if not visible.any():
            raise MeshError("no triangle can be seen from outside")
        self.faces, self._cumulated_areas = self.faces[visible], np.cumsum(areas[visible])
        self._tree: Any = AABB()
        self._tree.init(self.vertices, self.faces)

    def __call__(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Points (N,3) → signed distances (N,), negative inside."""
        order = _order(points)
        ordered = np.ascontiguousarray(points[order], np.float64)
        distance = np.sqrt(self._tree.squared_distance(self.vertices, self.faces, ordered)[0])
        outside = self._outside_by_balls(ordered.astype(np.float32), distance.astype(np.float32))
        result = np.empty(len(points))
        result[order] = np.where(outside, distance, -distance)
        return result

    def outside(self, points: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Points (N,3) → (N,) whether they can be seen from outside."""
        order = _order(points)
        result = np.empty(len(points), np.bool_)
        result[order] = self._look_out(points[order])
        return result

    def require_closed(self, max_two_sided: float) -> None:
        """Raise `MeshError` if more of the visible surface than this share can be seen from both sides."""
        if self.two_sided > max_two_sided:
            raise MeshError(
                f"an open mesh: {self.two_sided:.0%} of its visible surface can be seen from both sides, "
                f"at most {max_two_sided:.0%} allowed"
            )

    def surface_points(self, count: int, rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Points (count,3) on the visible triangles, evenly by area, in random order; their triangles (count,)."""
        index = np.searchsorted(self._cumulated_areas, rng.random(count) * self._cumulated_areas[-1], side="right")
        index = np.minimum(index, len(self.faces) - 1)
        # Turk, "Generating random points in triangles", Graphics Gems, 1990
        root, share = np.sqrt(rng.random((count, 1))), rng.random((count, 1))
        weights = np.concatenate([1 - root, root * (1 - share), root * share], axis=1)
        return np.einsum("nk,nkj->nj", weights, self.vertices[self.faces[index]]), index

    def oriented_points(self, count: int, rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Points (count,3) as `surface_points` draws them, and unit normals (count,3) that lead to where they are seen.

        Of a sheet that is seen from both sides the normal is the triangle's own.
        """
        points, index = self.surface_points(count, rng)
        a, b, c = (self.vertices[self.faces[index, k]] for k in range(3))
        normals = np.cross(b - a, c - a)
        normals /= np.linalg.norm(normals, axis=1, keepdims=True)
        front, back = (self.outside(points + side * SURFACE_OFFSET * normals) for side in (1, -1))
        return points, np.where((back & ~front)[:, None], -normals, normals)

    def along_rays(self, origin: NDArray[np.float64], directions: NDArray[np.float64]) -> NDArray[np.float32]:
        """How far rays from one point (3,) along (N,3) go until they meet a triangle: (N,), in lengths of each."""
        origins = np.broadcast_to(origin, directions.shape).astype(np.float32)
        distance = self._scene.run(origins, directions.astype(np.float32), query="DISTANCE")
        return np.where(distance < FARTHEST_HIT, distance, np.inf).astype(np.float32)

    def _outside_by_balls(self, points: NDArray[np.float32], distance: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Points (N,3), neighbours after one another, and their distances (N,) → (N,) whether they are outside."""
        outside = np.empty(len(points), np.bool_)
        left = np.arange(len(points))
        for bits in range(CELL_BITS, FINEST_CELL_BITS + 1):
            order = _order(points, bits)
            cells = _cells(points, bits)[order]
            left, points, distance = left[order], points[order], distance[order]
            for _ in range(ROUNDS):
                if not len(left):
                    return outside
                starts = np.flatnonzero(np.concatenate([[True], cells[1:] != cells[:-1]]))
                cell = np.repeat(np.arange(len(starts)), np.diff(starts, append=len(cells)))
                radius = np.maximum.reduceat(distance, starts)
                farthest = np.flatnonzero(distance == radius[cell])
                farthest = farthest[np.unique(cell[farthest], return_index=True)[1]]
                apart = points - points[farthest][cell]
                reach = BALL * (radius[cell] + distance)
                answered = np.einsum("nk,nk->n", apart, apart) < reach * reach
                answered[farthest] = True
                outside[left[answered]] = self._look_out(points[farthest])[cell[answered]]
                left, points, distance, cells = (each[~answered] for each in (left, points, distance, cells))
        outside[left] = self._look_out(points)
        return outside

    def _look_out(self, points: NDArray[np.floating[Any]]) -> NDArray[np.bool_]:
        """Points (N,3), neighbours after one another → (N,) whether they can be seen from outside."""
        outside = np.zeros(len(points), np.bool_)
        undecided = np.arange(len(points))
        origins = np.ascontiguousarray(points, np.float32)
        escapes, last = np.zeros(len(points), np.uint8), np.zeros(len(points), np.uint8)
        for number, direction in enumerate(_directions()):
            escaped = self._escape(origins, direction[None])
            escapes += escaped
            last[escaped] = number
            decided = escapes >= ESCAPES
            if decided.sum() > DECIDED_SHARE * len(decided):
                outside[undecided[decided]] = True
                undecided, origins = undecided[~decided], origins[~decided]
                escapes, last = escapes[~decided], last[~decided]
        outside[undecided[escapes >= ESCAPES]] = True
        doubtful = (escapes > 0) & (escapes < ESCAPES)
        outside[undecided[doubtful]] = self._confirm(origins[doubtful], _directions()[last[doubtful]])
        return outside

    def _confirm(self, origins: NDArray[np.float32], directions: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Whether also around a direction (N,3) that escaped from its origin (N,3) some escape."""
        least = np.eye(3, dtype=np.float32)[np.abs(directions).argmin(axis=1)]
        across = np.cross(directions, least)
        across *= CONFIRMING_TANGENT / np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-9)
        up = np.cross(directions, across)
        escapes = np.zeros(len(origins), np.uint8)
        for angle in np.arange(CONFIRMING_DIRECTIONS) * (2 * np.pi / CONFIRMING_DIRECTIONS):
            beside = directions + np.float32(np.cos(angle)) * across + np.float32(np.sin(angle)) * up
            escapes += self._escape(origins, np.ascontiguousarray(beside, np.float32))
        return np.asarray(escapes >= ESCAPES)

    def _escape(self, origins: NDArray[np.float32], directions: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Whether rays from (N,3) along (N,3) or (1,3) meet no triangle."""
        return np.asarray(self._scene.run(origins, directions, query="OCCLUDED") != 0)


@cache
def _directions() -> NDArray[np.float32]:
    """(DIRECTIONS,3) unit vectors, evenly over the sphere: a Fibonacci lattice, turned so that no axis is special.

    In a random order, so that any few of them already look all around.
    """
    rng = np.random.default_rng(0)
    i = np.arange(DIRECTIONS) + 0.5
    height, azimuth = 1 - 2 * i / DIRECTIONS, i * np.pi * (3 - 5**0.5)
    ring = np.sqrt(1 - height**2)
    lattice = np.stack([ring * np.cos(azimuth), ring * np.sin(azimuth), height], axis=1)
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    return np.ascontiguousarray(rng.permutation(lattice @ turn), np.float32)


def _order(points: NDArray[np.floating[Any]], bits: int = CELL_BITS) -> NDArray[np.int64]:
    """The order (N,) in which neighbours come after one another."""
    cells = _cells(points, bits)
    if 3 * bits <= 16:
        return np.argsort(cells.astype(np.uint16), kind="stable")  # a radix sort, for 16 bits
    return np.argsort(cells, kind="stable")


def _cells(points: NDArray[np.floating[Any]], bits: int) -> NDArray[np.uint32]:
    """Each point's cell (N,), 2^bits a side, along a Z-order curve; points beyond [−1, 1]³ count to its border."""
    cells = 2**bits
    cell = np.clip((np.asarray(points) + 1) * (cells / 2), 0, cells - 1).astype(np.uint32)
    code = np.zeros(len(cell), np.uint32)
    for bit in range(bits):
        for axis in range(3):
            code |= (cell[:, axis] >> bit & 1) << 3 * bit + axis
    return code
