"""The depth estimator: its sizes, its loss, and the whole stage on analytic shapes."""

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

from components.train_depth import views as views_module
from components.train_depth.component import train_depth as component
from components.train_depth.model import UNet, masked_squared_error
from components.train_depth.predict import Estimator, predict
from components.train_depth.train import train_depth
from components.train_depth.views import Standardization, Views, Window, stack
from shapeyard.contracts.dataset import Dataset
from shapeyard.contracts.model import read_config, read_history, read_metrics
from shapeyard.errors import DatasetError, ParameterError

TINY: dict[str, Any] = {
    "width": 4,
    "steps": 30,
    "batch_size": 4,
    "learning_rate": 3e-3,
    "validate_every": 10,
    "workers": 1,
}
Write = Callable[..., Any]


def test_parameters_of_the_paper_size() -> None:
    def level(c_in: int, c: int) -> int:
        return (9 * c_in * c + c) + 2 * (9 * c * c + c) + 2 * c  # three convolutions, batch norm

    down = level(4, 64) + level(64, 128) + level(128, 256) + level(256, 512)
    enlarge = sum(4 * 2 * c * c + c for c in (256, 128, 64))
    up = level(512, 256) + level(256, 128) + level(128, 64)
    assert sum(p.numel() for p in UNet(64).parameters()) == down + enlarge + up + 64 + 1


def test_shapes_and_overfit() -> None:
    torch.manual_seed(0)
    network = UNet(4)
    rgba, depth = torch.rand(2, 4, 16, 24), torch.rand(2, 16, 24) + 1.5
    depth[:, :3] = math.inf
    assert network(rgba).shape == (2, 1, 16, 24)
    optimizer = torch.optim.Adam(network.parameters(), 1e-2)
    losses = []
    for _ in range(40):
        loss = masked_squared_error(network(rgba), depth, 2.0, 0.3)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


def test_loss_counts_the_object_alone() -> None:
    depth = torch.tensor([[[2.0, math.inf], [4.0, math.inf]]])
    estimate = torch.tensor([[[[1.0, 99.0], [1.0, -99.0]]]], requires_grad=True)
    loss = masked_squared_error(estimate, depth, 2.0, 2.0)  # targets 0 and 1
    loss.backward()
    assert loss.item() == pytest.approx(0.5)
    assert estimate.grad is not None
    assert estimate.grad[0, 0].tolist() == [[1.0, 0.0], [0.0, 0.0]]


def test_views_and_their_standardization(write_shapes: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    renders = Dataset([write_shapes().renders], "renders")
    train = Views(renders, renders.of_split("train"))
    assert len(train) == 12
    depths = np.concatenate([renders.read(s.id, "depth").ravel() for s in renders.of_split("train")])
    seen = depths[np.isfinite(depths)].astype(float)
    assert train.standardization() == pytest.approx((seen.mean(), seen.std()), rel=1e-6)
    monkeypatch.setattr(views_module, "MEMORY_BYTES", 30_000)
    from_files = Views(renders, renders.of_split("train"))
    for index in range(12):
        for held, read in zip(train[index], from_files[index], strict=True):
            np.testing.assert_array_equal(held, read)


def test_mirrored_views() -> None:
    rgba = np.arange(256, dtype=np.uint8).reshape(8, 8, 4)
    depth = np.arange(64, dtype=np.float32).reshape(8, 8)
    images, depths = stack([(rgba, depth), (rgba, depth)], Window(0, 8, 0, 8), np.array([False, True]))
    assert images.shape == (2, 4, 8, 8)
    assert torch.equal(images[1], images[0].flip(-1)) and torch.equal(depths[1], depths[0].flip(-1))
    assert images[0, 1, 1, 2].item() == pytest.approx(rgba[1, 2, 1] / 255)


def test_views_are_cut_to_what_is_visible() -> None:
    rgba, depth = np.zeros((32, 40, 4), np.uint8), np.full((32, 40), np.inf, np.float32)
    first, second = (rgba.copy(), depth.copy()), (rgba.copy(), depth.copy())
    first[1][9, 17], second[1][15, 25], second[0][15, 25] = 2.0, 3.0, 255
    window = Window.around(np.isfinite([first[1], second[1]]))
    assert window == (8, 16, 8, 32)  # the mirror images of columns 17 and 25 are 22 and 14
    images, depths = stack([first, second], Window(8, 16, 16, 32))
    assert images.shape == (2, 4, 8, 16) and depths[0, 1, 1] == 2.0 and depths[1, 7, 9] == 3.0
    assert images[1, :, 7, 9].tolist() == [1.0] * 4
    estimator = Estimator(UNet(4), Standardization(2.0, 0.3), window, half=False)
    assert predict(estimator, [first])[0, 9, 17] < np.inf
    beyond = rgba.copy(), depth.copy()
    beyond[1][31, 39] = 2.0
    assert np.isfinite(predict(estimator, [beyond])[0]).sum() == 1  # outside the window that was trained on
    nothing = predict(estimator, [(rgba, depth)])
    assert nothing.shape == (1, 32, 40) and np.isinf(nothing).all()


def test_stage(write_shapes: Write, tmp_path: Path) -> None:
    renders, _ = write_shapes()
    model, depths, metrics = (dsl.Model(uri=str(tmp_path / "m")), dsl.Dataset(uri=str(tmp_path / "d")),
                              dsl.Metrics(uri=str(tmp_path / "f")))  # fmt: skip
    component.python_func([dsl.Dataset(uri=str(renders))], model, depths, metrics, **TINY)
    true, predicted = Dataset([renders], "renders"), Dataset([depths.path], "depths")
    assert [s.id for s in predicted.samples] == [s.id for s in true.samples]
    assert (Path(depths.path) / "preview.png").is_file()
    for sample in true.samples:
        finite = np.isfinite(predicted.read(sample.id, "depth"))
        np.testing.assert_array_equal(finite, np.isfinite(true.read(sample.id, "depth")))
    figures, history = read_metrics(model.path), read_history(model.path)
    assert [row["step"] for row in history] == [10, 20, 30]
    assert figures["val_rmse"] == min(row["val_rmse"] for row in history) == metrics.metadata["val_rmse"]
    config = read_config(model.path)
    network = UNet(config["width"])
    network.load_state_dict(load_file(Path(model.path) / "model.safetensors"))
    sample = true.of_split("val")[0]
    window = Window(**config["window"])
    rgba, depth = stack([(true.read(sample.id, "rgba", 0), true.read(sample.id, "depth", 0))], window)
    again = network.eval()(rgba)[0, 0].detach() * config["depth_std"] + config["depth_mean"]
    mask = torch.isfinite(depth[0]).numpy()
    written = predicted.read(sample.id, "depth", 0)
    np.testing.assert_allclose(again.numpy()[mask], written[window.slices][mask], atol=0.05)


def test_same_seed_same_weights(write_shapes: Write, tmp_path: Path) -> None:
    renders, _ = write_shapes(count=5)
    weights = []
    for name, seed in {"a": 1, "b": 1, "c": 2}.items():
        train_depth([renders], tmp_path / name, tmp_path / "depths", **{**TINY, "steps": 4, "seed": seed})
        weights.append(load_file(tmp_path / name / "model.safetensors"))
    assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])
    assert not all(torch.equal(weights[0][key], weights[2][key]) for key in weights[0])


def test_without_val_the_last_weights_stay(write_shapes: Write, tmp_path: Path) -> None:
    renders, _ = write_shapes(count=2, splits=["train"])
    figures = train_depth([renders], tmp_path / "m", tmp_path / "d", **{**TINY, "steps": 3})
    assert "val_rmse" not in figures
    assert (figures["validated_on"], figures["kept_step"]) == (0, 3)


def test_what_cannot_be_trained_on(write_shapes: Write, tmp_path: Path) -> None:
    odd, _ = write_shapes(count=2, image_size=20, folder="odd")
    with pytest.raises(ParameterError, match="divide by 8, got 20 × 20"):
        train_depth([odd], tmp_path / "m", tmp_path / "d", **TINY)
    untrained, _ = write_shapes(count=2, splits=["val"], folder="untrained")
    with pytest.raises(DatasetError, match="training split"):
        train_depth([untrained], tmp_path / "m", tmp_path / "d", **TINY)
    with pytest.raises(ParameterError, match="steps"):
        train_depth([odd], tmp_path / "m", tmp_path / "d", **{**TINY, "steps": 0})


def test_images_of_two_sizes(write_shapes: Write, tmp_path: Path) -> None:
    large, _ = write_shapes(count=2, splits=["train"], folder="large")
    small, _ = write_shapes(start=2, count=4, splits=["train"], image_size=16, folder="small")
    with pytest.raises(DatasetError, match=r"images of \(32, 32\) pixels, sample ball/0002 has \(16, 16\)"):
        train_depth([large, small], tmp_path / "m", tmp_path / "d", **TINY)
