"""The training of the depth estimator, from the first view read to the last depth written."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file

from components.train_depth.model import UNet, masked_squared_error
from components.train_depth.predict import Estimator, rmse, write_depths
from components.train_depth.views import Views, stack
from shapeyard.contracts.dataset import Dataset
from shapeyard.contracts.model import finish_model, start_model
from shapeyard.contracts.progress import report
from shapeyard.errors import DatasetError, require
from shapeyard.training import cores, cosine_rate, endless_batches

BFLOAT16_IN_HARDWARE = ("avx512_bf16", "amx_bf16")  # without, autocast is slower than float32
WARMUP_STEPS = 50  # Adam's first steps are as large as its rate, whatever the gradient


def train_depth(
    renders: Sequence[str | Path],
    model: str | Path,
    depths: str | Path,
    *,
    width: int = 64,
    steps: int = 20_000,
    batch_size: int = 8,
    learning_rate: float = 1e-3,
    validate_every: int = 1000,
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
        batch_size: views in a batch.
        learning_rate: the peak; it rises over the first steps and falls to 0 along a cosine.
        validate_every: steps from one validation to the next.
        seed: of the first weights and of the order.
        workers: threads; 0 for all cores.

    Returns:
        The figures of metrics.json.

    Raises:
        ParameterError: for a parameter out of range, or images whose size does not divide by 8.
        DatasetError: for renders that cannot be read, or without a visible object in the training split.
    """
    whole = {"width": width, "steps": steps, "batch_size": batch_size, "validate_every": validate_every}
    for name, value in whole.items():
        require(value >= 1, f"expected {name} of at least 1, got {value}")
    require(learning_rate > 0, f"expected a learning_rate above 0, got {learning_rate}")
    require(seed >= 0, f"expected seed of at least 0, got {seed}")
    torch.set_num_threads(cores(workers))
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    half = device.type == "cuda" or any(torch.cpu.get_capabilities().get(name) for name in BFLOAT16_IN_HARDWARE)

    dataset = Dataset(renders, "renders")
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
    folder = start_model(model, config)

    network = UNet(width).to(device)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # the stubs lack it
    estimator = Estimator(network, standardization, train.window, half)
    optimizer = torch.optim.AdamW(network.parameters(), lr=learning_rate, weight_decay=1e-4)
    warmup = min(WARMUP_STEPS, steps // 5)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: cosine_rate(step, steps, warmup))
    best_rmse, best_step, best_weights = math.inf, steps, network.state_dict()
    history: list[dict[str, float]] = []
    losses: list[float] = []
    started, validating = time.monotonic(), 0.0
    batches = endless_batches(len(train), batch_size, rng)
    for step in range(1, steps + 1):
        rgba, depth = stack([train[i] for i in next(batches)], train.window, rng.random(batch_size) < 0.5)
        network.train()
        with torch.autocast(device.type, torch.bfloat16, enabled=half):
            estimate = network(rgba.to(device))
        loss = masked_squared_error(estimate, depth.to(device), *standardization)
        require(bool(torch.isfinite(loss)), f"the loss is no longer finite at step {step}: lower learning_rate")
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
        report(step, steps, f"loss {losses[-1]:.3f}" + (f", val rmse {best_rmse:.4f}" if best_rmse < math.inf else ""))
        if step % validate_every == 0 or step == steps:
            row = {"step": step, "train_rmse": math.sqrt(np.mean(losses)) * standardization.std}
            losses.clear()
            pause = time.monotonic()
            if len(val):
                row["val_rmse"] = rmse(estimator, val, batch_size)
                if row["val_rmse"] < best_rmse:
                    best_rmse, best_step, best_weights = row["val_rmse"], step, copy.deepcopy(network.state_dict())
            validating += time.monotonic() - pause
            history.append(row)
    seconds = time.monotonic() - started

    network.load_state_dict(best_weights)
    save_file({name: value.contiguous() for name, value in network.state_dict().items()}, folder / "model.safetensors")
    metrics: dict[str, Any] = {
        **({"val_rmse": best_rmse} if len(val) else {}),
        "validated_on": len(val),
        "kept_step": best_step,
        "steps": steps,
        "parameters": sum(p.numel() for p in network.parameters()),
        "seconds": round(seconds, 2),
        "samples_per_second": round(steps * batch_size / (seconds - validating), 2),
        "precision": "bfloat16" if half else "float32",
        "device": device.type,
    }
    made_with = {"width": width, "steps": steps, "batch_size": batch_size, "learning_rate": learning_rate, "seed": seed}
    write_depths(estimator, dataset, depths, batch_size, made_with)
    finish_model(folder, history, metrics)
    return metrics
