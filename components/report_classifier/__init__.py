"""Measure a classifier on its test split and put it on one page that needs nothing but a browser."""

from __future__ import annotations

from dataclasses import dataclass

from shapeyard.contracts.stage import Artifact, Resources, Settings, Stage


@dataclass(frozen=True)
class ReportClassifierSettings(Settings):
    """How the page looks."""

    title: str = "Classification"
    """The page's headline."""


STAGE = Stage(
    stack="base",
    settings=ReportClassifierSettings,
    inputs={
        "dataset": Artifact(
            "Dataset", "Datasets of kind voxels or features: what the classifier was trained on.", many=True
        ),
        "predictions": Artifact("Dataset", "Dataset of kind predictions, of train-classifier."),
        "model": Artifact("Model", "The classifier."),
    },
    outputs={
        "page": Artifact("HTML", "The page, one HTML file."),
        "evaluation": Artifact("Artifact", "Folder with metrics.json and rows.csv."),
        "metrics": Artifact("Metrics", "The key figures."),
        "confusion": Artifact("ClassificationMetrics", "The confusion matrix of the test split."),
    },
    resources=Resources(cpu=("500m", "2"), memory=("1Gi", "8Gi"), hours=2),
)
