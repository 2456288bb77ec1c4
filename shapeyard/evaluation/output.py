"""The folder of an evaluation: rows.csv, every measurement, and metrics.json, the means, written last."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from shapeyard import __version__
from shapeyard.boundary import reader
from shapeyard.contracts.dataset import Dataset, Sample
from shapeyard.contracts.files import check_file, describe_file, empty_output, write_json
from shapeyard.errors import DatasetError
from shapeyard.evaluation.table import EvaluationTable

METRICS, ROWS = "metrics.json", "rows.csv"


class EvaluationFolder(NamedTuple):
    """What a folder holds."""

    metrics: dict[str, Any]
    table: EvaluationTable


def write_evaluation(folder: Path, stage: str, table: EvaluationTable, metrics: Mapping[str, Any]) -> None:
    """Empty the folder and write both files, metrics.json atomically; null stands in it for what is not finite."""
    empty_output(folder)
    table.write(folder / ROWS)
    files = {ROWS: describe_file(folder / ROWS)}
    write_json(folder / METRICS, without_nan({"stage": stage, "version": __version__, **metrics, "files": files}))


@reader(DatasetError, "folder")
def read_evaluation(folder: Path) -> EvaluationFolder:
    """Read a folder; raises `DatasetError` if it is missing or broken."""
    if not (folder / METRICS).is_file():
        raise DatasetError(f"{folder}: expected an evaluation, found no {METRICS} (missing or never finished)")
    try:
        metrics: dict[str, Any] = json.loads((folder / METRICS).read_text(encoding="utf-8"))
        for described in metrics.pop("files", {}).values():
            check_file(folder / ROWS, described, content=True)
        return EvaluationFolder(metrics, EvaluationTable.read(folder / ROWS))
    except (OSError, ValueError) as error:
        raise DatasetError(f"{folder}: not readable as an evaluation: {error}") from error


def present(samples: list[Sample], datasets: list[Dataset], what: str, notes: list[str]) -> list[Sample]:
    """The samples that all datasets hold; how many are missing is added to the notes."""
    found = [sample for sample in samples if all(sample.id in dataset for dataset in datasets)]
    if len(found) < len(samples):
        missing = sorted({s.id for s in samples} - {s.id for s in found})
        notes.append(
            f"{what}: {len(missing)} of {len(samples)} {samples[0].split} samples are missing, {missing[0]} first"
        )
    return found


def without_nan(value: Any) -> Any:
    """The same tree with None in place of nan and infinity, which JSON does not know."""
    if isinstance(value, dict):
        return {name: without_nan(inside) for name, inside in value.items()}
    if isinstance(value, list):
        return [without_nan(inside) for inside in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
