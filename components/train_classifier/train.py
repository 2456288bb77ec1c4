"""The training of the classifier, from the first sample read to the last prediction written."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from components.train_classifier.augmentation import Changes
from components.train_classifier.checkpoint import Checkpoint, Progress
from components.train_classifier.examples import (
    Examples,
    open_dataset,
    read_examples,
    split_of_folds,
    without_copies,
)
from components.train_classifier.fitting import Settings, fit, logits_of
from components.train_classifier.model import Shapes, build_network, finished_network
from shapeyard.contracts.dataset import SPLITS, Dataset, DatasetWriter, Split
from shapeyard.contracts.model import finish_model, start_model
from shapeyard.contracts.progress import report
from shapeyard.errors import DatasetError, require
from shapeyard.geometry.prediction_preview import Prediction, prediction_sheet
from shapeyard.metrics.calibration import expected_calibration_error, fit_temperature, reliability
from shapeyard.training import cores


@dataclass(frozen=True)
class Trained:
    """The members of a classifier and what they said of samples that they had not learned from."""

    members: list[keras.Model]
    progress: list[Progress]
    validated: Examples
    logits: NDArray[np.float32]
    """(N,C) of the validated"""
    unlikeness: NDArray[np.float32]
    """(N,) of the validated"""
    checkpoints: list[Checkpoint | None]
    """of each member"""


def train_classifier(
    dataset: Sequence[str | Path],
    model: str | Path,
    predictions: str | Path,
    *,
    network: str = "xu2016",
    resolution: int = 32,
    padding: int = 0,
    epochs: int = 30,
    batch_size: int = 32,
    learning_rate: float = 1e-3,
    weight_decay: float = 0.0,
    label_smoothing: float = 0.1,
    balance: float = 0.0,
    average: float = 0.0,
    keep_best: bool = True,
    shift: int = 2,
    stretch: float = 0.15,
    spoiled: float = 0.5,
    turned: bool = False,
    noise: float = 0.0,
    members: int = 1,
    folds: int = 0,
    fold: int = 0,
    duplicate_iou: float = 1.0,
    unlike_share: float = 0.05,
    checkpoints: str = "",
    seed: int = 0,
    workers: int = 0,
) -> dict[str, Any]:
    """Train on the training split, calibrate on val, name the class of every val and test sample.

    Training samples that are copies of a val or test sample are left out, and val samples that are copies of a test
    sample; with `turned` also those that are copies once they are turned or mirrored. Without a sample in val the last
    epoch is kept and nothing is calibrated: metrics.json says `"validated_on": 0` and has no `val_accuracy`. With
    several members the training and validation samples are dealt out among them: each member learns from all but its
    own share, on which it is validated.

    Args:
        dataset: directories of kind voxels or features, whose grids' sides are multiples of `resolution`.
        model: the model directory to write.
        predictions: the directory of kind predictions to write. Its attribute `copies` lists the samples that were left
            out, each with its twin.

    The other arguments are those of the stage's spec.

    Returns:
        The figures of metrics.json.

    Raises:
        ParameterError: for a parameter out of range, or grids that cannot be pooled to the resolution.
        DatasetError: for data that cannot be read, no usable training sample, or fewer than two classes to train on.
    """
    for name, count in {"epochs": epochs, "batch_size": batch_size, "members": members}.items():
        require(count >= 1, f"expected {name} of at least 1, got {count}")
    shares = {
        "label_smoothing": label_smoothing, "spoiled": spoiled, "duplicate_iou": duplicate_iou, "balance": balance,
        "stretch": stretch, "unlike_share": unlike_share,
    }  # fmt: skip
    for name, share in shares.items():
        require(0 <= share <= 1, f"expected {name} from 0 to 1, got {share}")
    require(0 <= average < 1, f"expected average from 0 to less than 1, got {average}")
    require(learning_rate > 0, f"expected a learning_rate above 0, got {learning_rate}")
    for name, number in {"weight_decay": weight_decay, "noise": noise, "padding": padding}.items():
        require(number >= 0, f"expected {name} of at least 0, got {number}")
    require(0 <= shift < resolution // 2, f"expected a shift of 0 to less than half the resolution, got {shift}")
    require(folds == 0 or folds >= 3, f"expected folds of 0 or at least 3, got {folds}")
    require(0 <= fold < max(folds, 1), f"expected a fold from 0 to less than {max(folds, 1)}, got {fold}")
    make_repeatable(seed, cores(workers))
    changes = Changes(shift, stretch, spoiled, turned, noise)
    settings = Settings(epochs, batch_size, learning_rate, weight_decay, label_smoothing, balance, average, keep_best,
                        changes)  # fmt: skip

    data = open_dataset(dataset)
    classes = data.classes
    of_split = (
        split_of_folds(data.samples, folds, fold, members == 1)
        if folds
        else {split: data.of_split(split) for split in SPLITS}
    )
    train, val, test = (read_examples(data, of_split[s], classes, resolution, padding) for s in SPLITS)
    val, val_copies = without_copies(val, [test], duplicate_iou, turned)
    if members > 1:
        train, val = train.joined(val), val.where(np.zeros(len(val), bool))
    train, copies = without_copies(train, [val, test], duplicate_iou, turned)
    found = sorted({sample.class_name for sample in train.samples})
    if len(found) < 2:
        raise DatasetError(
            f"{data.paths[0]}: expected training samples of at least two classes that are neither empty nor copies "
            f"of held-out ones, got {len(train)} of {', '.join(found) or 'no class'}"
        )
    shapes = {name: array.shape[1:] for name, array in train.inputs.items()}
    shapes["occupancy"] = (*shapes["occupancy"], 1)
    build_network(network, shapes, len(classes))  # says what is wrong before anything is written

    if members == 1:
        trained = _train_one(network, shapes, classes, train, val, settings, seed, checkpoints)
    else:
        trained = _train_members(network, shapes, classes, train, settings, members, duplicate_iou, seed, checkpoints)
    temperature = fit_temperature(trained.logits, trained.validated.labels)
    limit = np.quantile(trained.unlikeness, 1 - unlike_share).item() if len(trained.unlikeness) else None
    classifier = finished_network(trained.members, temperature, _measures(network, train))

    written = start_model(
        model,
        {
            "network": network, "resolution": resolution, "padding": padding, "classes": classes,
            "features": data.attributes if data.kind == "features" else {}, "members": members,
            "temperature": temperature, "unlike_above": limit,
        },
    )  # fmt: skip
    classifier.save(written / "model.keras")
    row = {"network": network, "resolution": resolution, "epochs": epochs, "seed": seed}
    attributes = {"classes": classes, "copies": [*copies, *val_copies], "unlike_above": limit}
    write_predictions(classifier, {"val": val, "test": test}, attributes, predictions, data, row)

    best = trained.progress[0]
    probabilities = _softmax(trained.logits / temperature)
    val_figures = {
        "val_accuracy": float((trained.logits.argmax(axis=1) == trained.validated.labels).mean()),
        "val_loss": float(np.mean([one.best_loss for one in trained.progress])),
        "val_calibration_error": expected_calibration_error(reliability(probabilities, trained.validated.labels)),
    } if len(trained.validated) else {}  # fmt: skip
    seconds = sum(one.seconds for one in trained.progress)
    metrics: dict[str, Any] = {
        **val_figures,
        "validated_on": len(trained.validated),
        "kept_epoch": best.best_epoch,
        "epochs": epochs,
        "trained_on": len(train),
        "train_accuracy": best.history[-1]["train_accuracy"],
        "left_out_copies": len(copies) + len(val_copies),
        "left_out_empty": len(train.empty),
        "temperature": round(temperature, 4),
        "parameters": sum(member.count_params() for member in trained.members),
        "seconds": round(seconds, 2),
        "samples_per_second": round(epochs * len(train) * max(members - 1, 1) / max(seconds, 1e-3), 1),
    }
    finish_model(written, best.history, metrics)
    _delete_checkpoints(trained.checkpoints)
    return metrics


def make_repeatable(seed: int, threads: int) -> None:
    """Seed everything, and give TensorFlow its threads unless it is running already, with those that it has."""
    with contextlib.suppress(RuntimeError):  # raised once it is running
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()


def write_predictions(
    classifier: keras.Model,
    splits: dict[Split, Examples],
    attributes: dict[str, Any],
    path: str | Path,
    dataset: Dataset,
    settings: dict[str, Any],
) -> None:
    """Write the dataset of kind predictions; a sample's split is the one that it had in this training."""
    shown: list[Prediction] = []
    with DatasetWriter(
        path, "predictions", "train_classifier", settings, skipped=dataset.skipped, attributes=attributes
    ) as writer:
        for split, examples in splits.items():
            for sample_id in examples.empty:
                writer.skip(sample_id, "nothing in its grid is occupied")
            probabilities, unlikeness = predict(classifier, examples)
            for sample, grid, row, unlike in zip(
                examples.samples, examples.occupancy, probabilities, unlikeness, strict=True
            ):
                writer.add(
                    replace(sample, split=split), {"probabilities": row[None]}, {"unlikeness": round(float(unlike), 6)}
                )
                shown.append(Prediction(sample.class_name, row, grid))
        writer.preview(prediction_sheet(shown, attributes["classes"]))


def predict(classifier: keras.Model, examples: Examples) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Probabilities (N,C) and unlikeness (N,)."""
    outputs = [keras.Model(classifier.inputs, classifier.output[name]) for name in ("probabilities", "unlikeness")]
    probabilities, unlikeness = (logits_of(output, examples.inputs) for output in outputs)
    return probabilities, unlikeness.reshape(len(examples))


def _train_one(
    network: str, shapes: Shapes, classes: Sequence[str], train: Examples, val: Examples, settings: Settings, seed: int,
    checkpoints: str,
) -> Trained:  # fmt: skip
    """A single network, validated on val."""
    model = build_network(network, shapes, len(classes))
    progress, checkpoint = fit(
        model, train, val, settings, seed, checkpoints,
        lambda epoch, note: report(epoch, settings.epochs, note),
    )  # fmt: skip
    logits, unlikeness = _answers(model, network, train, val)
    return Trained([model], [progress], val, logits, unlikeness, [checkpoint])


def _train_members(
    network: str, shapes: Shapes, classes: Sequence[str], train: Examples, settings: Settings, members: int,
    duplicate_iou: float, seed: int, checkpoints: str,
) -> Trained:  # fmt: skip
    """Several networks, each validated on the share of the samples that it did not learn from."""
    models, found, parts, answers, kept = [], [], [], [], []
    for member in range(members):
        own = {sample.id for sample in split_of_folds(train.samples, members, member, False)["test"]}
        held_out = np.array([sample.id in own for sample in train.samples])
        val, rest = train.where(held_out), train.where(~held_out)
        rest, _ = without_copies(rest, [val], duplicate_iou, settings.changes.turned)
        keras.utils.set_random_seed(seed + member)
        model = build_network(network, shapes, len(classes), member)
        progress, checkpoint = fit(
            model, rest, val, settings, seed + member, checkpoints,
            partial(_report_member, member, members, settings.epochs),
        )  # fmt: skip
        models.append(model)
        found.append(progress)
        parts.append(val)
        answers.append(_answers(model, network, rest, val))
        kept.append(checkpoint)
    validated = parts[0]
    for part in parts[1:]:
        validated = validated.joined(part)
    logits, unlikeness = (np.concatenate(arrays) for arrays in zip(*answers, strict=True))
    return Trained(models, found, validated, logits, unlikeness, kept)


def _delete_checkpoints(checkpoints: Sequence[Checkpoint | None]) -> None:
    """Remove them if no member had an epoch left: the first success leaves them, since its results may still be lost.

    See `components.training.Training.delete_checkpoint`, which does the same.
    """
    there = [checkpoint for checkpoint in checkpoints if checkpoint]
    if all(checkpoint.finished for checkpoint in there):
        for checkpoint in there:
            checkpoint.delete()


def _report_member(member: int, members: int, epochs: int, epoch: int, note: str) -> None:
    report(member * epochs + epoch, members * epochs, note)


def _answers(
    model: keras.Model, network: str, known: Examples, shown: Examples
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Logits (N,C) and unlikeness (N,) of samples that the model did not learn from."""
    logits = logits_of(model, shown.inputs)
    if not len(shown):
        return logits, np.zeros(0, np.float32)
    return logits, predict(finished_network([model], 1.0, _measures(network, known)), shown)[1]


def _measures(network: str, examples: Examples) -> NDArray[np.float32] | None:
    """What unlikeness is measured by, where the network takes measures; else None: by its energy."""
    return examples.inputs["measures"] if network == "solid" else None


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True, initial=-np.inf))
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))
