"""Measure shapes reconstructed from one image and more on the test split, beside baselines, on one page."""

from __future__ import annotations

from dataclasses import dataclass

from shapeyard.contracts.stage import Artifact, Resources, Settings, Stage


@dataclass(frozen=True)
class EvaluateMultiviewSettings(Settings):
    """How the page looks."""

    title: str = "Reconstruction from several images"
    """The page's headline."""


STAGE = Stage(
    stack="base",
    settings=EvaluateMultiviewSettings,
    inputs={
        "meshes": Artifact(
            "Dataset",
            "Datasets of kind meshes: what perfect voxels are held against, where the source has meshes.",
            many=True,
        ),
        "renders": Artifact("Dataset", "Datasets of kind renders: the images and their cameras.", many=True),
        "voxels": Artifact("Dataset", "Datasets of kind voxels: the true shapes.", many=True),
        "reconstructions": Artifact("Dataset", "Dataset of kind reconstructions, of train-multiview."),
        "model": Artifact("Model", "The network."),
    },
    outputs={
        "page": Artifact("HTML", "The page, one HTML file."),
        "evaluation": Artifact("Artifact", "Folder with metrics.json and rows.csv."),
        "metrics": Artifact("Metrics", "The key figures."),
    },
    resources=Resources(memory=("2Gi", "16Gi"), hours=12),
)
