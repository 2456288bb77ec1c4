"""The training of one classifier network, to be interrupted: with dropout, batch norm and averaged weights."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from components.train_classifier import TrainClassifierSettings
from components.train_classifier.examples import Examples, open_dataset, read_examples
from components.train_classifier.fitting import fit
from components.train_classifier.train_classifier import make_repeatable
from shapeyard.networks.backend import keras
from shapeyard.training.keras_training import KerasTraining

SIDE, MEASURES = 16, 5


def read_solids(voxels: str) -> list[Examples]:
    """The training and the validation examples, with measures that say little."""
    data, rng = open_dataset([voxels]), np.random.default_rng(0)
    found = [read_examples(data, data.of_split(split), data.classes, SIDE) for split in ("train", "val")]
    measures = [(one.labels[:, None] + rng.normal(size=(len(one), MEASURES))).astype(np.float32) for one in found]
    return [replace(one, inputs={**one.inputs, "measures": m}) for one, m in zip(found, measures, strict=True)]


def make_network() -> keras.Model:
    """As small as can be, with all that has a state: batch norm and dropout's generator."""
    occupancy, measures = (
        keras.Input((SIDE, SIDE, SIDE, 1), name="occupancy"),
        keras.Input((MEASURES,), name="measures"),
    )
    x = keras.layers.Conv3D(4, 3, strides=2)(occupancy)  # (B,7,7,7,4)
    x = keras.layers.Activation("relu")(keras.layers.BatchNormalization()(x))
    x = keras.layers.Concatenate()([keras.layers.GlobalAveragePooling3D()(x), measures])  # (B,4+MEASURES)
    x = keras.layers.Dropout(0.3)(keras.layers.Dense(8, "relu")(x))
    return keras.Model([occupancy, measures], keras.layers.Dense(2)(x), name="small")


def train_network(
    voxels: str, out: str, *, checkpoints: str = "", stop_after: int = 0, epochs: int = 4, **changes: Any
) -> KerasTraining:
    """Write `out`.npz with the weights; with `stop_after` raise KeyboardInterrupt after so many epochs."""
    train, val = read_solids(voxels)
    settings = TrainClassifierSettings(
        **{
            "network": "measures_net", "resolution": SIDE, "epochs": epochs, "batch_size": 4, "weight_decay": 0.01,
            "ema_decay": 0.5, "class_balance_exponent": 0.5, "augment_rotation": True, "noise": 0.1, "workers": 1,
            "checkpoints": checkpoints, "checkpoint_minutes": 0.0, **changes,
        }
    )  # fmt: skip

    def say(epoch: int, _note: str) -> None:
        if epoch == stop_after:
            raise KeyboardInterrupt

    make_repeatable(3, 1)
    network = make_network()
    training = fit(network, train, val, settings, 3, say)
    np.savez(f"{out}.npz", *network.get_weights())
    return training
