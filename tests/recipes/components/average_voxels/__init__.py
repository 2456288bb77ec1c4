"""Average the voxels of the training objects, class by class."""

from __future__ import annotations

from dataclasses import dataclass

from shapeyard.contracts.stage import Artifact, Settings, Share, Stage


@dataclass(frozen=True)
class AverageVoxelsSettings(Settings):
    """What belongs to a mean shape."""

    threshold: Share = 0.5
    """Share of a class's objects that a voxel must be occupied in, 0 to 1."""


STAGE = Stage(
    stack="base",
    settings=AverageVoxelsSettings,
    inputs={"voxels": Artifact("Dataset", "Datasets of kind voxels.", many=True)},
    outputs={
        "mean_shapes": Artifact("Artifact", "Folder with a .npy file for each class: (D,D,D) bool."),
        "metrics": Artifact("Metrics", "The occupied share of each mean shape."),
    },
)
