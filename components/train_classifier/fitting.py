"""The training loop of one network."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from components.train_classifier.augmentation import Changes, training_batches
from components.train_classifier.checkpoint import Checkpoint, Progress, key_of
from components.train_classifier.examples import Examples
from components.train_classifier.model import fit_discriminant

EXAMPLES_AT_ONCE = 256
"""Shown to a network without gradients."""
WARMUP = 0.05
"""Share of the steps in which the rate rises, with batch norm; too few to see elsewhere."""


@dataclass(frozen=True)
class Settings:
    """How a network is trained; see the stage's spec."""

    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    label_smoothing: float
    balance: float
    average: float
    keep_best: bool
    changes: Changes


def fit(
    network: keras.Model,
    train: Examples,
    val: Examples,
    settings: Settings,
    seed: int,
    checkpoints: str = "",
    say: Callable[[int, str], None] | None = None,
) -> tuple[Progress, Checkpoint | None]:
    """Train with AdamW and a cosine schedule; `network` ends with the weights of the best epoch on val, or the last.

    Args:
        network: gives logits (B,C).
        train: what it learns from.
        val: what the best epoch is chosen on; may be empty.
        settings: how.
        seed: of the order and the changes.
        checkpoints: folder or s3://bucket/prefix for what is needed to go on from the last whole epoch; empty for none.
            A training that was interrupted and goes on gives the same weights as one that was not.
        say: called with each epoch and a few words.

    Returns:
        The progress, and the checkpoint, which stays.

    Raises:
        DatasetError: for a checkpoint that cannot be read.
        SourceError: for a bucket that cannot be read or written.
        OSError: for a folder that cannot be written.
    """
    fit_discriminant(network, train.inputs, train.labels)
    steps_per_epoch = -(-len(train) // settings.batch_size)
    optimizer = _optimizer(network, settings, steps_per_epoch * settings.epochs)
    step = _training_step(network, optimizer, class_weights(train.labels, network.output_shape[-1], settings.balance),
                          settings.label_smoothing)  # fmt: skip
    progress, best_weights = Progress([]), None
    states = [*network.variables, *optimizer.variables]
    checkpoint = Checkpoint(checkpoints, key_of(network, train, val, settings, seed)) if checkpoints else None
    if checkpoint and (found := checkpoint.restore(states)):
        progress, best_weights = found
        checkpoint.finished = len(progress.history) == settings.epochs
    first = len(progress.history)
    batches = training_batches(
        train.inputs, train.labels, settings.batch_size, settings.epochs, settings.changes, seed=seed, first_epoch=first
    )
    losses = right = 0.0
    started = time.monotonic()
    for number, (inputs, labels) in enumerate(batches, start=first * steps_per_epoch + 1):
        loss, hits = step(inputs, labels)
        losses, right = losses + float(loss) * len(labels), right + float(hits)
        if number % steps_per_epoch:
            continue
        progress.seconds += time.monotonic() - started
        epoch = number // steps_per_epoch
        row = {"epoch": epoch, "train_loss": losses / len(train), "train_accuracy": right / len(train)}
        losses = right = 0.0
        raw = network.get_weights()
        if settings.average:
            optimizer.finalize_variable_values(network.trainable_variables)
        if len(val):
            row["val_loss"], row["val_accuracy"] = loss_and_accuracy(logits_of(network, val.inputs), val.labels)
        better = (row.get("val_accuracy", 0), -row.get("val_loss", 0)) > (progress.best_accuracy, -progress.best_loss)
        if better or not (len(val) and settings.keep_best):
            progress.best_epoch, best_weights = epoch, network.get_weights()
            progress.best_accuracy = row.get("val_accuracy", -1.0)
            progress.best_loss = row.get("val_loss", np.inf)
        progress.history.append(row)
        network.set_weights(raw)
        if checkpoint:
            checkpoint.save(states, best_weights or [], progress)
        if say:
            say(epoch, f"loss {row['train_loss']:.3f}" + (f", val {row['val_accuracy']:.1%}" if len(val) else ""))
        started = time.monotonic()
    if best_weights is not None:
        network.set_weights(best_weights)
    return progress, checkpoint


def class_weights(labels: NDArray[np.int64], classes: int, balance: float) -> NDArray[np.float32]:
    """(C,) weights, 1 on average over the samples: at `balance` 1 the same sum for every class, at 0 all the same."""
    counts = np.bincount(labels, minlength=classes)
    weights = np.where(counts > 0, np.maximum(counts, 1.0) ** -balance, 0.0)
    return np.asarray(weights / weights[labels].mean(), np.float32)


def logits_of(network: keras.Model, inputs: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
    """(N,C), or what else the network answers."""
    inputs = {name: inputs[name] for name in (tensor.name for tensor in network.inputs)}
    count = len(next(iter(inputs.values())))
    parts = []
    for start in range(0, count, EXAMPLES_AT_ONCE):
        part = {name: values[start : start + EXAMPLES_AT_ONCE].astype(np.float32) for name, values in inputs.items()}
        if "occupancy" in part:
            part["occupancy"] = part["occupancy"][..., None]
        parts.append(np.asarray(network.predict_on_batch(part)))
    return np.concatenate(parts) if parts else np.zeros((0, *network.output_shape[1:]), np.float32)


def loss_and_accuracy(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> tuple[float, float]:
    """The mean cross entropy without smoothing, in nats, and the share of (N,C) rows that are right."""
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    chosen = shifted[np.arange(len(labels)), labels] - np.log(np.exp(shifted).sum(axis=1))
    return float(-chosen.mean()), float((logits.argmax(axis=1) == labels).mean())


def _optimizer(network: keras.Model, settings: Settings, steps: int) -> keras.optimizers.Optimizer:
    """AdamW (Loshchilov, Hutter, arXiv 1711.05101), its rate rising over the first steps and falling along a cosine."""
    has_batch_norm = any(isinstance(layer, keras.layers.BatchNormalization) for layer in network.layers)
    warmup = round(WARMUP * steps) if has_batch_norm else 0
    rate = keras.optimizers.schedules.CosineDecay(
        0.0 if warmup else settings.learning_rate, steps - warmup,
        warmup_target=settings.learning_rate if warmup else None, warmup_steps=warmup,
    )  # fmt: skip
    averaging = {"use_ema": True, "ema_momentum": settings.average} if settings.average else {}
    optimizer = keras.optimizers.AdamW(rate, weight_decay=settings.weight_decay, **averaging)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    optimizer.build(network.trainable_variables)
    return optimizer


def _training_step(
    network: keras.Model, optimizer: keras.optimizers.Optimizer, weights: NDArray[np.float32], label_smoothing: float
) -> Any:
    """A compiled step: a batch of inputs and (B,) labels → the loss before the step, and how many were right."""
    cross_entropy = keras.losses.CategoricalCrossentropy(
        from_logits=True, label_smoothing=label_smoothing, reduction="none"
    )
    class_weight = tf.constant(weights)

    @tf.function(reduce_retracing=True)
    def step(inputs: dict[str, tf.Tensor], labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            logits = network({tensor.name: inputs[tensor.name] for tensor in network.inputs}, training=True)  # (B,C)
            entropies = cross_entropy(tf.one_hot(labels, len(weights)), logits)  # (B,)
            loss = tf.reduce_mean(entropies * tf.gather(class_weight, labels))
        optimizer.apply(tape.gradient(loss, network.trainable_variables), network.trainable_variables)
        return loss, tf.reduce_sum(tf.cast(tf.argmax(logits, axis=1) == labels, tf.int32))

    return step
