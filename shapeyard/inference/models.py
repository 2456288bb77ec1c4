"""Trained networks by what they are, wherever they lie: several of them in one process."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from shapeyard import networks
from shapeyard.contracts.model import read_config
from shapeyard.errors import DatasetError

if TYPE_CHECKING:
    from torch import nn

CLASSIFIER = "classifier"
"""What every model is here that is no network of torch."""


class TorchNetwork(NamedTuple):
    """A network in the state in which it is used, and the values of its config.json."""

    network: nn.Module
    config: dict[str, Any]


@cache
def torch_networks() -> dict[str, str]:
    """What config.json calls each network of torch → its title: the modules of `shapeyard.networks` with a `TITLE`.

    They are read and not imported, since not every framework is everywhere.
    """
    modules = sorted(path for folder in networks.__path__ for path in Path(folder).glob("*.py"))
    titles = {path.stem: _title(path) for path in modules}
    return {name: title for name, title in titles.items() if title}


def title_of(network: str) -> str:
    """What a network is called in texts."""
    return torch_networks().get(network, "a classifier")


def network_module(model: Path) -> Any:
    """The module that describes a model's network; raises `DatasetError` unless it is one of `torch_networks`."""
    network = str(read_config(model).get("network"))
    if network not in torch_networks():
        raise DatasetError(f"{model}: expected a model of {', '.join(torch_networks().values())}, got {network}")
    return importlib.import_module(f"{networks.__name__}.{network}")


def find_models(folders: Sequence[Path]) -> dict[str, Path]:
    """The models in folders, each a model itself or a run's folder with models in it; of two alike the first.

    Returns:
        Name of a torch network, or classifier → the model's directory, only those that are there.

    Raises:
        DatasetError: if a folder is missing or holds no model, or a model in it is not whole.
    """
    found: dict[str, Path] = {}
    for folder in folders:
        inside = [folder] if (folder / "config.json").is_file() else sorted(path.parent for path in _configs(folder))
        if not inside:
            raise DatasetError(f"{folder}: expected a model or a run's folder with models, found no config.json")
        for model in inside:
            config = read_config(model)
            if "left_out" in config:  # a classifier, of one class
                continue
            network = str(config.get("network"))
            found.setdefault(network if network in torch_networks() else CLASSIFIER, model)
    return found


def load_torch(model: Path) -> TorchNetwork:
    """Rebuild a network of torch from its directory, on the CPU, not for training.

    Raises:
        DatasetError: if it is no whole model, one of another kind, or its weights do not fit its config.
    """
    from shapeyard.inference.weights import load_network

    return TorchNetwork(*load_network(model, network_module(model).NETWORK))


def _configs(folder: Path) -> list[Path]:
    return [path for path in folder.glob("*/config.json") if (path.parent / "metrics.json").is_file()]


def _title(module: Path) -> str:
    """The `TITLE` of a module; empty if it has none."""
    for node in ast.parse(module.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["TITLE"]:
            return str(ast.literal_eval(node.value))
    return ""
