"""The training of the voxel reconstructor, from the first view lifted to the last shape written."""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from components.train_recgan.model import Discriminator, Generator, gradient_penalty, halvings, occupancy_loss
from components.train_recgan.pairs import Pairs
from components.train_recgan.reconstruct import Agreement, agreement, write_reconstructions
from shapeyard.contracts.dataset import Dataset
from shapeyard.contracts.model import finish_model, start_model
from shapeyard.contracts.progress import report
from shapeyard.errors import DatasetError, require
from shapeyard.training import cores, cosine_rate, endless_batches

PENALTY = 10.0  # λ of WGAN-GP and of the paper
DEFAULT_THRESHOLD = 0.5  # where there is no val to choose it on
WARMUP_STEPS = 50  # Adam's first steps are as large as its rate, whatever the gradient
VALIDATION_VIEWS = 128  # enough for a mean that ranks weights; the last validation takes all


def train_recgan(
    renders: Sequence[str | Path],
    depths: str | Path,
    voxels: Sequence[str | Path],
    model: str | Path,
    reconstructions: str | Path,
    *,
    input_resolution: int = 64,
    width: int = 64,
    bottleneck: int = 2000,
    steps: int = 50_000,
    batch_size: int = 4,
    learning_rate: float = 1e-4,
    critic_learning_rate: float = 5e-5,
    adversarial: float = 0.2,
    critic_start: int = 0,
    validate_every: int = 2000,
    seed: int = 0,
    workers: int = 0,
) -> dict[str, Any]:
    """Train on the views of the training split, keep the weights that are best on val, reconstruct val and test.

    The grids come from predicted depth, as those of a photograph would. Without a sample in val the last weights are
    kept, and nothing is validated: metrics.json has no `val_iou`.

    Args:
        renders: directories of kind renders, for the cameras.
        depths: directory of kind depths.
        voxels: directories of kind voxels, for the truth.
        model: the model directory to write: the generator.
        reconstructions: the directory of kind reconstructions to write.
        input_resolution: voxels along the 2.5D grid, R; the shapes have 4R.
        width: channels of the encoder's first level.
        bottleneck: units of the dense layer in the middle.
        steps: batches to train on.
        batch_size: views in a batch.
        learning_rate: the generator's peak; it rises over the first steps and falls to 0 along a cosine.
        critic_learning_rate: the discriminator's, constant.
        adversarial: the critic's share of the generator's loss, 0 to 1; at 0 there is no critic.
        critic_start: steps before the critic joins in; with it a step takes three times as long.
        validate_every: steps from one validation to the next.
        seed: of the first weights and of the order.
        workers: threads; 0 for all cores.

    Returns:
        The figures of metrics.json.

    Raises:
        ParameterError: for a parameter out of range.
        DatasetError: for datasets that cannot be read, or without a visible object in the training split.
    """
    whole = {"width": width, "bottleneck": bottleneck, "steps": steps, "batch_size": batch_size}
    for name, value in {**whole, "validate_every": validate_every}.items():
        require(value >= 1, f"expected {name} of at least 1, got {value}")
    require(min(learning_rate, critic_learning_rate) > 0, "expected learning rates above 0")
    require(0 <= adversarial < 1, f"expected adversarial from 0 to below 1, got {adversarial}")
    require(critic_start >= 0, f"expected critic_start of at least 0, got {critic_start}")
    halvings(input_resolution)
    require(seed >= 0, f"expected seed of at least 0, got {seed}")
    torch.set_num_threads(cores(workers))
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    half = device.type == "cuda"  # on processors bfloat16 gains nothing in three dimensions

    images, predicted, truth = Dataset(renders, "renders"), Dataset([depths], "depths"), Dataset(voxels, "voxels")
    started = time.monotonic()
    train = Pairs(images, predicted, truth, images.of_split("train"), input_resolution, cores(workers))
    val = Pairs(images, predicted, truth, images.of_split("val"), input_resolution, cores(workers))
    preparing = time.monotonic() - started
    if not len(train):
        raise DatasetError(f"{images.paths[0]}: expected visible objects in the training split, found none")
    some = rng.permutation(len(val))[:VALIDATION_VIEWS]

    generator = Generator(input_resolution, width, bottleneck).to(device)
    critic = Discriminator(input_resolution, width).to(device)
    for network in (generator, critic):
        network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]  # the stubs lack it
    size = {"input_resolution": input_resolution, "width": width, "bottleneck": bottleneck}
    folder = start_model(model, {"network": "recgan", **size})
    warmup = min(WARMUP_STEPS, steps // 5)
    optimizer = torch.optim.Adam(generator.parameters(), lr=learning_rate, betas=(0.9, 0.999))
    critic_optimizer = torch.optim.Adam(critic.parameters(), lr=critic_learning_rate, betas=(0.9, 0.999))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: cosine_rate(step, steps, warmup))
    best, best_step, best_weights = Agreement(-1.0, DEFAULT_THRESHOLD), steps, generator.state_dict()
    history: list[dict[str, float]] = []
    losses: list[float] = []
    advantages: list[float] = []
    started, validating = time.monotonic(), 0.0
    batches = endless_batches(len(train), batch_size, rng)
    for step in range(1, steps + 1):
        grids, shapes = (x.to(device) for x in train.batch(next(batches), rng.random(batch_size) < 0.5))
        generator.train()
        with torch.autocast(device.type, torch.bfloat16, enabled=half):
            logits = generator(grids)
        made = logits.float().sigmoid()
        loss = occupancy_loss(logits.float(), shapes)
        require(bool(torch.isfinite(loss)), f"the loss is no longer finite at step {step}: lower learning_rate")
        combined, contested = loss, adversarial > 0 and step > critic_start
        if contested:
            combined = (1 - adversarial) * loss - adversarial * critic.requires_grad_(False)(grids, made).mean()
        optimizer.zero_grad()
        combined.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        if contested:
            advantages.append(_train_critic(critic, critic_optimizer, grids, shapes, made.detach(), rng))
        losses.append(loss.item())
        report(step, steps, f"loss {losses[-1]:.4f}" + (f", val IoU {best.iou:.3f}" if best.iou >= 0 else ""))
        if step % validate_every == 0 or step == steps:
            row = {"step": step, "train_loss": float(np.mean(losses))}
            if advantages:
                row["critic_advantage"] = float(np.mean(advantages))
            losses.clear()
            advantages.clear()
            pause = time.monotonic()
            if len(val):
                reached = agreement(generator, val, some, batch_size, half)
                row |= {"val_iou": reached.iou, "threshold": reached.threshold}
                if reached.iou > best.iou:
                    best, best_step, best_weights = reached, step, copy.deepcopy(generator.state_dict())
            validating += time.monotonic() - pause
            history.append(row)
    seconds = time.monotonic() - started

    generator.load_state_dict(best_weights)
    if len(val):
        best = agreement(generator, val, np.arange(len(val)), batch_size, half)
    save_file(
        {name: value.contiguous() for name, value in generator.state_dict().items()}, folder / "model.safetensors"
    )
    made_with = {**size, "steps": steps, "batch_size": batch_size, "adversarial": adversarial, "seed": seed}
    write_reconstructions(
        generator, images, predicted, reconstructions, input_resolution, best.threshold, batch_size, half, made_with
    )
    metrics: dict[str, Any] = {
        **({"val_iou": best.iou} if len(val) else {}),
        "threshold": best.threshold,
        "validated_on": len(val),
        "kept_step": best_step,
        "steps": steps,
        "pairs": len(train),
        "parameters": sum(p.numel() for p in generator.parameters()),
        "critic_parameters": sum(p.numel() for p in critic.parameters()) if adversarial and critic_start < steps else 0,
        "preparation_seconds": round(preparing, 2),
        "seconds": round(seconds, 2),
        "samples_per_second": round(steps * batch_size / (seconds - validating), 2),
        "device": device.type,
    }
    finish_model(folder, history, metrics)
    return metrics


def _train_critic(
    critic: Discriminator,
    optimizer: torch.optim.Optimizer,
    grids: Tensor,
    shapes: Tensor,
    made: Tensor,
    rng: np.random.Generator,
) -> float:
    """One step of the critic on true and made shapes (B,4R,4R,4R); returns how much higher it scores the true ones."""
    critic.requires_grad_(True)
    mix = torch.from_numpy(rng.random(len(grids), dtype=np.float32)).to(grids.device)
    advantage = critic(grids, shapes).mean() - critic(grids, made).mean()
    loss = PENALTY * gradient_penalty(critic, grids, shapes, made, mix) - advantage
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return float(advantage.item())
