"""The settings that all trainings have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from shapeyard.contracts.stage import NO_EFFECT, NonNegativeInt, PositiveFloat, PositiveInt, Range, Settings


@dataclass(frozen=True)
class TrainingSettings(Settings):
    """Of every training."""

    checkpoints: Annotated[str, NO_EFFECT] = ""
    """Folder or s3://bucket/prefix for what is needed to resume after an interruption; empty for none. A pipeline's
    preset or --param may say auto: shapeyard-checkpoints in the source's bucket, none for another source."""
    checkpoint_minutes: Annotated[float, Range(ge=0), NO_EFFECT] = 5.0
    """Minutes from one checkpoint to the next."""
    seed: NonNegativeInt = 0
    """Of the first weights, the order of the examples and the augmentation."""
    workers: Annotated[int, Range(ge=0), NO_EFFECT] = 0
    """Threads; 0 for all cores."""


@dataclass(frozen=True)
class StepSettings(TrainingSettings):
    """Of a training that counts steps; each stage has its own defaults."""

    steps: PositiveInt = 50_000
    """Batches to train on."""
    batch_size: PositiveInt = 8
    """Examples in a batch, of all GPUs together."""
    learning_rate: PositiveFloat = 1e-3
    """Peak of the schedule: a linear rise over the first steps, then half a cosine down to 0."""
    validate_every: PositiveInt = 2000
    """Steps from one validation to the next."""
    patience: NonNegativeInt = 0
    """Validations in a row without a better one after which the training stops; 0 for never."""
