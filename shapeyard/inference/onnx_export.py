"""`shapeyard export` of a model: a trained network as ONNX, for whatever runs that."""

from __future__ import annotations

import logging
import tempfile
import warnings
from pathlib import Path

import torch

from shapeyard.errors import DatasetError, require
from shapeyard.inference.models import load_torch, network_module
from shapeyard.networks.onnx_interface import OnnxInterface


def export_onnx(model: Path, path: Path, views: int = 1) -> None:
    """Write a network of torch as one ONNX file, which is either whole or not there.

    What goes in and comes out is said by `onnx_interface` in the network's module.

    Args:
        model: the network's directory.
        path: the file to write.
        views: of a network that takes several, at least 1.

    Raises:
        ParameterError: for a number of views below 1.
        DatasetError: if the directory holds no model of torch, or the packages that export are missing.
    """
    require(views >= 1, f"views: expected 1 or more, got {views}")
    network, config = load_torch(model)
    interface: OnnxInterface = network_module(model).onnx_interface(network, config, views)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".part-") as folder:
        part = Path(folder) / "model.onnx"
        try:
            _export(interface, part)
        except ModuleNotFoundError as error:
            raise DatasetError(f"{model}: to export it the package {error.name} is needed") from error
        part.replace(path)


def _export(interface: OnnxInterface, path: Path) -> None:
    """The exporter tells of its steps on standard output and in warnings that nobody can act on."""
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            interface.network.eval(), (torch.rand(interface.input_shape),), path, dynamo=True, external_data=False,
            input_names=[interface.input_name], output_names=[interface.output_name],
            dynamic_shapes=(interface.dynamic_axes,), verbose=False,
        )  # fmt: skip
