"""Measure surfaces reconstructed from codes, known shapes and unseen ones, beside retrieval, on one page."""

from __future__ import annotations

from dataclasses import dataclass

from shapeyard.contracts.stage import Artifact, PositiveInt, Resources, Settings, Stage


@dataclass(frozen=True)
class EvaluateImplicitSettings(Settings):
    """How much is measured, and how the page looks."""

    iou_points: PositiveInt = 100_000
    """Points, uniform in the unit sphere, by which volumes are compared."""
    title: str = "Shapes from codes"
    """The page's headline."""


STAGE = Stage(
    stack="base",
    settings=EvaluateImplicitSettings,
    inputs={
        "meshes": Artifact("Dataset", "Datasets of kind meshes: the true volumes.", many=True),
        "sdf": Artifact("Dataset", "Datasets of kind sdf: the true surfaces.", many=True),
        "surfaces": Artifact("Dataset", "Dataset of kind surfaces, of reconstruct-surfaces."),
        "interpolations": Artifact("Dataset", "Dataset of kind surfaces, of reconstruct-surfaces."),
        "model": Artifact("Model", "The decoder."),
    },
    outputs={
        "page": Artifact("HTML", "The page, one HTML file."),
        "evaluation": Artifact("Artifact", "Folder with metrics.json and rows.csv."),
        "metrics": Artifact("Metrics", "The key figures."),
    },
    resources=Resources(memory=("2Gi", "16Gi"), hours=12),
)
