"""Put a run on one page that needs nothing but a browser."""

from __future__ import annotations

from dataclasses import dataclass

from shapeyard.contracts.stage import Artifact, Resources, Settings, Stage


@dataclass(frozen=True)
class ReportSettings(Settings):
    """How the page looks."""

    title: str = "Reconstruction from one image"
    """The page's headline."""


STAGE = Stage(
    stack="base",
    settings=ReportSettings,
    inputs={
        "meshes": Artifact("Dataset", "Datasets of kind meshes.", many=True),
        "renders": Artifact("Dataset", "Datasets of kind renders.", many=True),
        "voxels": Artifact("Dataset", "Datasets of kind voxels.", many=True),
        "depths": Artifact("Dataset", "Dataset of kind depths."),
        "reconstructions": Artifact("Dataset", "Dataset of kind reconstructions, of 3D-RecGAN++."),
        "occupancy_reconstructions": Artifact(
            "Dataset", "The same by the pixel-aligned occupancy network.", optional=True
        ),
        "depth_model": Artifact("Model", "The depth estimator."),
        "recgan_model": Artifact("Model", "3D-RecGAN++."),
        "occupancy_model": Artifact("Model", "The pixel-aligned occupancy network.", optional=True),
        "classifier": Artifact("Model", "The voxel classifier."),
        "evaluation": Artifact("Artifact", "The folder that `evaluate` wrote."),
    },
    outputs={"page": Artifact("HTML", "The page, one HTML file.")},
    resources=Resources(cpu=("500m", "2"), memory=("1Gi", "8Gi"), hours=2),
)
