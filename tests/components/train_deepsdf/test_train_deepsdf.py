"""The stage train_deepsdf."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import killed
import numpy as np
import pytest
from boxes_sdf import write_shapes
from safetensors.numpy import load_file

from components.train_deepsdf import TrainDeepsdfSettings
from components.train_deepsdf.scenes import Scenes
from components.train_deepsdf.train_deepsdf import train_deepsdf
from shapeyard.contracts.dataset import Dataset, DatasetWriter
from shapeyard.contracts.model import read_config, read_history
from shapeyard.errors import DatasetError, ParameterError
from shapeyard.inference.models import load_torch

TRIPLANE = TrainDeepsdfSettings(
    network="triplane", code_length=4, width=8, plane_features=4, plane_resolution=16, steps=60, batch_size=4,
    samples_per_scene=256, learning_rate=5e-3, code_learning_rate=1e-2, schedule="cosine", validate_every=30,
    refit_steps=5, val_objects=2, workers=1,
)  # fmt: skip
DEEPSDF = replace(TRIPLANE, network="deepsdf", width=16, schedule="halving")
MAIN = "components.train_deepsdf.train_deepsdf:train_deepsdf"


@pytest.fixture(scope="module")
def sdf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_shapes(tmp_path_factory.mktemp("shapes"))[1]


@pytest.mark.parametrize("settings", [TRIPLANE, DEEPSDF], ids=["triplane", "deepsdf"])
def test_stage(settings: TrainDeepsdfSettings, sdf: Path, tmp_path: Path) -> None:
    figures = train_deepsdf([sdf], tmp_path / "model", settings).figures
    history = read_history(tmp_path / "model")
    assert [row["step"] for row in history] == [30, 60]
    assert history[-1]["train_error"] < history[0]["train_error"]
    assert figures["objects"] == 6 and figures["validated_on"] == 2
    network, config = load_torch(tmp_path / "model")
    assert config["network"] == settings.network and config["ids"] == [f"box/train{number}" for number in range(6)]
    codes = load_file(tmp_path / "model" / "codes.safetensors")["codes"]
    assert codes.shape == (6, 4) and np.linalg.norm(codes, axis=1).max() < 1.1  # 1 before they were fitted again
    assert sum(p.numel() for p in network.parameters()) == figures["parameters"]


def test_a_draw_is_half_outside_and_repeats_what_is_too_short(sdf: Path) -> None:
    data = Dataset([sdf], "sdf")
    scenes = Scenes(data, data.of_split("train"))
    for count in (101, 20_000):
        drawn = scenes.draw(0, count, np.random.default_rng(0))
        assert drawn.shape == (count, 4) and (drawn[: count - count // 2, 3] >= 0).all()
        assert (drawn[count - count // 2 :, 3] < 0).all()
    data.close()


def test_killed_and_resumed_it_ends_with_the_same_weights(sdf: Path, tmp_path: Path) -> None:
    settings: dict[str, Any] = {**asdict(DEEPSDF), "steps": 200, "checkpoints": str(tmp_path / "state"),
                                "checkpoint_minutes": 0.0}  # fmt: skip
    arguments = {"sdf": [str(sdf)], "model": str(tmp_path / "again"), "settings": settings}
    killed.stop_at_checkpoint(MAIN, arguments, tmp_path / "state", 5)
    killed.run(MAIN, arguments)
    killed.run(MAIN, {**arguments, "model": str(tmp_path / "alone"), "settings": {**settings, "checkpoints": ""}})
    for name in ("model.safetensors", "codes.safetensors"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "alone" / name).read_bytes()


def test_two_ranks_learn_what_one_does(sdf: Path, tmp_path: Path) -> None:
    for name, ranks in (("one", "1"), ("two", "2")):
        settings = {**asdict(replace(TRIPLANE, steps=8, refit_steps=0)), "workers": 2}
        killed.run(
            MAIN, {"sdf": [str(sdf)], "model": str(tmp_path / name), "settings": settings}, SHAPEYARD_RANKS=ranks
        )
    one, two = (load_file(tmp_path / name / "codes.safetensors")["codes"] for name in ("one", "two"))
    np.testing.assert_allclose(one, two, atol=2e-4)
    assert read_config(tmp_path / "one") == read_config(tmp_path / "two")


def test_faults_are_one_line(sdf: Path, tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="width: expected at least 260 for codes of 256, got 64"):
        TrainDeepsdfSettings(width=64)
    with pytest.raises(ParameterError, match="width: expected a multiple of 8 for triplane, got 12"):
        TrainDeepsdfSettings(network="triplane", width=12)
    data = Dataset([sdf], "sdf")
    with DatasetWriter(tmp_path / "empty", "sdf", "sample_sdf", {}) as writer:
        sample = data.samples[0]
        full = data.read(sample.id, "positive")
        writer.add(sample, {"positive": full, "negative": full[:0]})
    with pytest.raises(
        DatasetError, match=r"box/train0: expected negative samples \(N,4\), at least one, got \(0, 4\)"
    ):
        train_deepsdf([tmp_path / "empty"], tmp_path / "model", TRIPLANE)
    with DatasetWriter(tmp_path / "test", "sdf", "sample_sdf", {}) as writer:
        sample = data.of_split("test")[0]
        writer.add(sample, {name: data.read(sample.id, name) for name in ("positive", "negative")})
    with pytest.raises(DatasetError, match="expected objects of the training split, found none"):
        train_deepsdf([tmp_path / "test"], tmp_path / "model", TRIPLANE)
    data.close()
