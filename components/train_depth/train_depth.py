"""The training of the depth estimator, from the first view read to the last depth written."""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from components.train_depth import TrainDepthSettings
from components.train_depth.depths import rmse, write_depths
from components.train_depth.view_augmentation import Augmentation, augmented
from components.train_depth.views import Views
from shapeyard.contracts.dataset import Dataset
from shapeyard.contracts.measures import Measured
from shapeyard.contracts.model import finish_model, start_model
from shapeyard.contracts.progress import report
from shapeyard.errors import DatasetError, require
from shapeyard.inference.depth import DepthEstimator, stack
from shapeyard.networks.unet import UNet, masked_squared_error, scale_invariant_error
from shapeyard.training.draws import Draw, cosine_rate
from shapeyard.training.loop import Training
from shapeyard.training.ranks import on_every_gpu

WARMUP_STEPS = 50  # Adam's first steps are as large as its rate, whatever the gradient


@on_every_gpu
def train_depth(
    renders: Sequence[str | Path], model: str | Path, depths: str | Path, settings: TrainDepthSettings
) -> Measured:
    """Train on the views of the training split, keep the weights that are best on val, predict every view.

    Without a sample in val the last weights are kept, and nothing is validated: metrics.json has no `val_rmse`.

    Args:
        renders: directories of kind renders.
        model: the model directory to write.
        depths: the directory of kind depths to write: every view of every sample.
        settings: how.

    Returns:
        The figures of metrics.json.

    Raises:
        ParameterError: for images whose size does not divide by 8, or a compiler that is not there.
        DatasetError: for renders that cannot be read, or without a visible object in the training split.
        TrainingError: if the loss is no longer finite, or after SIGTERM.
    """
    compiler = os.environ.get("CXX", "g++")
    found = not settings.compiled or shutil.which(compiler) is not None
    require(found, f"compiled: expected the compiler {compiler}, found none")
    changes = Augmentation(settings.color_jitter, settings.random_background, settings.random_crop)
    dataset = Dataset(renders, "renders")
    training = Training("train_depth", settings, {"renders": dataset.fingerprint})

    train = Views(dataset, dataset.of_split("train"))
    val = Views(dataset, dataset.of_split("val"))
    if not len(train):
        raise DatasetError(f"{dataset.paths[0]}: expected visible objects in the training split, found none")
    standardization = train.standardization()
    config = {
        "network": "unet",
        "width": settings.width,
        "depth_mean": standardization.mean,
        "depth_std": standardization.std,
        "window": train.window._asdict(),
    }
    folder = Path(model) if training.rank else start_model(model, config)

    network = training.place(UNet(settings.width), torch.channels_last)
    estimator = DepthEstimator(network, standardization, train.window, training.half)
    optimizer = torch.optim.AdamW(network.parameters(), lr=settings.learning_rate, weight_decay=1e-4, fused=True)
    warmup = min(WARMUP_STEPS, settings.steps // 5)
    training.resume({"network": network, "optimizer": optimizer}, logs=folder / "logs")
    forward = torch.compile(network) if settings.compiled else network

    def examples(draw: Draw) -> tuple[Tensor, Tensor]:
        views = (train.window.cut(train[index]) for index in draw.indices)
        return stack([augmented(view, changes, rng) for view, rng in zip(views, draw.rngs, strict=True)])

    for step, (rgba, depth) in training.batches(examples, len(train)):
        network.train()
        with training.autocast():
            estimate = forward(rgba)
        squared = loss = masked_squared_error(estimate, depth, *standardization)
        if settings.scale_invariant:
            loss = squared + settings.scale_invariant * scale_invariant_error(estimate, depth, *standardization)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        rate = settings.learning_rate * cosine_rate(step - 1, settings.steps, warmup)
        value = training.optimizer_step(optimizer, loss, rate)
        training.log(squared=squared.item())
        best = training.progress.best_score
        report(step, settings.steps, f"loss {value:.3f}" + (f", val rmse {-best:.4f}" if best > -math.inf else ""))
        if training.validates(step):
            row: dict[str, float] = {"train_rmse": math.sqrt(training.means()["squared"]) * standardization.std}
            if len(val):
                row["val_rmse"] = rmse(estimator, val, settings.batch_size)
            training.log_validation(step, row, -row["val_rmse"] if len(val) else None)
    if training.rank:
        return Measured({})

    training.restore_best()
    save_file({name: value.contiguous() for name, value in network.state_dict().items()}, folder / "model.safetensors")
    write_depths(estimator, dataset, depths, settings)
    metrics: dict[str, Any] = {
        **({"val_rmse": -training.progress.best_score} if len(val) else {}),
        "validated_on": len(val),
        "parameters": sum(p.numel() for p in network.parameters()),
        **training.figures(),
    }
    finish_model(folder, training.progress.history, metrics, dataset.of_split("train") + dataset.of_split("val"))
    training.delete_checkpoint()
    return Measured(metrics)
