"""Parity, carving, flood and winding number: known answers, faults of meshes, slow versions."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import numpy as np
import pytest
import trimesh
from numpy.typing import NDArray

from shapeyard.errors import ParameterError
from shapeyard.formats.mesh import read_mesh
from shapeyard.geometry.carving import carved_occupancy
from shapeyard.geometry.enclosed import flood_occupancy, winding_occupancy
from shapeyard.geometry.parity import parity_occupancy
from shapeyard.geometry.voxelization import solid_occupancy, surface_occupancy

Arrays = tuple[NDArray[np.float64], NDArray[np.int64]]


def arrays(mesh: trimesh.Trimesh) -> Arrays:
    return np.array(mesh.vertices), np.array(mesh.faces)


def tube(resolution: int = 96) -> trimesh.Trimesh:
    """Radius 0.4, bore 0.3, from z = −0.5 to 0.5, a floor up to −0.3, open above."""
    outline = [(0, -0.5), (0.4, -0.5), (0.4, 0.5), (0.3, 0.5), (0.3, -0.3), (0, -0.3)]
    return trimesh.creation.revolve(outline, sections=resolution)


def open_cylinder() -> trimesh.Trimesh:
    """Radius 0.4, from z = −0.45 to 0.45, a wall without thickness, a bottom, and no lid."""
    whole = trimesh.creation.cylinder(0.4, 0.9, sections=96)
    return trimesh.Trimesh(whole.vertices, whole.faces[whole.face_normals[:, 2] < 0.5], process=False)


SHAPES = {
    "sphere": (trimesh.creation.icosphere(4, 0.5), 4 / 3 * math.pi * 0.5**3),
    "box": (trimesh.creation.box((1, 0.6, 0.4)), 0.24),
    "torus": (trimesh.creation.torus(0.35, 0.15, 128, 64), 2 * math.pi**2 * 0.35 * 0.15**2),
    "tube with one open end": (tube(), math.pi * (0.16 - 0.09 * 0.8)),
    "tube without thickness": (open_cylinder(), math.pi * 0.16 * 0.9),
}


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("mode", ["parity", "winding"])
def test_volumes_within_a_hundredth(name: str, mode: str) -> None:
    if mode == "winding":
        pytest.importorskip("igl")
        if name.startswith("tube"):
            pytest.skip("long triangles take libigl half a minute")
    mesh, volume = SHAPES[name]
    occupancy = (parity_occupancy if mode == "parity" else winding_occupancy)(*arrays(mesh), 128)
    assert occupancy.mean() == pytest.approx(volume, rel=0.01)


VOXELIZERS: dict[str, Callable[..., NDArray[np.bool_]]] = {
    "parity": parity_occupancy, "carved": carved_occupancy, "flood": flood_occupancy,
    "dilated": partial(carved_occupancy, dilated=True), "or odd": partial(carved_occupancy, or_odd=True),
}  # fmt: skip


@cache
def without_faults(name: str, way: str) -> NDArray[np.bool_]:
    return VOXELIZERS[way](*arrays(SHAPES[name][0]), 32)


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("fault", ["flipped", "doubled", "shuffled", "turned corners"])
def test_faults_change_nothing(name: str, fault: str) -> None:
    vertices, faces = arrays(SHAPES[name][0])
    random = np.random.default_rng(1)
    other = {
        "flipped": np.where(random.random((len(faces), 1)) < 0.5, faces, faces[:, ::-1]),
        "doubled": np.concatenate([faces, faces[:, ::-1]]),
        "shuffled": random.permutation(faces),
        "turned corners": faces[:, [1, 2, 0]],
    }[fault]
    for way, voxelize in VOXELIZERS.items():
        if (way, fault) != ("or odd", "doubled"):  # two faces in one place are none to the parity of whole voxels
            assert (without_faults(name, way) == voxelize(vertices, other, 32)).all()


def slow_parity(vertices: NDArray[np.float64], faces: NDArray[np.int64], resolution: int) -> NDArray[np.bool_]:
    """Every voxel's three lines against every triangle."""
    votes = np.zeros((resolution,) * 3, int)
    triangles = ((vertices + 0.5) * resolution)[faces]
    for axis in range(3):
        others = [other for other in range(3) if other != axis]
        for i, j in np.ndindex(resolution, resolution):
            depths = set()
            for triangle in triangles:
                weights = np.linalg.solve(
                    np.vstack([triangle[:, others].T, np.ones(3)]), np.array([i + 0.5, j + 0.5, 1.0])
                )
                if (weights > 0).all():
                    depths.add(round(float(weights @ triangle[:, axis]), 6))
            if len(depths) % 2 == 0:
                for k in range(resolution):
                    index = [i, j]
                    index.insert(axis, k)
                    votes[tuple(index)] += 1 if sum(depth <= k + 0.5 for depth in depths) % 2 else -1
    return votes > 0


def slow_carving(vertices: NDArray[np.float64], faces: NDArray[np.int64], resolution: int) -> NDArray[np.bool_]:
    """Six depth maps at eight lines a voxel by solving for every pixel and triangle; what no map sees is left."""
    size = 8 * resolution
    left = np.ones((size,) * 3, bool)
    triangles = ((vertices + 0.5) * size)[faces]
    place = np.arange(size) + 0.5
    for axis in range(3):
        others = [other for other in range(3) if other != axis]
        for i, j in np.ndindex(size, size):
            depths = []
            for triangle in triangles:
                system = np.vstack([triangle[:, others].T, np.ones(3)])
                weights = np.linalg.solve(system, np.array([i + 0.5, j + 0.5, 1.0]))
                if (weights > -1e-9).all():
                    depths.append(float(weights @ triangle[:, axis]))
            seen = (place < min(depths)) | (place > max(depths)) if depths else np.ones(size, bool)
            np.moveaxis(left, axis, 2)[i, j, seen] = False
    return left.reshape(resolution, 8, resolution, 8, resolution, 8).any(axis=(1, 3, 5))


@pytest.mark.parametrize("seed", range(3))
def test_the_fast_ones_against_the_slow_ones(seed: int) -> None:
    vertices = np.random.default_rng(seed).uniform(-0.45, 0.45, (5, 3))
    faces = np.array([[0, 1, 2], [0, 1, 3], [0, 2, 3], [1, 2, 3]] if seed < 2 else [[0, 1, 2], [1, 2, 3], [0, 3, 4]])
    assert (parity_occupancy(vertices, faces, 9) == slow_parity(vertices, faces, 9)).all()
    fast, slow = carved_occupancy(vertices, faces, 8), slow_carving(vertices, faces, 8)
    assert (fast != slow).sum() <= 1  # a pixel centre on an edge


def slow_flood(surface: NDArray[np.bool_]) -> NDArray[np.bool_]:
    padded = np.pad(surface, 1)
    outside = np.zeros_like(padded)
    outside[0, 0, 0] = True
    queue = deque([(0, 0, 0)])
    while queue:
        place = queue.popleft()
        for axis in range(3):
            for step in (-1, 1):
                index = list(place)
                index[axis] += step
                there = tuple(index)
                if 0 <= index[axis] < padded.shape[0] and not padded[there] and not outside[there]:
                    outside[there] = True
                    queue.append(there)  # type: ignore[arg-type]
    return ~outside[1:-1, 1:-1, 1:-1]


def test_a_flood_goes_in_where_there_is_a_hole() -> None:
    for mesh in (tube(), open_cylinder(), SHAPES["sphere"][0]):
        surface = surface_occupancy(*arrays(mesh), 16)
        assert (flood_occupancy(*arrays(mesh), 16) == slow_flood(surface)).all()
    assert not flood_occupancy(*arrays(open_cylinder()), 32)[16, 16, 16]
    assert flood_occupancy(*arrays(SHAPES["sphere"][0]), 32)[16, 16, 16]


@pytest.mark.parametrize("resolution", [8, 20])
def test_the_winding_number_against_the_exact_one_at_every_voxel(resolution: int) -> None:
    igl = pytest.importorskip("igl")
    along = (np.arange(resolution) + 0.5) / resolution - 0.5
    centres = np.stack(np.meshgrid(along, along, along, indexing="ij"), axis=-1).reshape(-1, 3)
    for mesh in (open_cylinder(), tube(24), trimesh.util.concatenate([SHAPES["sphere"][0], tube(24)])):
        vertices, faces = arrays(mesh)
        exact = np.abs(igl.winding_number(vertices, faces.astype(np.int64), centres))
        clear = np.abs(exact - 0.5) > 0.02
        fast = winding_occupancy(vertices, faces, resolution).ravel()
        assert (fast == (exact > 0.5))[clear].all()
        assert (winding_occupancy(vertices, faces[:, ::-1], resolution).ravel() == fast)[clear].all()


def test_sheets_and_open_meshes_mean_what_is_written() -> None:
    """docs/solids.md, in numbers."""
    hollow, middle = arrays(open_cylinder()), (16, 16, 16)
    assert not carved_occupancy(*hollow, 32)[middle] and not solid_occupancy(*hollow, 32)[middle]
    assert parity_occupancy(*hollow, 32)[middle]
    assert carved_occupancy(*hollow, 32, or_odd=True)[middle]
    flat = np.array([[-0.4, -0.4, 0.1], [0.4, -0.4, 0.1], [0.4, 0.4, 0.1], [-0.4, 0.4, 0.1]])
    square = flat, np.array([[0, 1, 2], [0, 2, 3]])
    assert not carved_occupancy(*square, 32).any() and not parity_occupancy(*square, 32).any()
    assert solid_occupancy(*square, 32).any() and flood_occupancy(*square, 32).any()


@pytest.mark.parametrize("resolution", [8, 9, 31, 32, 63, 255, 256])
def test_every_resolution_works(resolution: int) -> None:
    ball = arrays(trimesh.creation.icosphere(2, 0.5))
    for voxelize in (carved_occupancy, parity_occupancy, solid_occupancy):
        occupancy = voxelize(*ball, resolution)
        assert occupancy.shape == (resolution,) * 3
        assert occupancy.mean() == pytest.approx(0.5, rel=0.35 if resolution > 9 else 0.65)


def test_corners_on_pixel_centres_divide_by_nothing() -> None:
    """A corner less than a tolerance beside a row, with another corner in the same row."""
    vertices = (np.array([[4.5 + 1e-10, 2.0, 3.0], [4.5 + 1e-10, 6.0, 3.5], [7.0, 4.0, 4.0]]) / 16) - 0.5
    for shift in (0.0, 5e-11, -2e-10):
        for turn in ([0, 1, 2], [1, 2, 0], [2, 0, 1]):
            moved = vertices[:, turn] + shift
            for voxelize in (solid_occupancy, surface_occupancy, carved_occupancy, parity_occupancy):
                for resolution in (8, 16):
                    voxelize(moved, np.array([[0, 1, 2]]), resolution)


@pytest.mark.parametrize("voxelize", [carved_occupancy, parity_occupancy, flood_occupancy])
def test_nothing_and_values_out_of_range(voxelize: object) -> None:
    assert callable(voxelize)
    assert not voxelize(np.zeros((0, 3)), np.zeros((0, 3), np.int64), 8).any()
    triangle, face = np.eye(3) * 0.3, np.array([[0, 1, 2]])
    for resolution in (0, 7, 257):
        with pytest.raises(ParameterError, match="8 to 256"):
            voxelize(triangle, face, resolution)
    with pytest.raises(ParameterError, match="below 3"):
        voxelize(triangle, face + 1, 8)
    assert not voxelize(triangle + 100, face, 8).any()


@pytest.mark.realdata
def test_modelnets_grids_are_found_again(realdata: Path) -> None:
    """24³ centred in 30³, binvox without -c and -v: nine of ten as they are distributed."""
    stored = np.load(realdata / "modelnet10" / "modelnet10_dev.npz")
    grids = np.concatenate([stored["X_train"], stored["X_test"]]).reshape(-1, 27000).astype(np.float32)
    nearest = []
    for path in sorted((realdata / "modelnet10" / "off").rglob("*.off")):
        vertices, faces = read_mesh(path)
        lower, upper = vertices.min(axis=0), vertices.max(axis=0)
        side = float((upper - lower).max())
        occupancy = carved_occupancy(vertices, faces, 24, (lower + upper - side) / 2, side, or_odd=True)
        own = np.pad(occupancy, 3).reshape(-1).astype(np.float32)
        both = grids @ own
        nearest.append(float((both / (grids.sum(axis=1) + own.sum() - both)).max()))
    assert len(nearest) == 10 and sum(iou >= 0.98 for iou in nearest) == 9
