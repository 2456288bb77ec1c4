"""Trained networks by what they are, wherever they lie: several of them in one process."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from shapeyard.contracts.model import check_model, read_config
from shapeyard.errors import DatasetError, one_line

if TYPE_CHECKING:
    from torch import nn

TORCH_NETWORKS = {
    "unet": ("components.train_depth.model", "UNet"),
    "recgan": ("components.train_recgan.model", "Generator"),
    "r2n2": ("components.train_multiview.model", "R2N2"),
}
"""What config.json calls a network → its class."""
TITLES = {"unet": "U-Net", "recgan": "3D-RecGAN++", "r2n2": "3D-R2N2", "classifier": "a classifier"}


class TorchNetwork(NamedTuple):
    """A network in the state in which it is used, and the words of its config.json."""

    network: nn.Module
    config: dict[str, Any]


def find_models(folders: Sequence[Path]) -> dict[str, Path]:
    """The models in folders, each a model itself or a run's folder with models in it; of two alike the first.

    Returns:
        unet, recgan, r2n2 or classifier → the model's directory, only those that are there.

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
            network = str(config.get("network"))
            found.setdefault(network if network in TORCH_NETWORKS else "classifier", model)
    return found


def load_torch(model: Path) -> TorchNetwork:
    """Rebuild a network of torch from its directory, on the CPU, not for training.

    Raises:
        DatasetError: if it is no whole model, one of another kind, or its weights do not fit its config.
    """
    from safetensors.torch import load_file

    config = read_config(model)
    if config.get("network") not in TORCH_NETWORKS:
        raise DatasetError(
            f"{model}: expected a model of {', '.join(TITLES[name] for name in TORCH_NETWORKS)}, "
            f"got {config.get('network')}"
        )
    check_model(model)
    module, name = TORCH_NETWORKS[config["network"]]
    try:
        kind = getattr(importlib.import_module(module), name)
        known = inspect.signature(kind).parameters
        network: nn.Module = kind(**{key: value for key, value in config.items() if key in known})
        network.load_state_dict(load_file(model / "model.safetensors"))
    except (OSError, RuntimeError, TypeError, ValueError) as error:
        raise DatasetError(f"{model}: expected weights that fit config.json: {one_line(error)[:200]}") from error
    return TorchNetwork(network.eval(), config)


def _configs(folder: Path) -> list[Path]:
    return [path for path in folder.glob("*/config.json") if (path.parent / "metrics.json").is_file()]
