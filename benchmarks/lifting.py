"""Depth maps into 2.5D grids: thickness compared with 3D-RecGAN++'s own pairs, distance to the mesh, cameras, speed.

python benchmarks/lifting.py FOLDER [--pairs 8] [--models 6]

FOLDER holds `recgan_pairs`, `shapenet_v2` and `r2n2`; what is missing is left out. Needs Blender's `bpy` and libigl
for the distances.

Thickness is how many voxels lie behind each other along the optical axis wherever a surface is seen: occupied voxels
over the columns that have any, and over runs of them. Each pair's whole shape is looked at through our intrinsics, its
depth is lifted into the same box, and both grids are counted.

The pairs don't say where their camera stood, but a plane that is seen at a grazing angle does: every row of pixels
leaves a stripe on it. 58 of them in a table (1a8a796d…, view 0_0_0) fit a camera 1.59 longest sides before the box's
middle within half a voxel, one voxel a pixel, and a focal length of 560 pixels (35 mm on 32 mm at 512²) if it looks at
the middle. That camera is taken for all. It matters: 0.7, 1, 1.5 and 2.5 sides away ours has 1.56, 1.42, 1.27 and 1.16
voxels a column (theirs 1.51), since a near camera sees more surfaces one behind the other. Nor do the two grids of a
pair show the same surfaces: that table's plane lies at row 200 of the 2.5D grid, while the whole shape bulges to 190.
So the figure a column says something of the shapes, too; how much of the gap is theirs is open. A run of voxels is one
surface, and says more of the lifting.
"""

from __future__ import annotations

import tempfile
import time
from functools import partial
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tables import print_figures

from components.fetch import FetchSettings
from components.fetch.fetch import fetch
from components.plan.plan import plan
from components.render import RenderSettings
from shapeyard.contracts.dataset import Dataset
from shapeyard.formats.binvox import read_binvox
from shapeyard.formats.mesh import read_mesh
from shapeyard.formats.recgan_pairs import FRAMING, RESOLUTION, find_recgan_pairs, in_cube, read_recgan_pair
from shapeyard.geometry.cameras import intrinsics, look_at
from shapeyard.geometry.frames import transform
from shapeyard.geometry.lifting import (
    Cube,
    canonical_from_cube,
    canonical_grid_from_cube,
    enclosing_cube,
    occupancy_of_points,
    unproject,
)
from shapeyard.sources.selection import Selection

Figure = tuple[str, str, str, bool]
PAIRS_PIXELS = 512
STEPS_A_VOXEL = 4
PAIRS_DISTANCE = 1.6
"""From the camera to the middle of the box, in longest sides; see above."""


@click.command(help=__doc__)
@click.argument("folder", type=click.Path(exists=True, path_type=Path))
@click.option("--pairs", default=8, show_default=True, help="Pairs whose thickness is compared.")
@click.option("--models", default=6, show_default=True, help="Models that are rendered.")
def main(folder: Path, pairs: int, models: int) -> None:
    """Print a table of figures, their targets, and whether these are met."""
    figures = speed()
    if (folder / "r2n2").is_dir():
        figures += cameras(folder / "r2n2")
    if (folder / "recgan_pairs").is_dir():
        figures += thickness(folder / "recgan_pairs", pairs)
    if (folder / "shapenet_v2").is_dir() and models:
        figures += distances(folder / "shapenet_v2", models)
    print_figures(figures)


def speed() -> list[Figure]:
    """Milliseconds for one view of 512², a ball that fills the image, in the camera's and in the canonical frame."""
    size = 512
    camera = look_at([0.6, 0.7, 1.9])
    pixel = (np.arange(size) + 0.5 - size / 2) / intrinsics(size)[0, 0]
    rays = np.stack(np.broadcast_arrays(pixel[None], pixel[:, None], 1.0), axis=-1)
    distance = np.linalg.norm(camera[:3, 3])
    a, b = (rays**2).sum(axis=-1), -2 * rays[..., 2] * distance
    inside = b**2 - 4 * a * (distance**2 - 0.25)
    depth = np.where(inside > 0, (-b - np.sqrt(np.maximum(inside, 0))) / (2 * a), np.inf).astype(np.float32)
    figures: list[Figure] = []
    for resolution in (64, 256):
        times = []
        for _ in range(3):
            started = time.thread_time()
            points = unproject(depth, intrinsics(size))
            cube = enclosing_cube(points)
            grid = occupancy_of_points(points, cube, resolution)
            middle = time.thread_time()
            canonical_grid_from_cube(grid, canonical_from_cube(camera, cube), resolution)
            times.append((middle - started, time.thread_time() - middle))
        lift, turn = (np.array(times).min(axis=0) * 1000).tolist()
        text = f"{lift:.0f} ms, {turn:.0f} ms more for the canonical frame"
        figures.append((f"{len(points)} pixels into {resolution}³", text, "-", True))
    return figures


def cameras(folder: Path) -> list[Figure]:
    """IoU of projected 32³ grids with the images' alpha: each object through its own rendering_metadata.txt."""
    overlaps = []
    for path in sorted(folder.glob("ShapeNetVox32/*/*/model.binvox")):
        occupancy, _, scale = read_binvox(path)
        images = folder / "ShapeNetRendering" / path.parent.relative_to(folder / "ShapeNetVox32") / "rendering"
        within = []
        for view, row in enumerate(np.loadtxt(images / "rendering_metadata.txt")):
            with Image.open(images / f"{view:02}.png") as image:
                alpha = np.array(image)[..., 3] > 0
            silhouette = silhouette_of(occupancy, scale, r2n2_camera(*row[:2], row[3]), alpha.shape[0])
            within.append((silhouette & alpha).sum() / (silhouette | alpha).sum())
        overlaps.append(float(np.mean(within)))
    mean, lowest = float(np.mean(overlaps)), min(overlaps)
    met = mean >= 0.75 and lowest >= 0.58
    name = f"3D-R2N2's voxels over its images, {len(overlaps)} objects"
    return [(name, f"mean {mean:.3f}, lowest {lowest:.3f}", "mean >= 0.75, none < 0.58", met)]


def r2n2_camera(azimuth_degrees: float, elevation_degrees: float, distance_ratio: float) -> NDArray[np.float64]:
    """`world_from_camera` of a row of rendering_metadata.txt; azimuth 0 is on the +X side and runs clockwise."""
    azimuth, elevation = np.radians([90 - azimuth_degrees, elevation_degrees])
    direction = [np.cos(elevation) * np.sin(azimuth), np.sin(elevation), np.cos(elevation) * np.cos(azimuth)]
    return look_at(1.75 * distance_ratio * np.array(direction))


def silhouette_of(
    occupancy: NDArray[np.bool_], scale: float, world_from_camera: NDArray[np.float64], size: int
) -> NDArray[np.bool_]:
    """The pixels (H,W) that voxels of a grid centred on the origin cover; 27 points a voxel leave no gaps."""
    within = (np.stack(np.meshgrid(*[np.arange(3)] * 3), axis=-1).reshape(-1, 3) + 0.5) / 3
    voxels = (np.argwhere(occupancy)[:, None] + within).reshape(-1, 3)
    points = transform(np.linalg.inv(world_from_camera), (voxels / len(occupancy) - 0.5) * scale)
    pixels = points @ intrinsics(size).T
    columns, rows = np.floor(pixels[:, :2] / pixels[:, 2:]).astype(int).T
    inside = (columns >= 0) & (columns < size) & (rows >= 0) & (rows < size)
    covered = np.zeros((size, size), bool)
    covered[rows[inside], columns[inside]] = True
    return covered


def thickness(folder: Path, count: int) -> list[Figure]:
    """Occupied voxels behind a visible spot: theirs, and ours of the same shapes."""
    found = find_recgan_pairs(folder)
    counted = []
    for files in found[:: max(1, len(found) // count)][:count]:
        pair = read_recgan_pair(files)
        lifted = lift_shape(in_cube(pair.shape))
        counted.append([[voxels_a_column(grid), voxels_a_run(grid)] for grid in (lifted, pair.surface)])
    figures: list[Figure] = []
    for (our, their), what in zip(np.mean(counted, axis=0).T.tolist(), ("column", "run"), strict=True):
        name = f"occupied voxels a {what} that a pixel sees, {len(counted)} of {len(found)} pairs ({FRAMING})"
        text = f"ours {our:.2f}, theirs {their:.2f}: {our / their - 1:+.0%}"
        figures.append((name, text, "within 10 %", abs(our / their - 1) < 0.1))
    return figures


def voxels_a_column(grid: NDArray[np.bool_]) -> float:
    """Occupied voxels over the lines along the third axis that have any."""
    return float(grid.sum() / grid.any(axis=2).sum())


def voxels_a_run(grid: NDArray[np.bool_]) -> float:
    """Occupied voxels over runs of them along the third axis."""
    starts = grid.copy()
    starts[:, :, 1:] &= ~grid[:, :, :-1]
    return float(grid.sum() / starts.sum())


def lift_shape(shape: NDArray[np.bool_], distance: float = PAIRS_DISTANCE) -> NDArray[np.bool_]:
    """A cube's shape (D,D,D), seen along its third axis in perspective and lifted into the same cube."""
    size = PAIRS_PIXELS
    camera = intrinsics(size)
    pixel = (np.arange(size) + 0.5 - size / 2) / camera[0, 0]
    rays = np.stack(np.broadcast_arrays(pixel[None], pixel[:, None], 1.0), axis=-1).reshape(-1, 3)
    depth = np.full(size * size, np.inf)
    going = np.arange(size * size)
    near, far = distance - 0.5, distance + 0.5
    for step in range(STEPS_A_VOXEL * RESOLUTION):
        z = near + (step + 0.5) * (far - near) / (STEPS_A_VOXEL * RESOLUTION)
        index = np.floor((rays[going] * z + [0.5, 0.5, -near]) * RESOLUTION).astype(int)
        inside = ((index >= 0) & (index < RESOLUTION)).all(axis=1)
        hit = np.zeros(len(going), bool)
        hit[inside] = shape[tuple(index[inside].T)]
        depth[going[hit]] = z
        going = going[~hit]
    points = unproject(depth.reshape(size, size), camera)
    return occupancy_of_points(points, Cube(np.array([-0.5, -0.5, near]), 1.0), RESOLUTION)


def distances(folder: Path, count: int) -> list[Figure]:
    """How far lifted pixels of our own renders lie from the mesh, in voxels at 128³."""
    import igl

    from components.render.render import render

    with tempfile.TemporaryDirectory() as scratch:
        (item,) = plan(Selection(str(folder), shards=1, max_per_class=1))
        fetch(item, Path(scratch, "meshes"), FetchSettings(max_megabytes=64, max_skipped=0.0))
        settings = RenderSettings(views=4, image_size=128, samples=1, max_skipped=0.0)
        render(Path(scratch, "meshes"), Path(scratch, "renders"), settings)
        meshes, renders = Dataset([f"{scratch}/meshes"], "meshes"), Dataset([f"{scratch}/renders"], "renders")
        found = []
        for sample in renders.samples[:count]:
            mesh = read_mesh(meshes.extract(sample.id, Path(scratch, "files")))
            vertices = transform(np.array(sample.canonical_from_file), mesh.vertices)
            to_points = partial(unproject, intrinsics=renders.read(sample.id, "intrinsics"))
            views = zip(renders.read(sample.id, "depth"), renders.read(sample.id, "world_from_camera"), strict=True)
            points = np.concatenate([transform(camera, to_points(depth)) for depth, camera in views])
            squared = igl.point_mesh_squared_distance(points, vertices, mesh.faces)[0]
            found.append(np.sqrt(squared) * 128)
        meshes.close()
        renders.close()
    voxels = np.concatenate(found)
    median, near = float(np.median(voxels)), float((voxels < 1).mean())
    text = f"median {median:.4f} voxel, {near:.2%} < 1 voxel, furthest {voxels.max():.3f}"
    name = f"rendered depth, lifted, off the mesh at 128³, {len(found)} models"
    return [(name, text, "median < 0.2, 99 % < 1", median < 0.2 and near >= 0.99)]


if __name__ == "__main__":
    main()
