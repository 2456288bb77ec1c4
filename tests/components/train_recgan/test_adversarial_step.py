"""The gradients of a batch, in one pass and in parts."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from components.train_recgan.adversarial_step import Part, Weights, add_gradients, in_parts
from shapeyard.networks.recgan import Discriminator, Generator, gradient_penalty, occupancy_loss


def networks(recompute: bool = False) -> tuple[Generator, Discriminator, Tensor, Tensor, Tensor]:
    torch.manual_seed(0)
    generator, discriminator = Generator(8, 8, 16, recompute), Discriminator(8, 8, recompute=recompute)
    return (
        generator,
        discriminator,
        torch.rand(4, 8, 8, 8).round(),
        torch.rand(4, 32, 32, 32).round(),
        torch.rand(4, 1, 1, 1),
    )


def gradients(*modules: nn.Module) -> list[Tensor]:
    return [p.grad.clone() for module in modules for p in module.parameters() if p.grad is not None]


def test_gradients_are_those_of_the_two_losses() -> None:
    """The obvious way: the discriminator sees the made shape once for the generator, and once more for its own loss."""
    generator, discriminator, grids, shapes, mix = networks()
    weights = Weights()
    made = generator(grids).sigmoid()
    entropy = occupancy_loss(generator(grids), shapes, 0.85, 0.01)
    loss = 0.8 * entropy - 0.2 * discriminator(grids, made).mean()
    own = discriminator(grids, made.detach()).mean() - discriminator(grids, shapes).mean()
    own = own + 10 * gradient_penalty(discriminator, grids, shapes, made.detach(), mix)
    expected = [
        *torch.autograd.grad(loss, list(generator.parameters())),
        *torch.autograd.grad(own, list(discriminator.parameters())),
    ]
    losses = add_gradients(generator, discriminator, Part(grids, shapes, mix), weights)
    torch.testing.assert_close(gradients(generator, discriminator), expected, rtol=1e-4, atol=1e-6)
    assert losses.entropy.item() == pytest.approx(entropy.item())
    assert losses.wasserstein_distance.item() == pytest.approx(
        (discriminator(grids, shapes) - discriminator(grids, made)).mean().item(), abs=1e-6
    )


@pytest.mark.parametrize("change", ["recompute", "parts"])
def test_less_memory_gives_the_same_gradients(change: str) -> None:
    generator, discriminator, grids, shapes, mix = networks()
    add_gradients(generator, discriminator, Part(grids, shapes, mix), Weights())
    expected = gradients(generator, discriminator)
    generator, discriminator, *batch = networks(recompute=change == "recompute")
    for part in in_parts(Part(*batch), 3 if change == "parts" else 1):
        add_gradients(generator, discriminator, part, Weights(), share=len(part.grids) / 4)
    torch.testing.assert_close(gradients(generator, discriminator), expected, rtol=1e-4, atol=1e-6)


def test_overfit() -> None:
    torch.manual_seed(0)
    generator = Generator(8, 8, 16)
    view, shape = (torch.rand(2, 8, 8, 8) > 0.7).float(), torch.zeros(2, 32, 32, 32)
    shape[0, 8:20, 8:24, 8:24] = 1
    shape[1, 10:16, 4:28, 10:28] = 1
    optimizer = torch.optim.Adam(generator.parameters(), 3e-3)
    losses = []
    for _ in range(40):
        optimizer.zero_grad()
        losses.append(add_gradients(generator, None, Part(view, shape, shape), Weights(floor=0.0)).entropy.item())
        optimizer.step()
    assert losses[-1] < 0.6 * losses[0]
