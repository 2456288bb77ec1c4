"""3D-R2N2: its sizes block by block, its shapes, and what each part computes."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from shapeyard.errors import ParameterError
from shapeyard.networks.r2n2 import GRU, LSTM, R2N2, UpConvolution, occupancy_loss


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def images(channels: list[int], kernels: list[int]) -> int:
    return sum(k**2 * a * b + b for a, b, k in zip(channels, channels[1:], kernels, strict=False))


def cubes(*pairs: tuple[int, int], kernel: int = 3) -> int:
    return sum(kernel**3 * a * b + b for a, b in pairs)


def test_parameters_of_the_reimplementation() -> None:
    with torch.device("meta"):
        network = R2N2(137, 96, "plain", "lstm", 3, "plain")
    # 7²·3·96+96, 3²·96·128+128, 3²·128·256+256, 3 times 3²·256·256+256; 2·2·256·1024+1024
    encoder = images([3, 96, 128, 256, 256, 256, 256], [7, 3, 3, 3, 3, 3]) + 2 * 2 * 256 * 1024 + 1024
    assert count(network.encoder) == encoder == 3_239_936
    # three gates: 1024 features for each of 4³·128 numbers, and 3³·128·128+128
    assert count(network.recurrent_unit) == 3 * (1024 * 4**3 * 128 + 3**3 * 128 * 128 + 128) == 26_493_312
    # 3³·128·128+128 twice, 3³·128·64+64, 3³·64·32+32, 3³·32+1
    assert count(network.decoder) == cubes((128, 128), (128, 128), (128, 64), (64, 32), (32, 1)) == 1_162_433
    assert count(network) == 30_895_681


def test_parameters_of_the_paper() -> None:
    with torch.device("meta"):
        network = R2N2(127, 96, "residual", "gru", 3, "residual")
    first = images([3, 96, 128, 256, 256, 256, 256], [7, 3, 3, 3, 3, 3])
    second = sum(3**2 * b * b + b for b in (96, 128, 256, 256, 256, 256))
    around = (96 * 128 + 128) + (128 * 256 + 256) + (256 * 256 + 256)  # 1², around the second, third and fifth block
    dense = 3 * 3 * 256 * 1024 + 1024  # 127 → 64, 33, 17, 9, 5, 3
    assert count(network.encoder) == first + second + around + dense == 7_252_832
    assert count(network.recurrent_unit) == 3 * (1024 * 4**3 * 128 + 3**3 * 128 * 128 + 128) == 26_493_312
    blocks = cubes((128, 128), (128, 128), (128, 128), (128, 128), (128, 64), (64, 64)) + cubes((128, 64), kernel=1)
    last = cubes((64, 32), (32, 32), (32, 32), (32, 2))
    assert count(network.decoder) == blocks + last == 2_222_562


def test_parameters_of_the_small_kernel() -> None:
    with torch.device("meta"):
        network = R2N2(127, 96, "residual", "gru", 1, "residual")
    assert count(network.recurrent_unit) == 3 * (1024 * 4**3 * 128 + 128 * 128 + 128)


@pytest.mark.parametrize("recurrent_unit", ["lstm", "gru"])
@pytest.mark.parametrize("encoder", ["plain", "residual"])
@pytest.mark.parametrize("decoder", ["plain", "residual"])
def test_shapes_and_gradients(encoder: str, recurrent_unit: str, decoder: str) -> None:
    torch.manual_seed(0)
    network = R2N2(64, 12, encoder, recurrent_unit, 3, decoder)
    logits = network(torch.rand(2, 3, 3, 64, 64))
    assert logits.shape == (2, 32, 32, 32)
    occupancy_loss(logits, torch.zeros(2, 32, 32, 32)).backward()
    assert all(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in network.parameters())


def test_one_view_more_goes_on_from_the_state() -> None:
    torch.manual_seed(0)
    network = R2N2(64, 12)
    views = torch.rand(2, 3, 3, 64, 64)
    shown = network.encode_sequence(views)
    assert len(shown) == 3
    torch.testing.assert_close(network.decode(shown[1]), network(views[:, :2]), rtol=1e-3, atol=1e-3)
    assert not torch.allclose(shown[1], shown[2])


@pytest.mark.parametrize("recurrent_unit", ["lstm", "gru"])
def test_only_without_detaching_the_first_view_teaches(recurrent_unit: str) -> None:
    for detach in (False, True):
        torch.manual_seed(0)
        network = R2N2(64, 12, recurrent_unit=recurrent_unit, detach=detach)
        views = torch.rand(1, 3, 3, 64, 64, requires_grad=True)
        network(views).sum().backward()
        assert views.grad is not None
        taught = views.grad.abs().sum(dim=(0, 2, 3, 4)) > 0
        assert taught.tolist() == [not detach, not detach, True]


def test_an_up_convolution_is_repeating_and_convolving() -> None:
    torch.manual_seed(0)
    up, x = UpConvolution(3, 5).double(), torch.rand(2, 3, 4, 4, 4, dtype=torch.double, requires_grad=True)
    plain = F.conv3d(F.interpolate(x, scale_factor=2), up.weight, up.bias, padding=1)
    torch.testing.assert_close(up(x), plain)
    ours, theirs = (torch.autograd.grad(y.square().sum(), (x, up.weight)) for y in (up(x), plain))
    torch.testing.assert_close(ours, theirs)


def test_a_cell_by_hand() -> None:
    """A recurrent unit without neighbours and with equal weights everywhere: one cell tells all."""
    seen, state = torch.full((1, 3, 4, 4, 4), 0.5), torch.full((1, 1, 4, 4, 4), 0.25)
    half = torch.tensor(0.5)
    for unit in (LSTM(2, 1, 1), GRU(2, 1, 1)):
        assert unit.of_state.bias is not None
        with torch.no_grad():
            unit.of_state.weight.fill_(2.0)
            unit.of_state.bias.zero_()
        if isinstance(unit, LSTM):
            h = torch.tensor(0.25).tanh()  # the neighbours see the hyperbolic tangent of the state
            gate = (half + 2 * h).sigmoid()
            expected = gate * 0.25 + gate * (half + 2 * h).tanh()
        else:
            gate = (half + 2 * 0.25).sigmoid()
            expected = gate * 0.25 + (1 - gate) * (half + 2 * gate * 0.25).tanh()
        torch.testing.assert_close(unit(seen, state), expected.expand(1, 1, 4, 4, 4))


def test_a_cell_sees_its_neighbours_and_no_farther() -> None:
    for kernel, reach in ((1, 1), (3, 2)):
        unit = GRU(2, 1, kernel)
        state = torch.zeros(1, 1, 4, 4, 4, requires_grad=True)
        unit(torch.zeros(1, 3, 4, 4, 4), state + 0.5)[0, 0, 0, 0, 0].backward()
        assert state.grad is not None
        touched = (state.grad[0, 0] != 0).nonzero().max() + 1
        assert touched == (reach if kernel == 1 else 3)  # the reset gate's neighbours, and theirs


def test_the_loss_is_a_softmax_of_two() -> None:
    torch.manual_seed(0)
    empty, occupied = torch.randn(1, 32, 32, 32), torch.randn(1, 32, 32, 32)
    true = (torch.rand(1, 32, 32, 32) < 0.2).float()
    both = torch.stack([empty, occupied], dim=1)
    torch.testing.assert_close(occupancy_loss(occupied - empty, true), F.cross_entropy(both, true.long()))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"encoder": "deep"}, "encoder: expected plain or residual, got 'deep'"),
        ({"decoder": "x"}, "decoder: expected plain or residual, got 'x'"),
        ({"recurrent_unit": "rnn"}, "recurrent_unit: expected lstm or gru, got 'rnn'"),
        ({"kernel": 2}, "kernel: expected 1 or 3, got 2"),
        ({"width": 20}, "width: expected a multiple of 12, got 20"),
        ({"image_size": 63, "encoder": "plain"}, "image_size: expected at least 64 for the plain encoder, got 63"),
    ],
)
def test_networks_that_cannot_be_built(changed: dict[str, object], message: str) -> None:
    with pytest.raises(ParameterError, match=rf"^{message}$"):
        R2N2(**changed)  # type: ignore[arg-type]
