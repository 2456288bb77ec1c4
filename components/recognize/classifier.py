"""A trained classifier, read from its directory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from shapeyard.contracts.model import read_config
from shapeyard.errors import DatasetError

GRIDS_AT_ONCE = 256


@dataclass(frozen=True)
class Classifier:
    """The network and what its columns mean."""

    network: keras.Model
    classes: list[str]
    resolution: int

    def predict(self, occupancy: NDArray[np.bool_]) -> NDArray[np.float32]:
        """The probabilities (N,C) of the classes of grids (N,R,R,R)."""
        parts = [
            np.asarray(self.network.predict_on_batch(occupancy[i : i + GRIDS_AT_ONCE, ..., None].astype(np.float32)))
            for i in range(0, len(occupancy), GRIDS_AT_ONCE)
        ]
        return np.concatenate(parts)


def load_classifier(model: str | Path) -> Classifier:
    """Read a model directory; the .keras file rebuilds the network by itself.

    Raises:
        DatasetError: if it is no whole model, or the network does not fit its config.
    """
    config, file = read_config(model), Path(model) / "model.keras"
    try:
        classes, resolution = list(config["classes"]), int(config["resolution"])
        network = keras.saving.load_model(file, compile=False, safe_mode=True)
    except (KeyError, TypeError, ValueError, OSError) as error:
        raise DatasetError(f"{file}: expected a classifier with its classes and resolution: {error!r}") from error
    expected = ((None, resolution, resolution, resolution, 1), (None, len(classes)))
    if (network.input_shape, network.output_shape) != expected:
        raise DatasetError(
            f"{file}: expected a network of {resolution}³ voxels and {len(classes)} classes as config.json says, "
            f"got {network.input_shape} and {network.output_shape}"
        )
    return Classifier(network, classes, resolution)
