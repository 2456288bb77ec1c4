"""The training of the multi-view reconstructor, from the first view read to the last shape written."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from components.ranks import on_every_gpu
from components.train_multiview.model import R2N2, check, occupancy_loss
from components.train_multiview.reconstruct import agreement, numbers_up_to, write_reconstructions
from components.train_multiview.views import BACKGROUNDS, Changes, Objects
from components.training import Training
from shapeyard.contracts.dataset import Dataset
from shapeyard.contracts.model import finish_model, start_model
from shapeyard.contracts.progress import report
from shapeyard.errors import DatasetError, require
from shapeyard.training import Draw, cosine_rate

DEFAULT_THRESHOLD = 0.4  # the paper's, where there is no val to choose it on
WARMUP_STEPS = 50  # Adam's first steps are as large as its rate, whatever the gradient


@on_every_gpu
def train_multiview(
    renders: Sequence[str | Path],
    voxels: Sequence[str | Path],
    model: str | Path,
    reconstructions: str | Path,
    *,
    image_size: int = 127,
    width: int = 96,
    encoder: str = "residual",
    memory: str = "gru",
    kernel: int = 3,
    decoder: str = "residual",
    detach: bool = False,
    min_views: int = 1,
    max_views: int = 5,
    augment: bool = True,
    background: str = "random",
    steps: int = 60_000,
    batch_size: int = 24,
    learning_rate: float = 1e-4,
    validate_every: int = 2000,
    patience: int = 0,
    checkpoints: str = "",
    checkpoint_minutes: float = 10.0,
    seed: int = 0,
    workers: int = 0,
) -> dict[str, Any]:
    """Train on the objects of the training split, keep the weights that are best on val, reconstruct val and test.

    Without a sample in val the last weights are kept, and nothing is validated: metrics.json has no `val_iou`.

    Args:
        renders: directories of kind renders.
        voxels: directories of kind voxels: the truth, at 32³ or a multiple of it.
        model: the model directory to write.
        reconstructions: the directory of kind reconstructions to write.
        image_size: pixels along the part of an image that the network sees.
        width: channels of the encoder's first level.
        encoder, decoder: plain or residual.
        memory: lstm or gru.
        kernel: 1 or 3, of the memory's convolutions.
        detach: cut the gradient between views, to compare.
        min_views, max_views: how many views a step shows, drawn anew for each.
        augment: show any part of the image, and mirror half of the objects.
        background: white or random, where images are transparent.
        steps: batches to train on.
        batch_size: objects in a batch, of all GPUs together.
        learning_rate: the peak; it rises over the first steps and falls to 0 along a cosine.
        validate_every: steps from one validation to the next.
        patience: validations in a row without a better one after which it stops; 0 for never.
        checkpoints: folder or s3://bucket/prefix that holds what is needed to go on after an interruption; empty for
            none.
        checkpoint_minutes: from one checkpoint to the next.
        seed: of the first weights and of everything drawn.
        workers: threads; 0 for all cores.

    Returns:
        The figures of metrics.json.

    Raises:
        ParameterError: for a parameter out of range, or data that do not fit the sizes.
        DatasetError: for datasets that cannot be read, or without an object in the training split.
        TrainingError: if the loss is no longer finite, or after SIGTERM.
    """
    check(image_size, width, encoder, memory, kernel, decoder)
    require(validate_every >= 1, f"expected validate_every of at least 1, got {validate_every}")
    require(1 <= min_views <= max_views, f"expected 1 ≤ min_views ≤ max_views, got {min_views} and {max_views}")
    require(background in BACKGROUNDS, f"background: expected {' or '.join(BACKGROUNDS)}, got {background!r}")
    require(learning_rate > 0, f"expected a learning_rate above 0, got {learning_rate}")
    images, truth = Dataset(renders, "renders"), Dataset(voxels, "voxels")
    changes = Changes(min_views, max_views, augment, background)
    config = {
        "image_size": image_size, "width": width, "encoder": encoder, "memory": memory, "kernel": kernel,
        "decoder": decoder, "detach": detach,
    }  # fmt: skip
    made_with = {**config, **changes._asdict(), "steps": steps, "batch_size": batch_size,
                 "learning_rate": learning_rate, "seed": seed}  # fmt: skip
    training = Training(
        "train_multiview", steps, batch_size, seed=seed, workers=workers, patience=patience, checkpoints=checkpoints,
        checkpoint_minutes=checkpoint_minutes,
        belongs_to={**made_with, "validate_every": validate_every, "renders": images.fingerprint,
                    "voxels": truth.fingerprint},
    )  # fmt: skip

    train = Objects(images, truth, images.of_split("train"), image_size)
    val = Objects(images, truth, images.of_split("val"), image_size)
    if not len(train):
        raise DatasetError(f"{images.paths[0]}: expected objects with images and grids to train on, found none")
    numbers = numbers_up_to(max_views)
    folder = Path(model) if training.rank else start_model(model, {"network": "r2n2", **config})

    network = training.place(R2N2(image_size, width, encoder, memory, kernel, decoder, detach))
    optimizer = torch.optim.Adam(network.parameters(), lr=learning_rate, fused=True)
    warmup = min(WARMUP_STEPS, steps // 5)
    training.resume({"network": network, "optimizer": optimizer}, logs=folder / "logs")

    def examples(draw: Draw) -> tuple[Tensor, Tensor]:
        return train.batch(train.look(draw, changes))

    for step, (shown, shapes) in training.batches(examples, len(train)):
        network.train()
        with training.autocast():
            logits = network(shown)
        loss = occupancy_loss(logits, shapes)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        value = training.descend(optimizer, loss, learning_rate * cosine_rate(step - 1, steps, warmup))
        training.note(train_loss=value)
        best = training.progress.best_score
        report(step, steps, f"loss {value:.4f}" + (f", val IoU {best:.3f}" if best > -math.inf else ""))
        if training.due(step, validate_every):
            row = training.means()
            if len(val):
                row |= agreement(network, val, numbers, batch_size, training.half).figures()
            training.record(step, row, row.get("val_iou"))
    if training.rank:
        return {}

    training.keep_best()
    reached = {"threshold": DEFAULT_THRESHOLD}
    if len(val):
        reached = agreement(network, val, numbers, batch_size, training.half).figures()
    save_file({name: value.contiguous() for name, value in network.state_dict().items()}, folder / "model.safetensors")
    write_reconstructions(network, images, image_size, reconstructions, reached["threshold"], training.half, made_with)
    metrics: dict[str, Any] = {
        **reached,
        "validated_on": len(val),
        "objects": len(train),
        "parameters": sum(p.numel() for p in network.parameters()),
        **training.figures(),
    }
    finish_model(folder, training.progress.history, metrics)
    training.delete_checkpoint()
    return metrics
