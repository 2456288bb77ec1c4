"""Is one method better than another, or were these objects kind to it? An interval for the difference of two means.

Both methods are measured on the same views, so that what is hard for both cancels out. The means are the project's:
over an object's views, then over a class's objects, then over the classes. The unit that is drawn again is the object,
since views of one object are no independent trials; within each class as many objects as it has are drawn with
replacement, so that every class keeps its weight. A class with one object is drawn the same every time: it adds no
width, and where every class is such a one, both ends are the difference itself. Nothing can be said of how such a class
varies, so that the interval is too narrow then, and `objects` should be looked at.

Percentile interval: Efron, Tibshirani: An Introduction to the Bootstrap, 1993, chapter 13.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

RESAMPLES = 10_000
DRAWN_AT_ONCE = 2_000_000  # 16 MB of indices, however many objects a class has


class PairedDifference(NamedTuple):
    """A difference of means, first minus second, in the measure's own unit; nan where there is nothing to compare."""

    difference: float
    low: float
    """the interval's lower end"""
    high: float
    objects: int
    """that both methods were measured on"""

    @property
    def clear(self) -> bool:
        """Whether 0 is outside of the interval."""
        return self.low > 0 or self.high < 0


def paired_difference(
    first: ArrayLike,
    second: ArrayLike,
    objects: Sequence[str],
    classes: Sequence[str],
    *,
    confidence: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> PairedDifference:
    """The difference of two methods' means with its bootstrap interval.

    Args:
        first: (N,) one method's values, one a view; views where either is nan are ignored.
        second: (N,) the other's on the same views.
        objects: (N,) whose view each is.
        classes: (N,) its class.
        confidence: the interval's, above 0 and below 1.
        resamples: how often objects are drawn.
        seed: of the draws; the same seed gives the same interval.

    Raises:
        ValueError: if the lengths differ, or the confidence is out of range.
    """
    difference = np.asarray(first, np.float64) - np.asarray(second, np.float64)
    if difference.ndim != 1 or not len(difference) == len(objects) == len(classes):
        raise ValueError(
            f"expected a value, an object and a class for each view, got shape {difference.shape}, "
            f"{len(objects)} and {len(classes)}"
        )
    if not 0 < confidence < 1:
        raise ValueError(f"expected a confidence above 0 and below 1, got {confidence}")
    measured = ~np.isnan(difference)
    of_class = _object_means(difference[measured], np.asarray(objects)[measured], np.asarray(classes)[measured])
    if not of_class:
        return PairedDifference(np.nan, np.nan, np.nan, 0)
    rng = np.random.default_rng(seed)
    drawn = np.mean([_means_of_draws(values, resamples, rng) for values in of_class], axis=0)
    low, high = np.quantile(drawn, [(1 - confidence) / 2, (1 + confidence) / 2])
    mean = float(np.mean([values.mean() for values in of_class]))
    return PairedDifference(mean, float(low), float(high), sum(map(len, of_class)))


def _object_means(
    values: NDArray[np.float64], objects: NDArray[Any], classes: NDArray[Any]
) -> list[NDArray[np.float64]]:
    """For each class, sorted by name, the means of its objects over their views, sorted by name."""
    means = []
    for name in np.unique(classes):
        of_class = classes == name
        _, which = np.unique(objects[of_class], return_inverse=True)
        means.append(np.bincount(which, values[of_class]) / np.bincount(which))
    return means


def _means_of_draws(values: NDArray[np.float64], resamples: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """(resamples,): the mean of as many values as there are, drawn with replacement."""
    at_once = max(1, DRAWN_AT_ONCE // len(values))
    parts = [
        values[rng.integers(len(values), size=(min(at_once, resamples - start), len(values)))].mean(axis=1)
        for start in range(0, resamples, at_once)
    ]
    return np.concatenate(parts)
