"""A trained classifier, read from its directory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
from numpy.typing import NDArray

from shapeyard.contracts.model import read_config
from shapeyard.errors import DatasetError

EXAMPLES_AT_ONCE = 256


class Answers(NamedTuple):
    """What a classifier says of N objects."""

    probabilities: NDArray[np.float32]
    """(N,C)"""
    unlikeness: NDArray[np.float32]
    """(N,) how unlike anything learned each is"""


@dataclass(frozen=True)
class Classifier:
    """The network, and what its inputs and outputs mean."""

    network: keras.Model
    classes: list[str]
    """of the C columns"""
    resolution: int
    """of grids, without the padding"""
    padding: int
    """empty voxels on every side of a grid"""
    features: dict[str, Any]
    """the attributes of the features dataset that it learned from; empty for voxels"""
    unlike_above: float | None
    """from which unlikeness on an answer is a wild guess; None if nothing was validated"""

    def answer(self, inputs: Mapping[str, NDArray[Any]]) -> Answers:
        """What the network says of its inputs; occupancy is (N,R,R,R), the others are as the dataset holds them."""
        prepared = {name: inputs[name].astype(np.float32) for name in (tensor.name for tensor in self.network.inputs)}
        if "occupancy" in prepared:
            sides = ((0, 0), *((self.padding, self.padding),) * 3)
            prepared["occupancy"] = np.pad(prepared["occupancy"], sides)[..., None]
        parts = [
            self.network.predict_on_batch({k: v[start : start + EXAMPLES_AT_ONCE] for k, v in prepared.items()})
            for start in range(0, len(next(iter(prepared.values()))), EXAMPLES_AT_ONCE)
        ]
        probabilities, unlikeness = (
            np.concatenate([np.asarray(part[name]) for part in parts]) for name in ("probabilities", "unlikeness")
        )
        return Answers(probabilities, unlikeness.reshape(-1))

    def predict(self, occupancy: NDArray[np.bool_]) -> NDArray[np.float32]:
        """The probabilities (N,C) of the classes of grids (N,R,R,R)."""
        return self.answer({"occupancy": occupancy}).probabilities


def load_classifier(model: str | Path) -> Classifier:
    """Read a model directory; the .keras file rebuilds the network by itself.

    Raises:
        DatasetError: if it is no whole model, or the network does not fit its config.
    """
    config, file = read_config(model), Path(model) / "model.keras"
    try:
        classes, resolution, padding = list(config["classes"]), int(config["resolution"]), int(config["padding"])
        unlike_above = None if config["unlike_above"] is None else float(config["unlike_above"])
        network = keras.saving.load_model(file, compile=False, safe_mode=True)
        inputs, columns = _shapes(network)
    except (KeyError, TypeError, ValueError, OSError, AttributeError) as error:
        raise DatasetError(f"{file}: expected a classifier with its classes and resolution: {error!r}") from error
    side = resolution + 2 * padding
    expected = (side, side, side, 1)
    if columns != len(classes) or inputs.get("occupancy", expected) != expected:
        raise DatasetError(
            f"{file}: expected a network of {side}³ voxels and {len(classes)} classes as config.json says, "
            f"got {inputs} and {columns} classes"
        )
    return Classifier(network, classes, resolution, padding, dict(config.get("features", {})), unlike_above)


def _shapes(network: keras.Model) -> tuple[dict[str, tuple[int, ...]], int]:
    """The shape of one example of each input, and the number of classes."""
    inputs = {tensor.name: tuple(tensor.shape[1:]) for tensor in network.inputs}
    return inputs, int(network.output["probabilities"].shape[1])
