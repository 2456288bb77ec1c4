"""Train the pixel-aligned occupancy network from one image to the whole shape, and reconstruct val and test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from shapeyard.contracts.stage import (
    Artifact,
    NonNegativeFloat,
    NonNegativeInt,
    OneOf,
    PositiveFloat,
    PositiveInt,
    Range,
    Resources,
    Stage,
)
from shapeyard.training.settings import StepSettings


@dataclass(frozen=True)
class TrainOccupancySettings(StepSettings):
    """How the pixel-aligned occupancy network is trained."""

    learning_rate: PositiveFloat = 2e-3
    width: PositiveInt = 16
    """Channels of the encoder's first level; the last ones have eight times as many."""
    hidden: PositiveInt = 160
    """Features of a pixel, and units of the perceptron that reads them at a point."""
    points: Annotated[int, Range(ge=4)] = 1024
    """Points of a view that a step asks about."""
    depth_weight: NonNegativeFloat = 0.3
    """Weight of the error of the visible surface's depth beside the cross entropy."""
    ema_decay: Annotated[float, Range(ge=0, lt=1)] = 0.998
    """Decay of the exponential moving average of the weights, which is what is validated and kept."""
    resolution: Annotated[int, OneOf((32, 64, 128, 256))] = 64
    """Voxels along a side of what is reconstructed."""
    views_per_object: NonNegativeInt = 0
    """Views of a val or test sample that are reconstructed; 0 for all."""


STAGE = Stage(
    stack="torch",
    settings=TrainOccupancySettings,
    inputs={
        "renders": Artifact("Dataset", "Datasets of kind renders.", many=True),
        "voxels": Artifact("Dataset", "Datasets of kind voxels: the truth.", many=True),
        "depths": Artifact(
            "Dataset",
            "Dataset of kind depths: what the cubes of the reconstructions are put around; without it the network's "
            "own depth.",
            optional=True,
        ),
    },
    outputs={
        "model": Artifact("Model", "The network: weights, config, history, metrics."),
        "reconstructions": Artifact("Dataset", "Dataset of kind reconstructions: views of the val and test samples."),
        "metrics": Artifact("Metrics", "IoU on val in the camera-frame cube, its threshold, throughput."),
    },
    resources=Resources(cpu=("2", "8"), memory=("4Gi", "24Gi"), hours=72, shared_memory="4Gi"),
)
