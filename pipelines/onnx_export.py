"""`shapeyard export` of a model: a trained network as ONNX, for whatever runs that."""

from __future__ import annotations

import logging
import tempfile
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from pipelines.networks import load_torch
from shapeyard.errors import DatasetError, require


class Interface(NamedTuple):
    """What goes into an exported network and what comes out."""

    network: nn.Module
    takes: str
    example: tuple[int, ...]
    sizes: dict[int, Any]
    """the axes that may have any size, as torch.export names them"""
    gives: str


class DepthInUnits(nn.Module):
    """RGBA (B,4,H,W) in 0…1 → depth (B,H,W) in canonical units; what it says outside the object means nothing."""

    def __init__(self, unet: nn.Module, mean: float, std: float) -> None:
        super().__init__()
        self.unet, self.mean, self.std = unet, mean, std

    def forward(self, rgba: Tensor) -> Tensor:
        """(B,4,H,W) → (B,H,W)."""
        depth: Tensor = self.unet(rgba)[:, 0] * self.std + self.mean
        return depth


class Probability(nn.Module):
    """A network of logits → the probability that each voxel is occupied, 0 to 1."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, seen: Tensor) -> Tensor:
        """What the network takes → (B,D,D,D)."""
        probability: Tensor = self.network(seen).sigmoid()
        return probability


def export_onnx(model: Path, path: Path, views: int = 1) -> None:
    """Write a network of torch as one ONNX file, which is either whole or not there.

        U-Net          rgba (B,4,H,W) → depth (B,H,W); H and W divide by 8
        3D-RecGAN++    grid (B,R,R,R) → probability (B,4R,4R,4R)
        3D-R2N2        images (1,T,3,S,S) → probability (1,32,32,32), for one number T of views

    Args:
        model: the network's directory.
        path: the file to write.
        views: T, at least 1.

    Raises:
        DatasetError: if the directory holds no model of these, or the packages that export are missing.
    """
    require(views >= 1, f"views: expected 1 or more, got {views}")
    interface = _interface(model, views)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".part-") as folder:
        part = Path(folder) / "model.onnx"
        try:
            _export(interface, part)
        except ModuleNotFoundError as error:
            raise DatasetError(f"{model}: to export it the package {error.name} is needed") from error
        part.replace(path)


def _interface(model: Path, views: int) -> Interface:
    network, config = load_torch(model)
    batch = torch.export.Dim("batch", min=1, max=1024)
    if config["network"] == "unet":
        side = 8 * 4
        rows, columns = (8 * torch.export.Dim(name, min=1, max=512) for name in ("rows", "columns"))
        with_units = DepthInUnits(network, config["depth_mean"], config["depth_std"])
        return Interface(with_units, "rgba", (2, 4, side, side + 8), {0: batch, 2: rows, 3: columns}, "depth")
    if config["network"] == "recgan":
        side = int(config["input_resolution"])
        return Interface(Probability(network), "grid", (2, side, side, side), {0: batch}, "probability")
    side = int(config["image_size"])
    return Interface(Probability(network), "images", (1, views, 3, side, side), {}, "probability")


def _export(interface: Interface, path: Path) -> None:
    """The exporter tells of its steps on standard output and in warnings that nobody can act on."""
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            interface.network.eval(), (torch.rand(interface.example),), path, dynamo=True, external_data=False,
            input_names=[interface.takes], output_names=[interface.gives], dynamic_shapes=(interface.sizes,),
            verbose=False,
        )  # fmt: skip
