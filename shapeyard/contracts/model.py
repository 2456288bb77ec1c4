"""The model contract: a directory with the weights, what rebuilds the network, and how the training went.

model.safetensors or model.keras     the weights
config.json                          network parameters, preprocessing constants; rebuilds the network
history.csv                          one row an epoch (or every few steps): step, losses, metrics
logs/                                how the figures went, for TensorBoard; may be missing
README.md                            the model card: figures, licences of the data, whom to name
metrics.json                         the last figures on the validation split, throughput, seconds, licences of the
                                     data, whom to name, the other files with their hashes; written last
                                     and atomically: where it stands, the model is whole
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from shapeyard.boundary import foreign, reader
from shapeyard.contracts.files import MARK, check_file, describe_file, empty_output, write_json
from shapeyard.contracts.licenses import Licensed, attributions, count_licenses
from shapeyard.contracts.model_card import model_card
from shapeyard.errors import DatasetError


def start_model(path: str | Path, config: Mapping[str, Any]) -> Path:
    """Empty the directory and write config.json; returns the directory.

    Raises:
        DatasetError: if something lies there that is no earlier output.
    """
    path = Path(path)
    empty_output(path)
    write_json(path / "config.json", dict(config))
    return path


def finish_model(
    path: Path,
    history: Sequence[Mapping[str, float]],
    metrics: Mapping[str, Any],
    trained_on: Iterable[Licensed],
) -> None:
    """Write history.csv, the model card and, last, metrics.json; the weights must be there already.

    Args:
        path: the directory.
        history: one row an epoch, or every few steps.
        metrics: the last figures.
        trained_on: the samples that weights, or what was chosen by validating them, depend on: their licences are the
            model's to keep.
    """
    samples = list(trained_on)
    licenses, people = count_licenses(samples), attributions(samples)
    columns = list(dict.fromkeys(name for row in history for name in row))
    with (path / "history.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(history)
    config = json.loads((path / "config.json").read_text(encoding="utf-8"))
    (path / "README.md").write_text(model_card(config, metrics, licenses, people), encoding="utf-8")
    files = {file.name: describe_file(file) for file in sorted(path.iterdir()) if file.is_file() and file.name != MARK}
    told = {"licenses": licenses, "attributions": [one._asdict() for one in people], "files": files}
    write_json(path / "metrics.json", {**metrics, **told})


@reader(DatasetError)
def check_model(path: str | Path) -> None:
    """Raise `DatasetError` unless the model is whole, to the last byte."""
    for name, described in read_metrics(path).get("files", {}).items():
        check_file(Path(path) / name, described, content=True)


def read_config(path: str | Path) -> dict[str, Any]:
    """config.json of a whole model; raises `DatasetError` where there is none."""
    return _read(path, "config.json")


def read_metrics(path: str | Path) -> dict[str, Any]:
    """metrics.json of a whole model; raises `DatasetError` where there is none."""
    return _read(path, "metrics.json")


@reader(DatasetError)
def read_history(path: str | Path) -> list[dict[str, float]]:
    """history.csv as rows of numbers; empty cells are left out."""
    history = Path(path) / "history.csv"
    with foreign(history, DatasetError), history.open(newline="", encoding="utf-8") as file:
        return [{k: float(v) for k, v in row.items() if v not in ("", None)} for row in csv.DictReader(file)]


@reader(DatasetError)
def _read(path: str | Path, name: str) -> dict[str, Any]:
    path = Path(path)
    if not (path / "metrics.json").is_file():
        raise DatasetError(f"{path}: expected a model, found no metrics.json (missing or never finished)")
    try:
        value: dict[str, Any] = json.loads((path / name).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path / name}: not readable: {error}") from error
    return value
