"""The U-Net: its sizes block by block, and its losses."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from shapeyard.networks.unet import UNet, masked_squared_error, scale_invariant_error


def test_parameters_of_the_paper_size_block_by_block() -> None:
    """Ilios' network: 512×512×4, levels of 64, 128, 256, 512; no other block has parameters.

    A level, c_in → c: three 3×3 convolutions with biases and the two vectors of a batch normalization,
    (9·c_in·c + c) + 2·(9·c·c + c) + 2·c. An enlarging 2×2 convolution, 2c → c: 4·2c·c + c. On the way up a level sees
    the enlarged and the skipped c channels, so c_in = 2c. The last one, 1×1, 64 → 1: 64 + 1.
    """
    network = UNet(64)

    def counts(blocks: Any) -> list[int]:
        return [sum(p.numel() for p in block.parameters()) for block in blocks]

    assert counts(network.down) == [
        2_368 + 2 * 36_928 + 128,  # 9·4·64 + 64, 9·64·64 + 64, 2·64
        73_856 + 2 * 147_584 + 256,  # 9·64·128 + 128, 9·128·128 + 128, 2·128
        295_168 + 2 * 590_080 + 512,  # 9·128·256 + 256, 9·256·256 + 256, 2·256
        1_180_160 + 2 * 2_359_808 + 1_024,  # 9·256·512 + 512, 9·512·512 + 512, 2·512
    ]
    assert counts(network.enlarge) == [524_544, 131_200, 32_832]  # 8·256² + 256, 8·128² + 128, 8·64² + 64
    assert counts(network.up) == [
        1_179_904 + 2 * 590_080 + 512,  # 9·512·256 + 256, 9·256·256 + 256, 2·256
        295_040 + 2 * 147_584 + 256,  # 9·256·128 + 128, 9·128·128 + 128, 2·128
        73_792 + 2 * 36_928 + 128,  # 9·128·64 + 64, 9·64·64 + 64, 2·64
    ]
    assert counts([network.out, network.pool]) == [65, 0]
    assert counts([network]) == [11_609_729]


def test_shapes_and_overfit() -> None:
    torch.manual_seed(0)
    network = UNet(4)
    rgba, depth = torch.rand(2, 4, 16, 24), torch.rand(2, 16, 24) + 1.5
    depth[:, :3] = math.inf
    assert network(rgba).shape == (2, 1, 16, 24)
    optimizer = torch.optim.Adam(network.parameters(), 1e-2)
    losses = []
    for _ in range(40):
        loss = masked_squared_error(network(rgba), depth, 2.0, 0.3)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


def test_loss_counts_the_object_alone() -> None:
    depth = torch.tensor([[[2.0, math.inf], [4.0, math.inf]]])
    estimate = torch.tensor([[[[1.0, 99.0], [1.0, -99.0]]]], requires_grad=True)
    loss = masked_squared_error(estimate, depth, 2.0, 2.0)  # targets 0 and 1
    loss.backward()
    assert loss.item() == pytest.approx(0.5)
    assert estimate.grad is not None
    assert estimate.grad[0, 0].tolist() == [[1.0, 0.0], [0.0, 0.0]]


def test_a_scale_invariant_error_forgives_a_factor() -> None:
    depth = torch.tensor([[[1.0, 2.0, math.inf]], [[3.0, 3.0, 3.0]]])
    mean, std = 2.0, 0.5
    estimate = ((torch.tensor([[[1.5, 3.0, 9.0]], [[2.0, 2.0, 2.0]]]) - mean) / std)[:, None]
    assert scale_invariant_error(estimate, depth, mean, std).item() == pytest.approx(0, abs=1e-6)
    estimate = ((torch.tensor([[[1.0, 1.0, 9.0]], [[2.0, 2.0, 2.0]]]) - mean) / std)[:, None].requires_grad_()
    error = scale_invariant_error(estimate, depth, mean, std)  # log differences 0 and −log 2: variance (log 2 / 2)²
    assert error.item() == pytest.approx(16 * (math.log(2) / 2) ** 2 / 2, rel=1e-5)
    error.backward()
    assert estimate.grad is not None and torch.isfinite(estimate.grad).all()
    assert masked_squared_error(estimate, torch.full_like(depth, math.inf), mean, std).item() == 0
