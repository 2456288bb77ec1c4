"""For printable objects: convolutions on depth maps, a perceptron and a linear discriminant on measures, added.

The discriminant is Fisher's, see `shapeyard.networks.discriminant`. Dropout: Srivastava et al., JMLR 2014.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shapeyard.networks.backend import keras
from shapeyard.networks.discriminant import linear_discriminant, standardized
from shapeyard.networks.keras_blocks import convolution_2d, depth_maps

INPUTS = ("occupancy", "measures")
DISCRIMINANT_SHARE = 0.4
"""Of the discriminant's logits: they are surer than they may be, and yet more often right than the networks'."""

layers = keras.layers


def build(inputs: Mapping[str, Any], classes: int) -> Any:
    """Occupancy (B,R,R,R,1) and measures (B,F) → logits (B,C); the shapes are those at 32³."""
    seen = []
    for axis in (1, 2, 3):
        x = depth_maps(inputs["occupancy"], axis)  # (B,32,32,3)
        for channels in (16, 32, 48):
            x = layers.MaxPooling2D(2, padding="same")(convolution_2d(x, channels))  # (B,16,16,16) … (B,4,4,48)
        seen.append(layers.GlobalAveragePooling2D()(x))  # (B,48)
    x = layers.Dropout(0.3)(layers.Concatenate()(seen))  # (B,144)
    measures = standardized(inputs["measures"])  # (B,F)
    y = layers.Dropout(0.3)(layers.Dense(64, activation="relu")(layers.Dropout(0.2)(measures)))  # (B,64)
    z = linear_discriminant(measures, classes)  # (B,C)
    # Left out for half of the objects in training, so that the other two learn to answer without it.
    z = layers.Dropout(0.5, noise_shape=(None, 1))(layers.Rescaling(DISCRIMINANT_SHARE)(z))  # (B,C)
    return layers.Add()([layers.Dense(classes)(x), layers.Dense(classes)(y), z])  # (B,C)
