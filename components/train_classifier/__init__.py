"""Train a network that names the class of an object, from its voxel grid or its features."""

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
    Share,
    Stage,
)
from shapeyard.errors import require
from shapeyard.training.settings import TrainingSettings


@dataclass(frozen=True)
class TrainClassifierSettings(TrainingSettings):
    """How a classifier is trained."""

    network: Annotated[str, OneOf(("xu2016", "projection_cnn", "measures_net", "points256"))] = "xu2016"
    """xu2016, projection_cnn, measures_net or points256."""
    resolution: PositiveInt = 32
    """Side of the grids that the network sees, without the padding."""
    padding: NonNegativeInt = 0
    """Empty voxels around the grid, on every side; xu2016 needs 30 voxels with them."""
    epochs: PositiveInt = 30
    """Passes over the training split."""
    batch_size: PositiveInt = 32
    """Samples in a batch."""
    learning_rate: PositiveFloat = 1e-3
    """AdamW's at its height; it falls to 0."""
    weight_decay: NonNegativeFloat = 0.0
    """AdamW's."""
    label_smoothing: Share = 0.1
    """Share of a label that is spread over all classes, 0 to 1."""
    class_balance_exponent: Share = 0.0
    """How far classes of few samples weigh more, 0 (not at all) to 1 (every class weighs the same)."""
    ema_decay: Annotated[float, Range(ge=0, lt=1)] = 0.0
    """Of the exponential moving average of the weights, which is what is kept; 0 for none."""
    restore_best: bool = True
    """Keep the epoch that is best on val instead of the last one."""
    shift: NonNegativeInt = 2
    """Voxels by which a training grid is moved along each axis, at the most."""
    stretch: Share = 0.15
    """Share by which a training grid is stretched along each axis, at the most."""
    corruption_probability: Share = 0.5
    """Share of the training grids that is corrupted as reconstructions are, 0 to 1."""
    augment_rotation: bool = False
    """Show training grids rotated by right angles about the axis that points up, and flipped."""
    noise: NonNegativeFloat = 0.0
    """Standard deviations of noise that is added to measures in training."""
    ensemble_members: PositiveInt = 1
    """Networks whose logits are averaged; each is validated on its own share of train and val."""
    folds: Annotated[int, Range(ge=0)] = 0
    """Cut the samples anew into so many folds for cross-validation; 0 for the dataset's own splits."""
    fold: NonNegativeInt = 0
    """Which fold is the test split."""
    duplicate_iou: Share = 1.0
    """Samples this close to a held-out one are left out, 0 to 1; 1 for exact copies alone."""
    ood_rate: Share = 0.05
    """Share of val that may be rejected as out-of-distribution, 0 to 1."""
    one_class: Annotated[str, OneOf(("refuse", "leave-out"))] = "refuse"
    """Where there is but one class to train on: refuse it, or leave-out the classifier and say so."""

    def check(self) -> None:
        """Raise `ParameterError` for settings that do not go together."""
        half = self.resolution // 2
        require(self.shift < half, f"shift: expected fewer than half the resolution, {half}, got {self.shift}")
        require(self.folds == 0 or self.folds >= 3, f"folds: expected 0 or at least 3, got {self.folds}")
        require(self.fold < max(self.folds, 1), f"fold: expected fewer than {max(self.folds, 1)}, got {self.fold}")


STAGE = Stage(
    stack="tensorflow",
    settings=TrainClassifierSettings,
    inputs={
        "dataset": Artifact(
            "Dataset",
            "Datasets of kind voxels or features, whose grids' sides are multiples of the resolution.",
            many=True,
        )
    },
    outputs={
        "model": Artifact("Model", "The classifier; its probabilities are calibrated on val."),
        "predictions": Artifact("Dataset", "Dataset of kind predictions: every val and test sample."),
        "metrics": Artifact("Metrics", "Accuracy and calibration on val, seconds, and more."),
    },
    resources=Resources(cpu=("2", "8"), memory=("4Gi", "24Gi"), hours=24, retries=1, shared_memory="2Gi"),
)
