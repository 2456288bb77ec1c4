"""Train the U-Net that estimates depth from one image, and predict the depth of every view."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from shapeyard.contracts.stage import (
    NO_EFFECT,
    Artifact,
    NonNegativeFloat,
    PositiveInt,
    Range,
    Resources,
    Share,
    Stage,
)
from shapeyard.training.settings import StepSettings


@dataclass(frozen=True)
class TrainDepthSettings(StepSettings):
    """How the U-Net is trained."""

    steps: PositiveInt = 20_000
    validate_every: PositiveInt = 1000
    width: PositiveInt = 64
    """Channels of the first of the four levels; each further one doubles them."""
    scale_invariant: NonNegativeFloat = 0.0
    """Weight of the scale-invariant error beside the squared one; 0 for none."""
    color_jitter: Share = 0.0
    """Share by which a training view's colours change at the most, 0 to 1."""
    random_background: Share = 0.0
    """Share of the training views whose edges hold some of a background, 0 to 1."""
    random_crop: Annotated[float, Range(ge=0, lt=1)] = 0.0
    """Share by which training views are smaller in height and width, 0 to below 1."""
    compiled: Annotated[bool, NO_EFFECT] = False
    """Let torch compile the network; needs a C++ compiler on the machine."""


STAGE = Stage(
    stack="torch",
    settings=TrainDepthSettings,
    inputs={"renders": Artifact("Dataset", "Datasets of kind renders; image sizes divide by 8.", many=True)},
    outputs={
        "model": Artifact("Model", "The network: weights, config, history, metrics."),
        "depths": Artifact("Dataset", "Dataset of kind depths, every view of every sample."),
        "metrics": Artifact("Metrics", "RMSE on val in canonical units, throughput."),
    },
    resources=Resources(cpu=("2", "8"), memory=("4Gi", "24Gi"), hours=72, shared_memory="4Gi"),
)
