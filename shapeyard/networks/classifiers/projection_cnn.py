"""What is seen of a grid along each axis, from both ends and through it; each axis has convolutions of its own.

Six depth maps and three thickness maps hold all that is seen of a shape from outside, at half the cost of convolutions
in three dimensions. Batch normalization: Ioffe, Szegedy, 2015, arXiv 1502.03167. Dropout: Srivastava et al., JMLR 2014.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shapeyard.networks.backend import keras
from shapeyard.networks.keras_blocks import convolution_2d, dense, depth_maps

INPUTS = ("occupancy",)

layers = keras.layers


def build(inputs: Mapping[str, Any], classes: int) -> Any:
    """Occupancy (B,R,R,R,1) → logits (B,C); the shapes are those at 30³."""
    seen = []
    for axis in (1, 2, 3):
        x = depth_maps(inputs["occupancy"], axis)  # (B,30,30,3)
        for channels in (32, 48, 64):
            x = convolution_2d(convolution_2d(x, channels), channels)  # (B,30,30,32), (B,15,15,48), (B,8,8,64)
            x = layers.MaxPooling2D(2, padding="same")(x)  # (B,15,15,32), (B,8,8,48), (B,4,4,64)
        x = convolution_2d(x, 96)  # (B,4,4,96)
        seen.append(layers.Flatten()(x))  # (B,1536)
    x = layers.Dropout(0.4)(layers.Concatenate()(seen))  # (B,4608)
    x = layers.Dropout(0.4)(dense(x, 128))  # (B,128)
    return layers.Dense(classes)(x)  # (B,C)
