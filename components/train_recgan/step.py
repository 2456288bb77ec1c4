"""The gradients of one batch: the generator's loss, and the critic's beside it.

The generator's loss needs the critic's gradient by the shape that was made, the critic's own loss its gradient by the
weights, both at the same shape and the same weights. So the made shape goes through the critic once for both.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from components.train_recgan.model import Discriminator, Generator, gradient_penalty, occupancy_loss


class Weights(NamedTuple):
    """Of the parts of both losses; the defaults are those of the paper and its code."""

    occupied: float = 0.85
    """of occupied voxels in the cross entropy; empty ones have the rest"""
    floor: float = 0.01
    """the least probability in the cross entropy"""
    adversarial: float = 0.2
    """of the critic's score in the generator's loss; the cross entropy has the rest"""
    penalty: float = 10.0
    """of the gradient penalty in the critic's loss"""


class Losses(NamedTuple):
    """What a batch, or a part of one, cost: multiplied by its share, on its device."""

    entropy: Tensor
    """(), the cross entropy"""
    advantage: Tensor
    """(), how much higher the critic scores true shapes than made ones; 0 without a critic"""


class Part(NamedTuple):
    """Of a batch, or a whole one."""

    grids: Tensor
    """(B,R,R,R) of 0 and 1"""
    shapes: Tensor
    """(B,4R,4R,4R) of 0 and 1"""
    mix: Tensor
    """of true and made shapes, see `gradient_penalty`"""


def in_parts(batch: Part, count: int) -> list[Part]:
    """A batch in parts, of one size if it can be divided so."""
    return [Part(*part) for part in zip(*(torch.tensor_split(whole, count) for whole in batch), strict=True)]


def add_gradients(
    generator: Generator,
    critic: Discriminator | None,
    batch: Part,
    weights: Weights,
    share: float = 1.0,
    precision: torch.dtype = torch.float32,
) -> Losses:
    """Add the gradients of both losses to what the parameters of both networks have.

    Args:
        generator: the network to train.
        critic: None for the cross entropy alone.
        batch: what to learn from; the mix is unused without a critic.
        weights: of the losses' parts.
        share: what both losses are multiplied by, for a batch in parts: the share of this part.
        precision: of convolutions and products.
    """
    grids, shapes, mix = batch.grids.float(), batch.shapes.float(), batch.mix
    reduced = torch.autocast(grids.device.type, precision, enabled=precision != torch.float32)
    with reduced:
        logits = generator(grids).float()
    entropy = occupancy_loss(logits, shapes, weights.occupied, weights.floor)
    if critic is None:
        (share * entropy).backward()  # type: ignore[no-untyped-call]
        return Losses(share * entropy.detach(), entropy.new_zeros(()))
    made = logits.sigmoid()
    seen = made.detach().requires_grad_()
    with reduced:
        score = critic(grids, seen).mean()
        advantage = critic(grids, shapes).mean() - score
        unsteady = gradient_penalty(critic, grids, shapes, made.detach(), mix)
    (share * (weights.penalty * unsteady - advantage)).backward()
    assert seen.grad is not None  # = share · the gradient of the score
    torch.autograd.backward(
        [(1 - weights.adversarial) * share * entropy, made], [None, -weights.adversarial * seen.grad]
    )
    return Losses(share * entropy.detach(), share * advantage.detach())
