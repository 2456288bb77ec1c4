"""What several networks of Keras are made of."""

from __future__ import annotations

from typing import Any

import numpy as np

from shapeyard.networks.backend import keras

layers, ops = keras.layers, keras.ops


def depth_maps(grid: Any, axis: int) -> Any:
    """Occupancy (B,R,R,R,1) seen along an axis → (B,R,R,3).

    The channels are how near the surface is from either end (1 at the end, 0 for nothing), and the share of the line
    that is occupied.
    """
    resolution = grid.shape[axis]
    shape = [1] * 5
    shape[axis] = resolution
    nearness = (np.arange(resolution, 0, -1, dtype=np.float32) / resolution).reshape(shape)  # (1,R,1,1,1) for axis 1
    maps = [
        ops.max(grid * nearness, axis=axis),  # (B,R,R,1)
        ops.max(grid * np.flip(nearness, axis), axis=axis),
        ops.mean(grid, axis=axis),
    ]
    return ops.concatenate(maps, axis=-1)  # (B,R,R,3)


def convolution_2d(x: Any, channels: int) -> Any:
    """(B,H,W,K) → (B,H,W,channels): a convolution of 3 × 3, batch normalization, ReLU."""
    x = layers.Conv2D(channels, 3, padding="same", use_bias=False)(x)
    return layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))


def dense(x: Any, units: int) -> Any:
    """(B,K) → (B,units): a dense layer, batch normalization, ReLU."""
    return layers.ReLU()(layers.BatchNormalization(momentum=0.9)(layers.Dense(units, use_bias=False)(x)))
