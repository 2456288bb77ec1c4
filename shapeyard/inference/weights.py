"""The weights of a network of torch, of a class that one knows."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any, TypeVar

from safetensors.torch import load_file
from torch import nn

from shapeyard.boundary import reader
from shapeyard.contracts.model import check_model, read_config
from shapeyard.errors import DatasetError, one_line

Network = TypeVar("Network", bound=nn.Module)


@reader(DatasetError, "model")
def load_network(model: Path, kind: type[Network]) -> tuple[Network, dict[str, Any]]:
    """Rebuild a network from its directory, on the CPU, not for training; beside it the values of config.json.

    Args:
        model: the directory.
        kind: the network's class, whose arguments stand in config.json.

    Raises:
        DatasetError: if it is no whole model, or its weights do not fit its config.
    """
    config = read_config(model)
    check_model(model)
    try:
        known = inspect.signature(kind).parameters
        network = kind(**{key: value for key, value in config.items() if key in known})
        network.load_state_dict(load_file(model / "model.safetensors"))
    except (OSError, RuntimeError, TypeError, ValueError) as error:
        raise DatasetError(f"{model}: expected weights that fit config.json: {one_line(error)[:200]}") from error
    return network.eval(), config
