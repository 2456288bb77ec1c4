"""The networks that turn a voxel grid into a class.

Xu, Todorovic: Beam Search for Learning a Deep Convolutional Neural Network of 3D Shapes, ICPR 2016, arXiv 1612.04774.
"""

from __future__ import annotations

import keras

from shapeyard.errors import ParameterError, require

NETWORKS = ("xu2016",)
SMALLEST_RESOLUTION = 30  # below, nothing is left for the third convolution


def build_network(network: str, resolution: int, classes: int) -> keras.Model:
    """A network by its name: (B,R,R,R,1) float32 occupancy, 0 or 1 → (B,C) probabilities.

    Raises:
        ParameterError: for a name that is not in `NETWORKS`, or a resolution that is too small.
    """
    if network != "xu2016":
        raise ParameterError(f"expected a network of {', '.join(NETWORKS)}, got {network}")
    return xu2016(resolution, classes)


def xu2016(resolution: int, classes: int) -> keras.Model:
    """The network that the paper's beam search found, ReLU and no padding throughout (section 5, 30³ and 10 classes).

    At 30³ and at 32³ with 10 classes: 16·6³+16 + 64·16·5³+64 + 64·64·5³+64 + 10·64+10 = 644,250 parameters.
    """
    require(
        resolution >= SMALLEST_RESOLUTION, f"expected a resolution of at least {SMALLEST_RESOLUTION}, got {resolution}"
    )
    layers = keras.layers
    grid = layers.Input((resolution, resolution, resolution, 1), name="occupancy")  # at 32³:
    x = layers.Conv3D(16, 6, strides=2, activation="relu")(grid)  # (B,14,14,14,16)
    x = layers.Conv3D(64, 5, strides=2, activation="relu")(x)  # (B,5,5,5,64)
    x = layers.Conv3D(64, 5, strides=2, activation="relu")(x)  # (B,1,1,1,64)
    x = layers.Flatten()(x)  # (B,64)
    probabilities = layers.Dense(classes, activation="softmax", name="probabilities")(x)  # (B,C)
    return keras.Model(grid, probabilities, name="xu2016")
