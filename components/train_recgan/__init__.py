"""Train 3D-RecGAN++ from the 2.5D grid of one view to the whole shape, and reconstruct val and test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from shapeyard.contracts.stage import (
    NO_EFFECT,
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
from shapeyard.errors import require
from shapeyard.training.settings import StepSettings


@dataclass(frozen=True)
class TrainRecganSettings(StepSettings):
    """How 3D-RecGAN++ is trained."""

    batch_size: PositiveInt = 4
    learning_rate: PositiveFloat = 1e-4
    pairs: str = ""
    """Folder of the pairs that 3D-RecGAN++ was published with, to train on instead of renders, depths, voxels."""
    depth_source: Annotated[str, OneOf(("predicted", "true", "both"))] = "predicted"
    """The depth that training grids are lifted by: predicted, true, or both (a grid from each)."""
    input_resolution: Annotated[int, OneOf((8, 16, 32, 64, 128))] = 64
    """Voxels along the 2.5D grid, a power of two from 8 on; shapes have four times as many."""
    width: PositiveInt = 64
    """Channels of the encoder's first level."""
    bottleneck: PositiveInt = 2000
    """Units of the dense layer in the middle."""
    accumulate: PositiveInt = 1
    """Parts that a batch goes through the networks in, for less memory."""
    recompute: Annotated[bool, NO_EFFECT] = False
    """Keep each layer's input alone for the backward pass, for less memory and more time."""
    discriminator_learning_rate: PositiveFloat = 5e-5
    """The discriminator's, constant."""
    occupied_weight: Annotated[float, Range(gt=0, lt=1)] = 0.85
    """Weight of occupied voxels in the cross entropy; empty ones have the rest to 1."""
    floor: Annotated[float, Range(ge=0, lt=1)] = 0.01
    """The least probability in the cross entropy; 0.01 in the paper's code."""
    adversarial: Annotated[float, Range(ge=0, lt=1)] = 0.2
    """The discriminator's share of the generator's loss, 0 to below 1; 0 for training without a discriminator."""
    discriminator: Annotated[str, OneOf(("scaled", "paper"))] = "scaled"
    """Form of the discriminator: scaled, or paper to the letter."""
    discriminator_start: NonNegativeInt = 0
    """Steps before the discriminator joins in; with it a step takes three times as long."""
    gradient_penalty: NonNegativeFloat = 10.0
    """Weight of the gradient penalty in the discriminator's loss."""
    mirror: bool = True
    """Show every other pair as its mirror image."""
    views_per_object: NonNegativeInt = 0
    """Views of a val or test sample that are validated and reconstructed; 0 for all."""
    cache_megabytes: Annotated[int, Range(ge=0), NO_EFFECT] = 2000
    """Training pairs that take no more, at a bit a voxel, stay in memory once made."""

    def check(self) -> None:
        """Raise `ParameterError` for a discriminator that would never train."""
        require(
            not self.adversarial or self.discriminator_start < self.steps,
            f"discriminator_start: expected fewer than the {self.steps} steps, or adversarial 0 for a training without "
            f"a discriminator, got {self.discriminator_start}",
        )


STAGE = Stage(
    stack="torch",
    settings=TrainRecganSettings,
    inputs={
        "renders": Artifact(
            "Dataset", "Datasets of kind renders: the cameras and the true depth.", many=True, optional=True
        ),
        "depths": Artifact("Dataset", "Dataset of kind depths: the predicted ones.", optional=True),
        "voxels": Artifact("Dataset", "Datasets of kind voxels: the truth.", many=True, optional=True),
    },
    outputs={
        "model": Artifact("Model", "The generator: weights, config, history, metrics."),
        "reconstructions": Artifact("Dataset", "Dataset of kind reconstructions: views of the val and test samples."),
        "metrics": Artifact("Metrics", "IoU on val in the camera-frame cube, its threshold, throughput."),
    },
    resources=Resources(cpu=("2", "8"), memory=("4Gi", "48Gi"), hours=168, shared_memory="4Gi"),
)
