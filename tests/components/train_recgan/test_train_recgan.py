"""The stage that trains the voxel reconstructor, on analytic shapes and on published pairs."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import killed
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from kfp import dsl
from safetensors.torch import load_file

from components.train_recgan import TrainRecganSettings
from components.train_recgan.component import train_recgan as component
from components.train_recgan.pairs import lift
from components.train_recgan.train_recgan import train_recgan
from launch.cli import shapeyard
from shapeyard.contracts.dataset import Dataset, DatasetWriter
from shapeyard.contracts.model import read_config, read_history, read_metrics
from shapeyard.errors import DatasetError, ParameterError
from shapeyard.networks.recgan import Generator

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
    component.python_func(model, made, metrics, *artifacts, **TINY, adversarial=adversarial)
    reconstructions = Dataset([made.path], "reconstructions")
    assert [s.id for s in reconstructions.samples] == ["box/0003", "ball/0004", "ball/0008"]
    assert [(s.id, s.reason) for s in reconstructions.skipped] == [("box/0009", "no predicted depth")]
    figures, history = read_metrics(model.path), read_history(model.path)
    assert [row["step"] for row in history] == [4, 8, 12]
    assert figures["val_iou"] == pytest.approx(max(row["val_iou"] for row in history))
    assert metrics.metadata["val_iou"] == figures["val_iou"]
    assert reconstructions.attributes == {"threshold": figures["threshold"]}
    assert ("wasserstein_distance" in history[0]) == bool(adversarial)
    assert bool(figures["discriminator_parameters"]) == bool(adversarial)
    config = read_config(model.path)
    generator = Generator(config["input_resolution"], config["width"], config["bottleneck"])
    generator.load_state_dict(load_file(Path(model.path) / "model.safetensors"))
    one = lift(Dataset([folders.renders], "renders"), Dataset([depths], "depths"), "ball/0004", 1, 8)
    assert one is not None
    probability = reconstructions.read("ball/0004", "probability")
    assert probability.shape == (3, 32, 32, 32) and probability.dtype == np.uint8
    again = generator.eval()(torch.from_numpy(one.grid[None]).float()).sigmoid()[0].detach().numpy() * 255
    np.testing.assert_allclose(again, probability[1], atol=1)
    np.testing.assert_allclose(reconstructions.read("ball/0004", "canonical_from_cube")[1], one.canonical_from_cube)


def test_the_discriminator_joins_in_late(write_shapes: Write, tmp_path: Path) -> None:
    folders = write_shapes(count=5)
    depths = write_true_depths(folders.renders, tmp_path / "depths")
    settings = {**TINY, "steps": 8, "adversarial": 0.2, "discriminator_start": 5}
    places = [folders.renders], depths, [folders.voxels], tmp_path / "m", tmp_path / "r"
    train_recgan(*places, TrainRecganSettings(**settings))
    assert ["wasserstein_distance" in row for row in read_history(tmp_path / "m")] == [False, True]


def test_views_that_show_nothing(write_shapes: Write, tmp_path: Path) -> None:
    folders = write_shapes(splits=["train", "test"], count=4, views=2)
    images = Dataset([folders.renders], "renders")
    with DatasetWriter(tmp_path / "depths", "depths", "train_depth", {}) as writer:
        for sample in images.samples:
            depth = images.read(sample.id, "depth")
            depth[: {"box/0001": 2, "box/0003": 1}.get(sample.id, 0)] = np.inf
            writer.add(sample, {"depth": depth})
    places = [folders.renders], tmp_path / "depths", [folders.voxels], tmp_path / "m", tmp_path / "r"
    figures = train_recgan(*places, TrainRecganSettings(**{**TINY, "steps": 2})).figures
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
        places = [folders.renders], depths, [folders.voxels], tmp_path / name, tmp_path / "r"
        train_recgan(*places, TrainRecganSettings(**{**TINY, "steps": 3, "seed": seed}))
        weights.append(load_file(tmp_path / name / "model.safetensors"))
    assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])
    assert not all(torch.equal(weights[0][key], weights[2][key]) for key in weights[0])


def test_killed_and_resumed_it_ends_with_the_same_weights(write_shapes: Write, tmp_path: Path) -> None:
    folders = write_shapes(count=5)
    depths = write_true_depths(folders.renders, tmp_path / "depths")
    places = {"renders": [str(folders.renders)], "depths": str(depths), "voxels": [str(folders.voxels)]}
    settings = {**TINY, "adversarial": 0.2, "discriminator_start": 3, "steps": 16}
    alone = train_recgan(
        **places, model=tmp_path / "alone", reconstructions=tmp_path / "r", settings=TrainRecganSettings(**settings)
    ).figures
    state = tmp_path / "state"
    resumable = {**settings, "checkpoints": str(state), "checkpoint_minutes": 0}
    again = {**places, "model": str(tmp_path / "again"), "reconstructions": str(tmp_path / "r")}
    stage = "components.train_recgan.train_recgan:train_recgan"
    moment = random.Random(0)
    arguments = {**again, "settings": resumable}
    killed.stop_at_checkpoint(stage, arguments, state, moment.randint(1, 12), moment.random() / 40)
    figures = train_recgan(**again, settings=TrainRecganSettings(**resumable)).figures
    expected, found = (load_file(tmp_path / name / "model.safetensors") for name in ("alone", "again"))
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    assert figures["val_iou"] == alone["val_iou"] and len(list(state.iterdir())) == 1
    made = Dataset([tmp_path / "r"], "reconstructions")
    before = [made.read(sample.id, "probability") for sample in made.samples]
    once_more = train_recgan(**again, settings=TrainRecganSettings(**resumable)).figures
    made, found = Dataset([tmp_path / "r"], "reconstructions"), load_file(tmp_path / "again" / "model.safetensors")
    for sample, probability in zip(made.samples, before, strict=True):
        np.testing.assert_array_equal(made.read(sample.id, "probability"), probability)
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    assert {**once_more, "peak_memory_bytes": 0} == {**figures, "peak_memory_bytes": 0}
    assert list(state.iterdir()) == []


def test_two_ranks_learn_what_one_does(write_shapes: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = write_shapes(count=5)
    depths = write_true_depths(folders.renders, tmp_path / "depths")
    losses = []
    for ranks in (1, 2):
        monkeypatch.setenv("SHAPEYARD_RANKS", str(ranks))
        places = [folders.renders], depths, [folders.voxels], tmp_path / "m", tmp_path / "r"
        figures = train_recgan(*places, TrainRecganSettings(**TINY, adversarial=0.0)).figures
        assert figures["ranks"] == ranks
        losses.append([row["train_loss"] for row in read_history(tmp_path / "m")])
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)


def test_what_cannot_be_trained_on(write_shapes: Write, tmp_path: Path) -> None:
    held_out = write_shapes(count=2, splits=["val"], folder="held_out")
    depths = write_true_depths(held_out.renders, tmp_path / "val_depths")
    made = tmp_path / "m", tmp_path / "r"
    with pytest.raises(DatasetError, match="training split"):
        train_recgan([held_out.renders], depths, [held_out.voxels], *made, TrainRecganSettings(**TINY))
    folders = write_shapes(count=2)
    places = ([folders.renders], write_true_depths(folders.renders, tmp_path / "depths"), [folders.voxels], *made)
    with pytest.raises(ParameterError, match=r"^accumulate: expected at most the 4 views of a batch, got 5$"):
        train_recgan(*places, TrainRecganSettings(**TINY, accumulate=5))
    with pytest.raises(ParameterError, match="or pairs"):
        train_recgan([], None, [], tmp_path / "m", tmp_path / "r", TrainRecganSettings(**TINY))
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("input_resolution", 12, "8, 16, 32, 64 or 128"),
        ("batch_size", 0, "1 or more"),
        ("accumulate", 0, "1 or more"),
        ("depth_source", "measured", "predicted, true or both"),
        ("discriminator", "large", "scaled or paper"),
        ("floor", 1.0, "0 to below 1"),
        ("occupied_weight", 0.0, "above 0 to below 1"),
        ("gradient_penalty", -1.0, "0 or more"),
        ("views_per_object", -1, "0 or more"),
        ("adversarial", 1.0, "0 to below 1"),
        ("discriminator_start", -1, "0 or more"),
        (
            "discriminator_start",
            12,
            "fewer than the 12 steps, or adversarial 0 for a training without a discriminator",
        ),
        ("learning_rate", 0.0, "above 0"),
    ],
)
def test_settings_out_of_range(name: str, value: object, expected: str) -> None:
    with pytest.raises(ParameterError, match=rf"^{name}: expected {expected}, got {value}$"):
        TrainRecganSettings(**{**TINY, name: value})


def test_the_command_takes_published_pairs_instead(tmp_path: Path) -> None:
    for split, side in {"train_125": 8, "test_125": 5}.items():
        for kind, depth in {"25d": 1, "3d": side}.items():
            place = tmp_path / "pairs" / "P1_04379243_table" / f"{split}_{kind}_vox256"
            place.mkdir(parents=True)
            for view in range(2):
                grid = np.zeros((16 * side, 128, 16 * side, 1), np.int8)
                grid[:, :, : 16 * depth] = 1
                np.savez_compressed(place / f"{side}_{view}_0_0.npz", grid)
    places = {"pairs": tmp_path / "pairs", "model": tmp_path / "m", "reconstructions": tmp_path / "r"}
    values = {**TINY, **places, "accumulate": 2, "recompute": True, "mirror": False}
    options = [word for name, value in values.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    result = CliRunner().invoke(shapeyard, ["train-recgan", *options])
    assert result.exit_code == 0, result.output
    figures = read_metrics(tmp_path / "m")
    assert (figures["pairs"], figures["tested_on"], figures["validated_on"]) == (2, 2, 0)
    assert 0 < figures["test_iou"] <= 1 and "val_iou" not in figures
    assert figures["framing"] == read_config(tmp_path / "m")["framing"] == "whole object's box"
    reconstructions = Dataset([tmp_path / "r"], "reconstructions")
    assert [s.id for s in reconstructions.samples] == ["table/5_0_0_0", "table/5_1_0_0"]
    assert reconstructions.read("table/5_0_0_0", "probability").shape == (1, 32, 32, 32)
    (middle,) = reconstructions.read("table/5_0_0_0", "canonical_from_cube") @ np.array([0.5, 0.5, 0.5, 1])
    np.testing.assert_allclose(middle, [0, 0, 0, 1])
