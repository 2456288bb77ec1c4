"""The training loop of one network.

The step is our own and not that of Keras' `fit`, which traces it without the batch's size and therefore sums in another
order: measures_net's weights would differ in their last bits. What surrounds it is that of every training,
`shapeyard.training.resumable`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.train_classifier import TrainClassifierSettings
from components.train_classifier.examples import Examples
from components.train_classifier.grid_augmentation import GridAugmentation, training_batches
from shapeyard.inference.classifier import predict_in_batches
from shapeyard.networks.backend import keras, tf
from shapeyard.networks.discriminant import fit_discriminant
from shapeyard.training.keras_training import KerasTraining

WARMUP = 0.05
"""Share of the steps in which the rate rises, with batch norm; too few to see elsewhere."""


def fit(
    network: keras.Model,
    train: Examples,
    val: Examples,
    settings: TrainClassifierSettings,
    seed: int,
    say: Callable[[int, str], None] | None = None,
) -> KerasTraining:
    """Train with AdamW and a cosine schedule; `network` ends with the weights of the best epoch on val, or the last.

    Args:
        network: gives logits (B,C).
        train: what it learns from.
        val: what the best epoch is chosen on; may be empty.
        settings: how.
        seed: of the order and the changes.
        say: called with each epoch and a few words.

    Returns:
        The training, whose checkpoint stays.

    Raises:
        DatasetError: for a checkpoint that cannot be read.
        SourceError: for a bucket that cannot be read or written.
        OSError: for a folder that cannot be written.
        TrainingError: if the loss is no longer finite, or after SIGTERM.
    """
    fit_discriminant(network, train.inputs, train.labels)
    steps_per_epoch = -(-len(train) // settings.batch_size)
    steps = steps_per_epoch * settings.epochs
    optimizer = _optimizer(network, settings, steps)
    weights = class_weights(train.labels, network.output_shape[-1], settings.class_balance_exponent)
    step = _training_step(network, optimizer, weights, settings.label_smoothing)
    training = KerasTraining(
        "train_classifier",
        settings,
        checkpoint_key(network, train, val, seed),
        steps=steps,
        samples_per_step=len(train) / steps_per_epoch,
        validate_every=steps_per_epoch,
    )
    training.resume({"network": network, "optimizer": optimizer})
    changes = GridAugmentation(
        settings.shift, settings.stretch, settings.corruption_probability, settings.augment_rotation, settings.noise
    )
    steps_made = training.progress.step
    batches = iter(
        training_batches(
            train.inputs, train.labels, settings.batch_size, settings.epochs, changes, seed=seed, steps_made=steps_made
        )
    )
    for number, (inputs, labels) in training.run(lambda _: next(batches)):
        loss, right, gradient_is_finite = step(inputs, labels)
        training.require_finite(loss=bool(np.isfinite(loss)), gradient=bool(gradient_is_finite))
        training.log(loss=float(loss) * len(labels), right=float(right))
        if not training.validates(number):
            continue
        sums, epoch = training.sums(), number // steps_per_epoch
        row = {"epoch": epoch, "train_loss": sums["loss"] / len(train), "train_accuracy": sums["right"] / len(train)}
        raw = network.get_weights()
        if settings.ema_decay:
            optimizer.finalize_variable_values(network.trainable_variables)
        if len(val):
            row["val_loss"], row["val_accuracy"] = loss_and_accuracy(
                predict_in_batches(network, val.inputs), val.labels
            )
        if len(val) and settings.restore_best:
            training.log_validation(number, row, row["val_accuracy"], tie_break=-row["val_loss"])
        else:
            training.log_validation(number, row, float(number))
        network.set_weights(raw)
        if say:
            say(epoch, f"loss {row['train_loss']:.3f}" + (f", val {row['val_accuracy']:.1%}" if len(val) else ""))
    training.restore_best()
    return training


def checkpoint_key(network: keras.Model, train: Examples, val: Examples, seed: int) -> dict[str, Any]:
    """What decides beside the settings what a network learns: itself, the examples' content, the seed."""
    shapes = [list(variable.shape) for variable in network.variables]
    return {"network": network.name, "shapes": shapes, "examples": [_content(train), _content(val)], "seed": seed}


def class_weights(labels: NDArray[np.int64], classes: int, exponent: float) -> NDArray[np.float32]:
    """(C,) weights, 1 on average over the samples: at `exponent` 1 the same sum for every class, at 0 all the same."""
    counts = np.bincount(labels, minlength=classes)
    weights = np.where(counts > 0, np.maximum(counts, 1.0) ** -exponent, 0.0)
    return np.asarray(weights / weights[labels].mean(), np.float32)


def loss_and_accuracy(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> tuple[float, float]:
    """The mean cross entropy without smoothing, in nats, and the share of (N,C) rows that are right."""
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    chosen = shifted[np.arange(len(labels)), labels] - np.log(np.exp(shifted).sum(axis=1))
    return float(-chosen.mean()), float((logits.argmax(axis=1) == labels).mean())


def _content(examples: Examples) -> list[Any]:
    arrays = {**examples.inputs, "labels": examples.labels}
    hashes = {
        name: [str(array.dtype), list(array.shape), hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()]
        for name, array in sorted(arrays.items())
    }
    return [[sample.id for sample in examples.samples], hashes]


def _optimizer(network: keras.Model, settings: TrainClassifierSettings, steps: int) -> keras.optimizers.Optimizer:
    """AdamW (Loshchilov, Hutter, arXiv 1711.05101), its rate rising over the first steps and falling along a cosine."""
    has_batch_norm = any(isinstance(layer, keras.layers.BatchNormalization) for layer in network.layers)
    warmup = round(WARMUP * steps) if has_batch_norm else 0
    rate = keras.optimizers.schedules.CosineDecay(
        0.0 if warmup else settings.learning_rate, steps - warmup,
        warmup_target=settings.learning_rate if warmup else None, warmup_steps=warmup,
    )  # fmt: skip
    averaging = {"use_ema": True, "ema_momentum": settings.ema_decay} if settings.ema_decay else {}
    optimizer = keras.optimizers.AdamW(rate, weight_decay=settings.weight_decay, **averaging)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    optimizer.build(network.trainable_variables)
    return optimizer


def _training_step(
    network: keras.Model, optimizer: keras.optimizers.Optimizer, weights: NDArray[np.float32], label_smoothing: float
) -> Any:
    """A compiled step.

    Returns:
        A function of a batch of inputs and (B,) labels that gives the loss before the step, how many were right, and
        whether all of the gradient is finite.
    """
    cross_entropy = keras.losses.CategoricalCrossentropy(
        from_logits=True, label_smoothing=label_smoothing, reduction="none"
    )
    class_weight = tf.constant(weights)

    @tf.function(reduce_retracing=True)
    def step(inputs: dict[str, tf.Tensor], labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            logits = network({tensor.name: inputs[tensor.name] for tensor in network.inputs}, training=True)  # (B,C)
            entropies = cross_entropy(tf.one_hot(labels, len(weights)), logits)  # (B,)
            loss = tf.reduce_mean(entropies * tf.gather(class_weight, labels))
        gradients = tape.gradient(loss, network.trainable_variables)
        optimizer.apply(gradients, network.trainable_variables)
        right = tf.reduce_sum(tf.cast(tf.argmax(logits, axis=1) == labels, tf.int32))
        return loss, right, tf.reduce_all([tf.reduce_all(tf.math.is_finite(gradient)) for gradient in gradients])

    return step
