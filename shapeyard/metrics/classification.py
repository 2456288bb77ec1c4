"""How often a classifier is right.

With the confusion matrix M, M[i, j] = samples of class i that were taken for class j:

    accuracy             Σ M[i, i] / Σ M                     the share of the samples
    mean class accuracy  mean over classes i of M[i, i] / Σ M[i, :]

The second is ModelNet's "average per-class accuracy" (Wu et al., "3D ShapeNets", CVPR 2015, arXiv 1406.5670, section
5.1), also called balanced accuracy: a class of few samples weighs as much as one of many. Classes without a sample are
left out of it. Without any sample both are nan.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def confusion_matrix(true: Sequence[str], predicted: Sequence[str], classes: Sequence[str]) -> NDArray[np.int64]:
    """Count (C,C): rows are the true classes, columns the predicted ones, both in the order of `classes`.

    Raises:
        ValueError: if there are not as many predictions as truths, or a name is not in `classes`.
    """
    if len(true) != len(predicted):
        raise ValueError(f"expected {len(true)} predictions, got {len(predicted)}")
    unknown = sorted({*true, *predicted} - set(classes))
    if unknown:
        raise ValueError(f"expected the classes {', '.join(classes)}, got {', '.join(unknown)}")
    index = {name: i for i, name in enumerate(classes)}
    matrix = np.zeros((len(classes), len(classes)), dtype=np.int64)
    np.add.at(matrix, ([index[name] for name in true], [index[name] for name in predicted]), 1)
    return matrix


def class_accuracies(matrix: NDArray[np.integer[Any]]) -> NDArray[np.float64]:
    """(C,) the share of each class that was recognized; nan for a class without a sample."""
    counts = matrix.sum(axis=1)
    return np.asarray(np.divide(np.diag(matrix), counts, out=np.full(len(matrix), np.nan), where=counts > 0))


def recall(matrix: NDArray[np.integer[Any]]) -> NDArray[np.float64]:
    """(C,) of the samples of each class the share that was recognized: `class_accuracies` under its usual name."""
    return class_accuracies(matrix)


def precision(matrix: NDArray[np.integer[Any]]) -> NDArray[np.float64]:
    """(C,) of the samples taken for each class the share that is of it; nan for a class that was never answered."""
    return class_accuracies(matrix.T)


def mean_class_accuracy(matrix: NDArray[np.integer[Any]]) -> float:
    """The mean of `class_accuracies` over the classes with samples, 0 to 1; nan if there are none."""
    accuracies = class_accuracies(matrix)
    present = accuracies[~np.isnan(accuracies)]
    return float(present.mean()) if len(present) else float("nan")


def accuracy(matrix: NDArray[np.integer[Any]]) -> float:
    """The share of all samples that was recognized, 0 to 1; nan without samples."""
    total = int(matrix.sum())
    return float(np.trace(matrix)) / total if total else float("nan")
