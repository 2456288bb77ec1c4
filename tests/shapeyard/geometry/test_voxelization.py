"""Voxelization against analytic shapes, slow references and ShapeNet's own files."""

from __future__ import annotations

import itertools
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import trimesh
from numpy.typing import NDArray

from shapeyard.errors import ParameterError
from shapeyard.formats.binvox import read_binvox
from shapeyard.formats.mesh import read_mesh
from shapeyard.geometry.voxelization import solid_occupancy, surface_occupancy

RESOLUTION = 32


def centres(resolution: int = RESOLUTION) -> NDArray[np.float64]:
    """(D,D,D,3)"""
    along = (np.arange(resolution) + 0.5) / resolution - 0.5
    return np.stack(np.meshgrid(along, along, along, indexing="ij"), axis=-1)


def box_distance(p: NDArray[np.float64], half: tuple[float, float, float]) -> NDArray[np.float64]:
    beyond = np.abs(p) - half
    return np.linalg.norm(np.maximum(beyond, 0), axis=-1) + np.minimum(beyond.max(axis=-1), 0)


def torus_distance(p: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.hypot(np.hypot(p[..., 0], p[..., 1]) - 0.33, p[..., 2]) - 0.14


def cup_distance(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """A tube with a floor, open above: radius 0.4, bore 0.3, from z = −0.45 to 0.45, floor up to −0.3."""
    radius = np.hypot(p[..., 0], p[..., 1])
    outer = np.maximum(radius - 0.4, np.abs(p[..., 2]) - 0.45)
    return np.maximum(outer, -np.maximum(radius - 0.3, -0.3 - p[..., 2]))


SHAPES = {
    "sphere": (trimesh.creation.icosphere(4, 0.45), np.linalg.norm(centres(), axis=-1) - 0.45),
    "box": (trimesh.creation.box((0.9, 0.5, 0.3)), box_distance(centres(), (0.45, 0.25, 0.15))),
    "torus": (trimesh.creation.torus(0.33, 0.14, 96, 48), torus_distance(centres())),
    "cup": (
        trimesh.creation.revolve(
            [(0, -0.45), (0.4, -0.45), (0.4, 0.45), (0.3, 0.45), (0.3, -0.3), (0, -0.3)], sections=96
        ),
        cup_distance(centres()),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("fault", ["none", "flipped", "doubled", "both ways", "shuffled"])
def test_analytic_shapes_whatever_their_triangles_do(name: str, fault: str) -> None:
    mesh, distance = SHAPES[name]
    vertices, faces = np.array(mesh.vertices), np.array(mesh.faces)
    whole = solid_occupancy(vertices, faces, RESOLUTION)
    random = np.random.default_rng(1)
    if fault == "flipped":
        faces = np.where(random.random((len(faces), 1)) < 0.5, faces, faces[:, ::-1])
    elif fault == "doubled":
        faces = np.concatenate([faces, faces[:, [1, 2, 0]]])
    elif fault == "both ways":
        faces = np.concatenate([faces, faces[:, ::-1]])
    elif fault == "shuffled":
        faces = random.permutation(faces)
    occupancy = solid_occupancy(vertices, faces, RESOLUTION)
    assert (occupancy == whole).all()
    voxel = 1 / RESOLUTION
    assert occupancy[distance < -0.5 * voxel].all()
    assert not occupancy[distance > voxel].any()
    touched = surface_occupancy(vertices, faces, RESOLUTION)
    assert touched[np.abs(distance) < 0.4 * voxel].all()
    assert not touched[np.abs(distance) > math.sqrt(0.75) * voxel + 0.002].any()  # the mesh is a little off the shape


def test_the_volume_comes_near_the_true_one_as_the_grid_gets_finer() -> None:
    mesh, _ = SHAPES["sphere"]
    errors = [solid_occupancy(mesh.vertices, mesh.faces, d).mean() / mesh.volume - 1 for d in (16, 64, 256)]
    assert errors[0] < 0.2 and errors[1] < 0.05 and abs(errors[2]) < 0.005


def test_a_tube_without_wall_or_caps_is_hollow_and_its_wall_stays() -> None:
    ring = trimesh.creation.cylinder(0.4, 0.9, sections=64)
    sides = ring.faces[np.abs(ring.face_normals[:, 2]) < 0.5]
    occupancy = solid_occupancy(ring.vertices, sides, RESOLUTION)
    radius = np.hypot(centres()[..., 0], centres()[..., 1])
    assert not occupancy[radius < 0.33].any()
    wall = surface_occupancy(ring.vertices, sides, RESOLUTION)
    assert solid_occupancy(ring.vertices, ring.faces, RESOLUTION)[radius < 0.33][:, None].mean() > 0.9
    assert occupancy[wall & (np.abs(centres()[..., 2]) < 0.4)].mean() > 0.6


def test_sheets_without_thickness() -> None:
    square = np.array([[-0.4, -0.4, 0], [0.4, -0.4, 0], [0.4, 0.4, 0], [-0.4, 0.4, 0]])
    faces = np.array([[0, 1, 2], [0, 2, 3]])
    flat = solid_occupancy(square + np.array([0, 0, 0.01]), faces, RESOLUTION)
    assert flat[8:24, 8:24].any(axis=2).all()
    turn = trimesh.transformations.rotation_matrix(0.6, [1, 2, 0.3])[:3, :3]
    kept, lost = (solid_occupancy(square @ turn.T, faces, RESOLUTION, keep_sheets=keep) for keep in (True, False))
    touched = surface_occupancy(square @ turn.T, faces, RESOLUTION)
    assert lost.sum() < 0.4 * touched.sum() < 0.5 * touched.sum() < kept.sum()
    near_touched = np.zeros_like(touched)
    for shift in itertools.product((-1, 0, 1), repeat=3):
        near_touched |= np.roll(touched, shift, (0, 1, 2))
    assert not (kept & ~near_touched).any()


def slow_surface(vertices: NDArray[np.float64], faces: NDArray[np.int64], resolution: int) -> NDArray[np.bool_]:
    """All 13 axes that can part a triangle from a box (Akenine-Möller 2001), for every pair."""
    occupancy = np.zeros((resolution,) * 3, bool)
    for triangle in ((vertices + 0.5) * resolution)[faces]:
        edges = triangle - np.roll(triangle, 1, axis=0)
        axes = [*np.eye(3), np.cross(edges[0], edges[1]), *(np.cross(a, b) for a in np.eye(3) for b in edges)]
        for index in np.ndindex(occupancy.shape):
            corners = triangle - index - 0.5
            occupancy[index] |= all(
                (corners @ axis).min() <= 0.5 * np.abs(axis).sum() + 1e-9
                and (corners @ axis).max() >= -0.5 * np.abs(axis).sum() - 1e-9
                for axis in axes
            )
    return occupancy


def slow_solid(vertices: NDArray[np.float64], faces: NDArray[np.int64], resolution: int) -> NDArray[np.bool_]:
    """Every small voxel against every triangle and edge, from all six sides."""
    size = 2 * resolution
    left = np.ones((size,) * 3, bool)
    for axis in range(3):
        others = [other for other in range(3) if other != axis]
        for i, j in np.ndindex(size, size):
            front, back = np.inf, -np.inf
            for triangle in ((vertices + 0.5) * size)[faces]:
                flat, depth = triangle[:, others] - 0.5, triangle[:, axis]
                plane = np.linalg.lstsq(np.column_stack([flat, np.ones(3)]), depth, rcond=None)[0]
                weights = np.linalg.lstsq(np.column_stack([flat, np.ones(3)]).T, np.array([i, j, 1.0]), rcond=None)[0]
                if weights.min() >= -1e-9:
                    push = np.abs(plane[:2]).max()
                    front, back = min(front, depth @ weights + push), max(back, depth @ weights - push)
                for a, b in itertools.combinations(range(3), 2):
                    seen = line_depth(flat[a], flat[b], depth[a], depth[b], i, j)
                    if seen is not None:
                        front, back = min(front, seen), max(back, seen)
            for k in range(size):
                if k < math.floor(front - 0.5 if front < np.inf else size) or k > (back > -np.inf) * math.floor(
                    max(back, -1) + 0.5
                ) - (back == -np.inf):
                    index = [i, j]
                    index.insert(axis, k)
                    left[tuple(index)] = False
    return left.reshape(resolution, 2, resolution, 2, resolution, 2).sum(axis=(1, 3, 5)) >= 4


def line_depth(
    a: NDArray[np.float64], b: NDArray[np.float64], depth_a: float, depth_b: float, i: int, j: int
) -> float | None:
    """The depth at which the line is drawn into pixel (i,j), if it is."""
    major = 0 if abs(b[0] - a[0]) >= abs(b[1] - a[1]) else 1
    along, across = (i, j) if major == 0 else (j, i)
    if not min(a[major], b[major]) <= along <= max(a[major], b[major]):
        return None
    share = (along - a[major]) / (b[major] - a[major])
    if math.floor(a[1 - major] + share * (b[1 - major] - a[1 - major]) + 0.5) != across:
        return None
    return float(depth_a + share * (depth_b - depth_a))


@pytest.mark.parametrize("seed", range(4))
def test_the_fast_ones_against_the_slow_ones(seed: int) -> None:
    random = np.random.default_rng(seed)
    vertices = random.uniform(-0.47, 0.47, (5, 3))
    faces = np.array([[0, 1, 2], [1, 2, 3], [0, 3, 4]])
    if seed == 0:
        faces = np.array([*itertools.combinations(range(4), 3)])  # a tetrahedron
    assert (surface_occupancy(vertices, faces, 8) == slow_surface(vertices, faces, 8)).all()
    assert (solid_occupancy(vertices, faces, 8, keep_sheets=False) == slow_solid(vertices, faces, 8)).all()


def test_touching_is_exact_on_borders_and_for_degenerate_triangles() -> None:
    vertices = np.array([[0, 0, 0], [0.25, 0, 0], [0, 0.25, 0], [0.1, 0.1, 0.3]])
    for face in ([0, 1, 2], [0, 1, 1], [3, 3, 3], [0, 1, 0]):
        faces = np.array([face])
        assert (surface_occupancy(vertices, faces, 8) == slow_surface(vertices, faces, 8)).all()
    assert surface_occupancy(vertices, np.array([[3, 3, 3]]), 8).sum() == 1


def test_another_cube_and_what_lies_outside_it() -> None:
    mesh, _ = SHAPES["sphere"]
    inside = solid_occupancy(mesh.vertices, mesh.faces, 16)
    moved = np.array(mesh.vertices) * 7 + [1, -2, 3]
    assert (solid_occupancy(moved, mesh.faces, 16, [1 - 3.5, -2 - 3.5, 3 - 3.5], 7.0) == inside).all()
    part = surface_occupancy(mesh.vertices, mesh.faces, 16, (0, 0, 0), 0.5)
    assert part.any() and (part == surface_occupancy(mesh.vertices, mesh.faces, 32)[16:, 16:, 16:]).all()
    far = np.array(mesh.vertices) + 100
    assert not solid_occupancy(far, mesh.faces, 16).any() and not surface_occupancy(far, mesh.faces, 16).any()


def test_no_triangles_and_values_out_of_range() -> None:
    none = np.zeros((0, 3), np.int64)
    assert not solid_occupancy(np.zeros((0, 3)), none, 8).any()
    assert not surface_occupancy(np.zeros((0, 3)), none, 8).any()
    triangle, face = np.eye(3) * 0.3, np.array([[0, 1, 2]])
    for voxelize in (solid_occupancy, surface_occupancy):
        for resolution in (7, 257):
            with pytest.raises(ParameterError, match="8 to 256"):
                voxelize(triangle, face, resolution)
        with pytest.raises(ParameterError, match="positive side"):
            voxelize(triangle, face, 8, side=0)
        for bad in (np.nan, np.inf, 1e30):
            with pytest.raises(ParameterError, match="vertices within"):
                voxelize(np.full((3, 3), bad), face, 8)
        with pytest.raises(ParameterError, match="below 3"):
            voxelize(triangle, face + 1, 8)


def test_it_works_where_nothing_can_be_kept_on_disk(tmp_path: Path) -> None:
    """Numba refuses to cache a function of which it finds no file; an installation may well have none."""
    code = (
        "import numba.core.caching as caching; caching.CacheImpl._locator_classes = [];"
        "import numpy as np; from shapeyard.geometry.projected_triangles import sorted_corners;"
        "assert sorted_corners(np.eye(3), np.array([[0, 1, 2]]), 0) == (2, 1, 0);"
        "assert not sorted_corners._cache.cache_path"
    )
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment, cwd=Path(__file__).parents[3])


@pytest.mark.realdata
def test_shapenets_own_solids(realdata: Path) -> None:
    overlaps: list[tuple[float, float]] = []
    for path in sorted(realdata.glob("shapenet_v2/*/*/models/*.obj")):
        truth, minimum, side = read_binvox(path.with_suffix(".solid.binvox"))
        vertices, faces = read_mesh(path)
        grids = [solid_occupancy(vertices, faces, 128, minimum, side, keep_sheets=keep) for keep in (True, False)]
        overlaps.append(tuple(float((grid & truth).sum() / (grid | truth).sum()) for grid in grids))  # type: ignore[arg-type]
    assert len(overlaps) == 33
    assert np.median(overlaps, axis=0) == pytest.approx([0.9994, 0.9995], abs=2e-4)
    assert (np.mean(overlaps, axis=0) > [0.96, 0.98]).all()
