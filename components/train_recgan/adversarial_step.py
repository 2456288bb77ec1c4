"""The gradients of one batch: the generator's loss, and the discriminator's beside it.

The generator's loss needs the discriminator's gradient by the shape that was made, the discriminator's own loss its
gradient by the weights, both at the same shape and the same weights. So the made shape goes through it once for both.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from shapeyard.networks.recgan import Discriminator, Generator, gradient_penalty, occupancy_loss


class Weights(NamedTuple):
    """Of the parts of both losses; the defaults are those of the paper and its code."""

    occupied: float = 0.85
    """of occupied voxels in the cross entropy; empty ones have the rest"""
    floor: float = 0.01
    """the least probability in the cross entropy"""
    adversarial: float = 0.2
    """of the discriminator's score in the generator's loss; the cross entropy has the rest"""
    penalty: float = 10.0
    """of the gradient penalty in the discriminator's loss"""


class Losses(NamedTuple):
    """What a batch, or a part of one, cost: multiplied by its share, on its device."""

    entropy: Tensor
    """(), the cross entropy"""
    wasserstein_distance: Tensor
    """(), how much higher the discriminator scores true shapes than made ones; 0 without a discriminator"""


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
    discriminator: Discriminator | None,
    batch: Part,
    weights: Weights,
    share: float = 1.0,
    precision: torch.dtype = torch.float32,
) -> Losses:
    """Add the gradients of both losses to what the parameters of both networks have.

    Args:
        generator: the network to train.
        discriminator: None for the cross entropy alone.
        batch: what to learn from; the mix is unused without a discriminator.
        weights: of the losses' parts.
        share: what both losses are multiplied by, for a batch in parts: the share of this part.
        precision: of convolutions and products.
    """
    grids, shapes, mix = batch.grids.float(), batch.shapes.float(), batch.mix
    reduced = torch.autocast(grids.device.type, precision, enabled=precision != torch.float32)
    with reduced:
        logits = generator(grids).float()
    entropy = occupancy_loss(logits, shapes, weights.occupied, weights.floor)
    if discriminator is None:
        (share * entropy).backward()  # type: ignore[no-untyped-call]
        return Losses(share * entropy.detach(), entropy.new_zeros(()))
    made = logits.sigmoid()
    seen = made.detach().requires_grad_()
    with reduced:
        score = discriminator(grids, seen).mean()
        distance = discriminator(grids, shapes).mean() - score
        penalty = gradient_penalty(discriminator, grids, shapes, made.detach(), mix)
    (share * (weights.penalty * penalty - distance)).backward()
    assert seen.grad is not None  # = share · the gradient of the score
    torch.autograd.backward(
        [(1 - weights.adversarial) * share * entropy, made], [None, -weights.adversarial * seen.grad]
    )
    return Losses(share * entropy.detach(), share * distance.detach())
