"""The training of the multi-view reconstructor, from the first view read to the last shape written."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from components.train_multiview import TrainMultiviewSettings
from components.train_multiview.shapes_by_views import iou_by_views, numbers_up_to, write_reconstructions
from components.train_multiview.view_sequences import ViewSampling, ViewSequences
from shapeyard.contracts.dataset import Dataset
from shapeyard.contracts.measures import Measured
from shapeyard.contracts.model import finish_model, start_model
from shapeyard.contracts.progress import report
from shapeyard.errors import DatasetError
from shapeyard.networks.r2n2 import R2N2, occupancy_loss
from shapeyard.training.draws import Draw, cosine_rate
from shapeyard.training.loop import Training
from shapeyard.training.ranks import on_every_gpu

DEFAULT_THRESHOLD = 0.4  # the paper's, where there is no val to choose it on
WARMUP_STEPS = 50  # Adam's first steps are as large as its rate, whatever the gradient


@on_every_gpu
def train_multiview(
    renders: Sequence[str | Path],
    voxels: Sequence[str | Path],
    model: str | Path,
    reconstructions: str | Path,
    settings: TrainMultiviewSettings,
) -> Measured:
    """Train on the objects of the training split, keep the weights that are best on val, reconstruct val and test.

    Without a sample in val the last weights are kept, and nothing is validated: metrics.json has no `val_iou`.

    Args:
        renders: directories of kind renders.
        voxels: directories of kind voxels: the truth, at 32³ or a multiple of it.
        model: the model directory to write.
        reconstructions: the directory of kind reconstructions to write.
        settings: how.

    Returns:
        The figures of metrics.json.

    Raises:
        ParameterError: for data that do not fit the sizes.
        DatasetError: for datasets that cannot be read, or without an object in the training split.
        TrainingError: if the loss is no longer finite, or after SIGTERM.
    """
    images, truth = Dataset(renders, "renders"), Dataset(voxels, "voxels")
    sampling = ViewSampling(settings.min_views, settings.max_views, settings.augment, settings.background)
    config: dict[str, Any] = {
        "image_size": settings.crop_size, "width": settings.width, "encoder": settings.encoder,
        "recurrent_unit": settings.recurrent_unit, "kernel": settings.kernel, "decoder": settings.decoder,
        "detach": settings.detach,
    }  # fmt: skip
    training = Training("train_multiview", settings, {"renders": images.fingerprint, "voxels": truth.fingerprint})

    train = ViewSequences(images, truth, images.of_split("train"), settings.crop_size)
    val = ViewSequences(images, truth, images.of_split("val"), settings.crop_size)
    if not len(train):
        raise DatasetError(f"{images.paths[0]}: expected objects with images and grids to train on, found none")
    numbers = numbers_up_to(settings.max_views)
    folder = Path(model) if training.rank else start_model(model, {"network": "r2n2", **config})

    network = training.place(R2N2(**config))
    optimizer = torch.optim.Adam(network.parameters(), lr=settings.learning_rate, fused=True)
    warmup = min(WARMUP_STEPS, settings.steps // 5)
    training.resume({"network": network, "optimizer": optimizer}, logs=folder / "logs")

    def examples(draw: Draw) -> tuple[Tensor, Tensor]:
        return train.batch(train.sample_views(draw, sampling))

    for step, (shown, shapes) in training.batches(examples, len(train)):
        network.train()
        with training.autocast():
            logits = network(shown)
        loss = occupancy_loss(logits, shapes)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        rate = settings.learning_rate * cosine_rate(step - 1, settings.steps, warmup)
        value = training.optimizer_step(optimizer, loss, rate)
        training.log(train_loss=value)
        best = training.progress.best_score
        report(step, settings.steps, f"loss {value:.4f}" + (f", val IoU {best:.3f}" if best > -math.inf else ""))
        if training.validates(step):
            row = training.means()
            if len(val):
                row |= iou_by_views(network, val, numbers, settings.batch_size, training.half).figures()
            training.log_validation(step, row, row.get("val_iou"))
    if training.rank:
        return Measured({})

    training.restore_best()
    reached = {"threshold": DEFAULT_THRESHOLD}
    if len(val):
        reached = iou_by_views(network, val, numbers, settings.batch_size, training.half).figures()
    save_file({name: value.contiguous() for name, value in network.state_dict().items()}, folder / "model.safetensors")
    write_reconstructions(network, images, settings, reconstructions, reached["threshold"], training.half)
    metrics: dict[str, Any] = {
        **reached,
        "validated_on": len(val),
        "objects": len(train),
        "parameters": sum(p.numel() for p in network.parameters()),
        **training.figures(),
    }
    finish_model(folder, training.progress.history, metrics, images.of_split("train") + images.of_split("val"))
    training.delete_checkpoint()
    return Measured(metrics)
