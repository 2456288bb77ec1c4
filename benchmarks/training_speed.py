"""What a training step costs, beside the same network written plainly in float32, in the same run.

python benchmarks/training_speed.py multiview    3D-R2N2 at the reimplementation's sizes: 6 objects, 3 views of 137²
"""

from __future__ import annotations

import time
from collections.abc import Callable

import click
import torch
from torch import Tensor
from torch.nn import functional as F

BFLOAT16_IN_HARDWARE = ("avx512_bf16", "amx_bf16")


@click.group(help=__doc__)
def main() -> None: ...


@main.command()
@click.option("--steps", default=6, help="the first of which is not counted")
@click.option("--workers", default=0, help="threads; 0 for all cores")
def multiview(steps: int, workers: int) -> None:
    """The stage's network and step, and the same weights in the formulas' own words."""
    from components.train_multiview.model import R2N2, occupancy_loss
    from shapeyard.training import cores

    torch.set_num_threads(cores(workers))
    half = any(torch.cpu.get_capabilities().get(name) for name in BFLOAT16_IN_HARDWARE)
    torch.manual_seed(0)
    images, shapes = torch.rand(6, 3, 3, 137, 137), (torch.rand(6, 32, 32, 32) < 0.1).float()
    start = R2N2(137, 96, "plain", "lstm", 3, "plain").state_dict()
    ours, theirs = (R2N2(137, 96, "plain", "lstm", 3, "plain") for _ in range(2))
    for network in (ours, theirs):
        network.load_state_dict(start)

    def our_loss() -> Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            logits = ours(images)
        return occupancy_loss(logits, shapes)

    def plain_loss() -> Tensor:
        return F.binary_cross_entropy_with_logits(plain_r2n2(theirs, images), shapes)

    compare({
        "stage": (our_loss, torch.optim.Adam(ours.parameters(), 1e-4, fused=True)),
        "plain": (plain_loss, torch.optim.Adam(theirs.parameters(), 1e-4)),
    }, steps)  # fmt: skip


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
        seen = layer(F.linear, x, "memory.of_image").reshape(len(x), 3 * 128, 4, 4, 4)
        forget, take, candidate = (seen + layer(F.conv3d, state.tanh(), "memory.of_state", padding=1)).chunk(3, dim=1)
        state = forget.sigmoid() * state + take.sigmoid() * candidate.tanh()
    x = state.tanh()
    for level in range(3):
        x = layer(F.conv3d, F.interpolate(x, scale_factor=2), f"decoder.up.{level}", padding=1)
    x = layer(F.conv3d, x, "decoder.narrow", padding=1)
    return layer(F.conv3d, x, "decoder.out", padding=1)[:, 0]


def compare(sides: dict[str, tuple[Callable[[], Tensor], torch.optim.Optimizer]], steps: int) -> None:
    """Make steps in turn; print the least wall and processor seconds of one, the last losses, and the share."""
    spent: dict[str, list[tuple[float, float]]] = {name: [] for name in sides}
    losses: dict[str, float] = {}
    for _ in range(steps):
        for name, (loss_of, optimizer) in sides.items():
            wall, cpu = time.perf_counter(), time.process_time()
            loss = loss_of()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            spent[name].append((time.perf_counter() - wall, time.process_time() - cpu))
            losses[name] = loss.item()
    best = {name: [min(seconds) for seconds in zip(*of[1:], strict=True)] for name, of in spent.items()}
    for name, (wall, cpu) in best.items():
        print(f"{name}: {wall:.2f} s a step, {cpu:.2f} s of CPU; loss after {steps} steps {losses[name]:.5f}")
    (stage, plain) = best.values()
    print(f"{stage[0] / plain[0]:.2f} of the plain step's time, {stage[1] / plain[1]:.2f} of its CPU time")


if __name__ == "__main__":
    main()
