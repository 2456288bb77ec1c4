"""A whole run without a network: furniture of boxes, seen by exact rays, "predicted" with an error of choice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import trimesh
from numpy.typing import NDArray
from scipy import ndimage

from shapeyard.contracts.dataset import Dataset, DatasetWriter, Sample, Skipped, Split
from shapeyard.contracts.model import finish_model, start_model
from shapeyard.contracts.packed_occupancy import pack_occupancy
from shapeyard.geometry.lifting import canonical_from_cube, cube_from_canonical_grid, enclosing_cube, unproject
from shapeyard.geometry.preview import contact_sheet, render_occupancy

Array = NDArray[Any]
FOCAL_OVER_WIDTH = 35 / 32


@dataclass(frozen=True)
class SyntheticRun:
    """The artifacts of one run as directories."""

    folder: Path

    @property
    def shards(self) -> dict[str, list[Path]]:
        return {kind: [self.folder / kind] for kind in ("meshes", "renders", "voxels")}

    @property
    def outputs(self) -> dict[str, Path]:
        names = ("depths", "reconstructions", "occupancy_reconstructions", "class_predictions",
                 "reconstruction_predictions")  # fmt: skip
        return {name: self.folder / name for name in names}

    @property
    def models(self) -> dict[str, Path]:
        return {n: self.folder / n for n in ("depth_model", "recgan_model", "occupancy_model", "classifier")}


def write_run(
    folder: Path,
    classes: Sequence[str] = ("chair", "table", "shelf"),
    splits: Sequence[Split] = ("train", "train", "val", "test", "test"),
    views: int = 2,
    image_size: int = 40,
    resolution: int = 24,
    error: float = 0.0,
    training_steps: int = 20,
) -> SyntheticRun:
    """Write all datasets and models of a run; `error` 0 is a run whose predictions are the truth."""
    run = SyntheticRun(folder)
    furniture = [chair, table, shelf]
    samples: list[tuple[Sample, Array, Array]] = []
    random = np.random.default_rng(7)
    for k, name in enumerate(classes):
        for n, split in enumerate(splits):
            terms = {"license": "CC-BY-3.0", "creator": f"Maker {k}"} if n else {"license": "CC0-1.0"}
            sample = Sample(f"{name}/{n:04}", name, split, f"test://{n}", canonical_from_file=identity(), **terms)
            samples.append((sample, furniture[k % 3](random), random.uniform(0.25, 0.9, 3)))
    _write_meshes(run, samples)
    _write_renders(run, samples, views, image_size)
    _write_voxels(run, samples, resolution)
    _write_depths(run, error, random)
    _write_reconstructions(run, "reconstructions", "train_recgan", resolution, error, random)
    _write_reconstructions(run, "occupancy_reconstructions", "train_occupancy", resolution, 0.5 * error, random)
    _write_predictions(run, list(classes), error, random)
    for number, name in enumerate(run.models):
        _write_model(run.models[name], name, training_steps, number)
    return run


def identity() -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(row) for row in np.eye(4).tolist())


def chair(random: np.random.Generator) -> Array:
    """(N,2,3): lower and upper corners of boxes in the canonical frame."""
    width, seat = random.uniform(0.2, 0.3), random.uniform(-0.1, 0.05)
    boxes = [[[-width, seat, -width], [width, seat + 0.08, width]], [[-width, seat, width - 0.08], [width, 0.5, width]]]
    return np.array(boxes + _legs(width, seat, 0.08))


def table(random: np.random.Generator) -> Array:
    width, top = random.uniform(0.35, 0.5), random.uniform(0.1, 0.3)
    return np.array([[[-0.5, top - 0.1, -width], [0.5, top, width]], *_legs(width, top - 0.1, 0.1)])


def shelf(random: np.random.Generator) -> Array:
    width, depth = random.uniform(0.2, 0.4), random.uniform(0.12, 0.25)
    sides = [[[x, -0.5, -depth], [x + 0.07, 0.5, depth]] for x in (-width, width - 0.07)]
    boards = [[[-width, y, -depth], [width, y + 0.07, depth]] for y in (-0.5, -0.2, 0.1, 0.43)]
    return np.array(sides + boards)


def inside_boxes(boxes: Array, resolution: int) -> Array:
    """(D,D,D) bool in the canonical cube."""
    axis = (np.arange(resolution) + 0.5) / resolution - 0.5
    points = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1)
    return np.any([((points >= lower) & (points <= upper)).all(axis=-1) for lower, upper in boxes], axis=0)


def orbit(azimuth_degrees: float, elevation_degrees: float = 25.0, distance: float = 2.0) -> Array:
    """world_from_camera (4,4), OpenCV axes, looking at the origin."""
    a, e = np.radians([azimuth_degrees, elevation_degrees])
    place = distance * np.array([np.sin(a) * np.cos(e), np.sin(e), -np.cos(a) * np.cos(e)])
    forward = -place / distance
    right = np.cross(forward, [0.0, 1.0, 0.0])
    right /= np.linalg.norm(right)
    matrix = np.eye(4)
    matrix[:3, :3] = np.stack([right, np.cross(forward, right), forward], axis=1)
    matrix[:3, 3] = place
    return matrix


def intrinsics(size: int) -> Array:
    return np.array([[FOCAL_OVER_WIDTH * size, 0, size / 2], [0, FOCAL_OVER_WIDTH * size, size / 2], [0, 0, 1.0]])


def cast(boxes: Array, world_from_camera: Array, size: int, color: Array) -> tuple[Array, Array]:
    """rgba (H,W,4) uint8 and depth (H,W) float32 of boxes, by the slab test of each ray with each box."""
    pixel = (np.arange(size) + 0.5 - size / 2) / (FOCAL_OVER_WIDTH * size)
    x, y = np.meshgrid(pixel, pixel)
    rays = np.stack([x, y, np.ones_like(x)], axis=-1) @ world_from_camera[:3, :3].T + 1e-12
    origin = world_from_camera[:3, 3]
    depth, normal_axis = np.full((size, size), np.inf), np.zeros((size, size), int)
    for lower, upper in boxes:
        a, b = (lower - origin) / rays, (upper - origin) / rays
        near, far = np.minimum(a, b), np.maximum(a, b)
        enter, leave = near.max(axis=-1), far.min(axis=-1)
        closer = (enter < leave) & (enter < depth)
        depth = np.where(closer, enter, depth)
        normal_axis = np.where(closer, near.argmax(axis=-1), normal_axis)
    shade = np.array([0.75, 1.0, 0.55])[normal_axis]
    rgb = np.where(np.isfinite(depth)[..., None], shade[..., None] * color * 255, 0)
    return np.dstack([rgb, 255 * np.isfinite(depth)]).astype(np.uint8), depth.astype(np.float32)


def _legs(width: float, top: float, thickness: float) -> list[Any]:
    ends = [-width, width - thickness]
    return [[[x, -0.5, z], [x + thickness, top, z + thickness]] for x in ends for z in ends]


def _write_meshes(run: SyntheticRun, samples: list[tuple[Sample, Array, Array]]) -> None:
    source = run.folder / "source"
    source.mkdir(parents=True)
    skipped = [Skipped("chair/broken", "MeshError: model.obj: expected faces, got none")]
    with DatasetWriter(run.shards["meshes"][0], "meshes", "fetch", {"max_megabytes": 64}, skipped=skipped) as writer:
        for sample, boxes, _ in samples:
            trimesh.util.concatenate([trimesh.creation.box(bounds=box) for box in boxes]).export(source / "model.obj")
            writer.add_files(sample, source, "model.obj")


def _write_renders(run: SyntheticRun, samples: list[tuple[Sample, Array, Array]], views: int, size: int) -> None:
    pictures = []
    skipped = [Skipped("table/<b>odd</b>", "no pixel of it was seen")]
    parameters = {"cameras": "orbit", "views": views, "image_size": size, "samples": 8, "seed": 0}
    with DatasetWriter(run.shards["renders"][0], "renders", "render", parameters, skipped=skipped) as writer:
        for n, (sample, boxes, color) in enumerate(samples):
            cameras = np.stack([orbit(30 + 17 * n + 360 / views * view) for view in range(views)])
            images = [cast(boxes, camera, size, color) for camera in cameras]
            rgba, depth = (np.stack(values) for values in zip(*images, strict=True))
            arrays = {"rgba": rgba, "depth": depth, "intrinsics": intrinsics(size), "world_from_camera": cameras}
            writer.add(sample, arrays)
            pictures.append(rgba[0])
        writer.preview(contact_sheet(pictures))


def _write_voxels(run: SyntheticRun, samples: list[tuple[Sample, Array, Array]], resolution: int) -> None:
    pictures = []
    attributes = {"resolution": resolution, "translate": [-0.5, -0.5, -0.5], "scale": 1.0}
    with DatasetWriter(run.shards["voxels"][0], "voxels", "voxelize", {"resolution": resolution}) as writer:
        for sample, boxes, _ in samples:
            grid = inside_boxes(boxes, resolution)
            writer.add(sample, {"occupancy": pack_occupancy(grid)}, attributes)
            pictures.append(render_occupancy(grid, 96))
        writer.preview(contact_sheet(pictures))


def _write_depths(run: SyntheticRun, error: float, random: np.random.Generator) -> None:
    renders = Dataset(run.shards["renders"], "renders")
    with DatasetWriter(run.outputs["depths"], "depths", "train_depth", {"width": 64}) as writer:
        for sample in renders.samples:
            true = renders.read(sample.id, "depth")
            noise = ndimage.gaussian_filter(random.normal(size=true.shape), (0, 3, 3)) * 2
            writer.add(sample, {"depth": (true + 0.4 * error * noise).astype(np.float32)})
    renders.close()


def _write_reconstructions(
    run: SyntheticRun, name: str, stage: str, resolution: int, error: float, random: np.random.Generator
) -> None:
    renders, voxels = Dataset(run.shards["renders"], "renders"), Dataset(run.shards["voxels"], "voxels")
    depths = Dataset([run.outputs["depths"]], "depths")
    parameters = {"input_resolution": resolution, "bottleneck": 2000}
    with DatasetWriter(run.outputs[name], "reconstructions", stage, parameters) as writer:
        for sample in [*renders.of_split("val"), *renders.of_split("test")]:
            occupancy = np.unpackbits(voxels.read(sample.id, "occupancy"), count=resolution**3)
            matrices, grids = [], []
            for depth, camera in zip(
                depths.read(sample.id, "depth"), renders.read(sample.id, "world_from_camera"), strict=True
            ):
                points = unproject(depth, renders.read(sample.id, "intrinsics"))
                matrix = canonical_from_cube(camera, enclosing_cube(points))
                grid = cube_from_canonical_grid(occupancy.reshape((resolution,) * 3), matrix, resolution) >= 0.5
                noise = ndimage.gaussian_filter(random.normal(size=grid.shape), 1.5) * 6
                soft = ndimage.gaussian_filter(grid.astype(float), 4 * error) + error * noise if error else grid
                matrices.append(matrix)
                grids.append(np.rint(np.clip(soft, 0, 1) * 255).astype(np.uint8))
            arrays = {"probability": np.stack(grids), "canonical_from_cube": np.stack(matrices)}
            writer.add(sample, arrays)
    for dataset in (renders, voxels, depths):
        dataset.close()


def _write_predictions(run: SyntheticRun, classes: list[str], error: float, random: np.random.Generator) -> None:
    reconstructions = Dataset([run.outputs["reconstructions"]], "reconstructions")
    for name, views in (("class_predictions", 1), ("reconstruction_predictions", None)):
        with DatasetWriter(
            run.outputs[name], "predictions", "classify_reconstructions" if views is None else "train_classifier", {},
            attributes={"classes": classes},
        ) as writer:  # fmt: skip
            for sample in reconstructions.samples:
                count = views or len(reconstructions.read(sample.id, "canonical_from_cube"))
                scores = np.eye(len(classes))[[classes.index(sample.class_name)] * count]
                scores = scores + 2 * error * random.random(scores.shape)
                probabilities = (scores / scores.sum(axis=1, keepdims=True)).astype(np.float32)
                writer.add(sample, {"probabilities": probabilities})
    reconstructions.close()


def _write_model(path: Path, name: str, steps: int, number: int) -> None:
    folder = start_model(path, {"network": name})
    decay = [float(np.exp(-3 * step / steps)) for step in range(1, steps + 1)]
    columns: dict[str, list[float]] = {
        "depth_model": {"train_rmse": [0.04 + 0.4 * d for d in decay], "val_rmse": [0.05 + 0.4 * d for d in decay]},
        "recgan_model": {"train_loss": decay, "val_iou": [0.7 - 0.6 * d for d in decay]},
        "occupancy_model": {"train_loss": decay, "val_iou": [0.8 - 0.6 * d for d in decay]},
        "classifier": {"train_loss": decay, "val_loss": [d + 0.1 for d in decay],
                       "train_accuracy": [1 - d for d in decay], "val_accuracy": [0.9 - 0.8 * d for d in decay]},
    }[name]  # fmt: skip
    unit = "epoch" if name == "classifier" else "step"
    history = [{unit: float(k + 1), **{c: v[k] for c, v in columns.items()}} for k in range(steps)]
    finish_model(folder, history, {"seconds": 100.0 * (number + 1), "parameters": 10_000_000 * (number + 1)}, [])
