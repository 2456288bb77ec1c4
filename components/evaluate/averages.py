"""Rows of measures, and their mean over views, then objects, then classes."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Row = dict[str, Any]
"""`id`, `class`, perhaps `view`, and a number for each measure."""


def mean_over_objects(rows: Iterable[Mapping[str, Any]], measure: str) -> dict[str, Any]:
    """Class name → mean of `measure` over a class's objects, each the mean over its views.

    A measure is a number or an array; rows without it, or with nan, have no say, nor has a class without any.
    """
    of_object: dict[tuple[str, str], list[Any]] = {}
    for row in rows:
        if measure in row and not np.isnan(row[measure]).any():
            of_object.setdefault((row["class"], row["id"]), []).append(row[measure])
    of_class: dict[str, list[Any]] = {}
    for (class_name, _), values in of_object.items():
        of_class.setdefault(class_name, []).append(np.mean(values, axis=0))
    return {name: np.mean(values, axis=0) for name, values in sorted(of_class.items())}


def mean_over_classes(rows: Iterable[Mapping[str, Any]], measure: str) -> Any:
    """The mean of `mean_over_objects` over the classes, so that each class weighs the same; nan without any row."""
    classes = list(mean_over_objects(rows, measure).values())
    return np.mean(classes, axis=0) if classes else float("nan")


def mean_over_views(rows: Sequence[Row], measures: Sequence[str]) -> dict[str, Row]:
    """Object id → a row with `id`, `class`, `views` and the mean of each measure over the rows that have it."""
    views: dict[str, list[Row]] = {}
    for row in rows:
        views.setdefault(row["id"], []).append(row)
    return {name: _mean_row(group, measures) for name, group in views.items()}


def write_csv(path: Path, rows: Iterable[Row]) -> None:
    """Write rows with the union of their columns; what a row lacks stays empty, nan too."""
    rows = [{name: _cell(value) for name, value in row.items()} for row in rows]
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)


def _mean_row(group: list[Row], measures: Sequence[str]) -> Row:
    mean: Row = {"id": group[0]["id"], "class": group[0]["class"], "views": len(group)}
    for measure in measures:
        values: NDArray[np.float64] = np.array([row[measure] for row in group if measure in row], dtype=np.float64)
        values = values[~np.isnan(values)]
        if len(values):
            mean[measure] = float(values.mean())
    return mean


def _cell(value: Any) -> Any:
    if isinstance(value, float):
        return "" if np.isnan(value) else f"{value:.6g}"
    return value
