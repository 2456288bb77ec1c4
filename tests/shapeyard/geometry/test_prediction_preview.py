"""The sheet of predictions: what it shows first."""

from __future__ import annotations

import numpy as np

from shapeyard.geometry.prediction_preview import CELLS, Prediction, chosen_predictions, label, prediction_sheet

CLASSES = ["bed", "sofa"]
GRID = np.ones((4, 4, 4), dtype=bool)


def prediction(class_name: str, bed: float) -> Prediction:
    return Prediction(class_name, np.array([bed, 1 - bed], np.float32), GRID)


def test_mistakes_come_first_then_the_classes_in_turn() -> None:
    predictions = [prediction("bed", p) for p in (0.9, 0.2, 0.8, 0.4)] + [prediction("sofa", p) for p in (0.3, 0.15)]
    labels = [label(p, CLASSES) for p in chosen_predictions(predictions, CLASSES)]
    assert labels == ["bed as sofa 80 %", "bed as sofa 60 %", "bed 90 %", "sofa 85 %", "bed 80 %", "sofa 70 %"]


def test_sheet() -> None:
    assert len(chosen_predictions([prediction("bed", 0.9)] * 50, CLASSES)) == CELLS
    assert prediction_sheet([prediction("bed", 0.9)] * 7, CLASSES).height > prediction_sheet([], CLASSES).height
