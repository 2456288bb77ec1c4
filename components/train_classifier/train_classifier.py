"""The training of the classifier, from the first sample read to the last prediction written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.train_classifier import TrainClassifierSettings
from components.train_classifier.examples import (
    Examples,
    open_dataset,
    read_examples,
    split_of_folds,
    without_copies,
)
from components.train_classifier.fitting import fit
from shapeyard.contracts.dataset import SPLITS, Dataset, DatasetWriter, Split
from shapeyard.contracts.measures import Measured
from shapeyard.contracts.model import finish_model, start_model
from shapeyard.contracts.progress import report
from shapeyard.cpu import cores
from shapeyard.errors import DatasetError
from shapeyard.geometry.prediction_preview import Prediction, prediction_sheet
from shapeyard.inference.classifier import answers_of, predict_in_batches
from shapeyard.metrics.calibration import expected_calibration_error, fit_temperature, reliability
from shapeyard.networks.backend import keras, tf, use_threads
from shapeyard.networks.calibrated_ensemble import calibrated_ensemble
from shapeyard.networks.classifiers import Shapes, build_network
from shapeyard.training.keras_training import KerasTraining
from shapeyard.training.resumable import figures_of


@dataclass(frozen=True)
class Trained:
    """The members of a classifier and what they said of samples that they had not learned from."""

    members: list[keras.Model]
    trainings: list[KerasTraining]
    """of each member"""
    validated: Examples
    logits: NDArray[np.float32]
    """(N,C) of the validated"""
    ood_scores: NDArray[np.float32]
    """(N,) of the validated"""


def train_classifier(
    dataset: Sequence[str | Path], model: str | Path, predictions: str | Path, settings: TrainClassifierSettings
) -> Measured:
    """Train on the training split, calibrate on val, name the class of every val and test sample.

    Training samples that are copies of a val or test sample are left out, and val samples that are copies of a test
    sample; with `augment_rotation` also those that are copies once they are rotated or flipped. Without a sample in val
    the last epoch is kept and nothing is calibrated: metrics.json says `"validated_on": 0` and has no `val_accuracy`.
    An ensemble's members share the training and validation samples out among them: each learns from all but its own
    share, on which it is validated.

    Args:
        dataset: directories of kind voxels or features, whose grids' sides are multiples of `resolution`.
        model: the model directory to write.
        predictions: the directory of kind predictions to write. Its attribute `copies` lists the samples that were left
            out, each with its twin.
        settings: how.

    Returns:
        The figures of metrics.json.

    Raises:
        ParameterError: for grids that cannot be pooled to the resolution.
        DatasetError: for data that cannot be read, no usable training sample, or fewer than two classes to train on.
    """
    make_repeatable(settings.seed, cores(settings.workers))
    members, rotated = settings.ensemble_members, settings.augment_rotation
    resolution, padding = settings.resolution, settings.padding

    data = open_dataset(dataset)
    classes = data.classes
    of_split = (
        split_of_folds(data.samples, settings.folds, settings.fold, members == 1)
        if settings.folds
        else {split: data.of_split(split) for split in SPLITS}
    )
    train, val, test = (read_examples(data, of_split[s], classes, resolution, padding) for s in SPLITS)
    val, val_copies = without_copies(val, [test], settings.duplicate_iou, rotated)
    if members > 1:
        train, val = train.joined(val), val.where(np.zeros(len(val), bool))
    train, copies = without_copies(train, [val, test], settings.duplicate_iou, rotated)
    found = sorted({sample.class_name for sample in train.samples})
    if len(found) < 2:
        reason = (
            "expected training samples of at least two classes that are neither empty nor copies of held-out ones, "
            f"got {len(train)} of {', '.join(found) or 'no class'}"
        )
        if settings.one_class == "refuse" or not found:
            raise DatasetError(f"{data.paths[0]}: {reason}")
        return leave_out(model, predictions, f"There is no classifier: {reason}.", classes, data, settings)
    shapes = {name: array.shape[1:] for name, array in train.inputs.items()}
    shapes["occupancy"] = (*shapes["occupancy"], 1)
    build_network(settings.network, shapes, len(classes))  # says what is wrong before anything is written

    if members == 1:
        trained = _train_one(shapes, classes, train, val, settings)
    else:
        trained = _train_ensemble(shapes, classes, train, settings)
    temperature = fit_temperature(trained.logits, trained.validated.labels)
    limit = np.quantile(trained.ood_scores, 1 - settings.ood_rate).item() if len(trained.ood_scores) else None
    classifier = calibrated_ensemble(trained.members, temperature, _measures(settings.network, train))

    written = start_model(
        model,
        {
            "network": settings.network, "resolution": resolution, "padding": padding, "classes": classes,
            "features": data.attributes if data.kind == "features" else {}, "ensemble_members": members,
            "temperature": temperature, "ood_threshold": limit,
        },
    )  # fmt: skip
    classifier.save(written / "model.keras")
    attributes = {"classes": classes, "copies": [*copies, *val_copies], "ood_threshold": limit}
    write_predictions(classifier, {"val": val, "test": test}, attributes, predictions, data, settings)

    probabilities = _softmax(trained.logits / temperature)
    progress = [training.progress for training in trained.trainings]
    val_figures = {
        "val_accuracy": float((trained.logits.argmax(axis=1) == trained.validated.labels).mean()),
        "val_loss": float(np.mean([one.kept["val_loss"] for one in progress if "val_loss" in one.kept])),
        "val_calibration_error": expected_calibration_error(reliability(probabilities, trained.validated.labels)),
    } if len(trained.validated) else {}  # fmt: skip
    metrics: dict[str, Any] = {
        **val_figures,
        "validated_on": len(trained.validated),
        "kept_epoch": int(progress[0].kept["epoch"]),
        "epochs": settings.epochs,
        "trained_on": len(train),
        "train_accuracy": progress[0].history[-1]["train_accuracy"],
        "left_out_copies": len(copies) + len(val_copies),
        "left_out_empty": len(train.empty),
        "temperature": round(temperature, 4),
        "parameters": sum(member.count_params() for member in trained.members),
        **figures_of(trained.trainings),
    }
    used = {sample.id: sample for sample in (*train.samples, *trained.validated.samples)}
    finish_model(written, progress[0].history, metrics, used.values())
    if all(training.began_finished for training in trained.trainings):
        for training in trained.trainings:
            training.delete_checkpoint()
    return Measured(metrics)


def leave_out(
    model: str | Path,
    predictions: str | Path,
    reason: str,
    classes: Sequence[str],
    dataset: Dataset,
    settings: TrainClassifierSettings,
) -> Measured:
    """Write a model without weights and predictions without samples, both of which say why."""
    written = start_model(model, {"network": "none", "left_out": reason, "classes": list(classes)})
    attributes = {"classes": list(classes), "left_out": reason}
    made_with = settings.hyperparameters()
    with DatasetWriter(
        predictions, "predictions", "train_classifier", made_with, skipped=dataset.skipped, attributes=attributes
    ):
        pass
    finish_model(written, [], {"trained_on": 0, "left_out": reason}, [])
    return Measured({"trained_on": 0})


def make_repeatable(seed: int, threads: int) -> None:
    """Seed everything, and give TensorFlow its threads unless it is running already, with those that it has."""
    use_threads(threads)
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()


def write_predictions(
    classifier: keras.Model,
    splits: dict[Split, Examples],
    attributes: dict[str, Any],
    path: str | Path,
    dataset: Dataset,
    settings: TrainClassifierSettings,
) -> None:
    """Write the dataset of kind predictions; a sample's split is the one that it had in this training."""
    shown: list[Prediction] = []
    with DatasetWriter(
        path,
        "predictions",
        "train_classifier",
        settings.hyperparameters(),
        skipped=dataset.skipped,
        attributes=attributes,
    ) as writer:
        for split, examples in splits.items():
            for sample_id in examples.empty:
                writer.skip(sample_id, "nothing in its grid is occupied")
            probabilities, ood_scores = answers_of(classifier, examples.inputs)
            for sample, grid, row, score in zip(
                examples.samples, examples.occupancy, probabilities, ood_scores, strict=True
            ):
                writer.add(
                    replace(sample, split=split), {"probabilities": row[None]}, {"ood_score": round(float(score), 6)}
                )
                shown.append(Prediction(sample.class_name, row, grid))
        writer.preview(prediction_sheet(shown, attributes["classes"]))


def _train_one(
    shapes: Shapes, classes: Sequence[str], train: Examples, val: Examples, settings: TrainClassifierSettings
) -> Trained:
    """A single network, validated on val."""
    model = build_network(settings.network, shapes, len(classes))
    training = fit(model, train, val, settings, settings.seed, partial(_report_member, 0, 1, settings.epochs))
    logits, ood_scores = _answers(model, settings.network, train, val)
    return Trained([model], [training], val, logits, ood_scores)


def _train_ensemble(
    shapes: Shapes, classes: Sequence[str], train: Examples, settings: TrainClassifierSettings
) -> Trained:
    """Several networks, each validated on the share of the samples that it did not learn from."""
    models, trainings, parts, answers = [], [], [], []
    members = settings.ensemble_members
    for member in range(members):
        own = {sample.id for sample in split_of_folds(train.samples, members, member, False)["test"]}
        held_out = np.array([sample.id in own for sample in train.samples])
        val, rest = train.where(held_out), train.where(~held_out)
        rest, _ = without_copies(rest, [val], settings.duplicate_iou, settings.augment_rotation)
        keras.utils.set_random_seed(settings.seed + member)
        model = build_network(settings.network, shapes, len(classes), member)
        say = partial(_report_member, member, members, settings.epochs)
        trainings.append(fit(model, rest, val, settings, settings.seed + member, say))
        models.append(model)
        parts.append(val)
        answers.append(_answers(model, settings.network, rest, val))
    validated = parts[0]
    for part in parts[1:]:
        validated = validated.joined(part)
    logits, ood_scores = (np.concatenate(arrays) for arrays in zip(*answers, strict=True))
    return Trained(models, trainings, validated, logits, ood_scores)


def _report_member(member: int, members: int, epochs: int, epoch: int, note: str) -> None:
    report(member * epochs + epoch, members * epochs, note)


def _answers(
    model: keras.Model, network: str, known: Examples, shown: Examples
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Logits (N,C) and OOD scores (N,) of samples that the model did not learn from."""
    logits = predict_in_batches(model, shown.inputs)
    if not len(shown):
        return logits, np.zeros(0, np.float32)
    scored = calibrated_ensemble([model], 1.0, _measures(network, known))
    return logits, answers_of(scored, shown.inputs).ood_scores


def _measures(network: str, examples: Examples) -> NDArray[np.float32] | None:
    """What the OOD score is measured by, where the network takes measures; else None: by its energy."""
    return examples.inputs["measures"] if network == "measures_net" else None


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True, initial=-np.inf))
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))
