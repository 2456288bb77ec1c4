"""The training of the pixel-aligned occupancy network: its points, and the whole stage on analytic shapes."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import killed
import numpy as np
import pytest
import torch
from kfp import dsl
from safetensors.torch import load_file

from components.train_occupancy import TrainOccupancySettings, query_points
from components.train_occupancy.component import train_occupancy as component
from components.train_occupancy.query_points import (
    QueryViews,
    as_batch,
    occupied_at_points,
    surface_of_voxels,
)
from components.train_occupancy.train_occupancy import train_occupancy, update_average
from shapeyard.contracts.dataset import Dataset, read_occupancy
from shapeyard.contracts.model import read_config, read_history, read_metrics
from shapeyard.errors import DatasetError, ParameterError
from shapeyard.geometry.frames import transform
from shapeyard.geometry.lifting import canonical_from_cube, cube_from_canonical_grid, enclosing_cube, unproject
from shapeyard.inference.weights import load_network
from shapeyard.metrics.occupancy import overlap
from shapeyard.networks.pixel_aligned import PixelAligned

TINY: dict[str, Any] = {
    "width": 4, "hidden": 32, "points": 128, "steps": 60, "batch_size": 4, "learning_rate": 5e-3, "ema_decay": 0.9,
    "resolution": 32, "validate_every": 20, "workers": 1,
}  # fmt: skip
TRAIN = "components.train_occupancy.train_occupancy:train_occupancy"
Write = Callable[..., Any]


def test_surface_and_inside_of_a_box() -> None:
    """Half the cube in x: 8 of 16 voxels, from the middle on."""
    grid = np.zeros((16, 16, 16), bool)
    grid[8:] = True
    surface = surface_of_voxels(grid)
    assert len(surface) == 2 * 16**2 + 4 * 8 * 16
    on_faces = (
        np.isclose(surface, -0.5).any(axis=1) | np.isclose(surface, 0.5).any(axis=1) | np.isclose(surface[:, 0], 0)
    )
    assert on_faces.all() and surface.min() == -0.5 and surface.max() == 0.5
    points = np.array([[0.01, 0, 0], [-0.01, 0, 0], [0.4, 0.4, 0.4], [0.6, 0, 0], [0, 0, 3.0]])
    assert occupied_at_points(grid, points).tolist() == [True, False, True, False, False]


def test_points_lie_where_they_are_said_to(write_shapes: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """The truth at a point is the voxel's, whichever camera it is told in; a mirror image has mirrored points."""
    data = write_shapes(count=3, splits=["train"])
    renders, voxels = Dataset([data.renders], "renders"), Dataset([data.voxels], "voxels")
    views = QueryViews(renders, voxels, renders.samples)
    assert len(views) == 6
    drawn = views.draw(3, 4000, np.random.default_rng(0))
    sample, view = views.places[3]
    camera = renders.read(sample, "world_from_camera", view)
    world = transform(camera, drawn.points.astype(float))
    occupancy = read_occupancy(voxels, sample)
    voxel = np.floor((world + 0.5) * 16).astype(int)
    inside = ((voxel >= 0) & (voxel < 16)).all(axis=1)
    nearest = np.zeros(len(world), bool)
    nearest[inside] = occupancy[tuple(voxel[inside].T)]
    assert (nearest == drawn.occupied).mean() > 0.9, "all but those between two voxels' centres"
    surface = surface_of_voxels(occupancy)
    distance = np.linalg.norm(world[:2000, None] - surface[None, :], axis=2).min(axis=1)
    assert np.median(distance) < 0.05 < np.abs(world[2000:3000]).max() <= 0.5

    depths = np.concatenate([renders.read(s.id, "depth").ravel() for s in renders.samples])
    seen = depths[np.isfinite(depths)].astype(float)
    assert views.depth_moments() == pytest.approx((seen.mean(), seen.std()), rel=1e-6)
    assert views.framing()["image_size"] == 32 and views.framing()["focal_length"] == pytest.approx(35 / 32)
    assert 0.3 < views.framing()["extent"] < 1

    mirrored = drawn.mirrored()
    np.testing.assert_array_equal(mirrored.rgba, drawn.rgba[:, ::-1])
    pixel = [q.points[:, 0] / q.points[:, 2] * q.intrinsics[0, 0] + q.intrinsics[0, 2] for q in (drawn, mirrored)]
    np.testing.assert_allclose(pixel[0] + pixel[1], 32, atol=1e-3)
    rgba, depth, _, points, occupied = as_batch([drawn, mirrored])
    assert rgba.shape == (2, 4, 32, 32) and rgba.max() <= 1 and depth.shape == (2, 32, 32)
    assert points.shape == (2, 4000, 3) and occupied.dtype == torch.uint8

    monkeypatch.setattr(query_points, "MEMORY_BYTES", 0)
    from_files = QueryViews(renders, voxels, renders.samples).draw(3, 4000, np.random.default_rng(0))
    for held, read in zip(drawn, from_files, strict=True):
        np.testing.assert_array_equal(held, read)


def test_an_average_of_weights() -> None:
    network, average = (torch.nn.BatchNorm1d(2) for _ in range(2))
    torch.nn.init.constant_(network.weight, 3.0)
    network.num_batches_tracked += 7
    update_average(average, network, 0.75, 1000)
    assert average.weight.tolist() == [1.5, 1.5] and average.num_batches_tracked == 7
    update_average(average, network, 0.75, 1)
    assert average.weight.tolist() == pytest.approx([1.5 + 9 / 11 * 1.5] * 2), "a shorter one at first"


def test_stage(write_shapes: Write, tmp_path: Path) -> None:
    """Balls and boxes are learned in a moment; what is written is in the cube around the given depth."""
    data = write_shapes()
    model, made = dsl.Model(uri=str(tmp_path / "m")), dsl.Dataset(uri=str(tmp_path / "r"))
    metrics = dsl.Metrics(uri=str(tmp_path / "f"))
    renders, voxels = Dataset([data.renders], "renders"), Dataset([data.voxels], "voxels")
    component.python_func(
        renders=[dsl.Dataset(uri=str(data.renders))], voxels=[dsl.Dataset(uri=str(data.voxels))], depths=None,
        model=model, reconstructions=made, metrics=metrics, **TINY, views_per_object=1,
    )  # fmt: skip
    history, figures, config = read_history(tmp_path / "m"), read_metrics(tmp_path / "m"), read_config(tmp_path / "m")
    assert [row["step"] for row in history] == [20, 40, 60]
    assert figures["val_iou"] == max(row["val_iou"] for row in history) == metrics.metadata["val_iou"] > 0.5
    assert history[-1]["train_loss"] < history[0]["train_loss"] and history[-1]["train_rmse"] < 0.3
    network, _ = load_network(tmp_path / "m", PixelAligned)
    assert network.depth_mean == config["depth_mean"] == pytest.approx(1.6, abs=0.2)
    reconstructions = Dataset([made.path], "reconstructions")
    assert {sample.split for sample in reconstructions.samples} == {"val", "test"}
    assert (Path(made.path) / "preview.png").is_file()
    for sample in reconstructions.samples:
        assert sample.attributes["views"] == [0]
        (probability,), (cube,) = (reconstructions.read(sample.id, n) for n in ("probability", "canonical_from_cube"))
        true = cube_from_canonical_grid(read_occupancy(voxels, sample.id), cube, 32) >= 0.5
        assert overlap(probability >= 255 * figures["threshold"], true).iou > 0.5, sample.id
    for dataset in (renders, voxels, reconstructions):
        dataset.close()


def test_cubes_are_those_of_the_given_depth(write_shapes: Write, tmp_path: Path) -> None:
    from shapeyard.contracts.dataset import DatasetWriter

    data = write_shapes(count=5)
    renders = Dataset([data.renders], "renders")
    with DatasetWriter(tmp_path / "depths", "depths", "test", {}) as writer:
        for sample in renders.samples:
            writer.add(sample, {"depth": renders.read(sample.id, "depth") + np.float32(0.25)})
    settings = TrainOccupancySettings(**{**TINY, "steps": 2})
    train_occupancy([data.renders], [data.voxels], tmp_path / "depths", tmp_path / "m", tmp_path / "r", settings)
    made = Dataset([tmp_path / "r"], "reconstructions")
    assert made.samples[0].attributes["views"] == [0, 1]
    for sample in made.samples:
        for view in range(2):
            depth, camera = (renders.read(sample.id, name, view) for name in ("depth", "world_from_camera"))
            cube = enclosing_cube(unproject(depth + np.float32(0.25), renders.read(sample.id, "intrinsics")))
            expected = canonical_from_cube(camera, cube)
            np.testing.assert_allclose(made.read(sample.id, "canonical_from_cube", view), expected, atol=1e-5)


def test_without_val_the_last_weights_stay(write_shapes: Write, tmp_path: Path) -> None:
    data = write_shapes(count=3, splits=["train", "test"])
    settings = TrainOccupancySettings(**{**TINY, "steps": 3})
    figures = train_occupancy([data.renders], [data.voxels], None, tmp_path / "m", tmp_path / "r", settings).figures
    assert "val_iou" not in figures and figures["threshold"] == 0.5
    assert (figures["validated_on"], figures["kept_step"]) == (0, 3)


def test_what_cannot_be_trained_on(write_shapes: Write, tmp_path: Path) -> None:
    def train(*parts: Any) -> None:
        renders, voxels = [part.renders for part in parts], [part.voxels for part in parts]
        train_occupancy(renders, voxels, None, tmp_path / "m", tmp_path / "r", TrainOccupancySettings(**TINY))

    with pytest.raises(DatasetError, match="expected visible objects in the training split, found none"):
        train(write_shapes(count=2, splits=["val"], folder="untrained"))
    large = write_shapes(count=2, splits=["train"], folder="large")
    small = write_shapes(start=2, count=4, splits=["train"], image_size=16, folder="small")
    with pytest.raises(DatasetError, match=r"images of \(32, 32\) pixels, sample ball/0002 has \(16, 16\)"):
        train(large, small)
    for name, value, expected in (("resolution", 48, "32, 64, 128 or 256"), ("ema_decay", 1.0, "0 to below 1"),
                                  ("points", 3, "4 or more")):  # fmt: skip
        with pytest.raises(ParameterError, match=rf"^{name}: expected {expected}, got {value}$"):
            TrainOccupancySettings(**{**TINY, name: value})


def test_killed_and_started_again_it_ends_with_the_same_files(write_shapes: Write, tmp_path: Path) -> None:
    data = write_shapes()
    state = tmp_path / "state"
    settings = {**TINY, "steps": 20, "validate_every": 8, "checkpoint_minutes": 0}
    inputs = {"renders": [str(data.renders)], "voxels": [str(data.voxels)], "depths": None}
    alone, again = (
        {**inputs, "model": str(tmp_path / name), "reconstructions": str(tmp_path / f"{name}-made"), "settings": own}
        for name, own in (("alone", settings), ("again", {**settings, "checkpoints": str(state)}))
    )
    killed.run(TRAIN, alone)
    killed.stop_at_checkpoint(TRAIN, again, state, random.Random(0).randint(2, 15))
    assert not (tmp_path / "again" / "metrics.json").exists() and list(state.glob("*.safetensors"))
    killed.run(TRAIN, again)
    for name in ("model.safetensors", "history.csv"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "alone" / name).read_bytes(), name
    made = [Dataset([tmp_path / name], "reconstructions") for name in ("again-made", "alone-made")]
    assert made[0].fingerprint == made[1].fingerprint


def test_two_ranks_share_a_batch(write_shapes: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = write_shapes(count=5)
    monkeypatch.setenv("SHAPEYARD_RANKS", "2")
    paths = [str(data.renders)], [str(data.voxels)], None, str(tmp_path / "m"), str(tmp_path / "r")
    figures = train_occupancy(*paths, TrainOccupancySettings(**{**TINY, "steps": 4})).figures
    assert figures["ranks"] == 2 and len(Dataset([tmp_path / "r"], "reconstructions").samples) == 2
    assert load_file(tmp_path / "m" / "model.safetensors")["point.weight"].shape == (32, 39)
