"""What a report is made of: the artifacts of one run, opened, and who made them when with what."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from shapeyard.contracts.dataset import Dataset, Skipped, read_info
from shapeyard.contracts.model import read_config, read_history, read_metrics
from shapeyard.errors import DatasetError

Row = dict[str, str]


class Stage(NamedTuple):
    """One stage as the artifacts tell of it."""

    name: str
    seconds: float
    """of all its shards together"""
    shards: int
    parameters: dict[str, Any]


class Model(NamedTuple):
    """A trained network's own words."""

    stage: str
    config: dict[str, Any]
    metrics: dict[str, Any]
    history: list[dict[str, float]]


@dataclass(frozen=True)
class RunArtifacts:
    """The directories of one run."""

    meshes: Sequence[str | Path]
    renders: Sequence[str | Path]
    voxels: Sequence[str | Path]
    depths: str | Path
    reconstructions: str | Path
    depth_model: str | Path
    recgan_model: str | Path
    classifier: str | Path
    evaluation: str | Path


class Run:
    """The artifacts of one run, opened.

    Attributes:
        models: depth, reconstruction and classifier.
        metrics: the evaluation's metrics.json.
        views: the evaluation's per_view.csv, test views with their measures as text.

    Raises:
        DatasetError: if one of them is missing, broken or of another kind.
    """

    def __init__(self, artifacts: RunArtifacts) -> None:
        """Open the datasets and read the rest."""
        self.meshes = Dataset(artifacts.meshes, "meshes")
        self.renders = Dataset(artifacts.renders, "renders")
        self.voxels = Dataset(artifacts.voxels, "voxels")
        self.depths = Dataset([artifacts.depths], "depths")
        self.reconstructions = Dataset([artifacts.reconstructions], "reconstructions")
        self.models = {
            "depth": _model("train_depth", artifacts.depth_model),
            "reconstruction": _model("train_recgan", artifacts.recgan_model),
            "classifier": _model("train_classifier", artifacts.classifier),
        }
        self.metrics, self.views = _evaluation(Path(artifacts.evaluation))

    @property
    def datasets(self) -> dict[str, Dataset]:
        """Name → dataset, in the order in which they are made."""
        return {
            "meshes": self.meshes,
            "renders": self.renders,
            "voxels": self.voxels,
            "depths": self.depths,
            "reconstructions": self.reconstructions,
        }

    @property
    def stages(self) -> list[Stage]:
        """The stages whose work the artifacts hold, in the order of the pipeline."""
        stages = [_of_dataset(self.datasets[name].paths) for name in ("meshes", "renders", "voxels")]
        for model, paths in (
            (self.models["depth"], self.depths.paths),
            (self.models["reconstruction"], self.reconstructions.paths),
            (self.models["classifier"], []),
        ):
            predicting = _of_dataset(paths) if paths else Stage(model.stage, 0.0, 1, model.config)
            seconds = predicting.seconds + float(model.metrics.get("seconds", 0.0))
            stages.append(Stage(model.stage, seconds, 1, predicting.parameters))
        return [*stages, Stage("evaluate", float(self.metrics.get("seconds", 0.0)), 1, {})]

    @property
    def skipped(self) -> list[Skipped]:
        """What was left out on the way, each sample once with its first reason."""
        first: dict[str, Skipped] = {}
        for dataset in self.datasets.values():
            for skipped in dataset.skipped:
                first.setdefault(skipped.id, skipped)
        return list(first.values())

    def close(self) -> None:
        """Close all files."""
        for dataset in self.datasets.values():
            dataset.close()


def number(row: Row, name: str) -> float | None:
    """A measure of a row of one of the evaluation's tables; None where it is empty."""
    return float(row[name]) if row.get(name) else None


def _of_dataset(paths: Iterable[str | Path]) -> Stage:
    """The stage that made the shards of a dataset."""
    made = [read_info(path)["made_by"] for path in paths]
    seconds = sum(float(one.get("seconds", 0.0)) for one in made)
    return Stage(str(made[0]["stage"]), seconds, len(made), dict(made[0]["parameters"]))


def _evaluation(folder: Path) -> tuple[dict[str, Any], list[Row]]:
    if not (folder / "metrics.json").is_file():
        raise DatasetError(f"{folder}: expected an evaluation, found no metrics.json (missing or never finished)")
    try:
        metrics: dict[str, Any] = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
        with (folder / "per_view.csv").open(newline="", encoding="utf-8") as file:
            return metrics, list(csv.DictReader(file))
    except (OSError, ValueError) as error:
        raise DatasetError(f"{folder}: not readable as an evaluation: {error}") from error


def _model(stage: str, path: str | Path) -> Model:
    try:
        history = read_history(path)
    except (OSError, ValueError) as error:
        raise DatasetError(f"{Path(path) / 'history.csv'}: not readable: {error}") from error
    return Model(stage, read_config(path), read_metrics(path), history)
