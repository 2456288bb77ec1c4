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

from components.ranks import on_every_gpu
from components.train_depth.augmentation import Augmentation, augmented
from components.train_depth.model import UNet, masked_squared_error, scale_invariant_error
from components.train_depth.predict import Estimator, rmse, write_depths
from components.train_depth.views import Views, stack
from components.training import Training
from shapeyard.contracts.dataset import Dataset
from shapeyard.contracts.model import finish_model, start_model
from shapeyard.contracts.progress import report
from shapeyard.errors import DatasetError, require
from shapeyard.training import Draw, cosine_rate

WARMUP_STEPS = 50  # Adam's first steps are as large as its rate, whatever the gradient


@on_every_gpu
def train_depth(
    renders: Sequence[str | Path],
    model: str | Path,
    depths: str | Path,
    *,
    width: int = 64,
    steps: int = 20_000,
    batch_size: int = 8,
    learning_rate: float = 1e-3,
    scale_invariant: float = 0.0,
    color_jitter: float = 0.0,
    random_background: float = 0.0,
    random_crop: float = 0.0,
    compiled: bool = False,
    validate_every: int = 1000,
    patience: int = 0,
    checkpoints: str = "",
    checkpoint_minutes: float = 10.0,
    seed: int = 0,
    workers: int = 0,
) -> dict[str, Any]:
    """Train on the views of the training split, keep the weights that are best on val, predict every view.

    Without a sample in val the last weights are kept, and nothing is validated: metrics.json has no `val_rmse`.

    Args:
        renders: directories of kind renders.
        model: the model directory to write.
        depths: the directory of kind depths to write: every view of every sample.
        width: channels of the first level.
        steps: batches to train on.
        batch_size: views in a batch, of all GPUs together.
        learning_rate: the peak; it rises over the first steps and falls to 0 along a cosine.
        scale_invariant: weight of the scale-invariant error beside the squared one; 0 for none.
        color_jitter: see `Augmentation`.
        random_background: see `Augmentation`.
        random_crop: see `Augmentation`.
        compiled: whether to let torch compile the network: a minute at the start for faster steps.
        validate_every: steps from one validation to the next.
        patience: validations in a row without a better one after which it stops; 0 for never.
        checkpoints: folder or s3://bucket/prefix that holds what is needed to go on after an interruption; empty for
            none.
        checkpoint_minutes: from one checkpoint to the next.
        seed: of the first weights, the order and the augmentation.
        workers: threads; 0 for all cores.

    Returns:
        The figures of metrics.json.

    Raises:
        ParameterError: for a parameter out of range, or images whose size does not divide by 8.
        DatasetError: for renders that cannot be read, or without a visible object in the training split.
        TrainingError: if the loss is no longer finite, or after SIGTERM.
    """
    for name, number in {"width": width, "validate_every": validate_every}.items():
        require(number >= 1, f"expected {name} of at least 1, got {number}")
    require(learning_rate > 0, f"expected a learning_rate above 0, got {learning_rate}")
    compiler = os.environ.get("CXX", "g++")
    require(
        not compiled or shutil.which(compiler) is not None, f"compiled: expected the compiler {compiler}, found none"
    )
    require(scale_invariant >= 0, f"expected scale_invariant of at least 0, got {scale_invariant}")
    changes = Augmentation(color_jitter, random_background, random_crop)
    changes.check()
    dataset = Dataset(renders, "renders")
    made_with = {"width": width, "steps": steps, "batch_size": batch_size, "learning_rate": learning_rate,
                 "scale_invariant": scale_invariant, **changes._asdict(), "seed": seed}  # fmt: skip
    training = Training(
        "train_depth", steps, batch_size, seed=seed, workers=workers, patience=patience, checkpoints=checkpoints,
        checkpoint_minutes=checkpoint_minutes,
        belongs_to={**made_with, "validate_every": validate_every, "renders": dataset.fingerprint},
    )  # fmt: skip

    train = Views(dataset, dataset.of_split("train"))
    val = Views(dataset, dataset.of_split("val"))
    if not len(train):
        raise DatasetError(f"{dataset.paths[0]}: expected visible objects in the training split, found none")
    standardization = train.standardization()
    config = {
        "network": "unet",
        "width": width,
        "depth_mean": standardization.mean,
        "depth_std": standardization.std,
        "window": train.window._asdict(),
    }
    folder = Path(model) if training.rank else start_model(model, config)

    network = training.place(UNet(width), torch.channels_last)
    estimator = Estimator(network, standardization, train.window, training.half)
    optimizer = torch.optim.AdamW(network.parameters(), lr=learning_rate, weight_decay=1e-4, fused=True)
    warmup = min(WARMUP_STEPS, steps // 5)
    training.resume({"network": network, "optimizer": optimizer}, logs=folder / "logs")
    forward = torch.compile(network) if compiled else network

    def examples(draw: Draw) -> tuple[Tensor, Tensor]:
        views = (train.window.cut(train[index]) for index in draw.indices)
        return stack([augmented(view, changes, rng) for view, rng in zip(views, draw.rngs, strict=True)])

    for step, (rgba, depth) in training.batches(examples, len(train)):
        network.train()
        with training.autocast():
            estimate = forward(rgba)
        squared = loss = masked_squared_error(estimate, depth, *standardization)
        if scale_invariant:
            loss = squared + scale_invariant * scale_invariant_error(estimate, depth, *standardization)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        value = training.descend(optimizer, loss, learning_rate * cosine_rate(step - 1, steps, warmup))
        training.note(squared=squared.item())
        best = training.progress.best_score
        report(step, steps, f"loss {value:.3f}" + (f", val rmse {-best:.4f}" if best > -math.inf else ""))
        if training.due(step, validate_every):
            row: dict[str, float] = {"train_rmse": math.sqrt(training.means()["squared"]) * standardization.std}
            if len(val):
                row["val_rmse"] = rmse(estimator, val, batch_size)
            training.record(step, row, -row["val_rmse"] if len(val) else None)
    if training.rank:
        return {}

    training.keep_best()
    save_file({name: value.contiguous() for name, value in network.state_dict().items()}, folder / "model.safetensors")
    write_depths(estimator, dataset, depths, batch_size, made_with)
    metrics: dict[str, Any] = {
        **({"val_rmse": -training.progress.best_score} if len(val) else {}),
        "validated_on": len(val),
        "parameters": sum(p.numel() for p in network.parameters()),
        **training.figures(),
    }
    finish_model(folder, training.progress.history, metrics)
    training.delete_checkpoint()
    return metrics
