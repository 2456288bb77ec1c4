"""Train a network that holds shapes as codes, DeepSDF's or a tri-plane decoder, from samples of signed distances."""

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
    Resources,
    Share,
    Stage,
)
from shapeyard.errors import require
from shapeyard.training.settings import StepSettings


@dataclass(frozen=True)
class TrainDeepsdfSettings(StepSettings):
    """How the decoder and the codes are trained."""

    steps: PositiveInt = 100_000
    batch_size: PositiveInt = 64
    """Scenes (shapes) in a batch, of all GPUs together."""
    samples_per_scene: PositiveInt = 16_384
    """Samples of each of them, half outside and half inside."""
    learning_rate: PositiveFloat = 5e-4
    """Of the decoder, at its peak."""
    code_learning_rate: PositiveFloat = 1e-3
    """Of the codes, at its peak."""
    schedule: Annotated[str, OneOf(("halving", "cosine"))] = "halving"
    """halving (the paper's: half of both rates after each quarter of the steps) or cosine."""
    network: Annotated[str, OneOf(("deepsdf", "triplane"))] = "deepsdf"
    """deepsdf (the paper's decoder) or triplane (codes decoded into three planes of features)."""
    code_length: PositiveInt = 256
    """Numbers that hold a shape."""
    width: PositiveInt = 512
    """Of the hidden layers; for triplane of the finest level, a multiple of 8."""
    dropout: Share = 0.2
    """Of deepsdf's hidden units."""
    plane_features: PositiveInt = 16
    """Channels of each of triplane's planes."""
    plane_resolution: Annotated[int, OneOf((16, 32, 64, 128, 256))] = 64
    """Cells along a side of triplane's planes."""
    code_regularization: NonNegativeFloat = 1e-4
    """Weight of the codes' length in the loss; it rises from 0 over the first twentieth of the steps."""
    refit_steps: NonNegativeInt = 0
    """Steps in which each code of the training is found once more, for the decoder as it ended; 0 for none."""
    val_objects: PositiveInt = 8
    """Objects of the validation split whose codes are found at a validation."""

    def check(self) -> None:
        """Raise `ParameterError` for a decoder that cannot be built."""
        if self.network == "deepsdf":
            least = self.code_length + 4
            require(self.width >= least, f"width: expected at least {least} for codes of {self.code_length}, "
                                         f"got {self.width}")  # fmt: skip
        else:
            require(self.width % 8 == 0, f"width: expected a multiple of 8 for triplane, got {self.width}")


STAGE = Stage(
    stack="torch",
    settings=TrainDeepsdfSettings,
    inputs={"sdf": Artifact("Dataset", "Datasets of kind sdf.", many=True)},
    outputs={
        "model": Artifact("Model", "The decoder with the codes of the training split."),
        "metrics": Artifact("Metrics", "Error on train and val, throughput."),
    },
    resources=Resources(cpu=("2", "8"), memory=("4Gi", "24Gi"), hours=72, retries=1, shared_memory="4Gi"),
)
