"""A trained classifier as it is saved: its members' mean answer, calibrated, and how far off the known an object is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shapeyard.networks.backend import keras

MIN_DEVIATION = 1e-3
"""A measure that varies less says nothing of what is usual, so its differences count as they are."""
FAR = 1e3
"""Deviations beyond which a measure is no further off; squares of more overflow."""

layers, ops = keras.layers, keras.ops


def calibrated_ensemble(
    members: Sequence[keras.Model], temperature: float, known: NDArray[np.float32] | None = None
) -> keras.Model:
    """A model with the outputs `probabilities` (B,C) and `ood_score` (B,).

    Logits are averaged, not probabilities: where members disagree the mean of probabilities is less sure than any of
    them was when the temperature was found (Guo, Pleiss, Sun, Weinberger: "On calibration of modern neural networks",
    2017, arXiv 1706.04599).

    Args:
        members: networks with the same inputs and classes.
        temperature: what their logits are divided by.
        known: (N,F) measures of what the members were trained on; without any, the OOD score is the energy.

    Returns:
        The model. Its OOD score is the energy −log Σ exp(logits) of the mean logits (Liu, Wang, Owens, Li:
        "Energy-based out-of-distribution detection", 2020, arXiv 2010.03759), or the distance of the standardized
        measures to the nearest known ones.
    """
    inputs = {tensor.name: layers.Input(tensor.shape[1:], name=tensor.name) for tensor in members[0].inputs}
    logits = [member(inputs) for member in members]
    mean = logits[0] if len(logits) == 1 else layers.Average()(logits)  # (B,C)
    probabilities = layers.Softmax()(layers.Rescaling(1 / temperature)(mean))
    ood_score = -ops.logsumexp(mean, axis=1) if known is None else _distance_to(inputs["measures"], known)
    return keras.Model(inputs, {"probabilities": probabilities, "ood_score": ood_score})


def _distance_to(measures: Any, known: NDArray[np.float32]) -> Any:
    """(B,F) → (B,): root mean square, over the measures, of the difference to the nearest of `known`, in deviations."""
    deviation = known.std(axis=0)  # (F,)
    deviation = np.where(deviation > MIN_DEVIATION, deviation, 1.0)
    centred = (known - known.mean(axis=0)) / deviation  # (N,F)
    place = layers.Normalization(mean=known.mean(axis=0), variance=deviation**2)(measures)  # (B,F)
    place = ops.clip(place, -FAR, FAR)
    products = layers.Dense(len(known), trainable=False, name="known")  # |a − b|² = |a|² − 2 a·b + |b|²
    squares = products(place)  # (B,N)
    products.set_weights([-2 * centred.T, np.square(centred).sum(axis=1)])
    nearest = ops.min(squares, axis=1) + ops.sum(ops.square(place), axis=1)  # (B,)
    return ops.sqrt(ops.maximum(nearest / known.shape[1], 0.0))
