"""The network that the beam search of Xu and Todorovic found.

Xu, Todorovic: "Beam Search for Learning a Deep Convolutional Neural Network of 3D Shapes", ICPR 2016, arXiv 1612.04774,
section 5: 30³ voxels and 10 classes, ReLU and no padding throughout.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shapeyard.errors import require
from shapeyard.networks.backend import keras

INPUTS = ("occupancy",)
MIN_RESOLUTION = 30  # below, nothing is left for the third convolution

layers = keras.layers


def build(inputs: Mapping[str, Any], classes: int) -> Any:
    """Occupancy (B,R,R,R,1) → logits (B,C).

    At 30³ and at 32³ with 10 classes: 16·6³+16 + 64·16·5³+64 + 64·64·5³+64 + 10·64+10 = 644,250 parameters.

    Raises:
        ParameterError: for a resolution that is too small.
    """
    resolution = inputs["occupancy"].shape[1]
    fits = resolution >= MIN_RESOLUTION
    require(fits, f"resolution: expected {MIN_RESOLUTION} or more with the padding, got {resolution}")
    x = inputs["occupancy"]  # (B,32,32,32,1) at 32³
    x = layers.Conv3D(16, 6, strides=2, activation="relu")(x)  # (B,14,14,14,16)
    x = layers.Conv3D(64, 5, strides=2, activation="relu")(x)  # (B,5,5,5,64)
    x = layers.Conv3D(64, 5, strides=2, activation="relu")(x)  # (B,1,1,1,64)
    x = layers.Flatten()(x)  # (B,64)
    return layers.Dense(classes)(x)  # (B,C)
