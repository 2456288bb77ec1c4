"""The classifier: the paper's network, the spoiled grids, and the whole stage on balls, boxes and bars."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from kfp import dsl
from numpy.typing import NDArray
from PIL import Image
from solid_grids import write_solids

from components.train_classifier.augmentation import Changes, linear_interpolation, move, spoil, training_batches, turn
from components.train_classifier.component import train_classifier as component
from components.train_classifier.examples import Examples, open_dataset, read_examples, split_of_folds, without_copies
from components.train_classifier.fitting import Settings, class_weights, fit, loss_and_accuracy
from components.train_classifier.model import build_network, depth_maps, finished_network
from components.train_classifier.train import train_classifier
from shapeyard.contracts.dataset import Dataset, Sample, read_info
from shapeyard.contracts.model import read_config, read_history, read_metrics
from shapeyard.errors import DatasetError, ParameterError
from shapeyard.sources.s3 import S3Source

QUICK: dict[str, Any] = {"epochs": 4, "batch_size": 16, "workers": 1}
ARTIFACTS = {"model": dsl.Model, "predictions": dsl.Dataset, "metrics": dsl.Metrics}
SEED = tf.constant([3, 4], tf.int64)


def grid_of(resolution: int) -> dict[str, tuple[int, ...]]:
    return {"occupancy": (resolution, resolution, resolution, 1)}


def test_parameters_of_the_paper() -> None:
    convolutions = (16 * 6**3 + 16) + (64 * 16 * 5**3 + 64) + (64 * 64 * 5**3 + 64)
    for resolution in (30, 32):  # 30 → 13 → 5 → 1 and 32 → 14 → 5 → 1 voxels
        assert (
            build_network("xu2016", grid_of(resolution), 10).count_params() == convolutions + (64 * 10 + 10) == 644_250
        )
    assert build_network("xu2016", grid_of(64), 3).output_shape == (None, 3)


def test_networks_that_cannot_be_built() -> None:
    with pytest.raises(ParameterError, match=r"expected a network of xu2016, .*, got vgg"):
        build_network("vgg", grid_of(32), 10)
    with pytest.raises(ParameterError, match=r"at least 30, got 29"):
        build_network("xu2016", grid_of(29), 10)


def test_a_grid_that_is_not_to_move_stays() -> None:
    grids = tf.constant(np.random.default_rng(0).random((2, 6, 6, 6)) > 0.5, tf.float32)
    np.testing.assert_array_equal(move(grids, 0, 0.0, SEED), grids)
    np.testing.assert_array_equal(spoil(grids, 0.0, SEED), grids)


def test_moved_grids_are_shifted_copies() -> None:
    grid = np.zeros((9, 9, 9), np.float32)
    grid[3:6, 4, 3:5] = 1
    places = {tuple(offset) for offset in np.ndindex(5, 5, 5)}
    copies = {np.roll(grid, np.subtract(offset, 2), (0, 1, 2)).tobytes() for offset in places}
    moved = move(tf.constant(np.stack([grid] * 40)), 2, 0.0, SEED).numpy()
    assert all(one.tobytes() in copies for one in moved)
    assert len({one.tobytes() for one in moved}) > 20


def test_what_moves_out_does_not_come_back() -> None:
    moved = move(tf.ones((20, 8, 8, 8)), 3, 0.0, SEED).numpy()
    assert moved.min() == 0 and (moved.sum(axis=(1, 2, 3)) >= 5**3).all()


def test_stretched_grids_stay_centred() -> None:
    ball = np.square(np.stack(np.meshgrid(*[np.arange(33) - 16] * 3))).sum(axis=0) <= 100
    stretched = move(tf.constant(np.stack([ball] * 20), tf.float32), 0, 0.3, SEED).numpy() > 0
    np.testing.assert_array_equal(stretched, stretched[:, ::-1, ::-1, ::-1])
    widths = stretched.any(axis=(2, 3)).sum(axis=1)  # of 21 voxels, times 1/1.3 to 1.3
    assert widths.min() < 19 and widths.max() > 23 and widths.min() >= 15 and widths.max() <= 29


def test_spoiled_grids_are_binary_and_still_alike() -> None:
    ball = np.square(np.stack(np.meshgrid(*[np.arange(32) - 15.5] * 3))).sum(axis=0) <= 144
    spoiled = spoil(tf.constant(np.stack([ball] * 10), tf.float32), 1.0, SEED).numpy()
    assert set(np.unique(spoiled)) == {0.0, 1.0}
    shared, either = (spoiled > 0) & ball, (spoiled > 0) | ball
    ious = shared.sum(axis=(1, 2, 3)) / either.sum(axis=(1, 2, 3))
    assert (ious > 0.4).all() and (ious < 1).all()


def test_linear_interpolation_by_hand() -> None:
    expected = [[1, 0, 0], [0.5, 0.5, 0], [0, 1, 0], [0, 0.5, 0.5], [0, 0, 1]]
    np.testing.assert_allclose(linear_interpolation(5, 3), expected)


def test_batches_hold_every_grid_once_an_epoch() -> None:
    occupancy, labels = np.zeros((5, 4, 4, 4), dtype=bool), np.arange(5)
    batches = list(training_batches({"occupancy": occupancy}, labels, 2, 3, Changes(), seed=1))
    assert [len(classes) for _, classes in batches] == [2, 2, 1] * 3
    orders = [np.concatenate([c for _, c in batches[i : i + 3]]).tolist() for i in (0, 3, 6)]
    assert all(sorted(order) == [0, 1, 2, 3, 4] for order in orders) and len({tuple(o) for o in orders}) > 1
    assert batches[0][0]["occupancy"].shape == (2, 4, 4, 4, 1)


def test_class_weights_by_hand() -> None:
    labels = np.array([0, 0, 0, 2])
    np.testing.assert_allclose(class_weights(labels, 3, 1.0), [2 / 3, 0, 2])
    np.testing.assert_allclose(class_weights(labels, 3, 0.0), [1, 0, 1])
    halfway = class_weights(labels, 3, 0.5)
    assert halfway[2] / halfway[0] == pytest.approx(3**0.5) and halfway[labels].sum() == pytest.approx(4)


def test_loss_and_accuracy_by_hand() -> None:
    probabilities = np.array([[0.5, 0.5 - 1e-3, 1e-3], [0.25, 0.5, 0.25]], np.float32)
    loss, accuracy = loss_and_accuracy(np.log(probabilities) + 7, np.array([0, 0]))
    assert loss == pytest.approx((np.log(2) + np.log(4)) / 2) and accuracy == 0.5


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
    beyond = (again["unlikeness"] > config["unlike_above"]).sum()
    assert beyond <= 1  # 5 % of 12
    assert [written[s.id].attributes["unlikeness"] for s in val.samples] == pytest.approx(
        again["unlikeness"].tolist(), abs=1e-4
    )


def test_the_same_seed_gives_the_same_weights(tmp_path: Path) -> None:
    voxels = write_solids(tmp_path / "voxels", {"ball": 6, "box": 6})

    def weights(name: str, seed: int) -> list[NDArray[np.float32]]:
        train_classifier([voxels], tmp_path / name, tmp_path / "predictions", **{**QUICK, "epochs": 2, "seed": seed})
        return list(keras.saving.load_model(tmp_path / name / "model.keras").get_weights())

    first, second, other = weights("first", 7), weights("second", 7), weights("other", 8)
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert not np.array_equal(first[0], other[0])


def test_without_val_the_last_epoch_is_kept(tmp_path: Path) -> None:
    voxels = write_solids(tmp_path / "voxels", {"ball": 4, "box": 4}, splits=["train"])
    figures = train_classifier([voxels], tmp_path / "model", tmp_path / "predictions", **QUICK)
    assert figures["validated_on"] == 0 and figures["kept_epoch"] == QUICK["epochs"] and "val_accuracy" not in figures
    assert set(read_history(tmp_path / "model")[0]) == {"epoch", "train_loss", "train_accuracy"}
    assert read_info(tmp_path / "predictions")["counts"]["samples"] == 0


def test_one_object_a_class(tmp_path: Path) -> None:
    voxels = write_solids(tmp_path / "voxels", {"ball": 1, "bar": 1, "box": 1}, splits=["train"])
    figures = train_classifier(
        [voxels], tmp_path / "model", tmp_path / "predictions", **{**QUICK, "epochs": 1, "balance": 1.0}
    )
    assert figures["trained_on"] == 3


def test_larger_grids_are_pooled_and_bad_ones_left_out(tmp_path: Path) -> None:
    """64³ to 32³; an empty grid is no training grid and no prediction; a copy of a val grid is not trained on."""
    voxels = write_solids(tmp_path / "train", {"ball": 3, "box": 3}, ["train"], resolution=64, empty=["box/0001"])
    copy = write_solids(tmp_path / "val", {"ball": 3}, ["val"], empty=["ball/other-0002"], prefix="other-")
    small, other = Dataset([voxels], "voxels"), Dataset([copy], "voxels")
    pooled = read_examples(small, small.samples, ["ball", "box"], 32)
    held_out = read_examples(other, other.samples, ["ball", "box"], 32, padding=3)
    assert pooled.occupancy.shape == (5, 32, 32, 32) and held_out.occupancy.shape == (2, 38, 38, 38)
    assert len(pooled) == 5 and pooled.empty == ["box/0001"] and held_out.empty == ["ball/other-0002"]
    settings = {**QUICK, "epochs": 1, "duplicate_iou": 0.7}
    with pytest.raises(DatasetError, match=r"at least two classes .* got 2 of box"):
        train_classifier([voxels, copy], tmp_path / "model", tmp_path / "predictions", **settings)
    figures = train_classifier(
        [voxels, copy], tmp_path / "model", tmp_path / "predictions", **{**settings, "duplicate_iou": 1.0}
    )
    assert figures["left_out_empty"] == 1 and figures["trained_on"] == 5 and figures["left_out_copies"] == 0
    info = read_info(tmp_path / "predictions")
    assert [s["id"] for s in info["skipped"]] == ["ball/other-0002"] and info["counts"]["samples"] == 2


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
        train_classifier(
            [write_solids(tmp_path / "voxels", counts, splits=splits)],
            tmp_path / "model",
            tmp_path / "predictions",
            **QUICK,
        )
    assert not (tmp_path / "model").exists() and not (tmp_path / "predictions").exists()


def test_a_side_that_does_not_divide(tmp_path: Path) -> None:
    voxels = write_solids(tmp_path / "voxels", {"ball": 2, "box": 2}, resolution=48)
    with pytest.raises(
        ParameterError, match=r"ball/0000: expected a grid whose side is a multiple of 32 voxels, got 48"
    ):
        train_classifier([voxels], tmp_path / "model", tmp_path / "predictions", **QUICK)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", 0), ("batch_size", 0), ("learning_rate", 0.0), ("label_smoothing", 1.5), ("spoiled", -0.1),
        ("duplicate_iou", 2.0), ("shift", -1), ("shift", 16), ("stretch", -0.5), ("balance", 1.1), ("average", 1.0),
        ("members", 0), ("folds", 2), ("fold", 3), ("noise", -1.0), ("padding", -1), ("weight_decay", -0.5),
    ],
)  # fmt: skip
def test_parameters_out_of_range(tmp_path: Path, name: str, value: Any) -> None:
    with pytest.raises(ParameterError, match=str(value).replace(".", r"\.")):
        train_classifier([tmp_path], tmp_path / "model", tmp_path / "predictions", **{**QUICK, name: value})


def test_an_interrupted_training_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    data = open_dataset([write_solids(tmp_path / "voxels", {"ball": 8, "box": 8})])
    train, val = (read_examples(data, data.of_split(split), data.classes, 32) for split in ("train", "val"))
    settings = Settings(4, 4, 1e-3, 0.01, 0.1, 0.5, 0.5, True, Changes(shift=2, turned=True))

    def trained(checkpoints: str, stop_after: int = 9) -> list[NDArray[np.float32]]:
        def say(epoch: int, note: str) -> None:
            if epoch == stop_after:
                raise KeyboardInterrupt

        keras.utils.set_random_seed(3)
        tf.config.experimental.enable_op_determinism()
        network = build_network("shapeyard", grid_of(32), 2)
        fit(network, train, val, settings, 3, checkpoints, say)
        return list(network.get_weights())

    at_once, state = trained(""), tmp_path / "state"
    with pytest.raises(KeyboardInterrupt):
        trained(str(state), stop_after=2)
    (file,) = state.iterdir()
    fit(build_network("shapeyard", grid_of(32), 2), val, train, settings, 3, str(state))
    (other,) = [path for path in state.iterdir() if path != file]
    again = trained(str(state))
    for one, same in zip(at_once, again, strict=True):
        np.testing.assert_array_equal(one, same)
    other.replace(file)
    with pytest.raises(DatasetError, match=rf"{file}: expected .* got one of other samples or settings"):
        trained(str(state))
    file.write_bytes(b"cut off")
    with pytest.raises(DatasetError, match=rf"{file}: not readable as a checkpoint"):
        trained(str(state))


@pytest.mark.parametrize("members", [1, 2])
def test_the_checkpoints_stay_until_the_same_training_succeeds_again(tmp_path: Path, bucket: str, members: int) -> None:
    voxels = write_solids(tmp_path / "voxels", {"ball": 10, "box": 10})
    S3Source(bucket).ensure_bucket()
    place = S3Source(f"{bucket}/members-{members}")
    settings = {**QUICK, "epochs": 2, "members": members, "checkpoints": place.uri, "seed": 1}
    first = train_classifier([voxels], tmp_path / "first", tmp_path / "p", **settings)
    assert len(place.list_files()) == members
    other = train_classifier([voxels], tmp_path / "other", tmp_path / "p", **{**settings, "padding": 1})
    assert other["val_loss"] != first["val_loss"] and len(place.list_files()) == 2 * members
    second = train_classifier([voxels], tmp_path / "second", tmp_path / "p", **settings)
    assert first == second and len(place.list_files()) == members
    one, same = (keras.saving.load_model(tmp_path / name / "model.keras") for name in ("first", "second"))
    for value, expected in zip(same.get_weights(), one.get_weights(), strict=True):
        np.testing.assert_array_equal(value, expected)


def test_turned_grids_are_all_eight_ways() -> None:
    grid = np.random.default_rng(0).random((5, 5, 5)) > 0.5
    ways = set()
    for mirrored in (grid, grid[::-1]):
        ways |= {np.rot90(mirrored, k, (0, 2)).tobytes() for k in range(4)}
    turned = turn(tf.constant(np.stack([grid] * 200), tf.float32), SEED).numpy() > 0.5
    assert {one.tobytes() for one in turned} == ways and len(ways) == 8


def test_folds_hold_every_sample_once_as_test(tmp_path: Path) -> None:
    samples = Dataset([write_solids(tmp_path / "voxels", {"ball": 7, "box": 11})], "voxels").samples
    tests = [split_of_folds(samples, 5, fold, True) for fold in range(5)]
    assert sorted(s.id for one in tests for s in one["test"]) == sorted(s.id for s in samples)
    for one in tests:
        assert sorted(s.id for part in one.values() for s in part) == sorted(s.id for s in samples)
        assert all(1 <= sum(s.class_name == name for s in one["test"]) <= 3 for name in ("ball", "box"))
        assert one["val"]
    assert not split_of_folds(samples, 5, 0, False)["val"]


def test_copies_are_found_by_grid_and_by_hash() -> None:
    grids = np.zeros((3, 4, 4, 4), bool)
    grids[0, :2], grids[1, 2:], grids[2, :, 1] = True, True, True
    rows = [Sample(f"box/{i}", "box", "train", "", sha256=f"{i}") for i in range(3)]
    train = Examples(rows, {"occupancy": grids}, np.zeros(3, np.int64), [])
    held_out = Examples(
        [Sample("box/a", "box", "test", "", sha256="1"), Sample("box/b", "box", "test", "", sha256="x")],
        {"occupancy": np.stack([grids[0] ^ True, grids[2]])}, np.zeros(2, np.int64), [],
    )  # fmt: skip
    left, copies = without_copies(train, [held_out], 1.0, turned=False)
    assert [s.id for s in left.samples] == ["box/0"] and copies == [["box/1", "box/a"], ["box/2", "box/b"]]
    # Mirrored along x, the first is the held-out one as well.
    left, copies = without_copies(train, [held_out], 1.0, turned=True)
    assert not len(left) and copies == [["box/0", "box/a"], ["box/1", "box/a"], ["box/2", "box/b"]]


def test_members_are_validated_on_what_they_did_not_see(tmp_path: Path) -> None:
    voxels = write_solids(tmp_path / "voxels", {"ball": 10, "box": 10})
    figures = train_classifier(
        [voxels], tmp_path / "model", tmp_path / "predictions", **{**QUICK, "members": 2, "epochs": 2, "folds": 5}
    )
    assert figures["validated_on"] == figures["trained_on"] == 16 and figures["parameters"] == 2 * 643_730
    assert read_info(tmp_path / "predictions")["counts"]["splits"] == {"train": 0, "val": 0, "test": 4}
    config = read_config(tmp_path / "model")
    assert config["members"] == 2 and config["unlike_above"] is not None


def test_unlikeness_of_measures_by_hand() -> None:
    network = build_network("solid", {**grid_of(32), "measures": (2,)}, 3)
    known = np.array([[0, 0], [2, 4]], np.float32)  # deviations 1 and 2
    finished = finished_network([network], 2.0, known)
    shown = {"occupancy": np.zeros((3, 32, 32, 32, 1), np.float32),
             "measures": np.array([[2, 4], [3, 4], [0, -8]], np.float32)}  # fmt: skip
    answers = finished.predict_on_batch(shown)
    np.testing.assert_allclose(answers["unlikeness"], [0, np.sqrt(1 / 2), np.sqrt(16 / 2)], atol=2e-3)
    np.testing.assert_allclose(answers["probabilities"].sum(axis=1), 1, rtol=1e-5)


def test_parameters_of_3d_net() -> None:
    assert build_network("points256", {"points": (256, 256, 3)}, 66).count_params() == 12_980_616
    with pytest.raises(ParameterError, match=r"network points256: expected a dataset with points, got occupancy"):
        build_network("points256", grid_of(32), 66)


def test_maps_of_a_single_voxel() -> None:
    grid = np.zeros((1, 8, 8, 8, 1), np.float32)
    grid[0, 2, 3, 4] = 1
    for axis, place, seen_at in ((1, 2, (3, 4)), (2, 3, (2, 4)), (3, 4, (2, 3))):
        maps = np.asarray(depth_maps(tf.constant(grid), axis))[0]
        assert maps.shape == (8, 8, 3) and np.count_nonzero(maps.any(axis=-1)) == 1
        np.testing.assert_allclose(maps[seen_at], [(8 - place) / 8, (place + 1) / 8, 1 / 8])


def test_the_strong_network_takes_the_sizes_that_presets_use() -> None:
    assert build_network("shapeyard", grid_of(30), 10).count_params() == 1_089_578
    assert build_network("shapeyard", grid_of(32), 8).output_shape == (None, 8)
