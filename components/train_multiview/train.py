"""The training of the multi-view reconstructor, from the first view read to the last shape written."""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file

from components.train_multiview.model import R2N2, arrange, check, occupancy_loss
from components.train_multiview.reconstruct import Agreement, agreement, numbers_up_to, write_reconstructions
from components.train_multiview.views import BACKGROUNDS, Changes, Objects
from shapeyard.contracts.dataset import Dataset
from shapeyard.contracts.model import finish_model, start_model
from shapeyard.contracts.progress import report
from shapeyard.errors import DatasetError, require
from shapeyard.training import cores, cosine_rate

BFLOAT16_IN_HARDWARE = ("avx512_bf16", "amx_bf16")  # without, autocast is slower than float32
DEFAULT_THRESHOLD = 0.4  # the paper's, where there is no val to choose it on
WARMUP_STEPS = 50  # Adam's first steps are as large as its rate, whatever the gradient


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
        batch_size: objects in a batch.
        learning_rate: the peak; it rises over the first steps and falls to 0 along a cosine.
        validate_every: steps from one validation to the next.
        seed: of the first weights and of everything drawn.
        workers: threads; 0 for all cores.

    Returns:
        The figures of metrics.json.

    Raises:
        ParameterError: for a parameter out of range, or data that do not fit the sizes.
        DatasetError: for datasets that cannot be read, or without an object in the training split.
    """
    check(image_size, width, encoder, memory, kernel, decoder)
    for name, value in {"steps": steps, "batch_size": batch_size, "validate_every": validate_every}.items():
        require(value >= 1, f"expected {name} of at least 1, got {value}")
    require(1 <= min_views <= max_views, f"expected 1 ≤ min_views ≤ max_views, got {min_views} and {max_views}")
    require(background in BACKGROUNDS, f"background: expected {' or '.join(BACKGROUNDS)}, got {background!r}")
    require(learning_rate > 0, f"expected a learning_rate above 0, got {learning_rate}")
    require(seed >= 0, f"expected seed of at least 0, got {seed}")
    torch.set_num_threads(cores(workers))
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.manual_seed(seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    half = device.type == "cuda" or any(torch.cpu.get_capabilities().get(name) for name in BFLOAT16_IN_HARDWARE)

    images, truth = Dataset(renders, "renders"), Dataset(voxels, "voxels")
    train = Objects(images, truth, images.of_split("train"), image_size)
    val = Objects(images, truth, images.of_split("val"), image_size)
    if not len(train):
        raise DatasetError(f"{images.paths[0]}: expected objects with images and grids to train on, found none")
    changes = Changes(min_views, max_views, augment, background)
    numbers = numbers_up_to(max_views)

    config = {
        "image_size": image_size, "width": width, "encoder": encoder, "memory": memory, "kernel": kernel,
        "decoder": decoder, "detach": detach,
    }  # fmt: skip
    network = arrange(R2N2(**config)).to(device)  # type: ignore[arg-type]
    folder = start_model(model, {"network": "r2n2", **config})
    warmup = min(WARMUP_STEPS, steps // 5)
    optimizer = torch.optim.Adam(network.parameters(), lr=learning_rate, fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: cosine_rate(step, steps, warmup))
    best, best_step, best_weights = Agreement(-1.0, DEFAULT_THRESHOLD, {}), steps, network.state_dict()
    history: list[dict[str, float]] = []
    losses: list[float] = []
    started, validating, loading = time.monotonic(), 0.0, 0.0
    for step in range(1, steps + 1):
        pause = time.monotonic()
        shown, shapes = train.batch(train.draw(step, batch_size, seed, changes))
        loading += time.monotonic() - pause
        network.train()
        with torch.autocast(device.type, torch.bfloat16, enabled=half):
            logits = network(shown.to(device))
        loss = occupancy_loss(logits, shapes.to(device))
        require(bool(torch.isfinite(loss)), f"the loss is no longer finite at step {step}: lower learning_rate")
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
        report(step, steps, f"loss {losses[-1]:.4f}" + (f", val IoU {best.iou:.3f}" if best.iou >= 0 else ""))
        if step % validate_every == 0 or step == steps:
            row = {"step": step, "train_loss": float(np.mean(losses))}
            losses.clear()
            pause = time.monotonic()
            if len(val):
                reached = agreement(network, val, numbers, batch_size, half)
                row |= {"val_iou": reached.iou, "threshold": reached.threshold}
                row |= {f"val_iou_{number}": value for number, value in reached.by_views.items()}
                if reached.iou > best.iou:
                    best, best_step, best_weights = reached, step, copy.deepcopy(network.state_dict())
            validating += time.monotonic() - pause
            history.append(row)
    seconds = time.monotonic() - started

    network.load_state_dict(best_weights)
    save_file({name: value.contiguous() for name, value in network.state_dict().items()}, folder / "model.safetensors")
    made_with = {**config, "max_views": max_views, "steps": steps, "batch_size": batch_size, "seed": seed}
    write_reconstructions(network, images, image_size, reconstructions, best.threshold, half, made_with)
    metrics: dict[str, Any] = {
        **({"val_iou": best.iou} | {f"val_iou_{n}": iou for n, iou in best.by_views.items()} if len(val) else {}),
        "threshold": best.threshold,
        "validated_on": len(val),
        "kept_step": best_step,
        "steps": steps,
        "objects": len(train),
        "parameters": sum(p.numel() for p in network.parameters()),
        "seconds": round(seconds, 2),
        "loading_seconds": round(loading, 2),
        "samples_per_second": round(steps * batch_size / (seconds - validating), 2),
        "precision": "bfloat16" if half else "float32",
        "device": device.type,
    }
    finish_model(folder, history, metrics)
    return metrics
