"""Name the class of the shapes that were reconstructed, with a trained classifier."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from shapeyard.contracts.stage import NO_EFFECT, Artifact, Range, Settings, Stage


@dataclass(frozen=True)
class ClassifyReconstructionsSettings(Settings):
    """How reconstructions are shown to the classifier."""

    threshold: Annotated[float, Range(ge=0, lt=1)] = 0.0
    """Probability from which a voxel is occupied, above 0 and below 1; 0 for the best one on val."""
    workers: Annotated[int, Range(ge=0), NO_EFFECT] = 0
    """Threads; 0 for all cores."""


STAGE = Stage(
    stack="tensorflow",
    settings=ClassifyReconstructionsSettings,
    inputs={
        "model": Artifact("Model", "The classifier, of train-classifier."),
        "reconstructions": Artifact("Dataset", "Dataset of kind reconstructions."),
    },
    outputs={
        "predictions": Artifact("Dataset", "Dataset of kind predictions: every view of the val and test samples.")
    },
)
