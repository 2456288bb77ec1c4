"""The file from which a training goes on: tensors and a few numbers, in a folder or in a bucket.

Safetensors, whose header holds the rest as JSON. It is either whole or not there: locally it is written beside its
place and renamed, and an object appears in a bucket when its last part has come.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from shapeyard.errors import DatasetError
from shapeyard.sources.s3 import S3Source

STATE = "state"
Kept = nn.Module | torch.optim.Optimizer


class CheckpointFile:
    """One file in `folder`, a local path or s3://bucket/prefix."""

    def __init__(self, folder: str, name: str) -> None:
        self.name = f"{name}.safetensors"
        self.uri = f"{folder.rstrip('/')}/{self.name}"
        self._bucket = S3Source(folder) if re.match(r"s3://", folder) else None

    def read(self) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """The tensors and the JSON values, or None where there is no such file.

        Raises:
            DatasetError: for a file that is no checkpoint.
            SourceError: for a bucket that can't be read.
        """
        if not self._bucket:
            return self._load(Path(self.uri)) if Path(self.uri).is_file() else None
        found = next((file for file in self._bucket.list_files() if file.key == self.name), None)
        if found is None:
            return None
        with tempfile.TemporaryDirectory(prefix="shapeyard-checkpoint-") as scratch:
            self._bucket.download(found, Path(scratch, self.name))
            return self._load(Path(scratch, self.name))

    def write(self, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
        """Replace the file; raises `OSError` or `SourceError`, and then leaves what was there before."""
        with tempfile.TemporaryDirectory(prefix="shapeyard-checkpoint-") as scratch:
            path = Path(scratch, self.name) if self._bucket else Path(f"{self.uri}.part")
            path.parent.mkdir(parents=True, exist_ok=True)
            whole = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
            save_file(whole, path, metadata={STATE: json.dumps(state)})
            if self._bucket:
                self._bucket.upload(path, self.name)
            else:
                with path.open("rb") as file:
                    os.fsync(file.fileno())
                path.replace(self.uri)

    def remove(self) -> None:
        """Remove the file, if it is there."""
        if self._bucket:
            self._bucket.remove(self.name)
        else:
            Path(self.uri).unlink(missing_ok=True)

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
