"""Rows of measurements: means by hand, differences on what both methods have, and the file."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from shapeyard.contracts.dataset import Sample
from shapeyard.evaluation.table import EvaluationTable, Measurement, class_means, measurements, overall_mean


def row(name: str, value: object, view: int | None = 0, method: str = "m", measure: str = "x") -> Measurement:
    return Measurement(name, name.split("/")[0], view, method, measure, value)


def test_views_then_objects_then_classes() -> None:
    rows = [row("a/1", 0.0, 0), row("a/1", 1.0, 1), row("a/2", 1.0), row("b/1", 0.25)]
    assert class_means(rows) == {"a": 0.75, "b": 0.25}
    assert overall_mean(rows) == 0.5
    assert math.isnan(overall_mean([]))
    table = EvaluationTable(rows)
    assert table.mean("m", "x") == 0.5 and table.class_means("m", "x", 1) == {"a": 1.0}
    assert table.summary("m", ("x",)) == {
        "samples": 3, "views": 4, "x": 0.5, "per_class": {"a": {"x": 0.75}, "b": {"x": 0.25}},
    }  # fmt: skip
    nothing = table.summary("n", ("x", "y"))
    assert math.isnan(nothing["x"]) and nothing["samples"] == 0 and nothing["per_class"] == {}


def test_means_of_a_value_for_each_candidate() -> None:
    curves = [row("a/1", np.array([0.0, 1.0])), row("a/2", np.array([1.0, 1.0])), row("b/1", np.array([0.0, 0.0]))]
    np.testing.assert_array_equal(overall_mean(curves), [0.25, 0.5])


def test_what_was_not_measured_has_no_row() -> None:
    sample = Sample("a/1", "a", "test", "")
    rows = measurements(sample, 3, "m", {"x": 1.0, "y": math.nan, "predicted": "b"})
    assert [(one.measure, one.value, one.view) for one in rows] == [("x", 1.0, 3), ("predicted", "b", 3)]


def test_differences_of_the_same_views_and_of_numbers_of_views() -> None:
    table = EvaluationTable(
        [row("a/1", 1.0, 1), row("a/1", 0.5, 2), row("a/2", 1.0, 1), row("b/1", 0.0, 2),
         row("a/1", 0.5, 1, "n"), row("a/1", 0.5, 2, "n"), row("b/1", 1.0, 2, "n"), row("c/1", 9.0, 1, "n")]
    )  # fmt: skip
    found = table.difference("x", ("m", None), ("n", None))
    assert found.objects == 2 and found.difference == ((0.5 + 0) / 2 - 1) / 2, "a/2 and c/1 have nothing to compare"
    more = table.difference("x", ("m", 2), ("m", 1))
    assert (more.objects, more.difference) == (1, -0.5)
    assert math.isnan(table.difference("y", ("m", None), ("n", None)).difference)


def test_the_file_holds_the_rows(tmp_path: Path) -> None:
    rows = [row("a/1", 1 / 3, 2), row("a/1", "chair, red", None, "classifier", "predicted"), row("a/2", 1e-9, None)]
    EvaluationTable(rows).write(tmp_path / "rows.csv")
    lines = (tmp_path / "rows.csv").read_text().splitlines()
    assert lines[:2] == ["id,class,view,method,measure,value", "a/1,a,2,m,x,0.333333"]
    table = EvaluationTable.read(tmp_path / "rows.csv")
    assert table.rows("m", "x") == [row("a/1", 0.333333, 2), row("a/2", 1e-9, None)]
    assert table.rows("classifier", "predicted") == [rows[1]]
    assert table.values("m", "x") == {("a/1", 2): 0.333333, ("a/2", None): 1e-9}
    (tmp_path / "other.csv").write_text("id,class\na/1,a\n")
    with pytest.raises(ValueError, match=r"other.csv: expected the columns id, class, view"):
        EvaluationTable.read(tmp_path / "other.csv")
