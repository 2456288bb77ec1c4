"""What a classifier's answers are worth."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shapeyard.contracts.dataset import Dataset, Sample, Split
from shapeyard.errors import DatasetError
from shapeyard.metrics.calibration import ReliabilityBin, expected_calibration_error, reliability
from shapeyard.metrics.classification import accuracy, confusion_matrix, mean_class_accuracy, precision, recall

LEVELS = "__"
"""Between the main and the sub category in a class's name."""


@dataclass(frozen=True)
class Answer:
    """One sample, and what the classifier said of it."""

    sample: Sample
    predicted: str
    confidence: float
    """the probability of the predicted class"""
    true_probability: float
    unlike: bool
    """called unlike anything learned"""

    @property
    def right(self) -> bool:
        """Whether it is the true class."""
        return self.predicted == self.sample.class_name


@dataclass(frozen=True)
class Measured:
    """The figures of one split."""

    split: Split
    classes: list[str]
    answers: list[Answer]
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
            "called_unlike": float(np.mean([answer.unlike for answer in self.answers])),
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


def measure(predictions: Dataset, split: Split) -> Measured:
    """Measure the answers of a split.

    Raises:
        DatasetError: if it has no samples, a class is unknown, or the probabilities do not fit the classes.
    """
    classes = [str(name) for name in predictions.attributes.get("classes", [])]
    limit = predictions.attributes.get("unlike_above")
    samples = predictions.of_split(split)
    if not samples:
        raise DatasetError(f"{predictions.paths[0]}: expected samples of the {split} split to measure, got none")
    strange = sorted({sample.class_name for sample in samples} - set(classes))
    if strange:
        raise DatasetError(f"{predictions.paths[0]}: expected classes that the model knows, got {', '.join(strange)}")
    rows = [predictions.read(sample.id, "probabilities") for sample in samples]
    if any(row.shape != (1, len(classes)) or not np.isfinite(row).all() for row in rows):
        raise DatasetError(f"{predictions.paths[0]}: expected finite probabilities (1,{len(classes)}) of every sample")
    probabilities = np.concatenate(rows)
    labels = np.array([classes.index(sample.class_name) for sample in samples])
    best = probabilities.argmax(axis=1)
    answers = [
        Answer(
            sample, classes[column], float(row[column]), float(row[label]),
            limit is not None and float(sample.attributes.get("unlikeness", 0.0)) > limit,
        )
        for sample, row, column, label in zip(samples, probabilities, best, labels, strict=True)
    ]  # fmt: skip
    matrix = confusion_matrix([s.class_name for s in samples], [classes[i] for i in best], classes)
    true = np.maximum(probabilities[np.arange(len(labels)), labels], 1e-7)
    copies = list(predictions.attributes.get("copies", []))
    bins = reliability(probabilities, labels)
    return Measured(split, classes, answers, matrix, bins, float(-np.log(true).mean()), copies)


def main_category(name: str) -> str:
    """`household` of `household__decor`."""
    return name.partition(LEVELS)[0]
