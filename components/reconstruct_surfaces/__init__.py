"""Reconstruct shapes from what is known of them, by their codes: the samples, half a cloud, one depth map."""

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
    Settings,
    Stage,
)  # fmt: skip

RESOLUTIONS = (64, 128, 256, 512)
"""`shapeyard.inference.implicit.extract_surface` takes 64 times a power of two; more would need too much memory."""


@dataclass(frozen=True)
class ReconstructSurfacesSettings(Settings):
    """How codes are found and surfaces extracted."""

    search_steps: PositiveInt = 800
    """Steps in which a code is found."""
    search_samples: PositiveInt = 8000
    """Samples of a shape in each of them."""
    search_learning_rate: PositiveFloat = 5e-3
    """A tenth of it from the half of the steps on."""
    search_regularization: NonNegativeFloat = 1e-4
    """Weight of a code's mean square."""
    batch_size: PositiveInt = 8
    """Shapes whose codes are found at a time."""
    resolution: Annotated[int, OneOf(RESOLUTIONS)] = 256
    """Cells along a side of the grid that a surface is extracted from, [−1, 1]³."""
    known_objects: NonNegativeInt = 32
    """Objects of the training split that are extracted from the codes of the training."""
    pairs: NonNegativeInt = 4
    """Pairs of test objects between which is interpolated."""
    seed: NonNegativeInt = 0
    """Of what is drawn."""
    workers: Annotated[int, Range(ge=0), NO_EFFECT] = 0
    """Threads; 0 for all cores."""


STAGE = Stage(
    stack="torch",
    settings=ReconstructSurfacesSettings,
    inputs={
        "sdf": Artifact("Dataset", "Datasets of kind sdf.", many=True),
        "model": Artifact("Model", "The decoder, of train-deepsdf."),
    },
    outputs={
        "surfaces": Artifact("Dataset", "Dataset of kind surfaces: val and test from each input, some of train."),
        "interpolations": Artifact("Dataset", "Dataset of kind surfaces: from one test object to another."),
    },
    resources=Resources(cpu=("2", "8"), memory=("4Gi", "16Gi"), hours=24),
    accelerated=True,
)
