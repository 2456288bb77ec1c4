"""The voxel reconstructor: its sizes, its losses, its pairs, and the whole stage on analytic shapes."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from kfp import dsl
from safetensors.torch import load_file

from components.train_recgan import pairs as pairs_module
from components.train_recgan.component import train_recgan as component
from components.train_recgan.model import Discriminator, Generator, _as_slabs, gradient_penalty, occupancy_loss
from components.train_recgan.pairs import Pairs, lift_views
from components.train_recgan.train import train_recgan
from shapeyard.contracts.dataset import Dataset, DatasetWriter, read_occupancy
from shapeyard.contracts.model import read_config, read_history, read_metrics
from shapeyard.errors import DatasetError, ParameterError
from shapeyard.geometry.lifting import canonical_grid_from_cube
from shapeyard.metrics.occupancy import overlap

TINY: dict[str, Any] = {
    "input_resolution": 8, "width": 8, "bottleneck": 16, "steps": 12, "batch_size": 4, "learning_rate": 3e-3,
    "validate_every": 4, "workers": 1,
}  # fmt: skip
Write = Callable[..., Any]


def write_true_depths(renders: Path, folder: Path, without: str = "") -> Path:
    """Depths as a perfect estimator would give them."""
    images = Dataset([renders], "renders")
    with DatasetWriter(folder, "depths", "train_depth", {}) as writer:
        for sample in images.samples:
            if sample.id != without:
                writer.add(sample, {"depth": images.read(sample.id, "depth")})
    return folder


def test_parameters_of_the_paper_size() -> None:
    def cubes(channels: list[int], outputs: list[int]) -> int:
        return sum(4**3 * a * b + b for a, b in zip(channels, outputs, strict=True))

    encoder = cubes([1, 64, 128, 256], [64, 128, 256, 512])
    flat = 4**3 * 512
    dense = (flat * 2000 + 2000) + (2000 * flat + flat)
    decoder = cubes([512 + 512, 256 + 256, 128 + 128, 64 + 64, 16 + 1, 8], [256, 128, 64, 16, 8, 1])
    with torch.device("meta"):
        generator, critic = Generator(64, 64, 2000), Discriminator(64, 64)
    assert sum(p.numel() for p in generator.parameters()) == encoder + dense + decoder == 164_282_729
    expected = cubes([1, 8, 16, 32, 64, 128], [8, 16, 32, 64, 128, 256])
    assert sum(p.numel() for p in critic.parameters()) == expected == 2_794_488


def test_shapes_of_the_paper_size() -> None:
    with torch.device("meta"):
        view = torch.zeros(1, 64, 64, 64)
        logits = Generator(64, 64, 2000)(view)
        critic = Discriminator(64, 64)
        assert logits.shape == (1, 256, 256, 256)
        assert _as_slabs(view).shape == (1, 256, 256, 4)
        assert critic(view, logits).shape == (1,)
        x = torch.zeros(1, 1, 256, 256, 260)
        for convolution in critic.convolutions:
            x = convolution(torch.nn.functional.pad(x, (0, x.shape[-1] % 2)))
        assert x.shape == (1, 256, 4, 4, 5)


@pytest.mark.parametrize("resolution", [8, 16])
def test_shapes_of_small_sizes(resolution: int) -> None:
    view = torch.zeros(2, *(resolution,) * 3)
    shape = Generator(resolution, 4, 10)(view)
    assert shape.shape == (2, *(4 * resolution,) * 3)
    assert Discriminator(resolution, 4)(view, shape).shape == (2,)


@pytest.mark.parametrize("resolution", [4, 12, 0, 65])
def test_input_resolutions_that_do_not_fit(resolution: int) -> None:
    with pytest.raises(ParameterError, match=f"power of two, got {resolution}"):
        Generator(resolution, 4, 10)


def test_slabs_keep_columns_in_their_place() -> None:
    view = torch.arange(32.0**3).reshape(1, 32, 32, 32)
    slabs = _as_slabs(view)
    assert slabs.shape == (1, 128, 128, 2)
    patch = slabs[0, 4 * 5 : 4 * 6, 4 * 7 : 4 * 8]
    assert sorted(patch.flatten().tolist()) == view[0, 5, 7].tolist()


def test_occupancy_loss_by_hand() -> None:
    logits = torch.tensor([0.0, math.log(3), -math.log(3)])  # probabilities 1/2, 3/4, 1/4
    occupied = torch.tensor([1.0, 0.0, 0.0])
    expected = (0.85 * math.log(2) + 0.15 * math.log(4) + 0.15 * math.log(4 / 3)) / 3
    assert occupancy_loss(logits, occupied).item() == pytest.approx(expected)


def test_gradient_penalty_of_a_critic_with_a_known_gradient() -> None:
    class Sum(Discriminator):
        def forward(self, view: torch.Tensor, shape: torch.Tensor) -> torch.Tensor:
            return 3 * shape.flatten(1).mean(dim=1)  # grows by 3 where all voxels grow by 1

    grids = [torch.rand(2, *(side,) * 3) for side in (8, 4, 4)]
    penalty = gradient_penalty(Sum(8, 4), *grids, torch.rand(2))  # type: ignore[misc]
    assert penalty.item() == pytest.approx((3 - 1) ** 2, rel=1e-5)


def test_overfit() -> None:
    torch.manual_seed(0)
    generator = Generator(8, 8, 16)
    view, shape = (torch.rand(2, 8, 8, 8) > 0.7).float(), torch.zeros(2, 32, 32, 32)
    shape[0, 8:20, 8:24, 8:24] = 1
    shape[1, 10:16, 4:28, 10:28] = 1
    optimizer = torch.optim.Adam(generator.parameters(), 3e-3)
    losses = []
    for _ in range(40):
        loss = occupancy_loss(generator(view), shape)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.6 * losses[0]


def test_pairs_agree_with_the_shapes(write_shapes: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = write_shapes(count=4, resolution=32, splits=["train"])
    renders, voxels = Dataset([folders.renders], "renders"), Dataset([folders.voxels], "voxels")
    depths = Dataset([write_true_depths(folders.renders, tmp_path / "depths")], "depths")
    pairs = Pairs(renders, depths, voxels, renders.samples, 8, workers=2)
    assert len(pairs) == 8
    grids, shapes = pairs.batch(np.arange(8))
    assert grids.shape == (8, 8, 8, 8) and shapes.shape == (8, 32, 32, 32)
    for index, sample_id in enumerate(pairs.objects):
        one = lift_views(renders, depths, sample_id, 8)[index % 2]
        np.testing.assert_array_equal(grids[index].numpy() > 0, one.grid)
        assert one.grid[:, :, 0].any(), "the nearest point is on the front face"
        truth = read_occupancy(voxels, sample_id)
        back = canonical_grid_from_cube(shapes[index].numpy(), one.canonical_from_cube, 32) >= 0.5
        assert overlap(back, truth).recall > 0.85
        coarse = shapes[index].numpy().reshape(8, 4, 8, 4, 8, 4).max(axis=(1, 3, 5)) > 0
        assert (coarse & one.grid).sum() > 0.8 * one.grid.sum(), "what is seen is there"
    mirrored, _ = pairs.batch(np.arange(2), np.array([False, True]))
    assert torch.equal(mirrored[0], grids[0]) and torch.equal(mirrored[1], grids[1].flip(0))
    monkeypatch.setattr(pairs_module, "MEMORY_BYTES", 100)
    on_disk = Pairs(renders, depths, voxels, renders.samples, 8, workers=1)
    assert all(torch.equal(a, b) for a, b in zip(on_disk.batch(np.arange(8)), (grids, shapes), strict=True))


@pytest.mark.parametrize("adversarial", [0.0, 0.2])
def test_stage(write_shapes: Write, tmp_path: Path, adversarial: float) -> None:
    folders = write_shapes(views=3)
    depths = write_true_depths(folders.renders, tmp_path / "depths", without="box/0009")
    artifacts = (
        [dsl.Dataset(uri=str(folders.renders))],
        dsl.Dataset(uri=str(depths)),
        [dsl.Dataset(uri=str(folders.voxels))],
    )
    model, made = dsl.Model(uri=str(tmp_path / "m")), dsl.Dataset(uri=str(tmp_path / "r"))
    metrics = dsl.Metrics(uri=str(tmp_path / "f"))
    component.python_func(*artifacts, model, made, metrics, **TINY, adversarial=adversarial)
    reconstructions = Dataset([made.path], "reconstructions")
    assert [s.id for s in reconstructions.samples] == ["box/0003", "ball/0004", "ball/0008"]
    assert [(s.id, s.reason) for s in reconstructions.skipped] == [("box/0009", "no predicted depth")]
    figures, history = read_metrics(model.path), read_history(model.path)
    assert [row["step"] for row in history] == [4, 8, 12]
    assert figures["val_iou"] == pytest.approx(max(row["val_iou"] for row in history))
    assert metrics.metadata["val_iou"] == figures["val_iou"]
    assert reconstructions.attributes == {"threshold": figures["threshold"]}
    assert ("critic_advantage" in history[0]) == bool(adversarial)
    config = read_config(model.path)
    generator = Generator(config["input_resolution"], config["width"], config["bottleneck"])
    generator.load_state_dict(load_file(Path(model.path) / "model.safetensors"))
    one = lift_views(Dataset([folders.renders], "renders"), Dataset([depths], "depths"), "ball/0004", 8)[1]
    probability = reconstructions.read("ball/0004", "probability")
    assert probability.shape == (3, 32, 32, 32) and probability.dtype == np.uint8
    again = generator.eval()(torch.from_numpy(one.grid[None]).float()).sigmoid()[0].detach().numpy() * 255
    np.testing.assert_allclose(again, probability[1], atol=1)
    np.testing.assert_allclose(reconstructions.read("ball/0004", "canonical_from_cube")[1], one.canonical_from_cube)


def test_the_critic_joins_in_late(write_shapes: Write, tmp_path: Path) -> None:
    folders = write_shapes(count=5)
    depths = write_true_depths(folders.renders, tmp_path / "depths")
    settings = {**TINY, "steps": 8, "adversarial": 0.2, "critic_start": 5}
    train_recgan([folders.renders], depths, [folders.voxels], tmp_path / "m", tmp_path / "r", **settings)
    assert ["critic_advantage" in row for row in read_history(tmp_path / "m")] == [False, True]


def test_views_that_show_nothing(write_shapes: Write, tmp_path: Path) -> None:
    folders = write_shapes(splits=["train", "test"], count=4, views=2)
    images = Dataset([folders.renders], "renders")
    with DatasetWriter(tmp_path / "depths", "depths", "train_depth", {}) as writer:
        for sample in images.samples:
            depth = images.read(sample.id, "depth")
            depth[: {"box/0001": 2, "box/0003": 1}.get(sample.id, 0)] = np.inf
            writer.add(sample, {"depth": depth})
    figures = train_recgan(
        [folders.renders], tmp_path / "depths", [folders.voxels], tmp_path / "m", tmp_path / "r", **{**TINY, "steps": 2}
    )
    assert "val_iou" not in figures
    assert (figures["validated_on"], figures["kept_step"], figures["threshold"]) == (0, 2, 0.5)
    made = Dataset([tmp_path / "r"], "reconstructions")
    assert [(s.id, s.attributes["views"]) for s in made.samples] == [("box/0003", [1])]
    assert [(s.id, s.reason) for s in made.skipped] == [("box/0001", "no view shows the object")]


def test_same_seed_same_weights(write_shapes: Write, tmp_path: Path) -> None:
    folders = write_shapes(count=5)
    depths = write_true_depths(folders.renders, tmp_path / "depths")
    weights = []
    for name, seed in {"a": 1, "b": 1, "c": 2}.items():
        settings = {**TINY, "steps": 3, "seed": seed}
        train_recgan([folders.renders], depths, [folders.voxels], tmp_path / name, tmp_path / "r", **settings)
        weights.append(load_file(tmp_path / name / "model.safetensors"))
    assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])
    assert not all(torch.equal(weights[0][key], weights[2][key]) for key in weights[0])


def test_what_cannot_be_trained_on(write_shapes: Write, tmp_path: Path) -> None:
    folders = write_shapes(count=2, splits=["val"])
    depths = write_true_depths(folders.renders, tmp_path / "depths")
    places = ([folders.renders], depths, [folders.voxels], tmp_path / "m", tmp_path / "r")
    with pytest.raises(DatasetError, match="training split"):
        train_recgan(*places, **TINY)
    for name, value in {
        "input_resolution": 12,
        "batch_size": 0,
        "adversarial": 1.0,
        "critic_start": -1,
        "learning_rate": 0.0,
    }.items():
        with pytest.raises(ParameterError):
            train_recgan(*places, **{**TINY, name: value})
