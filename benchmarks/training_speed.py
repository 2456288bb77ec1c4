"""A training step beside the same network written plainly, in fp32: `python benchmarks/training_speed.py depth`.

Both start from the same weights and see the same batches; after the same steps their losses have to be equal, as far as
half the bits of a product allow. Plain means: no autocast, memory laid out as torch does by itself.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass

import click
import numpy as np
import torch
from tables import print_figures
from torch import Tensor, nn

from shapeyard.training import cores

Step = Callable[[int], Tensor]
"""Makes a step's forward and backward pass and the optimizer's step; returns the loss before it, ()."""
SAME_LOSS = 0.05
"""Relative difference of the losses' mean that bfloat16's 8 bits of mantissa may make."""


@dataclass
class Comparison:
    """What was measured."""

    plain_s: float
    ours_s: float
    plain_losses: list[float]
    our_losses: list[float]


@click.group(help=__doc__)
def main() -> None:
    """Compare a training step with the plain one."""
    torch.set_num_threads(cores(0))


@main.command()
@click.option("--size", default=512, show_default=True, help="Pixels along the image.")
@click.option("--width", default=64, show_default=True)
@click.option("--batch", default=1, show_default=True)
@click.option("--steps", default=4, show_default=True, help="Steps that are timed, after one that is not.")
def depth(size: int, width: int, batch: int, steps: int) -> None:
    """The U-Net of the depth estimator."""
    from components.train_depth.model import UNet, masked_squared_error
    from components.training import Training

    rng = np.random.default_rng(0)
    rgba = torch.from_numpy(rng.random((batch, size, size, 4), np.float32)).permute(0, 3, 1, 2)
    surface = torch.from_numpy(rng.random((batch, size, size), np.float32)) + 1.5
    training = Training("speed", steps, batch, seed=0, workers=0, belongs_to={})
    network = UNet(width)
    ours = training.place(copy.deepcopy(network), torch.channels_last)
    optimizers = {id(n): torch.optim.AdamW(n.parameters(), lr=1e-4) for n in (network, ours)}

    def step(network: nn.Module, images: Tensor, half: bool) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            estimate = network(images)
        loss = masked_squared_error(estimate, surface, 2.0, 0.3)
        optimizers[id(network)].zero_grad()
        loss.backward()
        optimizers[id(network)].step()
        return loss.detach()

    plain = rgba.contiguous()
    compared = compare(lambda _: step(network, plain, False), lambda _: step(ours, rgba, training.half), steps)
    show(f"U-Net, {size}², width {width}, batch {batch}", compared, 0.4)


def compare(plain: Step, ours: Step, steps: int) -> Comparison:
    """Time both, in turns, after a first step that is not timed; the fastest of each counts."""
    seconds: dict[str, list[float]] = {"plain": [], "ours": []}
    losses: dict[str, list[float]] = {"plain": [], "ours": []}
    for number in range(steps + 1):
        for name, step in {"plain": plain, "ours": ours}.items():
            started = time.perf_counter()
            losses[name].append(float(step(number)))
            seconds[name].append(time.perf_counter() - started)
    return Comparison(min(seconds["plain"][1:]), min(seconds["ours"][1:]), losses["plain"], losses["ours"])


def show(name: str, compared: Comparison, promise: float) -> None:
    """Print the figures."""
    ratio = compared.ours_s / compared.plain_s
    last, our_last = compared.plain_losses[-1], compared.our_losses[-1]
    difference = abs(our_last / last - 1)
    steps = len(compared.plain_losses)
    print_figures(
        [
            (f"{name}: a plain step in fp32", f"{compared.plain_s:.2f} s", "-", True),
            (f"{name}: a step", f"{compared.ours_s:.2f} s: {ratio:.2f} of it", f"<= {promise}", ratio <= promise),
            (f"loss after {steps} steps", f"{our_last:.4f}, plain {last:.4f}", "equal within 5 %",
             difference <= SAME_LOSS),
        ]
    )  # fmt: skip


if __name__ == "__main__":
    main()
