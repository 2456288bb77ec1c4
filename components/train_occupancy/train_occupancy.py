"""The training of the pixel-aligned occupancy network, from the first view read to the last shape written."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from components.train_occupancy import TrainOccupancySettings
from components.train_occupancy.occupancy_grids import write_occupancy
from components.train_occupancy.query_points import QueryViews, as_batch
from shapeyard.contracts.dataset import Dataset
from shapeyard.contracts.measures import Measured
from shapeyard.contracts.model import finish_model, start_model
from shapeyard.contracts.progress import report
from shapeyard.errors import DatasetError
from shapeyard.inference.occupancy_field import OccupancyEstimator
from shapeyard.metrics.occupancy import THRESHOLDS, overlap_at_thresholds
from shapeyard.networks.pixel_aligned import PixelAligned, occupancy_loss
from shapeyard.networks.unet import masked_squared_error
from shapeyard.training.draws import Draw, cosine_rate
from shapeyard.training.loop import Training
from shapeyard.training.ranks import on_every_gpu

DEFAULT_THRESHOLD = 0.5  # where there is no val to choose it on
WARMUP_STEPS = 50  # Adam's first steps are as large as its rate, whatever the gradient
VALIDATION_VIEWS, VALIDATION_POINTS = 128, 2048  # enough for a mean that ranks weights


@on_every_gpu
def train_occupancy(
    renders: Sequence[str | Path],
    voxels: Sequence[str | Path],
    depths: str | Path | None,
    model: str | Path,
    reconstructions: str | Path,
    settings: TrainOccupancySettings,
) -> Measured:
    """Train on the views of the training split, keep the weights that are best on val, reconstruct val and test.

    Without a sample in val the last weights are kept, and nothing is validated: metrics.json has no `val_iou`.

    Args:
        renders: directories of kind renders: images, cameras, true depth.
        voxels: directories of kind voxels, for the truth.
        depths: directory of kind depths, for the cubes; None for cubes around the depth that the network sees.
        model: the model directory to write.
        reconstructions: the directory of kind reconstructions to write.
        settings: how.

    Returns:
        The figures of metrics.json.

    Raises:
        DatasetError: for datasets that cannot be read, or without a visible object in the training split.
        TrainingError: if the loss is no longer finite, or after SIGTERM.
    """
    images, shapes = Dataset(renders, "renders"), Dataset(voxels, "voxels")
    framed = None if depths is None else Dataset([depths], "depths")
    data: dict[str, Any] = {str(dataset.kind): dataset.fingerprint for dataset in (images, shapes, framed) if dataset}
    training = Training("train_occupancy", settings, data)
    train = QueryViews(images, shapes, images.of_split("train"))
    val = QueryViews(images, shapes, images.of_split("val"))
    if not len(train):
        raise DatasetError(f"{images.paths[0]}: expected visible objects in the training split, found none")
    mean, std = train.depth_moments()
    size: dict[str, Any] = {"width": settings.width, "hidden": settings.hidden, "depth_mean": mean}
    config = {
        "network": "pixel_aligned", **size, "depth_std": std, "resolution": settings.resolution, **train.framing(),
    }  # fmt: skip
    folder = Path(model) if training.rank else start_model(model, config)

    network = training.place(PixelAligned(**size), torch.channels_last)
    average = copy.deepcopy(network)
    optimizer = torch.optim.AdamW(network.parameters(), lr=settings.learning_rate, weight_decay=1e-2, fused=True)
    warmup = min(WARMUP_STEPS, settings.steps // 5)
    training.resume({"average": average, "network": network, "optimizer": optimizer}, logs=folder / "logs")
    validation = _validation_batches(val, settings)

    def examples(draw: Draw) -> tuple[Tensor, ...]:
        drawn = (
            (train.draw(int(index), settings.points, rng), rng.random() < 0.5)
            for index, rng in zip(draw.indices, draw.rngs, strict=True)
        )
        return as_batch([queries.mirrored() if mirror else queries for queries, mirror in drawn])

    for step, (rgba, depth, intrinsics, points, occupied) in training.batches(examples, len(train)):
        network.train()
        with training.autocast():
            logits, estimate = network(rgba, points, intrinsics)
        entropy = occupancy_loss(logits, occupied)
        squared = masked_squared_error(estimate[:, None], depth, mean, std)
        loss = entropy + settings.depth_weight * squared
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        rate = settings.learning_rate * cosine_rate(step - 1, settings.steps, warmup)
        training.optimizer_step(optimizer, loss, rate)
        update_average(average, network, settings.ema_decay, step)
        training.log(train_loss=entropy.item(), squared=squared.item())
        best = training.progress.best_score
        report(step, settings.steps, f"loss {entropy.item():.3f}" + (f", val IoU {best:.3f}" if best >= 0 else ""))
        if training.validates(step):
            means = training.means()
            row = {"train_loss": means["train_loss"], "train_rmse": math.sqrt(means["squared"]) * std}
            if validation:
                row |= validate(average, validation, training)
            training.log_validation(step, row, row.get("val_iou"))
    training.restore_best()
    if training.rank:
        return Measured({})
    found = validate(average, validation, training) if validation else {"threshold": DEFAULT_THRESHOLD}
    save_file({name: value.contiguous() for name, value in average.state_dict().items()}, folder / "model.safetensors")
    estimator = OccupancyEstimator(average, std, training.half)
    write_occupancy(
        estimator, images, framed, reconstructions, found["threshold"], settings.resolution,
        settings.views_per_object, settings.hyperparameters(),
    )  # fmt: skip
    metrics: dict[str, Any] = {
        **found,
        "validated_on": min(len(val), VALIDATION_VIEWS),
        "parameters": sum(p.numel() for p in network.parameters()),
        **training.figures(),
    }
    finish_model(folder, training.progress.history, metrics, images.of_split("train") + images.of_split("val"))
    training.delete_checkpoint()
    return Measured(metrics)


def update_average(average: nn.Module, network: nn.Module, decay: float, step: int) -> None:
    """Move the exponential moving average of all weights and statistics; over the first steps it is a shorter one."""
    share = 1 - min(decay, (1 + step) / (10 + step))
    with torch.no_grad():
        for kept, new in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
            if kept.is_floating_point():
                kept.lerp_(new, share)
            else:
                kept.copy_(new)


def validate(network: PixelAligned, batches: Sequence[tuple[Tensor, ...]], training: Training) -> dict[str, float]:
    """The mean IoU over views, of points drawn evenly in their cubes, at the threshold that suits it best."""
    network.eval()
    total, views = np.zeros(len(THRESHOLDS)), 0
    for rgba, _, intrinsics, points, occupied in batches:
        places = (tensor.to(training.device) for tensor in (rgba, points, intrinsics))
        with torch.inference_mode(), training.autocast():
            logits, _ = network(*places)
        for probability, true in zip(logits.float().sigmoid().cpu().numpy(), occupied.numpy() > 0, strict=True):
            total += overlap_at_thresholds(probability, true).iou
            views += 1
    best = int(np.argmax(total))
    return {"val_iou": float(total[best] / views), "threshold": float(THRESHOLDS[best])}


def _validation_batches(val: QueryViews, settings: TrainOccupancySettings) -> list[tuple[Tensor, ...]]:
    """The same views and points at every validation."""
    some = np.random.default_rng(settings.seed).permutation(len(val))[:VALIDATION_VIEWS]
    rngs = [np.random.default_rng([settings.seed, int(index)]) for index in some]
    drawn = [val.draw_in_cube(int(index), VALIDATION_POINTS, rng) for index, rng in zip(some, rngs, strict=True)]
    at_once = settings.batch_size
    return [as_batch(drawn[start : start + at_once]) for start in range(0, len(drawn), at_once)]
