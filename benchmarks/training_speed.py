"""What a training step costs, compared with the same network written plainly: single precision, no memory layout.

python benchmarks/training_speed.py depth       the U-Net of the depth estimator, 512², all channels
python benchmarks/training_speed.py recgan      3D-RecGAN++ at the paper's size, 64³ to 256³, with its discriminator
python benchmarks/training_speed.py multiview   3D-R2N2 at the reimplementation's sizes: 6 objects, 3 views of 137²
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import click
import numpy as np
import torch
from tables import print_figures
from torch import Tensor
from torch.nn import functional as F


class Step(NamedTuple):
    """One step of a training."""

    seconds: float
    cpu_seconds: float
    loss: float


@click.group(help=__doc__)
def main() -> None: ...


@main.command()
@click.option("--steps", default=5, help="The first one is not timed.")
@click.option("--size", default=512, help="Pixels along the image.")
@click.option("--width", default=64)
@click.option("--batch-size", default=1)
def depth(steps: int, size: int, width: int, batch_size: int) -> None:
    """A step of the U-Net, at most 0.4 of a plain one, the loss the same."""
    rng = np.random.default_rng(0)
    rgba = torch.from_numpy(rng.random((batch_size, size, size, 4), np.float32)).permute(0, 3, 1, 2)
    surface = torch.from_numpy(rng.random((batch_size, size, size), np.float32)) + 1.5
    batch = rgba, surface
    compare({"plain": plain_depth(width, *batch, steps), "ours": our_depth(width, *batch, steps)}, at_most=0.4)


@main.command()
@click.option("--steps", default=4, help="The first one is not timed.")
@click.option("--resolution", default=64)
@click.option("--width", default=64)
@click.option("--bottleneck", default=2000)
@click.option("--batch-size", default=1)
def recgan(steps: int, resolution: int, width: int, bottleneck: int, batch_size: int) -> None:
    """A step of both networks, at most 0.65 of a plain one, the loss the same."""
    size = resolution, width, bottleneck
    batches = [shells(resolution, batch_size, seed) for seed in range(steps)]
    compare({"plain": plain_recgan(*size, batches), "ours": our_recgan(*size, batches)}, at_most=0.65)


@main.command()
@click.option("--steps", default=6, help="The first one is not timed.")
def multiview(steps: int) -> None:
    """A step of 3D-R2N2, at most 0.5 of a plain one, the loss the same."""
    torch.manual_seed(0)
    batch = torch.rand(6, 3, 3, 137, 137), (torch.rand(6, 32, 32, 32) < 0.1).float()
    start = r2n2().state_dict()
    compare({"plain": plain_multiview(start, *batch, steps), "ours": our_multiview(start, *batch, steps)}, at_most=0.5)


def compare(runs: dict[str, Iterator[Step]], at_most: float) -> None:
    """Run one after the other, and print their times and losses."""
    done = {}
    for name, run in runs.items():
        done[name] = []
        for step in run:
            done[name].append(step)
            print(f"{name}: {step.seconds:.2f} s, {step.cpu_seconds:.2f} s of CPU, loss {step.loss:.5f}", flush=True)
        gc.collect()
    seconds, cpu = (
        {name: float(np.median([getattr(step, field) for step in steps[1:]])) for name, steps in done.items()}
        for field in ("seconds", "cpu_seconds")
    )
    losses = {name: steps[-1].loss for name, steps in done.items()}
    ratio, cpu_ratio = seconds["ours"] / seconds["plain"], cpu["ours"] / cpu["plain"]
    apart = abs(losses["ours"] / losses["plain"] - 1)
    print_figures([
        ("seconds a step, plain and ours", f"{seconds['plain']:.2f}, {seconds['ours']:.2f}", "-", True),
        ("ours by plain", f"{ratio:.2f}", f"≤ {at_most}", ratio <= at_most),
        ("ours by plain, CPU time", f"{cpu_ratio:.2f}", f"≤ {at_most}", cpu_ratio <= at_most),
        (f"loss after {len(done['plain'])} steps, plain and ours", f"{losses['plain']:.5f}, {losses['ours']:.5f}",
         "within 2 %", apart <= 0.02),
    ])  # fmt: skip


class Watch:
    """Wall and processor time since it was made."""

    def __init__(self) -> None:
        self.wall, self.cpu = time.perf_counter(), time.process_time()

    def step(self, loss: float) -> Step:
        return Step(time.perf_counter() - self.wall, time.process_time() - self.cpu, loss)


def shells(resolution: int, batch_size: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Ellipsoids (B,4R,4R,4R), and what is seen of them (B,R,R,R) from the front; of 0 and 1."""
    rng = np.random.default_rng(seed)
    axis = (np.arange(4 * resolution, dtype=np.float32) + 0.5) / (4 * resolution) - 0.5
    place = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"))
    radii = rng.uniform(0.2, 0.45, (batch_size, 3, 1, 1, 1)).astype(np.float32)
    shapes = np.stack([np.square(place / radius).sum(axis=0) <= 1 for radius in radii])
    coarse = shapes[:, ::4, ::4, ::4]
    seen = coarse & (np.cumsum(coarse, axis=3) == 1)
    return torch.from_numpy(seen).to(torch.uint8), torch.from_numpy(shapes).to(torch.uint8)


def plain_depth(width: int, rgba: Tensor, surface: Tensor, steps: int) -> Iterator[Step]:
    """Single precision, memory laid out as torch does by itself."""
    from shapeyard.networks.unet import UNet, masked_squared_error

    torch.manual_seed(0)
    network = UNet(width)
    optimizer = torch.optim.AdamW(network.parameters(), 1e-4)
    for _ in range(steps):
        watch = Watch()
        loss = masked_squared_error(network(rgba.contiguous()), surface, 2.0, 0.3)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield watch.step(loss.item())


def our_depth(width: int, rgba: Tensor, surface: Tensor, steps: int) -> Iterator[Step]:
    """The stage's own network, with its layout and precision."""
    from shapeyard.networks.unet import UNet, masked_squared_error
    from shapeyard.training.loop import Training
    from shapeyard.training.settings import StepSettings

    training = Training("train_depth", StepSettings(steps=steps, batch_size=len(rgba)), {})
    network = training.place(UNet(width), torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters(), 1e-4, fused=True)
    for _ in range(steps):
        watch = Watch()
        with training.autocast():
            estimate = network(rgba)
        loss = masked_squared_error(estimate, surface, 2.0, 0.3)
        optimizer.zero_grad()
        loss.backward()
        yield watch.step(training.optimizer_step(optimizer, loss))


def plain_recgan(
    resolution: int, width: int, bottleneck: int, batches: list[tuple[torch.Tensor, torch.Tensor]]
) -> Iterator[Step]:
    """As one would write it down from the paper: the generator's loss, its step, then the discriminator's."""
    from shapeyard.networks.recgan import Discriminator, Generator, gradient_penalty, occupancy_loss

    torch.manual_seed(0)
    generator, discriminator = Generator(resolution, width, bottleneck), Discriminator(resolution, width)
    optimizer = torch.optim.Adam(generator.parameters(), 1e-4)
    discriminator_optimizer = torch.optim.Adam(discriminator.parameters(), 5e-5)
    for grids, shapes in batches:
        watch = Watch()
        view, true = grids.float(), shapes.float()
        logits = generator(view)
        entropy, made = occupancy_loss(logits, true, floor=0.01), logits.sigmoid()
        optimizer.zero_grad()
        (0.8 * entropy - 0.2 * discriminator.requires_grad_(False)(view, made).mean()).backward()
        optimizer.step()
        discriminator.requires_grad_(True)
        made = made.detach()
        loss = discriminator(view, made).mean() - discriminator(view, true).mean()
        loss = loss + 10 * gradient_penalty(discriminator, view, true, made, torch.full((len(true), 1, 1, 1), 0.5))
        discriminator_optimizer.zero_grad()
        loss.backward()
        discriminator_optimizer.step()
        yield watch.step(entropy.item())


def our_recgan(
    resolution: int, width: int, bottleneck: int, batches: list[tuple[torch.Tensor, torch.Tensor]]
) -> Iterator[Step]:
    """The stage's own step, with its layout and precision."""
    from components.train_recgan.adversarial_step import Part, Weights, add_gradients
    from shapeyard.networks.recgan import Discriminator, Generator
    from shapeyard.training.loop import Training
    from shapeyard.training.settings import StepSettings

    training = Training("train_recgan", StepSettings(steps=len(batches), batch_size=len(batches[0][0])), {})
    generator = training.place(Generator(resolution, width, bottleneck), torch.channels_last_3d)
    discriminator = training.place(Discriminator(resolution, width), torch.channels_last_3d)
    optimizer = torch.optim.Adam(generator.parameters(), 1e-4, fused=True)
    discriminator_optimizer = torch.optim.Adam(discriminator.parameters(), 5e-5, fused=True)
    precision = torch.bfloat16 if training.half else torch.float32
    for grids, shapes in batches:
        watch = Watch()
        optimizer.zero_grad()
        discriminator_optimizer.zero_grad()
        part = Part(grids, shapes, torch.full((len(shapes), 1, 1, 1), 0.5))
        losses = add_gradients(generator, discriminator, part, Weights(), precision=precision)
        training.optimizer_step(optimizer, losses.entropy)
        training.optimizer_step(discriminator_optimizer, losses.wasserstein_distance)
        yield watch.step(losses.entropy.item())


def r2n2() -> torch.nn.Module:
    """The network at the sizes of the reimplementation, its weights at random."""
    from shapeyard.networks.r2n2 import R2N2

    return R2N2(137, 96, "plain", "lstm", 3, "plain")


def our_multiview(start: Mapping[str, Tensor], images: Tensor, shapes: Tensor, steps: int) -> Iterator[Step]:
    """The stage's own network, with its layout and precision."""
    from shapeyard.networks.r2n2 import occupancy_loss
    from shapeyard.training.loop import Training
    from shapeyard.training.settings import StepSettings

    training = Training("train_multiview", StepSettings(steps=steps, batch_size=len(images)), {})
    network = training.place(r2n2())
    network.load_state_dict(start)
    optimizer = torch.optim.Adam(network.parameters(), 1e-4, fused=True)
    for _ in range(steps):
        watch = Watch()
        with training.autocast():
            logits = network(images)
        loss = occupancy_loss(logits, shapes)
        optimizer.zero_grad()
        loss.backward()
        yield watch.step(training.optimizer_step(optimizer, loss))


def plain_multiview(start: Mapping[str, Tensor], images: Tensor, shapes: Tensor, steps: int) -> Iterator[Step]:
    """The same weights in the formulas' own words."""
    network = r2n2()
    network.load_state_dict(start)
    optimizer = torch.optim.Adam(network.parameters(), 1e-4)
    for _ in range(steps):
        watch = Watch()
        loss = F.binary_cross_entropy_with_logits(plain_r2n2(network, images), shapes)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield watch.step(loss.item())


def plain_r2n2(network: torch.nn.Module, images: Tensor) -> Tensor:
    """(B,T,3,S,S) → logits (B,32,32,32): one view after the other, every layer as it is described."""
    weights = dict(network.named_parameters())

    def layer(function: Callable[..., Tensor], x: Tensor, name: str, **settings: int) -> Tensor:
        return function(x, weights[f"{name}.weight"], weights.get(f"{name}.bias"), **settings)

    state = images.new_zeros(len(images), 128, 4, 4, 4)
    for view in images.unbind(dim=1):
        x = view
        for level in range(6):
            x = layer(F.conv2d, x, f"encoder.convolutions.{level}", padding=3 if level == 0 else 1)
            x = F.leaky_relu(F.max_pool2d(x, 2), 0.1)
        x = F.leaky_relu(layer(F.linear, x.flatten(1), "encoder.dense"), 0.1)
        seen = layer(F.linear, x, "recurrent_unit.of_image").reshape(len(x), 3 * 128, 4, 4, 4)
        forget, take, candidate = (seen + layer(F.conv3d, state.tanh(), "recurrent_unit.of_state", padding=1)).chunk(
            3, dim=1
        )
        state = forget.sigmoid() * state + take.sigmoid() * candidate.tanh()
    x = state.tanh()
    for level in range(3):
        x = layer(F.conv3d, F.interpolate(x, scale_factor=2), f"decoder.up.{level}", padding=1)
    x = layer(F.conv3d, x, "decoder.narrow", padding=1)
    return layer(F.conv3d, x, "decoder.out", padding=1)[:, 0]


if __name__ == "__main__":
    main()
