"""What a report is made of: the artifacts of one run, opened, and which stages made them with what."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from shapeyard.contracts.dataset import Dataset, Skipped, read_info
from shapeyard.evaluation.output import read_evaluation
from shapeyard.pages.facts import TrainedModel


class StageFacts(NamedTuple):
    """One stage as its artifacts tell of it."""

    name: str
    seconds: float
    """of all its shards together"""
    shards: int
    parameters: dict[str, Any]


class ReconstructionRun:
    """The artifacts of one run of the pipeline `reconstruct`.

    Attributes:
        meshes, renders, voxels, depths: the datasets.
        reconstructions: network → dataset.
        models: stage that trained it → model; without a classifier that was left out.
        metrics: the evaluation's metrics.json.
        table: its rows.

    Raises:
        DatasetError: if one of them is missing, broken or of another kind.
    """

    def __init__(
        self,
        meshes: Sequence[str | Path],
        renders: Sequence[str | Path],
        voxels: Sequence[str | Path],
        depths: str | Path,
        reconstructions: str | Path,
        occupancy_reconstructions: str | Path | None,
        depth_model: str | Path,
        recgan_model: str | Path,
        occupancy_model: str | Path | None,
        classifier: str | Path,
        evaluation: str | Path,
    ) -> None:
        self.meshes = Dataset(meshes, "meshes")
        self.renders = Dataset(renders, "renders")
        self.voxels = Dataset(voxels, "voxels")
        self.depths = Dataset([depths], "depths")
        self.reconstructions = {"recgan": Dataset([reconstructions], "reconstructions")}
        if occupancy_reconstructions:
            self.reconstructions["occupancy"] = Dataset([occupancy_reconstructions], "reconstructions")
        models = {
            "train_depth": TrainedModel.read(depth_model),
            "train_recgan": TrainedModel.read(recgan_model),
            **({"train_occupancy": TrainedModel.read(occupancy_model)} if occupancy_model else {}),
            "train_classifier": TrainedModel.read(classifier),
        }
        self.models = {name: model for name, model in models.items() if "left_out" not in model.config}
        self.metrics, self.table = read_evaluation(Path(evaluation))

    @property
    def datasets(self) -> list[Dataset]:
        """In the order in which they are made."""
        return [self.meshes, self.renders, self.voxels, self.depths, *self.reconstructions.values()]

    @property
    def best(self) -> str:
        """The network that reconstructs best, chosen on the validation split."""
        return str(self.metrics["reconstruction"]["best"])

    @property
    def stages(self) -> list[StageFacts]:
        """The stages whose work the artifacts hold, in the order of the pipeline."""
        stages = [_made_by(dataset) for dataset in (self.meshes, self.renders, self.voxels)]
        predicted = {"train_depth": self.depths}
        predicted |= {f"train_{network}": dataset for network, dataset in self.reconstructions.items()}
        for name, model in self.models.items():
            predicting = _made_by(predicted[name]) if name in predicted else StageFacts(name, 0.0, 1, model.config)
            seconds = predicting.seconds + float(model.metrics.get("seconds", 0.0))
            stages.append(StageFacts(name, seconds, 1, predicting.parameters))
        return [*stages, StageFacts("evaluate", float(self.metrics.get("seconds", 0.0)), 1, {})]

    @property
    def skipped(self) -> list[Skipped]:
        """What was left out on the way, each sample once with its first reason."""
        first: dict[str, Skipped] = {}
        for dataset in self.datasets:
            for skipped in dataset.skipped:
                first.setdefault(skipped.id, skipped)
        return list(first.values())

    def close(self) -> None:
        """Close all files."""
        for dataset in self.datasets:
            dataset.close()


def _made_by(dataset: Dataset) -> StageFacts:
    """The stage that made the shards of a dataset."""
    made = [read_info(path)["made_by"] for path in dataset.paths]
    seconds = sum(float(one.get("seconds", 0.0)) for one in made)
    return StageFacts(str(made[0]["stage"]), seconds, len(made), dict(made[0]["parameters"]))
