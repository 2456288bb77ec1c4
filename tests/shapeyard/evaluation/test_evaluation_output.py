"""An evaluation's folder: what is written is read, and what is no evaluation is refused."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from shapeyard import __version__
from shapeyard.contracts.dataset import Dataset, DatasetWriter, Sample
from shapeyard.errors import DatasetError
from shapeyard.evaluation.output import present, read_evaluation, without_nan, write_evaluation
from shapeyard.evaluation.table import EvaluationTable, Measurement


def test_a_folder_is_read_as_it_was_written(tmp_path: Path) -> None:
    row = Measurement("a/1", "a", 0, "m", "x", 0.5)
    write_evaluation(tmp_path / "e", "evaluate", EvaluationTable([row]), {"x": math.nan, "y": [{"z": 1}, math.inf]})
    metrics, table = read_evaluation(tmp_path / "e")
    assert metrics == {"stage": "evaluate", "version": __version__, "x": None, "y": [{"z": 1}, None]}
    assert table.rows("m", "x") == [row]


def test_what_is_no_evaluation(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"expected an evaluation, found no metrics\.json"):
        read_evaluation(tmp_path)
    (tmp_path / "metrics.json").write_text("{")
    with pytest.raises(DatasetError, match="not readable as an evaluation"):
        read_evaluation(tmp_path)
    (tmp_path / "metrics.json").write_text("{}")
    with pytest.raises(DatasetError, match=r"not readable as an evaluation: .*rows\.csv"):
        read_evaluation(tmp_path)


def test_numbers_that_json_does_not_know() -> None:
    assert without_nan({"a": [math.nan, 1, "x"], "b": {"c": np.float64("inf")}}) == {
        "a": [None, 1, "x"],
        "b": {"c": None},
    }


def test_missing_samples_are_noted(tmp_path: Path) -> None:
    samples = [Sample(f"a/{k}", "a", "test", "") for k in range(3)]
    with DatasetWriter(tmp_path / "d", "depths", "test", {}) as writer:
        writer.add(samples[1], {"depth": np.zeros((1, 2, 2), np.float32)})
    data, notes = Dataset([tmp_path / "d"], "depths"), []  # type: ignore[var-annotated]
    assert present(samples, [data], "depth", notes) == [samples[1]]
    assert notes == ["depth: 2 of 3 test samples are missing, a/0 first"]
    assert present([samples[1]], [data, data], "depth", notes) == [samples[1]] and len(notes) == 1
