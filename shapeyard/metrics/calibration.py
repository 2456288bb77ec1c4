"""Whether a classifier's probabilities can be trusted.

    expected calibration error   Σ over bins of (samples in the bin / all) · |share right − mean confidence|

The confidence is the probability of the class that is answered. Guo, Pleiss, Sun, Weinberger: "On calibration of modern
neural networks", ICML 2017, arXiv 1706.04599, for the error and for temperature scaling. Bins there are of equal
width, here of equal mass, so that none is nearly empty (Nguyen, O'Connor, 2015, arXiv 1508.05154).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

BINS = 10
TEMPERATURES = (0.05, 20.0)


class ReliabilityBin(NamedTuple):
    """Answers of about the same confidence."""

    confidence: float
    """their mean"""
    accuracy: float
    """the share of them that is right"""
    samples: int


def reliability(
    probabilities: NDArray[np.floating[Any]], labels: NDArray[np.integer[Any]], bins: int = BINS
) -> list[ReliabilityBin]:
    """Bins of equal mass, least confident first; with fewer samples than bins one sample a bin.

    Args:
        probabilities: (N,C), rows sum to 1.
        labels: (N,) true columns.
        bins: how many.
    """
    confidence = probabilities.max(axis=1, initial=0.0)
    right = probabilities.argmax(axis=1) == labels if len(labels) else np.zeros(0, bool)
    order = np.argsort(confidence, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    return [ReliabilityBin(float(confidence[part].mean()), float(right[part].mean()), len(part)) for part in parts]


def expected_calibration_error(bins: list[ReliabilityBin]) -> float:
    """0 to 1; nan without samples."""
    total = sum(one.samples for one in bins)
    if not total:
        return float("nan")
    return sum(one.samples * abs(one.accuracy - one.confidence) for one in bins) / total


def fit_temperature(logits: NDArray[np.floating[Any]], labels: NDArray[np.integer[Any]]) -> float:
    """The number by which to divide logits so that the likelihood of the labels is highest, 0.05 to 20.

    It changes no answer, only how sure each is. Where all answers are right the best would be 0, so one more example
    counts: the mean answer, of which every class is as likely to be the true one.

    Args:
        logits: (N,C).
        labels: (N,) true columns.

    Returns:
        1 without samples.
    """
    if not len(labels):
        return 1.0
    mean_answer = -np.sort(-np.asarray(logits, np.float64), axis=1).mean(axis=0)

    def loss(log_temperature: float) -> float:
        scaled = log_softmax(logits / np.exp(log_temperature), axis=1)
        doubtful = log_softmax(mean_answer / np.exp(log_temperature))
        return -float(scaled[np.arange(len(labels)), labels].sum() + doubtful.mean())

    found = minimize_scalar(loss, bounds=tuple(np.log(TEMPERATURES)), method="bounded")
    return float(np.exp(found.x))
