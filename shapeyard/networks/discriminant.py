"""Fisher's linear discriminant as a layer of a network, in closed form.

R. A. Fisher: "The use of multiple measurements in taxonomic problems", 1936; the covariance is shrunk after Friedman:
"Regularized discriminant analysis", 1989. With hardly more objects than measures it is right more often than what
gradient descent finds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shapeyard.networks.backend import keras

STANDARDIZE, DISCRIMINANT = "standardize", "discriminant"
"""The layers' names."""
SHRINKAGE = 0.1
"""How far the covariance of measures is drawn towards a multiple of the identity."""
CLIP = 5.0
"""Deviations from the mean beyond which a measure says nothing more."""
NEVER = -1e3
"""The logit of a class of which nothing was there to learn from."""

layers, ops = keras.layers, keras.ops


def standardized(measures: Any) -> Any:
    """Measures (B,F) → (B,F) in deviations from their means, clipped; see `fit_discriminant`."""
    return ops.clip(layers.Normalization(name=STANDARDIZE)(measures), -CLIP, CLIP)


def linear_discriminant(measures: Any, classes: int) -> Any:
    """Standardized measures (B,F) → logits (B,C), by weights that no gradient changes; see `fit_discriminant`."""
    return layers.Dense(classes, trainable=False, name=DISCRIMINANT)(measures)


def fit_discriminant(network: keras.Model, inputs: Mapping[str, NDArray[Any]], labels: NDArray[np.int64]) -> None:
    """Set, where a network takes measures, their means and deviations and the linear discriminant over them.

    Every class is as likely as any other.

    Args:
        network: any; one without a discriminant stays as it is.
        inputs: with `measures` (N,F).
        labels: (N,) classes.
    """
    if not any(layer.name == DISCRIMINANT for layer in network.layers):
        return
    first, last = network.get_layer(STANDARDIZE), network.get_layer(DISCRIMINANT)
    first.adapt(inputs["measures"])
    places = np.clip(np.asarray(first(inputs["measures"]), np.float64), -CLIP, CLIP)  # (N,F)
    present, place = np.unique(labels, return_inverse=True)
    means = np.stack([places[labels == label].mean(axis=0) for label in present])  # (classes that are there, F)
    within = places - means[place]  # (N,F)
    covariance = within.T @ within / len(within)  # (F,F)
    share = max(float(np.trace(covariance)) / len(covariance), 1e-6)
    covariance = (1 - SHRINKAGE) * covariance + SHRINKAGE * share * np.eye(len(covariance))
    directions = np.linalg.solve(covariance, means.T)  # (F, classes that are there)
    kernel, bias = np.zeros(last.kernel.shape), np.full(last.bias.shape, NEVER)  # (F,C), (C,)
    kernel[:, present] = directions
    bias[present] = -0.5 * (means.T * directions).sum(axis=0)
    last.set_weights([kernel, bias])
