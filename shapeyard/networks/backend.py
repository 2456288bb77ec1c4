"""Keras on TensorFlow.

Whoever needs one of them takes it from here, since both read environment variables when they are imported.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator

__all__ = ["keras", "tf", "use_threads"]


@contextlib.contextmanager
def _standard_error_to_nowhere() -> Iterator[None]:
    """TensorFlow 2.21 writes notes about oneDNN while it is imported, whatever its log level is."""
    sys.stderr.flush()
    kept, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nothing)


os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
with _standard_error_to_nowhere():
    import keras
    import tensorflow as tf
tf.get_logger().setLevel("ERROR")  # a network a member is traced anew, which is no mistake


def use_threads(count: int) -> None:
    """Give TensorFlow so many threads, unless it is running already, with those that it has."""
    with contextlib.suppress(RuntimeError):  # raised once it is running
        tf.config.threading.set_intra_op_parallelism_threads(count)
        tf.config.threading.set_inter_op_parallelism_threads(count)
