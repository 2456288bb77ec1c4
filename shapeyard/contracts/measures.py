"""What a stage tells Kubeflow of its figures.

The figures travel in the artifact's metadata; the same goes into the artifact's own file, since a cache that asks
whether the outputs exist would otherwise never find a stage with figures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from shapeyard.contracts.files import write_json


class Measured(NamedTuple):
    """What a stage tells of its figures."""

    figures: Mapping[str, object]
    """by flat names; what is no number is not logged"""
    classes: Sequence[str] = ()
    confusion: Sequence[Sequence[int]] = ()
    """(C,C): rows are true classes, columns what was predicted"""


class MetricsArtifact(Protocol):
    """`kfp.dsl.Metrics`."""

    path: str

    def log_metric(self, metric: str, value: float) -> None:
        """Add a figure."""


class ConfusionArtifact(Protocol):
    """`kfp.dsl.ClassificationMetrics`."""

    path: str

    def log_confusion_matrix(self, categories: list[str], matrix: list[list[int]]) -> None:
        """Set the confusion matrix."""


def log_metrics(artifact: MetricsArtifact, values: Mapping[str, object]) -> None:
    """Log every number of `values` (what is no number is left out)."""
    numbers = {name: float(value) for name, value in values.items() if isinstance(value, int | float)}
    for name, value in numbers.items():
        artifact.log_metric(name, value)
    _write(artifact.path, numbers)


def log_confusion(artifact: ConfusionArtifact, classes: Sequence[str], matrix: Sequence[Sequence[int]]) -> None:
    """Log a confusion matrix: rows are true classes, columns what was answered."""
    rows = [[int(count) for count in row] for row in matrix]
    artifact.log_confusion_matrix(list(classes), rows)
    _write(artifact.path, {"classes": list(classes), "matrix": rows})


def _write(path: str, value: object) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    write_json(Path(path), value)
