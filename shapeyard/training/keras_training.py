"""The loop of a Keras training: it can be stopped at any step and goes on from there.

    training = KerasTraining("train_classifier", settings, {"examples": …}, steps=…, …)
    training.resume({"network": network, "optimizer": optimizer})
    batches = iter(…)                                       # from step training.progress.step + 1 on
    for step, batch in training.run(lambda _: next(batches)):
        loss, … = train_on(batch)
        training.require_finite(loss=…)
        …

A checkpoint holds all variables of the network and the optimizer. They include the state of the generators that dropout
draws from, so a resumed training drops what an uninterrupted one would have dropped.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from shapeyard.networks.backend import tf
from shapeyard.training.checkpoints import Arrays
from shapeyard.training.resumable import ResumableTraining


class KerasTraining(ResumableTraining):
    """The state of a Keras training loop, on the CPU or one GPU."""

    def _flat(self, kept: Any) -> Arrays:
        return {str(place): np.asarray(variable) for place, variable in enumerate(kept.variables)}

    def _restore(self, kept: Any, arrays: Arrays) -> None:
        for place, variable in enumerate(kept.variables):
            variable.assign(arrays[str(place)])

    def _hardware(self) -> dict[str, Any]:
        gpu = bool(tf.config.list_physical_devices("GPU"))
        memory = {"peak_memory_bytes": tf.config.experimental.get_memory_info("GPU:0")["peak"]} if gpu else {}
        return {**memory, "precision": "float32", "device": "cuda" if gpu else "cpu", "ranks": 1}
