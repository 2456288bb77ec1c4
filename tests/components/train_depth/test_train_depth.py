"""The training of the depth estimator: its examples, and the whole stage on analytic shapes."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import killed
import numpy as np
import pytest
import torch
from kfp import dsl
from safetensors.torch import load_file

from components.train_depth import TrainDepthSettings
from components.train_depth import views as views_module
from components.train_depth.component import train_depth as component
from components.train_depth.train_depth import train_depth
from components.train_depth.view_augmentation import Augmentation, augmented
from components.train_depth.views import Views
from shapeyard.contracts.dataset import Dataset
from shapeyard.contracts.model import read_config, read_history, read_metrics
from shapeyard.errors import DatasetError, ParameterError
from shapeyard.inference.depth import Window, stack
from shapeyard.networks.unet import UNet

TINY: dict[str, Any] = {
    "width": 4,
    "steps": 30,
    "batch_size": 4,
    "learning_rate": 3e-3,
    "validate_every": 10,
    "workers": 1,
}
TRAIN = "components.train_depth.train_depth:train_depth"
Write = Callable[..., Any]


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
    shown = [augmented((rgba, depth), Augmentation(), np.random.default_rng(seed)) for seed in range(20)]
    images, depths = stack([(rgba, depth), *shown])
    assert images.shape == (21, 4, 8, 8)
    assert images[0, 1, 1, 2].item() == pytest.approx(rgba[1, 2, 1] / 255)
    mirrored = [torch.equal(image, images[0].flip(-1)) for image in images[1:]]
    assert 4 < sum(mirrored) < 16
    for image, seen, flipped in zip(images[1:], depths[1:], mirrored, strict=True):
        assert flipped or torch.equal(image, images[0])
        assert torch.equal(seen, depths[0].flip(-1) if flipped else depths[0])


def ball() -> tuple[np.ndarray, np.ndarray]:
    """A gray ball of 32 × 40 pixels whose edge is half transparent."""
    y, x = np.mgrid[:32, :40]
    distance = np.hypot(y - 12, x - 25)
    alpha = np.select([distance < 6, distance < 7], [255, 128], 0)
    rgba = np.stack([np.full_like(alpha, 100)] * 3 + [alpha], axis=-1).astype(np.uint8)
    return rgba, np.where(distance < 6.5, 2 + distance / 10, np.inf).astype(np.float32)


def test_colours_change_and_the_shape_stays() -> None:
    rgba, depth = ball()
    means = []
    for seed in range(10):
        changed, seen = augmented((rgba, depth), Augmentation(color=0.3), np.random.default_rng(seed))
        flip = slice(None, None, -1) if changed[12, 14, 3] else slice(None)
        np.testing.assert_array_equal(changed[:, flip, 3], rgba[..., 3])
        np.testing.assert_array_equal(seen[:, flip], depth)
        assert (changed[..., :3] == changed[0, 0, :3]).all()  # one colour stays one colour
        means.append(changed[0, 0, :3])
    assert np.std(means, axis=0).min() > 5 and len({tuple(mean) for mean in means}) == 10
    assert (rgba[..., :3] == 100).all()


def test_a_background_shows_at_the_edges_alone() -> None:
    rgba, depth = ball()
    edge = (rgba[..., 3] > 0) & (rgba[..., 3] < 255)
    changed = [augmented((rgba, depth), Augmentation(background=1.0), np.random.default_rng(s))[0] for s in range(8)]
    changed = [image if not image[12, 14, 3] else image[:, ::-1] for image in changed]
    for image in changed:
        np.testing.assert_array_equal(image[..., 3], rgba[..., 3])
        assert (image[rgba[..., 3] == 255] == rgba[rgba[..., 3] == 255]).all()
    assert np.std([image[edge][:, 0].mean() for image in changed]) > 20


def test_crops_show_some_of_the_object() -> None:
    view = ball()
    starts = set()
    for seed in range(50):
        rgba, depth = augmented(view, Augmentation(crop=0.5), np.random.default_rng(seed))
        assert rgba.shape == (16, 16, 4) and depth.shape == (16, 16)  # half of 40 is 20, of which 16 divide by 8
        assert np.isfinite(depth).any() and set(np.unique(depth)) <= set(np.unique(view[1]))
        starts.add(depth.tobytes())
    assert len(starts) > 20
    with pytest.raises(ParameterError, match=r"^random_crop: expected 0 to below 1, got 1\.0$"):
        TrainDepthSettings(random_crop=1.0)


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
        assert predicted.read(sample.id, "depth").dtype == np.float32
    figures, history = read_metrics(model.path), read_history(model.path)
    assert [row["step"] for row in history] == [10, 20, 30]
    assert figures["val_rmse"] == min(row["val_rmse"] for row in history) == metrics.metadata["val_rmse"]
    config = read_config(model.path)
    network = UNet(config["width"])
    network.load_state_dict(load_file(Path(model.path) / "model.safetensors"))
    sample = true.of_split("val")[0]
    window = Window(**config["window"])
    rgba, depth = stack([window.cut((true.read(sample.id, "rgba", 0), true.read(sample.id, "depth", 0)))])
    network.eval()
    both = (network(rgba) + network(rgba.flip(3)).flip(3)) / 2
    again = both[0, 0].detach() * config["depth_std"] + config["depth_mean"]
    mask = torch.isfinite(depth[0]).numpy()
    written = predicted.read(sample.id, "depth", 0)
    np.testing.assert_allclose(again.numpy()[mask], written[window.slices][mask], atol=0.05)


def test_same_seed_same_weights(write_shapes: Write, tmp_path: Path) -> None:
    renders, _ = write_shapes(count=5)
    weights = []
    for name, seed in {"a": 1, "b": 1, "c": 2}.items():
        train_depth(
            [renders], tmp_path / name, tmp_path / "depths", TrainDepthSettings(**{**TINY, "steps": 4, "seed": seed})
        )
        weights.append(load_file(tmp_path / name / "model.safetensors"))
    assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])
    assert not all(torch.equal(weights[0][key], weights[2][key]) for key in weights[0])


def test_without_val_the_last_weights_stay(write_shapes: Write, tmp_path: Path) -> None:
    renders, _ = write_shapes(count=2, splits=["train"])
    figures = train_depth([renders], tmp_path / "m", tmp_path / "d", TrainDepthSettings(**{**TINY, "steps": 3})).figures
    assert "val_rmse" not in figures
    assert (figures["validated_on"], figures["kept_step"]) == (0, 3)


def test_what_cannot_be_trained_on(write_shapes: Write, tmp_path: Path) -> None:
    odd, _ = write_shapes(count=2, image_size=20, folder="odd")
    with pytest.raises(ParameterError, match="divide by 8, got 20 × 20"):
        train_depth([odd], tmp_path / "m", tmp_path / "d", TrainDepthSettings(**TINY))
    untrained, _ = write_shapes(count=2, splits=["val"], folder="untrained")
    with pytest.raises(DatasetError, match="training split"):
        train_depth([untrained], tmp_path / "m", tmp_path / "d", TrainDepthSettings(**TINY))
    with pytest.raises(ParameterError, match=r"^steps: expected 1 or more, got 0$"):
        TrainDepthSettings(**{**TINY, "steps": 0})


def test_images_of_two_sizes(write_shapes: Write, tmp_path: Path) -> None:
    large, _ = write_shapes(count=2, splits=["train"], folder="large")
    small, _ = write_shapes(start=2, count=4, splits=["train"], image_size=16, folder="small")
    with pytest.raises(DatasetError, match=r"images of \(32, 32\) pixels, sample ball/0002 has \(16, 16\)"):
        train_depth([large, small], tmp_path / "m", tmp_path / "d", TrainDepthSettings(**TINY))


def test_killed_and_started_again_it_ends_with_the_same_files(write_shapes: Write, tmp_path: Path) -> None:
    renders, _ = write_shapes()
    changes = {"scale_invariant": 0.5, "color_jitter": 0.2, "random_background": 0.5, "random_crop": 0.3}
    state = tmp_path / "state"
    settings = {**TINY, **changes, "checkpoint_minutes": 0}
    alone = {"renders": [str(renders)], "model": str(tmp_path / "alone"), "depths": str(tmp_path / "alone-depths"),
             "settings": settings}  # fmt: skip
    again = {"renders": [str(renders)], "model": str(tmp_path / "again"), "depths": str(tmp_path / "again-depths"),
             "settings": {**settings, "checkpoints": str(state)}}  # fmt: skip
    killed.run(TRAIN, alone)
    moment = random.Random(0)
    killed.stop_at_checkpoint(TRAIN, again, state, moment.randint(1, 25), moment.random() / 20)
    assert not (tmp_path / "again" / "metrics.json").exists() and list(state.glob("*.safetensors"))
    for left in (1, 0):  # the second time from the checkpoint of the last step
        killed.run(TRAIN, again)
        for name in ("model.safetensors", "history.csv"):
            assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "alone" / name).read_bytes(), name
        depths = [Dataset([tmp_path / name], "depths") for name in ("again-depths", "alone-depths")]
        assert depths[0].fingerprint == depths[1].fingerprint
        assert len(list(state.iterdir())) == left


def test_two_ranks_write_what_one_does(write_shapes: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    renders, _ = write_shapes(count=5)
    monkeypatch.setenv("SHAPEYARD_RANKS", "2")
    settings = TrainDepthSettings(**{**TINY, "steps": 6})
    figures = train_depth([str(renders)], str(tmp_path / "m"), str(tmp_path / "d"), settings).figures
    assert figures["ranks"] == 2 and figures.items() <= read_metrics(tmp_path / "m").items()
    assert (tmp_path / "m" / "logs").is_dir() and len(Dataset([tmp_path / "d"], "depths").samples) == 5
    odd, _ = write_shapes(count=2, image_size=20, folder="odd")
    with pytest.raises(ParameterError, match="divide by 8, got 20 × 20"):  # an error of a rank arrives as itself
        train_depth([str(odd)], str(tmp_path / "m"), str(tmp_path / "d"), settings)
    with pytest.raises(ParameterError, match=r"^width: expected 1 or more, got 0$"):
        TrainDepthSettings(**{**TINY, "width": 0})


def test_torchrun_is_another_way_to_start_two_ranks(write_shapes: Write, tmp_path: Path) -> None:
    renders, _ = write_shapes(count=5)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone"]
    folders = ["--renders", str(renders), "--model", str(tmp_path / "m"), "--depths", str(tmp_path / "d")]
    sizes = ["--width", "8", "--steps", "6", "--batch-size", "2"]
    command = [*torchrun, "-m", "launch", "train-depth", *folders, *sizes]
    subprocess.run(command, check=True, timeout=300, cwd=Path(__file__).parents[3])
    figures = read_metrics(tmp_path / "m")
    assert figures["ranks"] == 2 and figures["steps"] == 6
    assert len(Dataset([tmp_path / "d"], "depths").samples) == 5


def test_patience(write_shapes: Write, tmp_path: Path) -> None:
    renders, _ = write_shapes(count=5)
    changed = {"learning_rate": 1e-12, "steps": 50, "validate_every": 1, "patience": 3}
    figures = train_depth([renders], tmp_path / "m", tmp_path / "d", TrainDepthSettings(**(TINY | changed))).figures
    assert figures["steps"] == figures["kept_step"] + 3 < 50
