"""Measurements in long form, their means and their differences.

A row is one number: what a method reached in a measure on an object, or on one view of it. Every mean is taken over an
object's views, then over a class's objects, then over the classes, so that neither an object with many views nor a
class with many objects weighs more.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from shapeyard.contracts.dataset import Sample
from shapeyard.metrics.paired import PairedDifference, paired_difference

COLUMNS = ("id", "class", "view", "method", "measure", "value")
PREDICTED = "predicted"
"""The one measure whose value is text: the name of a class."""


class Measurement(NamedTuple):
    """One value of one method."""

    id: str
    class_name: str
    view: int | None
    """the view that was shown, or the number of views; None where the object as a whole was measured"""
    method: str
    measure: str
    value: Any
    """a number, or while a method's parameter is chosen (K,), one for each candidate"""


def measurements(sample: Sample, view: int | None, method: str, values: Mapping[str, Any]) -> list[Measurement]:
    """A row for each measure → value; those that are nan are left out."""
    return [
        Measurement(sample.id, sample.class_name, view, method, measure, value)
        for measure, value in values.items()
        if isinstance(value, str) or not np.isnan(value).any()
    ]


def class_means(rows: Iterable[Measurement]) -> dict[str, Any]:
    """Class → the mean over its objects, each the mean over its views; sorted by class."""
    of_object: dict[tuple[str, str], list[Any]] = {}
    for row in rows:
        of_object.setdefault((row.class_name, row.id), []).append(row.value)
    of_class: dict[str, list[Any]] = {}
    for (class_name, _), values in of_object.items():
        of_class.setdefault(class_name, []).append(np.mean(values, axis=0))
    return {name: np.mean(values, axis=0) for name, values in sorted(of_class.items())}


def overall_mean(rows: Iterable[Measurement]) -> Any:
    """The mean of `class_means` over the classes; nan without rows."""
    means = list(class_means(rows).values())
    return np.mean(means, axis=0) if means else float("nan")


class EvaluationTable:
    """All rows of an evaluation."""

    def __init__(self, rows: Iterable[Measurement] = ()) -> None:
        self._rows: dict[tuple[str, str], list[Measurement]] = {}
        self.extend(rows)

    def extend(self, rows: Iterable[Measurement]) -> None:
        """Add rows."""
        for row in rows:
            self._rows.setdefault((row.method, row.measure), []).append(row)

    def rows(self, method: str, measure: str, view: int | None = None) -> list[Measurement]:
        """The rows of a method's measure in the order in which they were added, of all views or of one."""
        found = self._rows.get((method, measure), [])
        return found if view is None else [row for row in found if row.view == view]

    def values(self, method: str, measure: str) -> dict[tuple[str, int | None], Any]:
        """Sample id and view → value."""
        return {(row.id, row.view): row.value for row in self.rows(method, measure)}

    def mean(self, method: str, measure: str, view: int | None = None) -> float:
        """See `overall_mean`."""
        return float(overall_mean(self.rows(method, measure, view)))

    def class_means(self, method: str, measure: str, view: int | None = None) -> dict[str, float]:
        """See `class_means`."""
        return {name: float(value) for name, value in class_means(self.rows(method, measure, view)).items()}

    def summary(self, method: str, measures: Sequence[str]) -> dict[str, Any]:
        """What metrics.json says of a method: over how many samples and views, each mean, and `per_class` the same."""
        rows = self.rows(method, measures[0])
        by_class = {measure: self.class_means(method, measure) for measure in measures}
        return {
            "samples": len({row.id for row in rows}),
            "views": len(rows),
            **{measure: self.mean(method, measure) for measure in measures},
            "per_class": {name: {m: by_class[m][name] for m in measures} for name in by_class[measures[0]]},
        }

    def difference(
        self, measure: str, first: tuple[str, int | None], second: tuple[str, int | None]
    ) -> PairedDifference:
        """How much higher one method's mean is than another's, on what both were measured on.

        Args:
            measure: what is compared.
            first: a method and a view, or None for all views.
            second: the same. Where views are given objects are compared, else the same views of them.
        """
        one, other = (
            {(row.id, row.view if view is None else None): row for row in self.rows(method, measure, view)}
            for method, view in (first, second)
        )
        pairs = [(row, other[key]) for key, row in one.items() if key in other]
        first_values, second_values = ([pair[which].value for pair in pairs] for which in (0, 1))
        objects, classes = [row.id for row, _ in pairs], [row.class_name for row, _ in pairs]
        return paired_difference(first_values, second_values, objects, classes)

    def write(self, path: Path) -> None:
        """Write the rows as CSV, numbers with six digits."""
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(COLUMNS)
            for rows in self._rows.values():
                writer.writerows((*row[:5], row.value if row.measure == PREDICTED else f"{row.value:.6g}")
                                 for row in rows)  # fmt: skip

    @classmethod
    def read(cls, path: Path) -> EvaluationTable:
        """What `write` wrote; raises `ValueError` or `OSError` for any other file."""
        with path.open(newline="", encoding="utf-8") as file:
            lines = csv.reader(file)
            if tuple(next(lines, ())) != COLUMNS:
                raise ValueError(f"{path.name}: expected the columns {', '.join(COLUMNS)}")
            return cls(
                Measurement(name, class_name, int(view) if view else None, method, measure,
                            value if measure == PREDICTED else float(value))
                for name, class_name, view, method, measure, value in lines
            )  # fmt: skip
