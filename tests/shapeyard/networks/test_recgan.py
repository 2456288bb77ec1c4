"""3D-RecGAN++ itself: its sizes and its losses."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from shapeyard.errors import ParameterError
from shapeyard.networks.recgan import (
    Discriminator,
    Generator,
    _as_slabs,
    gradient_penalty,
    mix_size,
    occupancy_loss,
)


def count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def test_parameters_of_the_paper_size() -> None:
    """A block's inputs times its outputs times 4³ of a kernel, and a bias for each output."""
    with torch.device("meta"):
        generator, discriminator = Generator(64, 64, 2000), Discriminator(64, 64)
    assert [count(layer) for layer in generator.encoder] == [
        64 * 1 * 64 + 64,  # 4,160
        64 * 64 * 128 + 128,  # 524,416
        64 * 128 * 256 + 256,  # 2,097,408
        64 * 256 * 512 + 512,  # 8,389,120
    ]
    flat = 4 * 4 * 4 * 512  # 32,768
    assert count(generator.into_bottleneck) == flat * 2000 + 2000 == 65_538_000
    assert count(generator.out_of_bottleneck) == 2000 * flat + flat == 65_568_768
    assert [count(layer) for layer in generator.decoder] == [
        64 * (512 + 512) * 256 + 256,  # 16,777,472: what comes from below and the encoder's grid of the same size
        64 * (256 + 256) * 128 + 128,  # 4,194,432
        64 * (128 + 128) * 64 + 64,  # 1,048,640
        64 * (64 + 64) * 16 + 16,  # 131,088
        64 * (16 + 1) * 8 + 8,  # 8,712: the input itself
    ]
    assert count(generator.out) == 64 * 8 * 1 + 1 == 513
    assert count(generator) == 11_015_104 + 131_106_768 + 22_160_344 + 513 == 164_282_729
    assert [count(layer) for layer in discriminator.convolutions] == [
        64 * 1 * 8 + 8,  # 520
        64 * 8 * 16 + 16,  # 8,208
        64 * 16 * 32 + 32,  # 32,800
        64 * 32 * 64 + 64,  # 131,136
        64 * 64 * 128 + 128,  # 524,416
        64 * 128 * 256 + 256,  # 2,097,408
    ]
    assert count(discriminator) == 2_794_488


@pytest.mark.parametrize("form", ["scaled", "paper"])
def test_shapes_of_the_paper_size(form: str) -> None:
    with torch.device("meta"):
        view = torch.zeros(1, 64, 64, 64)
        logits = Generator(64, 64, 2000)(view)
        discriminator = Discriminator(64, 64, form)
        assert logits.shape == (1, 256, 256, 256)
        assert _as_slabs(view).shape == (1, 256, 256, 4)
        assert discriminator(view, logits).shape == (1,)
        x = torch.zeros(1, 1, 256, 256, 260)
        for convolution in discriminator.convolutions:
            x = convolution(nn.functional.pad(x, (0, x.shape[-1] % 2)))
        assert x.shape == (1, 256, 4, 4, 5)


@pytest.mark.parametrize("resolution", [8, 16])
def test_shapes_of_small_sizes(resolution: int) -> None:
    view = torch.zeros(2, *(resolution,) * 3)
    shape = Generator(resolution, 4, 10)(view)
    assert shape.shape == (2, *(4 * resolution,) * 3)
    assert Discriminator(resolution, 4)(view, shape).shape == (2,)


@pytest.mark.parametrize("resolution", [4, 12, 0, 65])
def test_input_resolutions_that_do_not_fit(resolution: int) -> None:
    with pytest.raises(
        ParameterError, match=rf"^input_resolution: expected 8, .* or a higher power of two, got {resolution}$"
    ):
        Generator(resolution, 4, 10)


def test_forms_of_the_discriminator() -> None:
    with pytest.raises(ParameterError, match=r"^discriminator: expected scaled or paper, got large$"):
        Discriminator(16, 4, "large")
    with pytest.raises(ParameterError, match=r"^input_resolution: expected 16 or more for the paper's form, got 8$"):
        Discriminator(8, 4, "paper")
    shapes = torch.zeros(2, 64, 64, 64)
    assert mix_size("scaled", shapes) == (2, 1, 1, 1) and mix_size("paper", shapes) == (2, 64, 64, 64)


def test_slabs_keep_columns_in_their_place() -> None:
    view = torch.arange(32.0**3).reshape(1, 32, 32, 32)
    slabs = _as_slabs(view)
    assert slabs.shape == (1, 128, 128, 2)
    patch = slabs[0, 4 * 5 : 4 * 6, 4 * 7 : 4 * 8]
    assert sorted(patch.flatten().tolist()) == view[0, 5, 7].tolist()


def test_occupancy_loss_by_hand() -> None:
    logits = torch.tensor([0.0, math.log(3), -math.log(3)])  # probabilities 1/2, 3/4, 1/4
    occupied = torch.tensor([1.0, 0.0, 0.0])
    expected = (0.85 * math.log(2) + 0.15 * math.log(4) + 0.15 * math.log(4 / 3)) / 3
    assert occupancy_loss(logits, occupied).item() == pytest.approx(expected)
    raised = (0.85 * math.log(2) + 0.15 * math.log(4) + 0.15 * math.log(1 / (1 - 0.3))) / 3
    assert occupancy_loss(logits, occupied, floor=0.3).item() == pytest.approx(raised)


def test_below_the_floor_there_is_no_gradient() -> None:
    logits = torch.tensor([-6.0, -6.0, 0.0], requires_grad=True)
    occupancy_loss(logits, torch.tensor([1.0, 0.0, 1.0]), floor=0.01).backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None and logits.grad[:2].tolist() == [0, 0] and logits.grad[2] < 0


@pytest.mark.parametrize(("form", "slope"), [("scaled", 3), ("paper", 3 / 8**3)])
def test_gradient_penalty_of_a_discriminator_with_a_known_gradient(form: str, slope: float) -> None:
    class Sum(Discriminator):
        def forward(self, view: Tensor, shape: Tensor) -> Tensor:
            return 3 * shape.flatten(1).mean(dim=1)  # grows by 3 where all voxels grow by 1; √64³ = 8³

    shapes = torch.rand(2, 64, 64, 64), torch.rand(2, 64, 64, 64)
    mix = torch.rand(mix_size(form, shapes[0]))
    penalty = gradient_penalty(Sum(16, 4, form), torch.rand(2, 16, 16, 16), *shapes, mix)
    assert penalty.item() == pytest.approx((slope - 1) ** 2, rel=1e-4)
