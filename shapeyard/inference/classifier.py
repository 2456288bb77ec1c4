"""A trained classifier, read from its directory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from shapeyard.boundary import reader
from shapeyard.contracts.model import check_model, read_config
from shapeyard.errors import DatasetError, one_line
from shapeyard.networks.backend import keras

EXAMPLES_AT_ONCE = 256


class Answers(NamedTuple):
    """What a classifier says of N objects."""

    probabilities: NDArray[np.float32]
    """(N,C)"""
    ood_scores: NDArray[np.float32]
    """(N,) higher where an object is more out-of-distribution"""


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
    """the attributes of the features dataset that it was trained on; empty for voxels"""
    ood_threshold: float | None
    """OOD score above which an object is out-of-distribution; None if nothing was validated"""

    def answer(self, inputs: Mapping[str, NDArray[Any]]) -> Answers:
        """What the network says of its inputs; occupancy is (N,R,R,R), the others are as the dataset holds them."""
        if self.padding and "occupancy" in inputs:
            sides = ((0, 0), *((self.padding, self.padding),) * 3)
            inputs = {**inputs, "occupancy": np.pad(inputs["occupancy"], sides)}
        return answers_of(self.network, inputs)

    def predict(self, occupancy: NDArray[np.bool_]) -> NDArray[np.float32]:
        """The probabilities (N,C) of the classes of grids (N,R,R,R)."""
        return self.answer({"occupancy": occupancy}).probabilities


def answers_of(classifier: keras.Model, inputs: Mapping[str, NDArray[Any]]) -> Answers:
    """What a calibrated ensemble says of N objects; `inputs` as for `predict_in_batches`."""
    outputs = predict_in_batches(classifier, inputs)
    return Answers(outputs["probabilities"], outputs["ood_score"].reshape(-1))


def predict_in_batches(network: keras.Model, inputs: Mapping[str, NDArray[Any]]) -> Any:
    """Show a network N examples.

    Args:
        network: takes some of the inputs.
        inputs: as a dataset holds them: occupancy (N,R,R,R), measures (N,F), points (N,256,256,3).

    Returns:
        An array (N,…) float32, or for a network with several outputs a dict of them.
    """
    names = [tensor.name for tensor in network.inputs]
    parts = []
    for start in range(0, len(inputs[names[0]]), EXAMPLES_AT_ONCE):
        part = {name: inputs[name][start : start + EXAMPLES_AT_ONCE].astype(np.float32) for name in names}
        if "occupancy" in part:
            part["occupancy"] = part["occupancy"][..., None]  # (B,R,R,R,1)
        parts.append(network.predict_on_batch(part))
    if not parts:
        return keras.tree.map_structure(lambda output: np.zeros((0, *output.shape[1:]), np.float32), network.output)
    return keras.tree.map_structure(lambda *arrays: np.concatenate(arrays), *parts)


@reader(DatasetError, "model")
def load_classifier(model: str | Path) -> Classifier:
    """Read a model directory; the .keras file rebuilds the network by itself.

    Raises:
        DatasetError: if it is no whole model, or the network does not fit its config.
    """
    config, file = read_config(model), Path(model) / "model.keras"
    if reason := config.get("left_out"):
        raise DatasetError(f"{model}: {reason}")
    check_model(model)
    try:
        classes, resolution, padding = list(config["classes"]), int(config["resolution"]), int(config["padding"])
        ood_threshold = None if config["ood_threshold"] is None else float(config["ood_threshold"])
        network = keras.saving.load_model(file, compile=False, safe_mode=True)
        inputs, columns = _shapes(network)
    except (KeyError, TypeError, ValueError, OSError, AttributeError) as error:
        raise DatasetError(
            f"{file}: expected a classifier with its classes and resolution: {one_line(error)}"
        ) from error
    side = resolution + 2 * padding
    expected = (side, side, side, 1)
    if columns != len(classes) or inputs.get("occupancy", expected) != expected:
        raise DatasetError(
            f"{file}: expected a network of {side}³ voxels and {len(classes)} classes as config.json says, "
            f"got {inputs} and {columns} classes"
        )
    return Classifier(network, classes, resolution, padding, dict(config.get("features", {})), ood_threshold)


def _shapes(network: keras.Model) -> tuple[dict[str, tuple[int, ...]], int]:
    """The shape of one example of each input, and the number of classes."""
    inputs = {tensor.name: tuple(tensor.shape[1:]) for tensor in network.inputs}
    return inputs, int(network.output["probabilities"].shape[1])
