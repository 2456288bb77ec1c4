"""What the training of one network goes on from, in a folder or in a bucket: a NumPy archive after each epoch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from components.train_classifier.examples import Examples
from shapeyard import __version__
from shapeyard.errors import DatasetError
from shapeyard.sources.stored_file import StoredFile


@dataclass
class Progress:
    """What a training has found so far."""

    history: list[dict[str, float]]
    best_epoch: int = 0
    best_accuracy: float = -1.0
    best_loss: float = np.inf
    seconds: float = 0.0
    """without validation"""


class Checkpoint:
    """The file of one network's training.

    Attributes:
        finished: whether the training had no epoch left when it began.
    """

    def __init__(self, folder: str, key: str) -> None:
        """`folder`: a local path or s3://bucket/prefix; `key`: of the training, see `key_of`."""
        self.finished = False
        self._key = key
        self._file = StoredFile(folder, f"train_classifier-{key[:16]}.npz")

    def restore(self, states: Sequence[Any]) -> tuple[Progress, list[NDArray[Any]] | None] | None:
        """Give variables their values; returns the progress and the best weights, or None where there is no file.

        Raises:
            DatasetError: if it cannot be read or belongs to another training.
            SourceError: for a bucket that can't be read.
        """
        with self._file.to_read() as path:
            if path is None:
                return None
            try:
                with np.load(path, allow_pickle=False) as arrays:
                    key, progress = json.loads(str(arrays["progress"]))
                    if key != self._key:
                        raise DatasetError(
                            f"{self._file.uri}: expected a checkpoint of this training, got one of other samples or "
                            f"settings; remove it or choose another folder"
                        )
                    values = [arrays[f"state-{place}"] for place in range(len(states))]
                    count = sum(name.startswith("best-") for name in arrays)
                    best = [arrays[f"best-{place}"] for place in range(count)]
            except (OSError, ValueError, KeyError, EOFError) as error:
                raise DatasetError(f"{self._file.uri}: not readable as a checkpoint: {error!r}") from error
        for variable, value in zip(states, values, strict=True):
            variable.assign(value)
        return Progress(**progress), best or None

    def save(self, states: Sequence[Any], best: Sequence[NDArray[Any]], progress: Progress) -> None:
        """Replace the file; raises `OSError` or `SourceError`."""
        arrays = {f"state-{place}": np.asarray(variable) for place, variable in enumerate(states)}
        arrays |= {f"best-{place}": values for place, values in enumerate(best)}
        with self._file.to_write() as path, path.open("wb") as file:
            np.savez(file, progress=np.array(json.dumps([self._key, asdict(progress)])), **arrays)

    def delete(self) -> None:
        """Remove the file, if it is there."""
        self._file.remove()


def key_of(network: keras.Model, train: Examples, val: Examples, settings: Any, seed: int) -> str:
    """A hash of all that decides what a network learns: itself, the examples' content, the settings, the seed."""
    shapes = [list(variable.shape) for variable in network.variables]
    known = [__version__, network.name, shapes, [_content(train), _content(val)], asdict(settings), seed]
    return hashlib.sha256(json.dumps(known).encode()).hexdigest()


def _content(examples: Examples) -> list[Any]:
    arrays = {**examples.inputs, "labels": examples.labels}
    hashes = {
        name: [str(array.dtype), list(array.shape), hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()]
        for name, array in sorted(arrays.items())
    }
    return [[sample.id for sample in examples.samples], hashes]
