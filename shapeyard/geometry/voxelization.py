"""Meshes into occupancy grids: all that a mesh touches, or all that it encloses as binvox sees it.

`surface_occupancy` is the exact triangle-box overlap (Akenine-Möller, "Fast 3D triangle-box overlap testing", 2001),
in the column-wise form of Schwarz and Seidel ("Fast parallel surface and solid voxelization on GPUs", 2010).

`solid_occupancy` carves like `binvox -aw -dc -down` (Patrick Min, https://www.patrickmin.com/binvox), which is how
ShapeNet's `.solid.binvox` were made; nothing in it asks which way a triangle faces, so that open meshes, doubled faces
and flipped normals do no harm:

1. Six depth maps, one from each side along each axis, at twice the resolution, sampled at pixel centres. Triangles
   are pushed back by their slope (OpenGL's polygon offset with factor 1), their edges are drawn as lines that are not:
   so a sheet without thickness stays where it is parallel to the axes, and shows its edges only where it is oblique.
2. A small voxel is carved away if it lies more than one voxel in front of any of the six maps.
3. A voxel is solid if at least four of its eight small voxels are left.
4. Not binvox's: wings and seats that are oblique sheets are put back, as voxels that triangles pass through and that
   have next to nothing solid around them. It leaves closed shapes as they are.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shapeyard.errors import require
from shapeyard.geometry.projected_triangles import Corner, by_row, compiled, slopes, sorted_corners, view_along_axis

MIN_RESOLUTION, MAX_RESOLUTION = 8, 256
CANONICAL_MINIMUM = (-0.5, -0.5, -0.5)
REFINEMENT = 2
"""Small voxels along a voxel's side: binvox's -down."""
SMALL_VOXELS_LEFT = 4
"""How many of the eight must be left: binvox's -dmin."""
CARVING_DISTANCE = 0.5
"""In small voxels, from the surface to the nearest end of the last one that is carved: binvox's -dc."""
SOLID_AROUND_SHEET = 5
"""A voxel with this many solid ones around it is at a solid's surface, which carving got right."""
MAX_DISTANCE = 1e9
PIXEL_TOLERANCE = 1e-9
"""A pixel centre this close outside a triangle counts as inside, so that neighbours leave no gap."""
BORDER_TOLERANCE = 1e-3
"""In small voxels: an edge on the cube's border is drawn inside, whatever the last digits of its coordinates say."""
TOUCH_TOLERANCE = 1e-9
"""In voxels: a triangle this close to a voxel touches it, so that equal meshes give equal grids."""


def solid_occupancy(
    vertices: NDArray[np.float64],
    faces: NDArray[np.int64],
    resolution: int,
    minimum: ArrayLike = CANONICAL_MINIMUM,
    side: float = 1.0,
    keep_sheets: bool = True,
) -> NDArray[np.bool_]:
    """All voxels that a mesh encloses, as binvox carves them (see above).

    Args:
        vertices: (N,3) in the frame of the cube.
        faces: (M,3) vertex indices, in range.
        resolution: D, voxels along the cube's side, 8 to 256.
        minimum: (3,) minimum corner of the cube.
        side: length of the cube's side.
        keep_sheets: put back oblique sheets without thickness (step 4), which binvox loses.

    Returns:
        (D,D,D) bool, index order x, y, z. What lies outside the cube is cut off.

    Raises:
        ParameterError: for a resolution or side out of range.
    """
    points = in_voxels(vertices, faces, resolution, minimum, side, REFINEMENT)
    near, far, touched = axis_depth_maps(points, faces, REFINEMENT * resolution)
    occupancy = _carve(*whole(near, far, CARVING_DISTANCE))
    if keep_sheets:
        _find_sheets(occupancy, touched)
        occupancy |= touched.view(np.bool_)
    return occupancy


def surface_occupancy(
    vertices: NDArray[np.float64],
    faces: NDArray[np.int64],
    resolution: int,
    minimum: ArrayLike = CANONICAL_MINIMUM,
    side: float = 1.0,
) -> NDArray[np.bool_]:
    """All voxels that a triangle touches; a triangle in the plane between two voxels touches both.

    Arguments, result and errors are those of `solid_occupancy`.
    """
    points = in_voxels(vertices, faces, resolution, minimum, side, 1)
    occupancy = np.zeros((resolution,) * 3, np.bool_)
    _mark_touched(points, faces, occupancy)
    return occupancy


def in_voxels(
    vertices: NDArray[np.float64],
    faces: NDArray[np.int64],
    resolution: int,
    minimum: ArrayLike,
    side: float,
    refinement: int = 1,
) -> NDArray[np.float64]:
    """Vertices (N,3) in small voxels, `refinement` along each voxel's side; raises what `solid_occupancy` does."""
    require(
        MIN_RESOLUTION <= resolution <= MAX_RESOLUTION,
        f"expected a resolution of {MIN_RESOLUTION} to {MAX_RESOLUTION}, got {resolution}",
    )
    require(math.isfinite(side) and side > 0, f"expected a cube with a positive side, got {side}")
    in_range = faces.size == 0 or (faces.min() >= 0 and faces.max() < len(vertices))
    require(in_range, f"expected face indices below {len(vertices)}")
    scale = refinement * resolution / side
    points = np.ascontiguousarray((np.asarray(vertices, np.float64) - np.asarray(minimum, np.float64)) * scale)
    # Beyond it the conversion to whole voxels overflows; NaN fails the comparison too.
    require(
        bool((np.abs(points) < MAX_DISTANCE).all()), f"expected vertices within {MAX_DISTANCE:g} voxels of the cube"
    )
    return points


@compiled
def axis_depth_maps(
    points: NDArray[np.float64], faces: NDArray[np.int64], size: int, edges: bool = True, push: float = 1.0
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.uint8]]:
    """What can be seen of the triangles along each axis from both sides, and where they pass.

    Args:
        points: (N,3) vertices in small voxels.
        faces: (M,3).
        size: S, small voxels along a side.
        edges: draw the triangles' edges too (binvox's -aw).
        push: how many times its slope a triangle is pushed back.

    Returns:
        near, far: (3,S,S) smallest and largest coordinate seen along each axis; a pixel is indexed by the other two
            axes in their order. Where nothing is seen near is +inf and far −inf.
        touched: (S/2,S/2,S/2), rounded up, a bit for each of a voxel's eight small voxels that triangles pass through.
    """
    near = np.full((3, size, size), np.inf, np.float32)
    far = np.full((3, size, size), -np.inf, np.float32)
    half = (size + 1) // 2
    touched = np.zeros((half, half, half), np.uint8)
    for face in range(faces.shape[0]):
        p, q, r = sorted_corners(points, faces, face)
        for axis in range(3):
            a, b, c = (
                view_along_axis(points, p, axis),
                view_along_axis(points, q, axis),
                view_along_axis(points, r, axis),
            )
            between_rows, between_columns = _between_pixels(a[0], b[0], c[0]), _between_pixels(a[1], b[1], c[1])
            if between_rows and between_columns:  # as most triangles of a fine mesh lie
                continue
            if edges:
                _draw_line(near[axis], far[axis], a, b)
                _draw_line(near[axis], far[axis], b, c)
                _draw_line(near[axis], far[axis], a, c)
            if not (between_rows or between_columns):
                _draw_triangle(near[axis], far[axis], touched, axis, push, a, b, c)
    return near, far, touched


@compiled
def _between_pixels(a: float, b: float, c: float) -> bool:
    """Whether no pixel's centre lies between three coordinates."""
    return math.ceil(min(a, b, c) - 2 * PIXEL_TOLERANCE) > max(a, b, c) + 2 * PIXEL_TOLERANCE


@compiled
def _draw_line(near: NDArray[np.float32], far: NDArray[np.float32], a: Corner, b: Corner) -> None:
    """One pixel in each row or column that the line crosses, as OpenGL draws lines of width 1."""
    size = near.shape[0]
    steep = abs(b[1] - a[1]) > abs(b[0] - a[0])
    if steep:
        a, b = (a[1], a[0], a[2]), (b[1], b[0], b[2])
    if b[0] < a[0]:
        a, b = b, a
    first, last = math.ceil(max(a[0], 0.0)), math.floor(min(b[0], size - 1.0))
    if b[0] == a[0] or first > last:
        return
    slope, rise = (b[1] - a[1]) / (b[0] - a[0]), (b[2] - a[2]) / (b[0] - a[0])
    for i in range(first, last + 1):
        y = a[1] + (i - a[0]) * slope + 0.5
        z = np.float32(a[2] + (i - a[0]) * rise)
        if -BORDER_TOLERANCE <= y <= size + BORDER_TOLERANCE:
            j = min(max(int(y), 0), size - 1)
            row, column = (j, i) if steep else (i, j)
            if z < near[row, column]:
                near[row, column] = z
            if z > far[row, column]:
                far[row, column] = z


@compiled
def _draw_triangle(
    near: NDArray[np.float32], far: NDArray[np.float32], touched: NDArray[np.uint8], axis: int,
    push: float, a: Corner, b: Corner, c: Corner,
) -> None:  # fmt: skip
    """All pixels whose centre lies in the triangle, pushed back by its slope; where it passes, if it faces the axis."""
    size = near.shape[0]
    area, slope_x, slope_y = slopes(a, b, c)
    if area == 0:
        return
    offset = push * max(abs(slope_x), abs(slope_y))
    if not max(abs(slope_x), abs(slope_y)) < size:
        return
    a, b, c = by_row(a, b, c)
    for i in range(
        math.ceil(max(a[0] - PIXEL_TOLERANCE, 0.0)), math.floor(min(c[0] + PIXEL_TOLERANCE, size - 1.0)) + 1
    ):
        start = a[1] + (c[1] - a[1]) * min(max((i - a[0]) / (c[0] - a[0]), 0.0), 1.0)
        end = b[1]
        if a[0] < b[0] and i < b[0]:
            end = a[1] + (b[1] - a[1]) * max((i - a[0]) / (b[0] - a[0]), 0.0)
        elif b[0] < c[0] and i > b[0]:
            end = b[1] + (c[1] - b[1]) * min((i - b[0]) / (c[0] - b[0]), 1.0)
        first = math.ceil(max(min(start, end) - PIXEL_TOLERANCE, 0.0))
        last = math.floor(min(max(start, end) + PIXEL_TOLERANCE, size - 1.0))
        for j in range(first, last + 1):
            z = a[2] + slope_x * (i - a[0]) + slope_y * (j - a[1])
            front, back = np.float32(z + offset), np.float32(z - offset)
            if front < near[i, j]:
                near[i, j] = front
            if back > far[i, j]:
                far[i, j] = back
            if offset <= 1 and 0 <= z < size:
                k = int(z)
                x, y, z_ = (k, i, j) if axis == 0 else (i, k, j) if axis == 1 else (i, j, k)
                touched[x // 2, y // 2, z_ // 2] |= 1 << (x % 2 * 4 + y % 2 * 2 + z_ % 2)


def whole(
    near: NDArray[np.float32], far: NDArray[np.float32], distance: float
) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
    """Depth maps (3,S,S) → the first and last small voxel that is not carved; first > last where nothing is left.

    What ends more than `distance` small voxels in front of a map is carved; −½ carves whatever has its centre there.
    """
    size = near.shape[1]
    first = np.floor(np.clip(near - distance, 0, size)).astype(np.int16)
    last = np.floor(np.clip(far + distance, -1, size - 1)).astype(np.int16)
    return first, last


@compiled
def _carve(first: NDArray[np.int16], last: NDArray[np.int16]) -> NDArray[np.bool_]:
    """(3,S,S) each → (S/2,S/2,S/2) bool: voxels of which enough small voxels are left along every axis."""
    size = first.shape[1]
    occupancy = np.zeros((size // 2, size // 2, size // 2), np.bool_)
    left = np.zeros(size, np.uint8)
    for x in range(size // 2):
        for y in range(size // 2):
            lowest, highest = size, -1
            for i in range(2 * x, 2 * x + 2):
                for j in range(2 * y, 2 * y + 2):
                    start, end = first[2, i, j], last[2, i, j] + 1
                    if start < end:
                        lowest, highest = min(lowest, start), max(highest, end - 1)
                        _count_left(
                            left[start:end], first[0, j, start:end], last[0, j, start:end],
                            first[1, i, start:end], last[1, i, start:end], np.int16(i), np.int16(j),
                        )  # fmt: skip
            for z in range(lowest // 2, highest // 2 + 1):
                occupancy[x, y, z] = left[2 * z] + left[2 * z + 1] >= SMALL_VOXELS_LEFT
                left[2 * z] = left[2 * z + 1] = 0
    return occupancy


@compiled
def _count_left(
    left: NDArray[np.uint8], first_x: NDArray[np.int16], last_x: NDArray[np.int16],
    first_y: NDArray[np.int16], last_y: NDArray[np.int16], i: np.int16, j: np.int16,
) -> None:  # fmt: skip
    """Count those of a column's small voxels that are left along x and y: a loop of its own, for the vector units."""
    for k in range(len(left)):
        left[k] += np.uint8((first_x[k] <= i) & (i <= last_x[k]) & (first_y[k] <= j) & (j <= last_y[k]))


@compiled
def _find_sheets(occupancy: NDArray[np.bool_], touched: NDArray[np.uint8]) -> None:
    """Set `touched` (D,D,D) to 1 where triangles pass but next to nothing around is solid, and to 0 elsewhere."""
    size = occupancy.shape[0]
    for x in range(size):
        for y in range(size):
            row, in_row = touched[x, y], np.uint8(0)
            for z in range(size):
                in_row |= row[z]
            if not in_row:
                continue
            for z in range(size):
                bits = row[z]
                row[z] = 0
                if bits & (bits - 1) and not occupancy[x, y, z]:  # two small voxels or more
                    around = occupancy[max(x - 1, 0) : x + 2, max(y - 1, 0) : y + 2, max(z - 1, 0) : z + 2]
                    row[z] = around.sum() < SOLID_AROUND_SHEET


@compiled
def _mark_touched(points: NDArray[np.float64], faces: NDArray[np.int64], occupancy: NDArray[np.bool_]) -> None:
    """Mark the voxels that triangles touch, column by column along the axis that each triangle faces most."""
    size = occupancy.shape[0]
    first, last = np.empty(3, np.int64), np.empty(3, np.int64)
    voxel = np.empty(3, np.int64)
    for face in range(faces.shape[0]):
        p, q, r = points[faces[face, 0]], points[faces[face, 1]], points[faces[face, 2]]
        for axis in range(3):
            lowest, highest = min(p[axis], q[axis], r[axis]), max(p[axis], q[axis], r[axis])
            first[axis] = math.ceil(max(lowest - TOUCH_TOLERANCE, 0.5)) - 1
            last[axis] = math.floor(min(highest + TOUCH_TOLERANCE, size - 0.5))
        w, normal = 0, 0.0
        for axis in range(3):
            a, b = (axis + 1) % 3, (axis + 2) % 3
            component = (q[a] - p[a]) * (r[b] - p[b]) - (q[b] - p[b]) * (r[a] - p[a])
            if abs(component) > abs(normal):
                w, normal = axis, component
        u, v = (w + 1) % 3, (w + 2) % 3
        slope_u = slope_v = 0.0
        if normal != 0:
            slope_u = -((q[v] - p[v]) * (r[w] - p[w]) - (q[w] - p[w]) * (r[v] - p[v])) / normal
            slope_v = -((q[w] - p[w]) * (r[u] - p[u]) - (q[u] - p[u]) * (r[w] - p[w])) / normal
        reach = 0.5 * (abs(slope_u) + abs(slope_v)) + TOUCH_TOLERANCE
        for i in range(first[u], last[u] + 1):
            for j in range(first[v], last[v] + 1):
                if _square_misses(p, q, r, u, v, i, j):
                    continue
                bottom, top = first[w], last[w]
                if normal != 0:
                    centre = p[w] + slope_u * (i + 0.5 - p[u]) + slope_v * (j + 0.5 - p[v])
                    bottom = max(bottom, math.ceil(centre - reach) - 1)
                    top = min(top, math.floor(centre + reach))
                voxel[u], voxel[v] = i, j
                for k in range(bottom, top + 1):
                    if not (_square_misses(p, q, r, v, w, j, k) or _square_misses(p, q, r, w, u, k, i)):
                        voxel[w] = k
                        occupancy[voxel[0], voxel[1], voxel[2]] = True


@compiled
def _square_misses(
    p: NDArray[np.float64], q: NDArray[np.float64], r: NDArray[np.float64], a: int, b: int, i: int, j: int
) -> bool:
    """Whether a line along an edge of the triangle, in the plane of axes a and b, parts it from pixel (i,j)."""
    for edge in range(3):
        start, end, opposite = (p, q, r) if edge == 0 else (q, r, p) if edge == 1 else (r, p, q)
        normal_a, normal_b = start[b] - end[b], end[a] - start[a]
        here = normal_a * (i + 0.5 - start[a]) + normal_b * (j + 0.5 - start[b])
        there = normal_a * (opposite[a] - start[a]) + normal_b * (opposite[b] - start[b])
        reach = (0.5 + TOUCH_TOLERANCE) * (abs(normal_a) + abs(normal_b))
        if here + reach < min(there, 0.0) or here - reach > max(there, 0.0):
            return True
    return False
