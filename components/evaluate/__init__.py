"""Measure depth, reconstruction and classification on the test split, beside baselines without a network."""

from __future__ import annotations

from shapeyard.contracts.stage import Artifact, Resources, Settings, Stage

STAGE = Stage(
    stack="base",
    settings=Settings,
    inputs={
        "meshes": Artifact("Dataset", "Datasets of kind meshes: what perfect voxels are held against.", many=True),
        "renders": Artifact("Dataset", "Datasets of kind renders: the true depth and the cameras.", many=True),
        "voxels": Artifact("Dataset", "Datasets of kind voxels: the true shapes.", many=True),
        "depths": Artifact("Dataset", "Dataset of kind depths: the predicted depth."),
        "reconstructions": Artifact("Dataset", "Dataset of kind reconstructions, val and test: 3D-RecGAN++'s."),
        "occupancy_reconstructions": Artifact(
            "Dataset", "The same by the pixel-aligned occupancy network, in the same cubes.", optional=True
        ),
        "class_predictions": Artifact("Dataset", "Dataset of kind predictions: the classifier on the true shapes."),
        "reconstruction_predictions": Artifact(
            "Dataset", "Dataset of kind predictions: the classifier on the reconstructed shapes."
        ),
    },
    outputs={
        "evaluation": Artifact("Artifact", "Folder with metrics.json and rows.csv."),
        "metrics": Artifact("Metrics", "The key figures."),
        "confusion": Artifact("ClassificationMetrics", "The confusion matrix of the classifier on the true shapes."),
    },
    resources=Resources(memory=("2Gi", "16Gi"), hours=12),
)
