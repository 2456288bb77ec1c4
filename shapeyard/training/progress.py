"""How far a training has come."""

from __future__ import annotations

import math
from dataclasses import dataclass, field


@dataclass
class TrainingProgress:
    """How far a training has come: JSON values, which a checkpoint holds beside its arrays."""

    step: int = 0
    """the last one that was made"""
    best_score: float = -math.inf
    best_tie_break: float = 0.0
    """what decides between validations of the same score"""
    best_step: int = 0
    """0 without any validation"""
    bad_validations: int = 0
    """validations since the best one"""
    history: list[dict[str, float]] = field(default_factory=list)
    """a row for each validation"""
    noted: dict[str, list[float]] = field(default_factory=dict)
    """figures of the steps since the last validation"""
    training_s: float = 0.0
    """without validation"""
    waiting_s: float = 0.0
    """of these, for batches"""
    validating_s: float = 0.0
    finished: bool = False
    """whether no step is left: the last one was made, or it stopped early"""

    @property
    def kept(self) -> dict[str, float]:
        """The row of the validation whose weights are kept: the best, or without any score the last."""
        return next((row for row in self.history if row["step"] == self.best_step), self.history[-1])
