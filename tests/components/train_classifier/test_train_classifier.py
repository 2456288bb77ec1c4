"""The whole stage on balls, boxes and bars."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kfp import dsl
from numpy.typing import NDArray
from PIL import Image
from solid_grids import write_solids

from components.train_classifier import TrainClassifierSettings
from components.train_classifier.component import train_classifier as component
from components.train_classifier.examples import open_dataset, read_examples
from components.train_classifier.fitting import loss_and_accuracy
from components.train_classifier.train_classifier import train_classifier
from shapeyard.contracts.dataset import Dataset, read_info
from shapeyard.contracts.model import read_config, read_history, read_metrics
from shapeyard.errors import DatasetError, ParameterError
from shapeyard.networks.backend import keras
from shapeyard.sources.s3 import S3Source

ROOT = Path(__file__).parents[3]
QUICK: dict[str, Any] = {"epochs": 4, "batch_size": 16, "workers": 1}
ARTIFACTS = {"model": dsl.Model, "predictions": dsl.Dataset, "metrics": dsl.Metrics}


def train(voxels: Sequence[Path], folder: Path, **changes: Any) -> dict[str, Any]:
    """Write `folder`/model and `folder`/predictions; returns the figures."""
    settings = TrainClassifierSettings(**{**QUICK, **changes})
    return dict(train_classifier(voxels, folder / "model", folder / "predictions", settings).figures)


def test_it_needs_no_torch_and_says_nothing() -> None:
    code = "import sys; sys.modules['torch'] = None; import components.train_classifier.train_classifier"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_network_of_the_default_preset_is_trained(tmp_path: Path) -> None:
    """The runs of whole pipelines take `xu2016`, which TensorFlow traces in a tenth of the time."""
    voxels = write_solids(tmp_path / "voxels", {"ball": 8, "box": 8})
    figures = train([voxels], tmp_path, network="projection_cnn", resolution=16, padding=2, epochs=2, batch_size=6)
    assert read_config(tmp_path / "model")["network"] == "projection_cnn" and figures["trained_on"] == 12
    assert all(np.isfinite(row["train_loss"]) for row in read_history(tmp_path / "model"))


def test_the_stage_learns(tmp_path: Path) -> None:
    voxels = write_solids(tmp_path / "voxels", {"ball": 20, "bar": 20, "box": 20})
    model, predictions, metrics = (dsl_type(uri=str(tmp_path / name)) for name, dsl_type in ARTIFACTS.items())
    component.python_func(
        [dsl.Dataset(uri=str(voxels))], model, predictions, metrics, **{**QUICK, "epochs": 8, "batch_size": 8}
    )
    figures = read_metrics(model.path)
    assert figures["val_accuracy"] > 0.9 and figures["validated_on"] == 12 and figures["trained_on"] == 36
    assert metrics.metadata["val_accuracy"] == figures["val_accuracy"]
    history = read_history(model.path)
    assert [row["epoch"] for row in history] == list(range(1, 9))
    kept = history[figures["kept_epoch"] - 1]
    assert kept["val_accuracy"] == figures["val_accuracy"] == max(row["val_accuracy"] for row in history)
    config = read_config(model.path)
    assert (config["network"], config["resolution"], config["padding"]) == ("xu2016", 32, 0)
    assert config["classes"] == ["ball", "bar", "box"]

    written = Dataset([predictions.path], "predictions")
    assert written.attributes["classes"] == ["ball", "bar", "box"]
    assert {(s.split, s.id) for s in written.samples} == {
        (s.split, s.id) for s in Dataset([voxels], "voxels").samples if s.split != "train"
    }
    right = [
        written.attributes["classes"][written.read(s.id, "probabilities")[0].argmax()] == s.class_name
        for s in written.of_split("test")
    ]
    assert np.mean(right) > 0.9
    with Image.open(Path(predictions.path) / "preview.png") as sheet:
        assert sheet.width == 6 * 160

    # the kept weights are those of the kept epoch, and rebuild by themselves; dividing logits moves no answer
    network = keras.saving.load_model(Path(model.path) / "model.keras")
    data = open_dataset([voxels])
    val = read_examples(data, data.of_split("val"), config["classes"], 32)
    again = network.predict_on_batch({"occupancy": val.occupancy[..., None].astype(np.float32)})
    logits = config["temperature"] * np.log(again["probabilities"])
    assert loss_and_accuracy(logits, val.labels)[0] == pytest.approx(figures["val_loss"], rel=1e-3, abs=1e-3)
    for sample, row in zip(val.samples, again["probabilities"], strict=True):
        np.testing.assert_allclose(written.read(sample.id, "probabilities"), row[None], rtol=1e-3, atol=1e-5)
    beyond = (again["ood_score"] > config["ood_threshold"]).sum()
    assert beyond <= 1  # 5 % of 12
    assert [written[s.id].attributes["ood_score"] for s in val.samples] == pytest.approx(
        again["ood_score"].tolist(), abs=1e-4
    )


def test_the_same_seed_gives_the_same_weights(tmp_path: Path) -> None:
    voxels = write_solids(tmp_path / "voxels", {"ball": 6, "box": 6})

    def weights(name: str, seed: int) -> list[NDArray[np.float32]]:
        train([voxels], tmp_path / name, epochs=2, seed=seed)
        return list(keras.saving.load_model(tmp_path / name / "model" / "model.keras").get_weights())

    first, second, other = weights("first", 7), weights("second", 7), weights("other", 8)
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert not np.array_equal(first[0], other[0])


def test_without_val_the_last_epoch_is_kept(tmp_path: Path) -> None:
    voxels = write_solids(tmp_path / "voxels", {"ball": 4, "box": 4}, splits=["train"])
    figures = train([voxels], tmp_path)
    assert figures["validated_on"] == 0 and figures["kept_epoch"] == QUICK["epochs"] and "val_accuracy" not in figures
    assert set(read_history(tmp_path / "model")[0]) == {"step", "epoch", "train_loss", "train_accuracy"}
    assert read_info(tmp_path / "predictions")["counts"]["samples"] == 0


def test_one_object_a_class(tmp_path: Path) -> None:
    voxels = write_solids(tmp_path / "voxels", {"ball": 1, "bar": 1, "box": 1}, splits=["train"])
    figures = train([voxels], tmp_path, epochs=1, class_balance_exponent=1.0)
    assert figures["trained_on"] == 3


@pytest.mark.parametrize(
    ("counts", "splits", "message"),
    [
        ({"ball": 5}, ["train", "val"], r"at least two classes .*, got 3 of ball$"),
        ({"ball": 5, "box": 5}, ["val", "test"], r"at least two classes .*, got 0 of no class$"),
    ],
)
def test_voxels_that_cannot_be_trained_on(
    tmp_path: Path, counts: dict[str, int], splits: Sequence[str], message: str
) -> None:
    with pytest.raises(DatasetError, match=message):
        train([write_solids(tmp_path / "voxels", counts, splits=splits)], tmp_path)
    assert not (tmp_path / "model").exists() and not (tmp_path / "predictions").exists()


def test_a_side_that_does_not_divide(tmp_path: Path) -> None:
    voxels = write_solids(tmp_path / "voxels", {"ball": 2, "box": 2}, resolution=48)
    with pytest.raises(
        ParameterError, match=r"ball/0000: expected a grid whose side is a multiple of 32 voxels, got 48"
    ):
        train([voxels], tmp_path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", 0), ("batch_size", 0), ("learning_rate", 0.0), ("label_smoothing", 1.5),
        ("corruption_probability", -0.1), ("duplicate_iou", 2.0), ("shift", -1), ("shift", 16), ("stretch", -0.5),
        ("class_balance_exponent", 1.1), ("ema_decay", 1.0), ("ensemble_members", 0), ("folds", 2), ("fold", 3),
        ("noise", -1.0), ("padding", -1), ("weight_decay", -0.5),
    ],
)  # fmt: skip
def test_parameters_out_of_range(tmp_path: Path, name: str, value: Any) -> None:
    with pytest.raises(ParameterError, match=rf"^{name}: expected .*, got {value}$"):
        train([tmp_path], tmp_path, **{name: value})


@pytest.mark.parametrize("members", [1, 2])
def test_the_checkpoints_stay_until_the_same_training_succeeds_again(tmp_path: Path, bucket: str, members: int) -> None:
    voxels = write_solids(tmp_path / "voxels", {"ball": 10, "box": 10})
    S3Source(bucket).ensure_bucket()
    place = S3Source(f"{bucket}/members-{members}")
    settings = {"epochs": 2, "ensemble_members": members, "checkpoints": place.uri, "seed": 1}
    first = train([voxels], tmp_path / "first", **settings)
    assert len(place.list_files()) == members
    other = train([voxels], tmp_path / "other", **settings, padding=1)
    assert other["val_loss"] != first["val_loss"] and len(place.list_files()) == 2 * members
    second = train([voxels], tmp_path / "second", **settings)
    assert {**first, "peak_memory_bytes": 0} == {**second, "peak_memory_bytes": 0}
    assert len(place.list_files()) == members
    one, same = (keras.saving.load_model(tmp_path / name / "model/model.keras") for name in ("first", "second"))
    for value, expected in zip(same.get_weights(), one.get_weights(), strict=True):
        np.testing.assert_array_equal(value, expected)


def test_members_are_validated_on_what_they_did_not_see(tmp_path: Path) -> None:
    voxels = write_solids(tmp_path / "voxels", {"ball": 10, "box": 10})
    figures = train([voxels], tmp_path, ensemble_members=2, epochs=2, folds=5)
    assert figures["validated_on"] == figures["trained_on"] == 16 and figures["parameters"] == 2 * 643_730
    assert read_info(tmp_path / "predictions")["counts"]["splits"] == {"train": 0, "val": 0, "test": 4}
    config = read_config(tmp_path / "model")
    assert config["ensemble_members"] == 2 and config["ood_threshold"] is not None


def test_larger_grids_are_pooled_and_bad_ones_left_out(tmp_path: Path) -> None:
    """64³ to 32³; an empty grid is no training grid and no prediction; a copy of a val grid is not trained on."""
    voxels = write_solids(tmp_path / "train", {"ball": 3, "box": 3}, ["train"], resolution=64, empty=["box/0001"])
    copy = write_solids(tmp_path / "val", {"ball": 3}, ["val"], empty=["ball/other-0002"], prefix="other-")
    small, other = Dataset([voxels], "voxels"), Dataset([copy], "voxels")
    pooled = read_examples(small, small.samples, ["ball", "box"], 32)
    held_out = read_examples(other, other.samples, ["ball", "box"], 32, padding=3)
    assert pooled.occupancy.shape == (5, 32, 32, 32) and held_out.occupancy.shape == (2, 38, 38, 38)
    assert len(pooled) == 5 and pooled.empty == ["box/0001"] and held_out.empty == ["ball/other-0002"]
    with pytest.raises(DatasetError, match=r"at least two classes .* got 2 of box"):
        train([voxels, copy], tmp_path, epochs=1, duplicate_iou=0.7)
    figures = train([voxels, copy], tmp_path, epochs=1, duplicate_iou=1.0)
    assert figures["left_out_empty"] == 1 and figures["trained_on"] == 5 and figures["left_out_copies"] == 0
    info = read_info(tmp_path / "predictions")
    assert [s["id"] for s in info["skipped"]] == ["ball/other-0002"] and info["counts"]["samples"] == 2
