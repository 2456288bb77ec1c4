"""The networks that turn what is known of an object into a class. All answer with logits (B,C).

xu2016      Xu, Todorovic: Beam Search for Learning a Deep Convolutional Neural Network of 3D Shapes, ICPR 2016,
            arXiv 1612.04774
shapeyard   six depth maps and three thickness maps of an occupancy grid, convolved in two dimensions axis by axis, with
            batch norm (Ioffe, Szegedy, 2015, arXiv 1502.03167)
solid       a printed thing: a few convolutions on its depth maps, a perceptron and a linear discriminant on measures
points256   3D Net's two dense layers on its image of shuffled vertex coordinates, kept to compare with
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import layers, ops
from numpy.typing import NDArray

from shapeyard.errors import ParameterError, require

SMALLEST_RESOLUTION = 30  # of xu2016: below, nothing is left for the third convolution
SMALLEST_DEVIATION = 1e-3
"""A measure that varies less says nothing of what is usual, so its differences count as they are."""
SHRINKAGE = 0.1
"""How far the covariance of measures is drawn towards a multiple of the identity (Friedman, "Regularized discriminant
analysis", 1989)."""
DISCRIMINANT_SHARE = 0.4
"""Of the discriminant's logits: they are surer than they may be, and yet more often right than the networks'."""
CLIP = 5.0
"""Deviations from the mean beyond which a measure says nothing more."""
NEVER = -1e3
"""The logit of a class of which nothing was there to learn from."""
Shapes = Mapping[str, tuple[int, ...]]
"""The shape of one example of each input; of `occupancy` with its one channel."""


def build_network(network: str, shapes: Shapes, classes: int, member: int = 0) -> keras.Model:
    """A network by its name; its inputs are named as in `shapes`, itself by its number among the members.

    Raises:
        ParameterError: for a name that is not in `NETWORKS`, a missing input, or a resolution that is too small.
    """
    if network not in NETWORKS:
        raise ParameterError(f"expected a network of {', '.join(NETWORKS)}, got {network}")
    needed, build = NETWORKS[network]
    missing = [name for name in needed if name not in shapes]
    require(not missing, f"network {network}: expected a dataset with {', '.join(missing)}, got {', '.join(shapes)}")
    inputs = {name: layers.Input(shapes[name], name=name) for name in needed}
    return keras.Model(inputs, build(inputs, classes), name=f"{network}_{member}")


def xu2016(inputs: Mapping[str, Any], classes: int) -> Any:
    """The network that the paper's beam search found, ReLU and no padding throughout (section 5, 30³ and 10 classes).

    At 30³ and at 32³ with 10 classes: 16·6³+16 + 64·16·5³+64 + 64·64·5³+64 + 10·64+10 = 644,250 parameters.
    """
    resolution = inputs["occupancy"].shape[1]
    require(
        resolution >= SMALLEST_RESOLUTION, f"expected a resolution of at least {SMALLEST_RESOLUTION}, got {resolution}"
    )
    x = inputs["occupancy"]  # at 32³:
    x = layers.Conv3D(16, 6, strides=2, activation="relu")(x)  # (B,14,14,14,16)
    x = layers.Conv3D(64, 5, strides=2, activation="relu")(x)  # (B,5,5,5,64)
    x = layers.Conv3D(64, 5, strides=2, activation="relu")(x)  # (B,1,1,1,64)
    return layers.Dense(classes)(layers.Flatten()(x))  # (B,C)


def shapeyard(inputs: Mapping[str, Any], classes: int) -> Any:
    """What is seen of the grid along each axis, from both ends and through it; each axis has convolutions of its own.

    Maps hold all that is seen of a shape from outside, at half the cost of convolutions in three dimensions. At 30³:
    """
    seen = []
    for axis in (1, 2, 3):
        x = depth_maps(inputs["occupancy"], axis)  # (B,30,30,3)
        for channels in (32, 48, 64):
            x = _convolution_2d(_convolution_2d(x, channels), channels)
            x = layers.MaxPooling2D(2, padding="same")(x)  # (B,15,15,32), (B,8,8,48), (B,4,4,64)
        seen.append(layers.Flatten()(_convolution_2d(x, 96)))  # (B,1536)
    x = layers.Dropout(0.4)(layers.Concatenate()(seen))  # (B,4608)
    x = layers.Dropout(0.4)(_dense(x, 128))  # (B,128)
    return layers.Dense(classes)(x)  # (B,C)


def solid(inputs: Mapping[str, Any], classes: int) -> Any:
    """Three answers, added: one network's on depth maps, another's on measures, a linear discriminant's. At 32³:"""
    seen = []
    for axis in (1, 2, 3):
        x = depth_maps(inputs["occupancy"], axis)  # (B,32,32,3)
        for channels in (16, 32, 48):
            x = layers.MaxPooling2D(2, padding="same")(_convolution_2d(x, channels))
        seen.append(layers.GlobalAveragePooling2D()(x))  # (B,48)
    x = layers.Dropout(0.3)(layers.Concatenate()(seen))  # (B,144)
    measures = ops.clip(layers.Normalization(name="standardize")(inputs["measures"]), -CLIP, CLIP)  # (B,F)
    y = layers.Dropout(0.3)(layers.Dense(64, activation="relu")(layers.Dropout(0.2)(measures)))  # (B,64)
    discriminant = layers.Dense(classes, trainable=False, name="discriminant")(measures)  # (B,C), see fit_discriminant
    # Left out for half of the things in training, so that the others learn to answer without it.
    discriminant = layers.Dropout(0.5, noise_shape=(None, 1))(layers.Rescaling(DISCRIMINANT_SHARE)(discriminant))
    return layers.Add()([layers.Dense(classes)(x), layers.Dense(classes)(y), discriminant])  # (B,C)


def points256(inputs: Mapping[str, Any], classes: int) -> Any:
    """3D Net's: dense with as many sigmoids as classes, dense softmax. With 66 classes 12,980,616 parameters."""
    x = layers.Flatten()(layers.Rescaling(1 / 255)(inputs["points"]))  # (B,196608)
    return layers.Dense(classes)(layers.Dense(classes, activation="sigmoid")(x))


NETWORKS: dict[str, tuple[tuple[str, ...], Callable[[Mapping[str, Any], int], Any]]] = {
    "xu2016": (("occupancy",), xu2016),
    "shapeyard": (("occupancy",), shapeyard),
    "solid": (("occupancy", "measures"), solid),
    "points256": (("points",), points256),
}
"""Name → the inputs it takes, and what builds it."""


def fit_discriminant(network: keras.Model, inputs: Mapping[str, NDArray[Any]], labels: NDArray[np.int64]) -> None:
    """Set, where a network takes measures, their means and deviations and the linear discriminant over them.

    Fisher's discriminant in closed form, every class as likely as any other: with hardly more things than measures it
    is right more often than what gradient descent finds.
    """
    if not any(layer.name == "discriminant" for layer in network.layers):
        return
    first, last = network.get_layer("standardize"), network.get_layer("discriminant")
    first.adapt(inputs["measures"])
    places = np.clip(np.asarray(first(inputs["measures"]), np.float64), -CLIP, CLIP)
    present, place = np.unique(labels, return_inverse=True)
    means = np.stack([places[labels == label].mean(axis=0) for label in present])
    within = places - means[place]
    covariance = within.T @ within / len(within)
    share = max(float(np.trace(covariance)) / len(covariance), 1e-6)
    covariance = (1 - SHRINKAGE) * covariance + SHRINKAGE * share * np.eye(len(covariance))
    directions = np.linalg.solve(covariance, means.T)  # (F, classes that are there)
    kernel, bias = np.zeros(last.kernel.shape), np.full(last.bias.shape, NEVER)
    kernel[:, present] = directions
    bias[present] = -0.5 * (means.T * directions).sum(axis=0)
    last.set_weights([kernel, bias])


def finished_network(
    members: Sequence[keras.Model], temperature: float, known: NDArray[np.float32] | None = None
) -> keras.Model:
    """What is saved: the members' answer, calibrated, and how unlike anything known an object is.

    Logits are averaged, not probabilities: where members disagree the mean of probabilities is less sure than any of
    them was when the temperature was found.

    Args:
        members: networks with the same inputs and classes.
        temperature: what their logits are divided by.
        known: (N,F) measures of what the members learned from; without any, unlikeness is the energy.

    Returns:
        A model with the outputs `probabilities` (B,C) and `unlikeness` (B,): the energy −log Σ exp(logits) of the mean
        logits (Liu, Wang, Owens, Li: "Energy-based out-of-distribution detection", 2020, arXiv 2010.03759), or the
        distance of the standardized measures to the nearest known ones.
    """
    inputs = {tensor.name: layers.Input(tensor.shape[1:], name=tensor.name) for tensor in members[0].inputs}
    logits = [member(inputs) for member in members]
    mean = logits[0] if len(logits) == 1 else layers.Average()(logits)
    probabilities = layers.Softmax()(layers.Rescaling(1 / temperature)(mean))
    unlikeness = -ops.logsumexp(mean, axis=1) if known is None else _distance_to(inputs["measures"], known)
    return keras.Model(inputs, {"probabilities": probabilities, "unlikeness": unlikeness})


def _distance_to(measures: Any, known: NDArray[np.float32]) -> Any:
    """(B,F) → (B,): root mean square, over the measures, of the difference to the nearest of `known`, in deviations."""
    deviation = known.std(axis=0)
    deviation = np.where(deviation > SMALLEST_DEVIATION, deviation, 1.0)
    centred = (known - known.mean(axis=0)) / deviation  # (N,F)
    place = layers.Normalization(mean=known.mean(axis=0), variance=deviation**2)(measures)
    place = ops.clip(place, -1e3, 1e3)
    products = layers.Dense(len(known), trainable=False, name="known")  # |a − b|² = |a|² − 2 a·b + |b|²
    squares = products(place)
    products.set_weights([-2 * centred.T, np.square(centred).sum(axis=1)])
    nearest = ops.min(squares, axis=1) + ops.sum(ops.square(place), axis=1)
    return ops.sqrt(ops.maximum(nearest / known.shape[1], 0.0))


def depth_maps(grid: Any, axis: int) -> Any:
    """(B,R,R,R,1) along an axis → (B,R,R,3): how near the surface is from either end (1 at the end, 0 for nothing), and
    the share of the line that is occupied."""
    resolution = grid.shape[axis]
    shape = [1] * 5
    shape[axis] = resolution
    nearness = (np.arange(resolution, 0, -1, dtype=np.float32) / resolution).reshape(shape)
    maps = [
        ops.max(grid * nearness, axis=axis),
        ops.max(grid * np.flip(nearness, axis), axis=axis),
        ops.mean(grid, axis=axis),
    ]
    return ops.concatenate(maps, axis=-1)


def _convolution_2d(x: Any, channels: int) -> Any:
    x = layers.Conv2D(channels, 3, padding="same", use_bias=False)(x)
    return layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))


def _dense(x: Any, units: int) -> Any:
    return layers.ReLU()(layers.BatchNormalization(momentum=0.9)(layers.Dense(units, use_bias=False)(x)))
