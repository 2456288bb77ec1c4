"""A training step beside the same network written plainly, in fp32: `python benchmarks/training_speed.py depth|recgan`.

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


@main.command()
@click.option("--resolution", default=64, show_default=True, help="Voxels along the 2.5D grid.")
@click.option("--width", default=64, show_default=True)
@click.option("--bottleneck", default=2000, show_default=True)
@click.option("--batch", default=1, show_default=True)
@click.option("--steps", default=3, show_default=True, help="Steps that are timed, after one that is not.")
def recgan(resolution: int, width: int, bottleneck: int, batch: int, steps: int) -> None:
    """3D-RecGAN++ with its critic: both networks' steps."""
    from components.train_recgan.model import Discriminator, Generator, gradient_penalty, occupancy_loss
    from components.train_recgan.step import Part, Weights, add_gradients
    from components.training import Training

    training = Training("speed", steps, batch, seed=0, workers=0, belongs_to={})
    plain = Generator(resolution, width, bottleneck), Discriminator(resolution, width)
    ours = [training.place(copy.deepcopy(network), torch.channels_last_3d) for network in plain]
    rates = 1e-4, 5e-5
    plain_optimizers, our_optimizers = (
        [torch.optim.Adam(network.parameters(), rate) for network, rate in zip(networks, rates, strict=True)]
        for networks in (plain, ours)
    )
    precision = torch.bfloat16 if training.half else torch.float32
    batches = [
        Part(*ellipsoids(resolution, batch, seed), torch.full((batch, 1, 1, 1), 0.5)) for seed in range(steps + 1)
    ]

    def plain_step(number: int) -> Tensor:
        """The generator's loss and step, then the critic's."""
        generator, critic = plain
        optimizer, critic_optimizer = plain_optimizers
        view, true, mix = (x.float() for x in batches[number])
        logits = generator(view)
        entropy, made = occupancy_loss(logits, true, floor=0.01), logits.sigmoid()
        optimizer.zero_grad()
        (0.8 * entropy - 0.2 * critic.requires_grad_(False)(view, made).mean()).backward()
        optimizer.step()
        critic.requires_grad_(True)
        made = made.detach()
        loss = critic(view, made).mean() - critic(view, true).mean()
        loss = loss + 10 * gradient_penalty(critic, view, true, made, mix)
        critic_optimizer.zero_grad()
        loss.backward()
        critic_optimizer.step()
        return entropy.detach()

    def our_step(number: int) -> Tensor:
        for optimizer in our_optimizers:
            optimizer.zero_grad()
        losses = add_gradients(*ours, batches[number], Weights(), precision=precision)
        for optimizer, loss in zip(our_optimizers, losses, strict=True):
            training.descend(optimizer, loss)
        return losses.entropy

    name = f"RecGAN++, {resolution}³ to {4 * resolution}³, width {width}, batch {batch}"
    show(name, compare(plain_step, our_step, steps), 0.65)


def ellipsoids(resolution: int, count: int, seed: int) -> tuple[Tensor, Tensor]:
    """What is seen of ellipsoids from the front (B,R,R,R), and all of them (B,4R,4R,4R); of 0 and 1."""
    rng = np.random.default_rng(seed)
    axis = (np.arange(4 * resolution, dtype=np.float32) + 0.5) / (4 * resolution) - 0.5
    place = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"))
    radii = rng.uniform(0.2, 0.45, (count, 3, 1, 1, 1)).astype(np.float32)
    shapes = np.stack([np.square(place / radius).sum(axis=0) <= 1 for radius in radii])
    coarse = shapes[:, ::4, ::4, ::4]
    seen = coarse & (np.cumsum(coarse, axis=3) == 1)
    return torch.from_numpy(seen).to(torch.uint8), torch.from_numpy(shapes).to(torch.uint8)


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
