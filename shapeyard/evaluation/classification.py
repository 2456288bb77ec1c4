"""A classifier's answers: how many are right, which classes it confuses, and whether it is as sure as it should be."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shapeyard.contracts.dataset import Dataset, Sample, Split
from shapeyard.errors import DatasetError
from shapeyard.evaluation.table import PREDICTED, Measurement, measurements
from shapeyard.metrics.calibration import ReliabilityBin, expected_calibration_error, reliability
from shapeyard.metrics.classification import (
    accuracy,
    class_accuracies,
    confusion_matrix,
    mean_class_accuracy,
    precision,
    recall,
)

LEVELS = "__"
"""Between the main and the sub category in a class's name."""


@dataclass(frozen=True)
class ClassAnswer:
    """What the classifier said of one view of a sample, or of its one grid."""

    sample: Sample
    view: int
    probabilities: NDArray[np.float32]
    """(C,)"""
    predicted: str
    """the most probable class"""
    confidence: float
    """its probability"""
    true_probability: float
    """of the true class; nan where the classifier does not know it"""
    ood: bool
    """rejected as out-of-distribution"""

    @property
    def right(self) -> bool:
        """Whether it is the true class."""
        return self.predicted == self.sample.class_name


def class_answers(predictions: Dataset, samples: Sequence[Sample]) -> list[ClassAnswer]:
    """The answers on some samples of a dataset of kind predictions.

    Raises:
        DatasetError: if the probabilities are not one finite number for each of the dataset's classes.
    """
    names = [str(name) for name in predictions.attributes.get("classes", [])]
    limit = predictions.attributes.get("ood_threshold")
    answers = []
    for sample in samples:
        probabilities = predictions.read(sample.id, "probabilities")
        if probabilities.ndim != 2 or probabilities.shape[1] != len(names) or not np.isfinite(probabilities).all():
            raise DatasetError(
                f"{predictions.paths[0]}: sample {sample.id}: expected finite probabilities of {len(names)} classes, "
                f"got shape {probabilities.shape}"
            )
        ood = limit is not None and float(sample.attributes.get("ood_score", 0.0)) > limit
        known = names.index(sample.class_name) if sample.class_name in names else None
        for view, row in enumerate(probabilities):
            best = int(row.argmax())
            true_probability = math.nan if known is None else float(row[known])
            answers.append(ClassAnswer(sample, view, row, names[best], float(row[best]), true_probability, ood))
    return answers


def answer_rows(answers: Sequence[ClassAnswer], method: str) -> list[Measurement]:
    """Each answer's `predicted` class, whether it is `right` (0 or 1), and its probabilities."""
    rows: list[Measurement] = []
    for one in answers:
        values = {PREDICTED: one.predicted, "right": float(one.right), "confidence": one.confidence,
                  "true_probability": one.true_probability, "ood": float(one.ood)}  # fmt: skip
        rows += measurements(one.sample, one.view, method, values)
    return rows


def classification_metrics(
    answers: Sequence[ClassAnswer], classes: list[str], training: Sequence[Sample] = ()
) -> dict[str, Any]:
    """Accuracy, mean class accuracy, confusion matrix and each class's accuracy, over all that was shown.

    Args:
        answers: of any split.
        classes: the names in the order of the matrix, all that occur in the answers.
        training: the training split, whose most common class is what the baseline always answers.
    """
    true = [one.sample.class_name for one in answers]
    matrix = confusion_matrix(true, [one.predicted for one in answers], classes)
    of_class = zip(classes, class_accuracies(matrix).tolist(), strict=True)
    metrics: dict[str, Any] = {
        "shown": len(answers),
        "samples": len({one.sample.id for one in answers}),
        "accuracy": accuracy(matrix),
        "mean_class_accuracy": mean_class_accuracy(matrix),
        "confusion": {"classes": classes, "matrix": matrix.tolist()},
        "per_class": {name: {"accuracy": value} for name, value in of_class if not math.isnan(value)},
        "baselines": {},
    }
    if training:
        counts = Counter(sample.class_name for sample in training)
        common = min(counts, key=lambda name: (-counts[name], name))
        always = confusion_matrix(true, [common] * len(true), classes)
        metrics["baselines"]["most_common_class"] = {
            "class": common,
            "accuracy": accuracy(always),
            "mean_class_accuracy": mean_class_accuracy(always),
        }
    return metrics


@dataclass(frozen=True)
class ClassifierFigures:
    """What the answers on one split are worth, one answer a sample."""

    classes: list[str]
    answers: list[ClassAnswer]
    matrix: NDArray[np.int64]
    """(C,C) rows true, columns predicted"""
    bins: list[ReliabilityBin]
    log_loss: float
    """mean of −log of the true class's probability, in nats"""
    copies: list[list[str]] = field(default_factory=list)
    """id of a sample that was left out, id of its twin among those held out"""

    def figures(self) -> dict[str, float]:
        """The key figures, shares from 0 to 1; accuracy_main where classes have two levels."""
        values = {
            "samples": float(len(self.answers)),
            "accuracy": accuracy(self.matrix),
            "mean_class_accuracy": mean_class_accuracy(self.matrix),
            "calibration_error": expected_calibration_error(self.bins),
            "log_loss": self.log_loss,
            "ood_rate": float(np.mean([answer.ood for answer in self.answers])),
            "left_out_copies": float(len(self.copies)),
        }
        if all(LEVELS in name for name in self.classes):
            right = [main_category(a.predicted) == main_category(a.sample.class_name) for a in self.answers]
            values["accuracy_main"] = float(np.mean(right))
        return values

    def per_class(self) -> list[dict[str, Any]]:
        """Precision and recall of each class that occurs; nan where it was never answered."""
        both = zip(self.classes, precision(self.matrix), recall(self.matrix), self.matrix.sum(axis=1), strict=True)
        return [
            {"class": name, "samples": int(count), "precision": float(p), "recall": float(r)}
            for name, p, r, count in both
            if count
        ]

    def confusions(self, most: int = 12) -> list[tuple[str, str, int]]:
        """True class, predicted class and how often, the commonest mistakes first."""
        rows = [
            (self.classes[i], self.classes[j], int(self.matrix[i, j])) for i, j in np.argwhere(self.matrix) if i != j
        ]
        return sorted(rows, key=lambda row: (-row[2], row[:2]))[:most]


def measure_classifier(predictions: Dataset, split: Split) -> ClassifierFigures:
    """Measure the answers on a split.

    Raises:
        DatasetError: if it has no samples, a class is unknown, or the probabilities do not fit the classes.
    """
    classes = [str(name) for name in predictions.attributes.get("classes", [])]
    samples = predictions.of_split(split)
    if not samples:
        raise DatasetError(f"{predictions.paths[0]}: expected samples of the {split} split to measure, got none")
    unknown = sorted({sample.class_name for sample in samples} - set(classes))
    if unknown:
        raise DatasetError(f"{predictions.paths[0]}: expected classes that the model knows, got {', '.join(unknown)}")
    answers = class_answers(predictions, samples)
    if len(answers) != len(samples):
        raise DatasetError(f"{predictions.paths[0]}: expected probabilities (1,{len(classes)}) of every sample")
    probabilities = np.stack([one.probabilities for one in answers])
    labels = np.array([classes.index(sample.class_name) for sample in samples])
    matrix = confusion_matrix([s.class_name for s in samples], [one.predicted for one in answers], classes)
    true = np.maximum(probabilities[np.arange(len(labels)), labels], 1e-7)
    copies = list(predictions.attributes.get("copies", []))
    bins = reliability(probabilities, labels)
    return ClassifierFigures(classes, answers, matrix, bins, float(-np.log(true).mean()), copies)


def main_category(name: str) -> str:
    """`household` of `household__decor`."""
    return name.partition(LEVELS)[0]
