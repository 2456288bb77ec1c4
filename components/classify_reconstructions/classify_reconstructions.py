"""Reconstructed shapes to classes."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from components.classify_reconstructions import ClassifyReconstructionsSettings
from shapeyard.contracts.dataset import Dataset, DatasetWriter, Sample
from shapeyard.contracts.model import read_config
from shapeyard.contracts.progress import track
from shapeyard.cpu import cores
from shapeyard.errors import DatasetError
from shapeyard.geometry.prediction_preview import Prediction, prediction_sheet
from shapeyard.inference.canonical import canonical_probabilities, occupied
from shapeyard.inference.classifier import Classifier, load_classifier
from shapeyard.networks.backend import use_threads

THRESHOLDS = tuple(round(0.05 * step, 2) for step in range(1, 20))
UNTUNED_THRESHOLD = 0.5  # where val is empty
MAX_VAL_VIEWS = 400  # enough to choose a threshold by


def classify_reconstructions(
    model: str | Path, reconstructions: str | Path, predictions: str | Path, settings: ClassifyReconstructionsSettings
) -> float:
    """Classify what was reconstructed from every view of the val and test samples.

    A reconstruction is turned back into the canonical frame, pooled to the classifier's resolution and cut at a
    threshold. Unless one is given it is the one at which the most views of val are classified rightly, and 0.5 without
    val.

    Args:
        model: a model directory of train_classifier.
        reconstructions: a directory of kind reconstructions.
        predictions: the directory of kind predictions to write, (V,C) a sample. Its attribute `threshold` is the one
            used, `val_accuracy` maps the thresholds that were tried to the accuracy on val's views.
        settings: how.

    Returns:
        The threshold used. Where the classifier was left out, nothing is classified, and the predictions say why.

    Raises:
        DatasetError: for a model or dataset that cannot be read, or a class that the classifier does not know.
    """
    threshold, threads_used = settings.threshold, cores(settings.workers)
    dataset = Dataset([reconstructions], "reconstructions")
    if reason := read_config(model).get("left_out"):
        nothing = {"classes": dataset.classes, "left_out": str(reason)}
        with DatasetWriter(
            predictions, "predictions", "classify_reconstructions", {}, skipped=dataset.skipped, attributes=nothing
        ):
            return threshold or UNTUNED_THRESHOLD
    use_threads(threads_used)
    classifier = load_classifier(model)
    unknown = sorted(set(dataset.classes) - set(classifier.classes))
    if unknown:
        raise DatasetError(
            f"{model}: expected a classifier that knows {', '.join(unknown)}, as {reconstructions} needs; "
            f"it knows {', '.join(classifier.classes)}"
        )
    samples = [*dataset.of_split("val"), *dataset.of_split("test")]
    with ThreadPoolExecutor(threads_used) as threads:
        turned = [
            canonical_probabilities(dataset, sample.id, classifier.resolution, threads)
            for sample in track(samples, len(samples), "turning back")
        ]
    val_accuracy: dict[str, float] = {}
    if not threshold:
        val = [(sample, views) for sample, views in zip(samples, turned, strict=True) if sample.split == "val"]
        threshold, val_accuracy = choose_threshold(classifier, val)

    attributes = {"classes": classifier.classes, "threshold": threshold, "val_accuracy": val_accuracy}
    made_with = {"threshold": threshold}
    shown: list[Prediction] = []
    with DatasetWriter(
        predictions,
        "predictions",
        "classify_reconstructions",
        made_with,
        skipped=dataset.skipped,
        attributes=attributes,
    ) as writer:
        for sample, views in zip(samples, turned, strict=True):
            grids = occupied(views, threshold)
            probabilities = classifier.predict(grids)
            writer.add(sample, {"probabilities": probabilities}, sample.attributes)
            shown.append(Prediction(sample.class_name, probabilities[0], grids[0]))
        writer.preview(prediction_sheet(shown, classifier.classes))
    return threshold


def choose_threshold(
    classifier: Classifier, val: Sequence[tuple[Sample, NDArray[np.uint8]]]
) -> tuple[float, dict[str, float]]:
    """The threshold at which the most views (V,R,R,R) of val are recognized, and the share at each that was tried.

    Of several that are equally good the one in their middle. Without val 0.5, and nothing was tried.
    """
    if not val:
        return UNTUNED_THRESHOLD, {}
    views_each = -(-MAX_VAL_VIEWS // len(val))
    probabilities = np.concatenate([views[:views_each] for _, views in val])
    labels = np.repeat(
        [classifier.classes.index(sample.class_name) for sample, _ in val],
        [len(views[:views_each]) for _, views in val],
    )
    accuracies = np.array(
        [(classifier.predict(occupied(probabilities, t)).argmax(axis=1) == labels).mean() for t in THRESHOLDS]
    )
    best = np.flatnonzero(accuracies == accuracies.max())
    tried = {f"{t:.2f}": round(float(a), 4) for t, a in zip(THRESHOLDS, accuracies, strict=True)}
    return THRESHOLDS[int(best[len(best) // 2])], tried
