"""The training of the classifier, from the first grid read to the last prediction written."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from components.train_classifier.augmentation import training_batches
from components.train_classifier.grids import Grids, read_grids
from components.train_classifier.model import build_network
from shapeyard.contracts.dataset import Dataset, DatasetWriter
from shapeyard.contracts.model import finish_model, start_model
from shapeyard.contracts.progress import report
from shapeyard.errors import DatasetError, require
from shapeyard.geometry.duplicates import near_duplicates
from shapeyard.geometry.prediction_preview import Prediction, prediction_sheet
from shapeyard.training import cores

GRIDS_AT_ONCE = 256  # shown to the network without gradients


def train_classifier(
    voxels: Sequence[str | Path],
    model: str | Path,
    predictions: str | Path,
    *,
    network: str = "xu2016",
    resolution: int = 32,
    epochs: int = 30,
    batch_size: int = 32,
    learning_rate: float = 1e-3,
    label_smoothing: float = 0.1,
    shift: int = 2,
    stretch: float = 0.15,
    spoiled: float = 0.5,
    balanced: bool = False,
    duplicate_iou: float = 1.0,
    seed: int = 0,
    workers: int = 0,
) -> dict[str, Any]:
    """Train on the training split, keep the epoch that is best on val, name the class of every val and test sample.

    Training grids that are copies of a val or test grid are left out. Without a sample in val the last epoch is kept,
    and nothing is validated: metrics.json says `"validated_on": 0` and has no `val_accuracy`.

    Args:
        voxels: directories of kind voxels, whose sides are multiples of `resolution`.
        model: the model directory to write.
        predictions: the directory of kind predictions to write.
        network: the name of the network, see model.py.
        resolution: side of the grids that the network sees.
        epochs: passes over the training split.
        batch_size: grids in a batch.
        learning_rate: Adam's at the start; it falls to 0 along a cosine.
        label_smoothing: the share of a label that is spread over all classes, 0 to 1.
        shift: by how many voxels a training grid is moved along each axis, at the most.
        stretch: by which share a training grid is stretched along each axis, at the most.
        spoiled: the share of the training grids that is spoiled as reconstructions are, 0 to 1.
        balanced: let every class weigh the same in the loss, however many samples it has.
        duplicate_iou: from which intersection over union two grids are copies; 1 for exact copies alone.
        seed: of the first weights, the order and the augmentation.
        workers: threads; 0 for all cores.

    Returns:
        The figures of metrics.json.

    Raises:
        ParameterError: for a parameter out of range, or grids that cannot be pooled to the resolution.
        DatasetError: for voxels that cannot be read, no usable training grid, or fewer than two classes to train on.
    """
    for name, count in {"epochs": epochs, "batch_size": batch_size}.items():
        require(count >= 1, f"expected {name} of at least 1, got {count}")
    for name, share in {"label_smoothing": label_smoothing, "spoiled": spoiled, "duplicate_iou": duplicate_iou}.items():
        require(0 <= share <= 1, f"expected {name} from 0 to 1, got {share}")
    require(learning_rate > 0, f"expected a learning_rate above 0, got {learning_rate}")
    require(0 <= shift < resolution // 2, f"expected a shift of 0 to less than half the resolution, got {shift}")
    require(0 <= stretch <= 1, f"expected a stretch from 0 to 1, got {stretch}")
    make_repeatable(seed, cores(workers))

    dataset = Dataset(voxels, "voxels")
    classes = dataset.classes
    classifier = build_network(network, resolution, len(classes))
    train, val, test = (read_grids(dataset, split, classes, resolution) for split in ("train", "val", "test"))
    train, copies = without_copies(train, [val, test], duplicate_iou)
    found = sorted({sample.class_name for sample in train.samples})
    if len(found) < 2:
        raise DatasetError(
            f"{dataset.paths[0]}: expected training grids of at least two classes that are neither empty nor copies "
            f"of held-out ones, got {len(train)} of {', '.join(found) or 'no class'}"
        )
    folder = start_model(model, {"network": network, "resolution": resolution, "classes": classes})

    steps_per_epoch = -(-len(train) // batch_size)
    weights = class_weights(train.labels, len(classes)) if balanced else np.ones(len(classes), np.float32)
    rate = keras.optimizers.schedules.CosineDecay(learning_rate, epochs * steps_per_epoch)
    step = training_step(classifier, keras.optimizers.Adam(rate), weights, label_smoothing)
    batches = training_batches(
        train.occupancy, train.labels, batch_size, epochs, shift=shift, stretch=stretch, spoiled=spoiled, seed=seed
    )
    best_accuracy, best_loss, best_epoch, best_weights = -1.0, np.inf, epochs, None
    history: list[dict[str, float]] = []
    losses, right = 0.0, 0.0
    started, validating = time.monotonic(), 0.0
    for number, (grids, labels) in enumerate(batches, start=1):
        loss, hits = step(grids, labels)
        losses, right = losses + float(loss) * len(labels), right + float(hits)
        if number % steps_per_epoch:
            continue
        epoch = number // steps_per_epoch
        row = {"epoch": epoch, "train_loss": losses / len(train), "train_accuracy": right / len(train)}
        losses, right = 0.0, 0.0
        pause = time.monotonic()
        if len(val):
            row["val_loss"], row["val_accuracy"] = loss_and_accuracy(predict(classifier, val.occupancy), val.labels)
            if (row["val_accuracy"], -row["val_loss"]) > (best_accuracy, -best_loss):
                best_accuracy, best_loss, best_epoch = row["val_accuracy"], row["val_loss"], epoch
                best_weights = classifier.get_weights()
        validating += time.monotonic() - pause
        history.append(row)
        report(
            epoch, epochs, f"loss {row['train_loss']:.3f}" + (f", val {row['val_accuracy']:.1%}" if len(val) else "")
        )
    seconds = time.monotonic() - started
    if best_weights is not None:
        classifier.set_weights(best_weights)

    classifier.save(folder / "model.keras")
    settings = {"network": network, "resolution": resolution, "epochs": epochs, "seed": seed}
    write_predictions(classifier, [val, test], classes, predictions, dataset, settings)
    metrics: dict[str, Any] = {
        **({"val_accuracy": best_accuracy, "val_loss": best_loss} if len(val) else {}),
        "validated_on": len(val),
        "kept_epoch": best_epoch,
        "epochs": epochs,
        "trained_on": len(train),
        "train_accuracy": history[-1]["train_accuracy"],
        "left_out_copies": copies,
        "left_out_empty": len(train.empty),
        "parameters": classifier.count_params(),
        "seconds": round(seconds, 2),
        "samples_per_second": round(epochs * len(train) / (seconds - validating), 1),
    }
    finish_model(folder, history, metrics)
    return metrics


def make_repeatable(seed: int, threads: int) -> None:
    """Seed everything, and give TensorFlow its threads unless it is running already, with those that it has."""
    with contextlib.suppress(RuntimeError):  # raised once it is running
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()


def without_copies(train: Grids, held_out: Sequence[Grids], duplicate_iou: float) -> tuple[Grids, int]:
    """The training grids that are no copies of held-out ones, and how many were."""
    copies = np.zeros(len(train), dtype=bool)
    for grids in held_out:
        copies |= near_duplicates(train.occupancy, grids.occupancy, duplicate_iou)
    return train.where(~copies), int(copies.sum())


def class_weights(labels: NDArray[np.int64], classes: int) -> NDArray[np.float32]:
    """(C,) weights that give every class with samples the same sum, 1 on average over the samples."""
    counts = np.bincount(labels, minlength=classes)
    return (len(labels) / (np.count_nonzero(counts) * np.maximum(counts, 1))).astype(np.float32)


def training_step(
    classifier: keras.Model, optimizer: keras.optimizers.Optimizer, weights: NDArray[np.float32], label_smoothing: float
) -> Any:
    """A compiled step: (B,R,R,R,1) grids and (B,) labels → the loss before the step, and how many were right."""
    optimizer.build(classifier.trainable_variables)
    cross_entropy = keras.losses.CategoricalCrossentropy(label_smoothing=label_smoothing, reduction="none")
    class_weight = tf.constant(weights)

    @tf.function(reduce_retracing=True)
    def step(grids: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            probabilities = classifier(grids, training=True)  # (B,C)
            entropies = cross_entropy(tf.one_hot(labels, len(weights)), probabilities)  # (B,)
            loss = tf.reduce_mean(entropies * tf.gather(class_weight, labels))
        optimizer.apply(tape.gradient(loss, classifier.trainable_variables), classifier.trainable_variables)
        return loss, tf.reduce_sum(tf.cast(tf.argmax(probabilities, axis=1) == labels, tf.int32))

    return step


def predict(classifier: keras.Model, occupancy: NDArray[np.bool_]) -> NDArray[np.float32]:
    """(N,R,R,R) → (N,C) probabilities."""
    parts = [
        np.asarray(classifier.predict_on_batch(occupancy[i : i + GRIDS_AT_ONCE, ..., None].astype(np.float32)))
        for i in range(0, len(occupancy), GRIDS_AT_ONCE)
    ]
    return np.concatenate(parts) if parts else np.zeros((0, classifier.output_shape[-1]), np.float32)


def loss_and_accuracy(probabilities: NDArray[np.float32], labels: NDArray[np.int64]) -> tuple[float, float]:
    """The mean cross entropy without smoothing, in nats, and the share of (N,C) rows that are right."""
    chosen = np.maximum(probabilities[np.arange(len(labels)), labels], 1e-7)
    return float(-np.log(chosen).mean()), float((probabilities.argmax(axis=1) == labels).mean())


def write_predictions(
    classifier: keras.Model,
    splits: Sequence[Grids],
    classes: Sequence[str],
    path: str | Path,
    dataset: Dataset,
    settings: dict[str, Any],
) -> None:
    """Write the dataset of kind predictions."""
    attributes = {"classes": list(classes)}
    shown: list[Prediction] = []
    with DatasetWriter(
        path, "predictions", "train_classifier", settings, skipped=dataset.skipped, attributes=attributes
    ) as writer:
        for grids in splits:
            for sample_id in grids.empty:
                writer.skip(sample_id, "nothing in its grid is occupied")
            for sample, grid, row in zip(
                grids.samples, grids.occupancy, predict(classifier, grids.occupancy), strict=True
            ):
                writer.add(sample, {"probabilities": row[None]})
                shown.append(Prediction(sample.class_name, row, grid))
        writer.preview(prediction_sheet(shown, classes))
