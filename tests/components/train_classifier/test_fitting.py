"""The training loop of one network."""

from __future__ import annotations

import signal
from pathlib import Path

import killed
import numpy as np
import pytest
from numpy.typing import NDArray
from one_network import SIDE, make_network, read_solids, train_network
from safetensors.numpy import load_file
from solid_grids import write_solids

from components.train_classifier import TrainClassifierSettings
from components.train_classifier.fitting import class_weights, fit, loss_and_accuracy
from shapeyard.errors import DatasetError, TrainingError

ONE_NETWORK = "one_network:train_network"


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


def weights_of(folder: Path) -> dict[str, NDArray[np.float32]]:
    with np.load(f"{folder}.npz") as arrays:
        return {name: arrays[name] for name in arrays}


def assert_same(one: Path, other: Path) -> None:
    first, second = weights_of(one), weights_of(other)
    assert first.keys() == second.keys() and first
    for name, value in first.items():
        np.testing.assert_array_equal(value, second[name])


def test_interrupted_within_an_epoch_it_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    voxels = str(write_solids(tmp_path / "voxels", {"ball": 8, "box": 8}))  # 10 for training: 3 steps an epoch
    state = tmp_path / "state"
    alone = train_network(voxels, str(tmp_path / "alone"))
    with pytest.raises(KeyboardInterrupt):  # after the second epoch's last step, before its checkpoint
        train_network(voxels, str(tmp_path / "again"), checkpoints=str(state), stop_after=2)
    (file,) = state.iterdir()
    again = train_network(voxels, str(tmp_path / "again"), checkpoints=str(state))
    assert_same(tmp_path / "alone", tmp_path / "again")
    assert again.progress.history == alone.progress.history and len(again.progress.history) == 4
    assert not again.began_finished and file.is_file()
    again = train_network(voxels, str(tmp_path / "again"), checkpoints=str(state))
    assert_same(tmp_path / "alone", tmp_path / "again")
    assert again.began_finished


def test_sigterm_ends_it_with_a_checkpoint(tmp_path: Path) -> None:
    voxels, state = str(write_solids(tmp_path / "voxels", {"ball": 8, "box": 8})), tmp_path / "state"
    arguments = {"voxels": voxels, "out": str(tmp_path / "again"), "checkpoints": str(state), "epochs": 24}
    said = killed.stop_at_checkpoint(ONE_NETWORK, arguments, state, 4, by=signal.SIGTERM)
    (file,) = state.iterdir()
    (line,) = said.splitlines()  # and nothing of TensorFlow's own
    assert line.startswith("training: step ") and line.endswith(f" is {file}") and "told to end (SIGTERM)" in line
    assert f"the checkpoint of step {line.split()[2]} is" in line
    # in processes of their own as well: how many threads TensorFlow has here is decided by whichever test came first,
    # and with another number of them convolutions sum in another order
    killed.run(ONE_NETWORK, arguments)
    killed.run(ONE_NETWORK, {**arguments, "out": str(tmp_path / "alone"), "checkpoints": ""})
    assert_same(tmp_path / "alone", tmp_path / "again")


def test_a_loss_that_is_no_number_leaves_the_last_checkpoint(tmp_path: Path) -> None:
    voxels, state = str(write_solids(tmp_path / "voxels", {"ball": 8, "box": 8})), tmp_path / "state"
    with pytest.raises(TrainingError, match=r"^step [0-9]+ of 12: the (loss|gradient) is no longer finite: lower the "):
        train_network(voxels, str(tmp_path / "x"), checkpoints=str(state), learning_rate=1e30)
    assert not (tmp_path / "x.npz").exists()
    for file in state.glob("*"):
        assert all(np.isfinite(array).all() for array in load_file(file).values())


def test_a_checkpoint_of_another_training_is_not_taken(tmp_path: Path) -> None:
    voxels, state = str(write_solids(tmp_path / "voxels", {"ball": 8, "box": 8})), tmp_path / "state"
    train_network(voxels, str(tmp_path / "x"), checkpoints=str(state))
    (file,) = state.iterdir()
    train, val = read_solids(voxels)
    settings = TrainClassifierSettings(
        network="measures_net", resolution=SIDE, epochs=1, batch_size=4, checkpoints=str(state)
    )
    fit(make_network(), val, train, settings, 3)
    (other,) = [path for path in state.iterdir() if path != file]
    other.replace(file)
    with pytest.raises(DatasetError, match=rf"{file}: expected a checkpoint of this training: it belongs to another"):
        train_network(voxels, str(tmp_path / "x"), checkpoints=str(state))
    file.write_bytes(b"cut off")
    with pytest.raises(DatasetError, match=rf"{file}: not readable as a checkpoint"):
        train_network(voxels, str(tmp_path / "x"), checkpoints=str(state))
