"""The smallest training that uses all of `shapeyard.training.loop`: a line through points, with two networks."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from shapeyard.training.draws import Draw
from shapeyard.training.loop import Training
from shapeyard.training.ranks import on_every_gpu
from shapeyard.training.settings import StepSettings

COUNT = 37


@on_every_gpu
def train_line(
    out: str, *, steps: int = 40, batch_size: int = 8, seed: int = 3, checkpoints: str = "",
    checkpoint_minutes: float = 0.0, patience: int = 0, step_s: float = 0.0, nan_at: int = 0, worse_after: int = 0,
    rate: float = 0.01, batch_s: float = 0.0, dropout: float = 0.0,
) -> dict[str, Any]:  # fmt: skip
    """Write `out`.safetensors with both networks; at `nan_at` the loss is no number."""
    settings = StepSettings(
        steps=steps, batch_size=batch_size, seed=seed, workers=1, learning_rate=rate, validate_every=4,
        checkpoints=checkpoints, checkpoint_minutes=checkpoint_minutes, patience=patience,
    )  # fmt: skip
    training = Training("train_line", settings, {"examples": COUNT})
    first = training.place(nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Dropout(dropout), nn.Linear(5, 1)))
    second = training.place(nn.Linear(1, 1))
    optimizer = torch.optim.AdamW(first.parameters(), lr=rate)
    second_optimizer = torch.optim.SGD(second.parameters(), lr=rate, momentum=0.9)
    networks = {"first": first, "second": second, "optimizer": optimizer, "second_optimizer": second_optimizer}
    training.resume(networks, Path(f"{out}.logs"))
    inputs = torch.from_numpy(np.random.default_rng(0).normal(size=(COUNT, 3)).astype(np.float32))

    def examples(draw: Draw) -> tuple[Tensor, ...]:
        time.sleep(batch_s)
        noise = np.stack([rng.normal(size=3) for rng in draw.rngs]).astype(np.float32)
        return inputs[draw.indices] + 0.1 * torch.from_numpy(noise), torch.tensor(
            draw.rng.random(), dtype=torch.float32
        )

    for step, (x, mix) in training.batches(examples, COUNT):
        time.sleep(step_s)
        made = first(x)
        loss = (made - x.sum(dim=1, keepdim=True)).square().mean() * (math.nan if step == nan_at else 1)
        optimizer.zero_grad()
        loss.backward()
        value = training.optimizer_step(optimizer, loss, rate * (1 - step / steps))
        slope = torch.autograd.grad(second(x[:, :1] * mix).square().sum(), second.weight, create_graph=True)[0]
        second_loss = (second(made.detach()) - mix).square().mean() + 1e-3 * slope.square().sum() * 0
        second_optimizer.zero_grad()
        second_loss.backward()
        training.log(loss=value, second_loss=training.optimizer_step(second_optimizer, second_loss))
        if training.validates(step):
            score = -(float(step - worse_after) ** 2) if worse_after else float(step)
            training.log_validation(step, training.means() | {"score": score}, score)
    training.restore_best()
    if not training.rank:
        tensors = {f"{name}.{key}": value for name in ("first", "second") for key, value in
                   networks[name].state_dict().items()}  # fmt: skip
        save_file(tensors, f"{out}.safetensors")
        training.delete_checkpoint()
    return {**training.figures(), "history": training.progress.history}
