"""How well a predicted occupancy grid matches the true one.

With TP the voxels set in both grids, P those predicted and A those truly occupied (Choy et al., "3D-R2N2", ECCV 2016,
arXiv 1604.00449, section 5, for the IoU of a grid thresholded at t: voxel occupied where probability ≥ t):

    IoU        TP / (P + A − TP)
    precision  TP / P
    recall     TP / A

Truth that the predicted grid has no room for counts as missed: it is added to A, in voxels of the predicted grid.

Nothing predicted where nothing is: all three are 1. Nothing in only one of the grids: all three are 0.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

THRESHOLDS = np.round(np.arange(0.05, 0.96, 0.05), 2)
"""0.05 … 0.95, the candidates for a threshold on a probability."""


class Overlap(NamedTuple):
    """Counts of voxels, for one grid or for one at several thresholds (T,); the measures have the same shape."""

    both: NDArray[np.float64]
    predicted: NDArray[np.float64]
    actual: NDArray[np.float64]

    @property
    def iou(self) -> NDArray[np.float64]:
        """Intersection over union, 0 to 1."""
        return self._share_of(self.predicted + self.actual - self.both)

    @property
    def precision(self) -> NDArray[np.float64]:
        """Share of the predicted voxels that are occupied, 0 to 1."""
        return self._share_of(self.predicted)

    @property
    def recall(self) -> NDArray[np.float64]:
        """Share of the occupied voxels that are predicted, 0 to 1."""
        return self._share_of(self.actual)

    def _share_of(self, whole: NDArray[np.float64]) -> NDArray[np.float64]:
        nothing_anywhere = np.asarray(self.predicted + self.actual == 0, dtype=np.float64)
        return np.asarray(np.divide(self.both, whole, out=nothing_anywhere, where=whole > 0))


def overlap(predicted: NDArray[np.bool_], true: NDArray[np.bool_], missed: float = 0.0) -> Overlap:
    """Compare two grids of the same shape; `missed` is truth outside of them, in their voxels.

    Raises:
        ValueError: if the shapes differ.
    """
    return overlap_at_levels(predicted.astype(np.uint8), true, np.array(1), missed)


def overlap_at_thresholds(
    probability: NDArray[np.uint8 | np.floating[Any]],
    true: NDArray[np.bool_],
    thresholds: NDArray[np.floating[Any]] = THRESHOLDS,
    missed: float = 0.0,
) -> Overlap:
    """Compare a grid of probabilities with the truth at several thresholds, in one pass over the voxels.

    Args:
        probability: uint8, 0…255 for 0…1, or floating 0…1, which is rounded to that.
        true: bool, the same shape.
        thresholds: (T,) in 0…1; a voxel is predicted where its probability is at or above.
        missed: truth outside of the grids, in their voxels.

    Returns:
        The counts, each (T,).

    Raises:
        ValueError: if the shapes differ.
    """
    return overlap_at_levels(probability_levels(probability), true, lowest_levels(thresholds), missed)


def occupied_at(probability: NDArray[np.uint8 | np.floating[Any]], threshold: float) -> NDArray[np.bool_]:
    """The very voxels that `overlap_at_thresholds` takes for predicted at a threshold in 0…1; of the same shape."""
    return np.asarray(probability_levels(probability) >= lowest_levels(np.asarray(threshold)))


def overlap_at_levels(
    levels: NDArray[np.integer[Any]], true: NDArray[np.bool_], lowest: NDArray[np.integer[Any]], missed: float = 0.0
) -> Overlap:
    """Compare a grid of small whole numbers ≥ 0 with the truth; a voxel is predicted where levels ≥ lowest[k].

    Returns:
        The counts, each of the shape of `lowest`.

    Raises:
        ValueError: if the shapes differ.
    """
    if levels.shape != true.shape:
        raise ValueError(f"expected grids of one shape, got {levels.shape} and {true.shape}")
    length = int(max(lowest.max(), levels.max(initial=0))) + 1
    everywhere = np.bincount(levels.ravel(), minlength=length)
    occupied = np.bincount(levels[true], minlength=length)
    at_or_above = np.cumsum(np.stack([occupied, everywhere])[:, ::-1], axis=1)[:, ::-1].astype(np.float64)
    return Overlap(
        both=at_or_above[0, lowest],
        predicted=at_or_above[1, lowest],
        actual=np.full(lowest.shape, float(np.count_nonzero(true)) + missed),
    )


def probability_levels(probability: NDArray[np.uint8 | np.floating[Any]]) -> NDArray[np.uint8]:
    """0…255 for 0…1."""
    whole = probability if probability.dtype == np.uint8 else np.rint(probability * 255.0)
    return whole.astype(np.uint8, copy=False)


def lowest_levels(thresholds: NDArray[np.floating[Any]]) -> NDArray[np.int64]:
    """The lowest level that is at or above each threshold."""
    return np.asarray(np.ceil(np.round(thresholds * 255.0, 6)), dtype=np.int64)
