"""The file from which a training goes on: arrays and a few numbers, in a folder or in a bucket.

Safetensors, whose header holds the rest as JSON. Nothing of a framework stands in it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from shapeyard.boundary import reader
from shapeyard.errors import DatasetError, one_line
from shapeyard.sources.stored_file import StoredFile

STATE = "state"
Arrays = Mapping[str, NDArray[Any]]


class CheckpointFile:
    """One file in `folder`, a local path or s3://bucket/prefix."""

    def __init__(self, folder: str, name: str) -> None:
        self._file = StoredFile(folder, f"{name}.safetensors")
        self.uri = self._file.uri

    def read(self) -> tuple[Arrays, dict[str, Any]] | None:
        """The arrays and the JSON values, or None where there is no such file.

        Raises:
            DatasetError: for a file that is no checkpoint.
            SourceError: for a bucket that can't be read.
        """
        with self._file.to_read() as path:
            return self._load(path) if path else None

    def write(self, arrays: Arrays, state: Mapping[str, Any]) -> None:
        """Replace the file; raises `OSError` or `SourceError`, and then leaves what was there before."""
        whole = {name: np.asarray(array, order="C") for name, array in arrays.items()}
        with self._file.to_write() as path:
            save_file(whole, path, metadata={STATE: json.dumps(state)})

    def remove(self) -> None:
        """Remove the file, if it is there."""
        self._file.remove()

    @reader(DatasetError, "self.uri")
    def _load(self, path: Path) -> tuple[Arrays, dict[str, Any]]:
        try:
            with safe_open(path, framework="np") as file:
                state: dict[str, Any] = json.loads(file.metadata()[STATE])
                return {name: file.get_tensor(name) for name in file.keys()}, state  # noqa: SIM118 - it is no dict
        except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
            raise DatasetError(f"{self.uri}: not readable as a checkpoint: {one_line(error)}; remove it") from error
