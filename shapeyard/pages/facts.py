"""What pages say of trained models and of datasets."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

from shapeyard.contracts.dataset import SPLITS, Dataset
from shapeyard.contracts.licenses import attributions, count_licenses
from shapeyard.contracts.model import read_config, read_history, read_metrics


class TrainedModel(NamedTuple):
    """What a model's directory says of its training."""

    config: dict[str, Any]
    metrics: dict[str, Any]
    history: list[dict[str, float]]

    @classmethod
    def read(cls, path: str | Path) -> TrainedModel:
        """Read it; raises `DatasetError` for a model that is missing or broken."""
        return cls(history=read_history(path), config=read_config(path), metrics=read_metrics(path))

    @property
    def facts(self) -> dict[str, dict[str, Any]]:
        """The settings and the last figures that are numbers or words."""
        both = {"settings": self.config, "figures": self.metrics}
        return {
            name: {key: value for key, value in values.items() if isinstance(value, int | float | str)}
            for name, values in both.items()
        }


def class_counts(dataset: Dataset) -> list[dict[str, Any]]:
    """For each class its name as `class` and how many samples of it are in each split."""
    counts = Counter((sample.class_name, sample.split) for sample in dataset.samples)
    return [{"class": name, **{split: counts[name, split] for split in SPLITS}} for name in dataset.classes]


def data_terms(dataset: Dataset) -> dict[str, Any]:
    """Under which licences the samples of a dataset are, how many under each, and whom to name for them."""
    return {"licenses": count_licenses(dataset.samples), "attributions": attributions(dataset.samples)}
