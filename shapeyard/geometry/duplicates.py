"""Copies of the same shape under different names."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

ROWS_AT_ONCE = 256  # 256 grids of 64³ as float32 take 268 MB


def near_duplicates(grids: NDArray[np.bool_], others: NDArray[np.bool_], min_iou: float) -> NDArray[np.bool_]:
    """Which of `grids` (N,D,D,D) are as good as a copy of one of `others` → (N,) bool; see `first_copies`."""
    return first_copies(grids, others, min_iou) >= 0


def first_copies(grids: NDArray[np.bool_], others: NDArray[np.bool_], min_iou: float) -> NDArray[np.int64]:
    """For each of `grids` the first of `others` that is as good as a copy of it.

    Collections hold the same model under several names: 72 of ModelNet10's test grids at 30³ are exact copies of
    training grids. What is trained on must not be what is measured on.

    Args:
        grids: (N,D,D,D) bool.
        others: (M,D,D,D) bool.
        min_iou: intersection over union from which two grids count as the same, 0 to 1; 1 for exact copies alone.

    Returns:
        (N,) places in `others`, −1 for none. Two empty grids are copies of each other.
    """
    first = grids.reshape(len(grids), math.prod(grids.shape[1:]))
    second = others.reshape(len(others), math.prod(others.shape[1:]))
    copies = np.full(len(first), -1, dtype=np.int64)
    for column in range(0, len(second), ROWS_AT_ONCE):
        right = second[column : column + ROWS_AT_ONCE].astype(np.float32)
        for row in range(0, len(first), ROWS_AT_ONCE):
            left = first[row : row + ROWS_AT_ONCE].astype(np.float32)
            shared = left @ right.T  # exact: counts stay below 2²⁴ up to 256³
            union = left.sum(axis=1)[:, None] + right.sum(axis=1) - shared
            alike = shared >= min_iou * union
            new = alike.any(axis=1) & (copies[row : row + ROWS_AT_ONCE] < 0)
            copies[row : row + ROWS_AT_ONCE][new] = column + alike.argmax(axis=1)[new]
    return copies


def eight_ways(grids: NDArray[np.bool_]) -> Iterator[NDArray[np.bool_]]:
    """Grids (N,D,D,D) as they are, then turned by right angles about y, then all of it mirrored."""
    for mirrored in (grids, grids[:, ::-1]):
        for quarters in range(4):
            yield np.rot90(mirrored, quarters, axes=(1, 3))
