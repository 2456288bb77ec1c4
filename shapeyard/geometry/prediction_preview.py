"""The contact sheet of a predictions dataset: where the classifier was wrong, then where it was surest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shapeyard.geometry.preview import contact_sheet, render_occupancy

CELLS = 24
WRONG = (0.85, 0.45, 0.38)


class Prediction(NamedTuple):
    """One answer of the classifier and what it saw."""

    class_name: str
    probabilities: NDArray[np.float32]
    """(C,)"""
    occupancy: NDArray[np.bool_]
    """(D,D,D)"""


def prediction_sheet(predictions: Sequence[Prediction], classes: Sequence[str]) -> Image.Image:
    """Draw the predictions that tell the most, mistakes in red."""
    chosen = chosen_predictions(predictions, classes)
    pictures = [render_occupancy(p.occupancy, color=None if _is_right(p, classes) else WRONG) for p in chosen]
    return contact_sheet(pictures, labels=[label(p, classes) for p in chosen])


def chosen_predictions(predictions: Sequence[Prediction], classes: Sequence[str]) -> list[Prediction]:
    """At most 24: the mistakes, surest first, then what is right, the surest of each class first."""
    surest_first = sorted(predictions, key=lambda p: -float(p.probabilities.max()))
    wrong = [p for p in surest_first if not _is_right(p, classes)]
    place_in_class: Counter[str] = Counter()
    right: list[tuple[int, str, Prediction]] = []
    for prediction in surest_first:
        if _is_right(prediction, classes):
            place_in_class[prediction.class_name] += 1
            right.append((place_in_class[prediction.class_name], prediction.class_name, prediction))
    right.sort(key=lambda placed: placed[:2])
    return (wrong + [prediction for *_, prediction in right])[:CELLS]


def label(prediction: Prediction, classes: Sequence[str]) -> str:
    """`sofa 97 %`, or for a mistake `sofa as bed 97 %`."""
    sure = f"{100 * prediction.probabilities.max():.0f} %"
    if _is_right(prediction, classes):
        return f"{prediction.class_name} {sure}"
    return f"{prediction.class_name} as {classes[int(prediction.probabilities.argmax())]} {sure}"


def _is_right(prediction: Prediction, classes: Sequence[str]) -> bool:
    return classes[int(prediction.probabilities.argmax())] == prediction.class_name
