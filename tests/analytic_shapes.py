"""A small dataset of analytic shapes, with neither a mesh nor a renderer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from shapeyard.contracts.dataset import DatasetWriter, Sample, Split
from shapeyard.contracts.packed_occupancy import pack_occupancy

Grid = NDArray[np.bool_]
FOCAL_OVER_WIDTH = 35 / 32


class ShapeDatasets(NamedTuple):
    """Directories of kinds renders and voxels."""

    renders: Path
    voxels: Path


@pytest.fixture
def write_shapes(tmp_path: Path) -> Callable[..., ShapeDatasets]:
    """Write the shapes `start` to `count` of two classes as renders and voxels; every fourth is val, the next test."""

    def write(
        count: int = 10, views: int = 2, image_size: int = 32, resolution: int = 16, splits: Sequence[Split] = (),
        folder: str = "shapes", start: int = 0,
    ) -> ShapeDatasets:  # fmt: skip
        cycle = list(splits) or ["train", "train", "train", "val", "test"]
        paths = ShapeDatasets(tmp_path / folder / "renders", tmp_path / folder / "voxels")
        with (
            DatasetWriter(paths.renders, "renders", "render", {}) as renders,
            DatasetWriter(paths.voxels, "voxels", "voxelize", {}) as voxels,
        ):
            for index in range(start, count):
                grid = _shape(index, resolution)
                name = ("ball", "box")[index % 2]
                sample = Sample(f"{name}/{index:04}", name, cycle[index % len(cycle)], f"test://{name}/{index}")  # type: ignore[arg-type]
                cameras = [_orbit(0.7 * index + 2.1 * view) for view in range(views)]
                images = [_render(grid, camera, image_size) for camera in cameras]
                renders.add(
                    sample,
                    {
                        "rgba": np.stack([rgba for rgba, _ in images]),
                        "depth": np.stack([depth for _, depth in images]),
                        "intrinsics": _intrinsics(image_size),
                        "world_from_camera": np.stack(cameras),
                    },
                )
                voxels.add(
                    sample,
                    {"occupancy": pack_occupancy(grid)},
                    {"resolution": resolution, "translate": [-0.5, -0.5, -0.5], "scale": 1.0},
                )
        return paths

    return write


def _shape(index: int, resolution: int) -> Grid:
    """A ball or a box, different in size for each index, the longest side 1."""
    axis = (np.arange(resolution) + 0.5) / resolution - 0.5
    place = np.abs(np.stack(np.meshgrid(axis, axis, axis, indexing="ij")))
    half = np.array([0.5, 0.3 + 0.02 * (index % 10), 0.5 - 0.03 * (index % 7)])[:, None, None, None]
    inside = (np.square(place / half).sum(axis=0) if index % 2 == 0 else (place / half).max(axis=0)) <= 1
    return np.asarray(inside, dtype=bool)


def _orbit(azimuth: float) -> NDArray[np.float64]:
    """world_from_camera (4,4) at distance 2, a little above, looking at the origin; OpenCV axes."""
    place = 2 * np.array([np.cos(azimuth) * 0.9, 0.436, np.sin(azimuth) * 0.9])
    forward = -place / np.linalg.norm(place)
    right = np.cross(forward, [0.0, 1, 0])
    right /= np.linalg.norm(right)
    matrix = np.eye(4)
    matrix[:3, :3] = np.stack([right, np.cross(forward, right), forward], axis=1)
    matrix[:3, 3] = place
    return matrix


def _intrinsics(size: int) -> NDArray[np.float64]:
    return np.array([[FOCAL_OVER_WIDTH * size, 0, size / 2], [0, FOCAL_OVER_WIDTH * size, size / 2], [0, 0, 1]])


def _render(
    grid: Grid, world_from_camera: NDArray[np.float64], size: int
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """March through the grid: rgba (H,W,4), brighter where nearer, and depth (H,W)."""
    resolution = grid.shape[0]
    pixel = (np.arange(size) + 0.5 - size / 2) / (FOCAL_OVER_WIDTH * size)
    rays = np.stack(np.broadcast_arrays(pixel[None, :], pixel[:, None], 1.0), axis=-1)
    steps = np.linspace(1.1, 2.9, 4 * resolution)
    world = (rays[:, :, None] * steps[:, None]) @ world_from_camera[:3, :3].T + world_from_camera[:3, 3]
    index = np.floor((world + 0.5) * resolution).astype(int)
    hit = ((index >= 0) & (index < resolution)).all(axis=-1)
    hit[hit] = grid[tuple(index[hit].T)]
    seen = hit.any(axis=-1)
    depth = np.where(seen, steps[hit.argmax(axis=-1)], np.inf).astype(np.float32)
    gray = np.where(seen, 255 * (3 - np.where(seen, depth, 3)) / 2, 0)
    return np.stack([gray, gray, gray, 255 * seen], axis=-1).astype(np.uint8), depth
