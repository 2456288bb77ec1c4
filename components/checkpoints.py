"""The file from which a training goes on: tensors and a few numbers, in a folder or in a bucket.

Safetensors, whose header holds the rest as JSON.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from shapeyard.errors import DatasetError
from shapeyard.sources.stored_file import StoredFile

STATE = "state"
Kept = nn.Module | torch.optim.Optimizer


class CheckpointFile:
    """One file in `folder`, a local path or s3://bucket/prefix."""

    def __init__(self, folder: str, name: str) -> None:
        self._file = StoredFile(folder, f"{name}.safetensors")
        self.uri = self._file.uri

    def read(self) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """The tensors and the JSON values, or None where there is no such file.

        Raises:
            DatasetError: for a file that is no checkpoint.
            SourceError: for a bucket that can't be read.
        """
        with self._file.to_read() as path:
            return self._load(path) if path else None

    def write(self, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
        """Replace the file; raises `OSError` or `SourceError`, and then leaves what was there before."""
        whole = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        with self._file.to_write() as path:
            save_file(whole, path, metadata={STATE: json.dumps(state)})

    def remove(self) -> None:
        """Remove the file, if it is there."""
        self._file.remove()

    def _load(self, path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
        try:
            with safe_open(path, framework="pt") as file:
                state: dict[str, Any] = json.loads(file.metadata()[STATE])
                return {name: file.get_tensor(name) for name in file.keys()}, state  # noqa: SIM118 - it is no dict
        except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
            raise DatasetError(f"{self.uri}: not readable as a checkpoint: {error!r}; remove it") from error


def flat(name: str, kept: Kept) -> dict[str, Tensor]:
    """The state of a network or an optimizer as tensors whose names begin with `name`.

    An optimizer's settings are left out: they are the program's, and its rate is a function of the step.
    """
    if isinstance(kept, nn.Module):
        return {f"{name}.{key}": value for key, value in kept.state_dict().items()}
    state = kept.state_dict()["state"]
    return {f"{name}.{place}.{key}": torch.as_tensor(value) for place in state for key, value in state[place].items()}


def restore(name: str, kept: Kept, tensors: Mapping[str, Tensor]) -> None:
    """The inverse of `flat`; raises `KeyError`, `ValueError` or `RuntimeError` for the state of something else."""
    mine = {key.removeprefix(f"{name}."): value for key, value in tensors.items() if key.startswith(f"{name}.")}
    if isinstance(kept, nn.Module):
        kept.load_state_dict(mine)
        return
    parameters = [parameter for group in kept.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in mine.items():
        place, _, entry = key.partition(".")
        like = parameters[int(place)]
        if value.shape == like.shape:  # laid out in memory as the parameter: the order of sums is part of the result
            value = torch.empty_like(like, dtype=value.dtype).copy_(value)
        state.setdefault(int(place), {})[entry] = value
    kept.load_state_dict({**kept.state_dict(), "state": state})
