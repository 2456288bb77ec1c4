"""Train 3D-R2N2 from one or several images of an object to its shape, and reconstruct val and test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from shapeyard.contracts.stage import Artifact, OneOf, PositiveFloat, PositiveInt, Range, Resources, Stage
from shapeyard.errors import require
from shapeyard.training.settings import StepSettings

WIDTH_MULTIPLE = 12
MIN_IMAGE_SIZE = {"plain": 64, "residual": 16}
"""Of each encoder: below, nothing is left for its last level."""


@dataclass(frozen=True)
class TrainMultiviewSettings(StepSettings):
    """How 3D-R2N2 is trained."""

    steps: PositiveInt = 60_000
    batch_size: PositiveInt = 24
    learning_rate: PositiveFloat = 1e-4
    crop_size: Annotated[int, Range(ge=16)] = 127
    """Pixels along the part of an image that the network sees; plain encoders take 64 and more."""
    width: PositiveInt = 96
    """Channels of the encoder's first level, a multiple of 12; all others change with it."""
    encoder: Annotated[str, OneOf(("plain", "residual"))] = "residual"
    """plain (six convolutions) or residual (twelve, with residual connections)."""
    recurrent_unit: Annotated[str, OneOf(("lstm", "gru"))] = "gru"
    """lstm or gru."""
    kernel: Annotated[int, OneOf((1, 3))] = 3
    """3 if the recurrent unit's cells see their neighbours, 1 if not."""
    decoder: Annotated[str, OneOf(("plain", "residual"))] = "residual"
    """plain (without nonlinearities, as a reimplementation has it) or residual."""
    detach: bool = False
    """Cut the gradient between views, as a reimplementation did, to compare."""
    min_views: PositiveInt = 1
    """The fewest views that a step shows."""
    max_views: PositiveInt = 5
    """The most; each step draws a number."""
    augment: bool = True
    """Show any part of the image and mirror half of the objects; false for the middle, as it is."""
    background: Annotated[str, OneOf(("white", "random"))] = "random"
    """Behind transparent images: white, or random (a colour for each image)."""

    def check(self) -> None:
        """Raise `ParameterError` for a network that cannot be built, or a range of views that is none."""
        require(self.width % WIDTH_MULTIPLE == 0, f"width: expected a multiple of {WIDTH_MULTIPLE}, got {self.width}")
        least = MIN_IMAGE_SIZE[self.encoder]
        require(
            self.crop_size >= least,
            f"crop_size: expected at least {least} for the {self.encoder} encoder, got {self.crop_size}",
        )
        require(
            self.min_views <= self.max_views,
            f"max_views: expected at least min_views, {self.min_views}, got {self.max_views}",
        )


STAGE = Stage(
    stack="torch",
    settings=TrainMultiviewSettings,
    inputs={
        "renders": Artifact("Dataset", "Datasets of kind renders, or external renderings (layout r2n2).", many=True),
        "voxels": Artifact(
            "Dataset", "Datasets of kind voxels: the truth, at 32 voxels a side or a multiple of it.", many=True
        ),
    },
    outputs={
        "model": Artifact("Model", "The network: weights, config, history, metrics."),
        "reconstructions": Artifact(
            "Dataset", "Dataset of kind reconstructions: the val and test samples after 1, 2, 3, 5 and 12 views."
        ),
        "metrics": Artifact("Metrics", "IoU on val by number of views, its threshold, throughput."),
    },
    resources=Resources(cpu=("2", "8"), memory=("4Gi", "24Gi"), hours=72, retries=1, shared_memory="4Gi"),
)
