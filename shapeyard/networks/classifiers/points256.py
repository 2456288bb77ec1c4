"""3D Net's two dense layers on its image of shuffled vertex coordinates, kept to compare with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shapeyard.networks.backend import keras

INPUTS = ("points",)

layers = keras.layers


def build(inputs: Mapping[str, Any], classes: int) -> Any:
    """Points (B,256,256,3), 0 to 255 → logits (B,C).

    Dense with as many sigmoids as classes, then dense: with 66 classes 12,980,616 parameters.
    """
    x = layers.Flatten()(layers.Rescaling(1 / 255)(inputs["points"]))  # (B,196608)
    x = layers.Dense(classes, activation="sigmoid")(x)  # (B,C)
    return layers.Dense(classes)(x)  # (B,C)
