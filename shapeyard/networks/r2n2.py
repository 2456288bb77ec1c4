"""3D-R2N2: from one or several images of an object to its shape, 32³ voxels in the object's own frame.

Choy, Xu, Gwak, Chen, Savarese: 3D-R2N2: A Unified Approach for Single and Multi-view 3D Object Reconstruction, 2016,
arXiv 1604.00449. An encoder turns each image into a vector; a recurrent unit, a 4×4×4 grid of cells, takes one vector
after the other; a decoder turns the grid into occupied and empty voxels. Nobody tells where the cameras stood.

Two variants of the encoder and of the decoder: the plain ones, as the paper's smaller networks and a reimplementation
in TensorFlow have them, and the residual ones of the paper's best network. The sizes are those of width 96; for another
width all channels change in proportion.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from shapeyard.errors import require
from shapeyard.networks.onnx_interface import OccupancyProbability, OnnxInterface

TITLE = "3D-R2N2"
ENCODERS = DECODERS = ("plain", "residual")
RECURRENT_UNITS = ("lstm", "gru")
KERNELS = (1, 3)
CELLS = 4
"""Cells along the recurrent unit's side."""
RESOLUTION = 32
"""Voxels along the shape's side."""
FULL_WIDTH = 96
WIDTH_MULTIPLE = 12
LEAK = 0.1  # as in the reimplementation; the authors' code has 0.01


class R2N2(nn.Module):
    """Images (B,T,3,S,S) in 0…1 → logits (B,32,32,32) of the probability that a voxel is occupied.

    Raises:
        ParameterError: for a variant that isn't there, or sizes that do not fit.
    """

    def __init__(
        self, image_size: int = 127, width: int = FULL_WIDTH, encoder: str = "residual", recurrent_unit: str = "gru",
        kernel: int = 3, decoder: str = "residual", detach: bool = False,
    ) -> None:  # fmt: skip
        """`detach`: cut the gradient between views, so that only the last one teaches the encoder."""
        super().__init__()
        check(image_size, width, encoder, recurrent_unit, kernel, decoder)
        features, cells = _scaled(1024, width), _scaled(128, width)
        self.encoder = (PlainEncoder if encoder == "plain" else ResidualEncoder)(image_size, width)
        self.recurrent_unit = (LSTM if recurrent_unit == "lstm" else GRU)(features, cells, kernel)
        self.decoder = (PlainDecoder if decoder == "plain" else ResidualDecoder)(width)
        self.detach = detach
        self._initialize()

    def forward(self, images: Tensor) -> Tensor:
        """(B,T,3,S,S) → (B,32,32,32), after all T views."""
        return self.decode(self.encode_sequence(images)[-1])

    def encode_sequence(self, images: Tensor) -> list[Tensor]:
        """(B,T,3,S,S) → the hidden state after each of the T views, (B,C,4,4,4)."""
        batch, views = images.shape[:2]
        vectors = self.encoder(images.flatten(0, 1).contiguous(memory_format=torch.channels_last))  # (B·T,1024)
        gates = self.recurrent_unit.project_input(vectors)  # (B·T,gates·C,4,4,4)
        gates = gates.reshape(batch, views, *gates.shape[1:])  # (B,T,gates·C,4,4,4)
        shape = (batch, gates.shape[2] // self.recurrent_unit.gates, *gates.shape[3:])  # (B,C,4,4,4)
        state = gates.new_zeros(shape, dtype=torch.float32)  # what adds up over the views stays exact under autocast
        hidden = []
        for view in range(views):
            state = self.recurrent_unit(gates[:, view], state.detach() if self.detach else state)
            hidden.append(self.recurrent_unit.hidden_state(state))
        return hidden

    def decode(self, hidden: Tensor) -> Tensor:
        """The hidden state, (B,C,4,4,4) → logits (B,32,32,32)."""
        logits: Tensor = self.decoder(hidden.contiguous(memory_format=torch.channels_last_3d))
        return logits

    def _initialize(self) -> None:
        """He's initialization before leaky ReLUs; before anything else the same without their factor."""
        linear = {
            *self.recurrent_unit.modules(),
            *(self.decoder.modules() if isinstance(self.decoder, PlainDecoder) else ()),
        }
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Conv3d | nn.Linear):
                nn.init.kaiming_normal_(module.weight, a=1.0 if module in linear else LEAK)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)


NETWORK = R2N2


def onnx_interface(network: R2N2, config: Mapping[str, Any], views: int) -> OnnxInterface:
    """images (1,T,3,S,S) → probability (1,32,32,32), for one number T of views."""
    side = int(config["image_size"])
    return OnnxInterface(OccupancyProbability(network), "images", (1, views, 3, side, side), {}, "probability")


class PlainEncoder(nn.Module):
    """Images (N,3,S,S) → vectors (N,1024): six convolutions, each with a max pool and a leaky ReLU, a dense layer."""

    def __init__(self, image_size: int, width: int) -> None:
        super().__init__()
        channels = [3, *_encoder_channels(width)]
        self.convolutions = nn.ModuleList(
            nn.Conv2d(a, b, 7 if index == 0 else 3, padding="same") for index, (a, b) in enumerate(pairwise(channels))
        )
        side = image_size // 2 ** len(self.convolutions)  # 137: 68, 34, 17, 8, 4, 2
        self.dense = nn.Linear(channels[-1] * side**2, _scaled(1024, width))

    def forward(self, x: Tensor) -> Tensor:
        """(N,3,S,S) → (N,1024)."""
        for convolution in self.convolutions:
            x = F.leaky_relu(F.max_pool2d(convolution(x), 2), LEAK)
        return F.leaky_relu(self.dense(x.flatten(1)), LEAK)  # (N,256,2,2) → (N,1024)


class ResidualEncoder(nn.Module):
    """Images (N,3,S,S) → vectors (N,1024): six blocks of two convolutions, four of them with a residual connection.

    As in the authors' code: no residual connection the first and the fourth block, one without weights around the last.
    """

    def __init__(self, image_size: int, width: int) -> None:
        super().__init__()
        channels = [3, *_encoder_channels(width)]
        self.first = nn.ModuleList(
            nn.Conv2d(a, b, 7 if index == 0 else 3, padding="same") for index, (a, b) in enumerate(pairwise(channels))
        )
        self.second = nn.ModuleList(nn.Conv2d(b, b, 3, padding=1) for b in channels[1:])
        self.residual = nn.ModuleDict(
            {str(index): nn.Conv2d(channels[index], channels[index + 1], 1) for index in (1, 2, 4)}
        )
        self.residual["5"] = nn.Identity()
        side = image_size
        for _ in self.first:
            side = side // 2 + 1  # 127: 64, 33, 17, 9, 5, 3
        self.dense = nn.Linear(channels[-1] * side**2, _scaled(1024, width))

    def forward(self, x: Tensor) -> Tensor:
        """(N,3,S,S) → (N,1024)."""
        for index, (first, second) in enumerate(zip(self.first, self.second, strict=True)):
            y = F.leaky_relu(second(F.leaky_relu(first(x), LEAK)), LEAK)
            if str(index) in self.residual:
                y = y + self.residual[str(index)](x)
            x = F.max_pool2d(y, 2, padding=1)
        return F.leaky_relu(self.dense(x.flatten(1)), LEAK)  # (N,256,3,3) → (N,1024)


class RecurrentUnit(nn.Module, ABC):
    """A 4×4×4 grid of cells: each has weights of its own for the image's features, and a convolution over the state.

    Attributes:
        gates: pre-activations of each channel of a cell: two gates and the candidate.
    """

    gates = 3

    def __init__(self, features: int, cells: int, kernel: int) -> None:
        """`features` of an image, `cells`: numbers that a cell holds, C; `kernel`: 1 for no neighbours, or 3."""
        super().__init__()
        self.of_image = nn.Linear(features, self.gates * cells * CELLS**3, bias=False)
        self.of_state = nn.Conv3d(cells, self.gates * cells, kernel, padding=kernel // 2)

    def project_input(self, vectors: Tensor) -> Tensor:
        """Features (N,1024) → their part of the pre-activations (N,gates·C,4,4,4)."""
        projected: Tensor = self.of_image(vectors)
        return projected.reshape(len(projected), -1, CELLS, CELLS, CELLS)

    @abstractmethod
    def forward(self, projected: Tensor, state: Tensor) -> Tensor:
        """A view's part of the pre-activations (B,gates·C,4,4,4), and the state before it (B,C,4,4,4) → after it."""

    def hidden_state(self, state: Tensor) -> Tensor:
        """The state (B,C,4,4,4) → the hidden state (B,C,4,4,4), which the decoder and the next step take."""
        return state


class LSTM(RecurrentUnit):
    """The paper's 3D-LSTM (section 3.2): no output gate, so h = tanh(s)."""

    def forward(self, projected: Tensor, state: Tensor) -> Tensor:
        """(B,3C,4,4,4), (B,C,4,4,4) → (B,C,4,4,4)."""
        sums: Tensor = projected + self.of_state(self.hidden_state(state))
        forget, take, candidate = sums.chunk(3, dim=1)
        return forget.sigmoid() * state + take.sigmoid() * candidate.tanh()

    def hidden_state(self, state: Tensor) -> Tensor:
        """(B,C,4,4,4) → (B,C,4,4,4) in −1…1."""
        return state.tanh()


class GRU(RecurrentUnit):
    """The paper's 3D-GRU (section 3.2)."""

    def forward(self, projected: Tensor, state: Tensor) -> Tensor:
        """(B,3C,4,4,4), (B,C,4,4,4) → (B,C,4,4,4)."""
        channels = state.shape[1]
        weight, bias = self.of_state.weight, self.of_state.bias
        if bias is None:
            raise RuntimeError("expected a convolution with a bias")
        padding = self.of_state.padding
        gates = F.conv3d(state, weight[: 2 * channels], bias[: 2 * channels], padding=padding)
        gates = projected[:, : 2 * channels] + gates
        keep, reset = gates.sigmoid().chunk(2, dim=1)
        last = F.conv3d(reset * state, weight[2 * channels :], bias[2 * channels :], padding=padding)
        return keep * state + (1 - keep) * (projected[:, 2 * channels :] + last).tanh()


class UpConvolution(nn.Conv3d):
    """Each voxel repeated to 2×2×2, then a 3³ convolution with zeros around: (B,a,D,D,D) → (B,b,2D,2D,2D).

    Computed as the one transposed convolution (4³, stride 2) that is the same: where neighbours are equal, their
    weights can be summed first. An output voxel then sums up 8 products a channel in place of 27.
    """

    def __init__(self, channels: int, outputs: int) -> None:
        super().__init__(channels, outputs, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(B,a,D,D,D) → (B,b,2D,2D,2D)."""
        weight = self.weight.flip(2, 3, 4).transpose(0, 1)  # (a,b,3,3,3), as a transposed convolution has it
        for axis in (2, 3, 4):
            edges = [0, 0] * (4 - axis)
            weight = F.pad(weight, [*edges, 0, 1]) + F.pad(weight, [*edges, 1, 0])  # 3 → 4 along the axis
        weight = weight.contiguous(memory_format=torch.channels_last_3d)  # decides on the layout of what comes out
        return F.conv_transpose3d(x, weight, self.bias, stride=2, padding=1)


class PlainDecoder(nn.Module):
    """The hidden state (B,128,4,4,4) → logits (B,32,32,32), without a nonlinearity, as in the reimplementation."""

    def __init__(self, width: int) -> None:
        super().__init__()
        a, b, c, d = _decoder_channels(width)  # 128, 128, 64, 32
        self.up = nn.ModuleList([UpConvolution(a, a), UpConvolution(a, b), UpConvolution(b, c)])
        self.narrow = nn.Conv3d(c, d, 3, padding=1)
        self.out = nn.Conv3d(d, 1, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(B,128,4,4,4) → (B,32,32,32)."""
        for up in self.up:
            x = up(x)  # (B,128,8,8,8), (B,128,16,16,16), (B,64,32,32,32)
        logits: Tensor = self.out(self.narrow(x))[:, 0]
        return logits


class ResidualDecoder(nn.Module):
    """The hidden state (B,128,4,4,4) → logits (B,32,32,32): four blocks of two convolutions, a softmax of two.

    The softmax over (empty, occupied) is the sigmoid of their difference, which is what is returned. An unpooled voxel
    is repeated; the authors' code leaves seven of the eight empty.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        a, b, c, d = _decoder_channels(width)  # 128, 128, 64, 32
        self.first = nn.ModuleList([UpConvolution(a, a), UpConvolution(a, b), UpConvolution(b, c)])
        self.second = nn.ModuleList(nn.Conv3d(channels, channels, 3, padding=1) for channels in (a, b, c))
        self.residual = nn.ModuleList([nn.Identity(), nn.Identity(), nn.Conv3d(b, c, 1)])
        self.narrow = nn.Conv3d(c, d, 3, padding=1)
        self.narrow_second = nn.Conv3d(d, d, 3, padding=1)
        self.narrow_residual = nn.Conv3d(d, d, 3, padding=1)  # around the block's second convolution alone
        self.out = nn.Conv3d(d, 2, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(B,128,4,4,4) → (B,32,32,32)."""
        for first, second, residual in zip(self.first, self.second, self.residual, strict=True):
            y = F.leaky_relu(second(F.leaky_relu(first(x), LEAK)), LEAK)
            x = y + F.interpolate(residual(x), scale_factor=2)  # (B,128,8,8,8), (B,128,16,16,16), (B,64,32,32,32)
        x = F.leaky_relu(self.narrow(x), LEAK)  # (B,32,32,32,32)
        x = F.leaky_relu(self.narrow_second(x), LEAK) + self.narrow_residual(x)
        both: Tensor = self.out(x)  # (B,2,32,32,32)
        return both[:, 1] - both[:, 0]


def occupancy_loss(logits: Tensor, occupied: Tensor) -> Tensor:
    """Mean cross entropy over all voxels (B,32,32,32), every voxel alike (paper, section 3.4)."""
    return F.binary_cross_entropy_with_logits(logits.float(), occupied)


def check(image_size: int, width: int, encoder: str, recurrent_unit: str, kernel: int, decoder: str) -> None:
    """Raise `ParameterError` for a network that cannot be built."""
    require(encoder in ENCODERS, f"encoder: expected {' or '.join(ENCODERS)}, got {encoder!r}")
    require(decoder in DECODERS, f"decoder: expected {' or '.join(DECODERS)}, got {decoder!r}")
    require(
        recurrent_unit in RECURRENT_UNITS,
        f"recurrent_unit: expected {' or '.join(RECURRENT_UNITS)}, got {recurrent_unit!r}",
    )
    require(kernel in KERNELS, f"kernel: expected 1 or 3, got {kernel}")
    require(
        width >= WIDTH_MULTIPLE and width % WIDTH_MULTIPLE == 0,
        f"width: expected a multiple of {WIDTH_MULTIPLE}, got {width}",
    )
    least = 64 if encoder == "plain" else 16
    require(image_size >= least, f"image_size: expected at least {least} for the {encoder} encoder, got {image_size}")


def _encoder_channels(width: int) -> list[int]:
    return [_scaled(channels, width) for channels in (96, 128, 256, 256, 256, 256)]


def _decoder_channels(width: int) -> list[int]:
    return [_scaled(channels, width) for channels in (128, 128, 64, 32)]


def _scaled(channels: int, width: int) -> int:
    return channels * width // FULL_WIDTH
