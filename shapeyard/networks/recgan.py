"""3D-RecGAN++: from the 2.5D grid of one view to the whole shape, four times as fine in each direction.

Yang, Rosa, Markham, Trigoni, Wen: Dense 3D Object Reconstruction from a Single Depth View, 2018, arXiv 1802.00411.

The paper's sizes are input_resolution 64, width 64, bottleneck 2000. Other input sizes R (8, 16, 32, …) keep the
bottleneck at 4³ and take as many halvings as lead there, so that 16³ → 64³ has two where the paper has four. The
channels of the decoder's last layers, at R and 2R, and of the discriminator's first are a share of the width, but never
fewer than `MIN_CHANNELS`: fewer can't carry the detail that those layers add.

The discriminator has two forms (`DISCRIMINATORS`). `paper` is the published one to the letter. `scaled` differs in
three things: voxel columns of the view keep their place beside the shape where the paper's reshape scatters them
(`_as_slabs`), the norm of the penalty is the root of the mean instead of the sum, and a pair's mix of true and made is
one number, as in WGAN-GP, where the paper's code draws one for every voxel (`gradient_penalty`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from shapeyard.errors import require
from shapeyard.networks.onnx_interface import OccupancyProbability, OnnxInterface

TITLE = "3D-RecGAN++"
UPSCALE = 4
"""Output voxels along an input voxel's side."""
BOTTLENECK_SIDE = 4
MIN_CHANNELS = 8
DISCRIMINATORS = ("scaled", "paper")


def halvings(input_resolution: int) -> int:
    """From the input to 4³: 4 for 64, 2 for 16. Raises `ParameterError` for what is no power of two from 8 on."""
    levels = input_resolution.bit_length() - 1 - 2
    require(
        levels >= 1 and input_resolution == BOTTLENECK_SIDE * 2**levels,
        f"input_resolution: expected 8, 16, 32, 64 or a higher power of two, got {input_resolution}",
    )
    return levels


class Generator(nn.Module):
    """A 2.5D grid (B,R,R,R) of 0 and 1 → logits (B,4R,4R,4R) of the probability that a voxel is occupied.

    An encoder of convolutions (4³, leaky ReLU, max pool) down to 4³, two dense layers around a bottleneck of ReLUs, and
    a decoder of transposed convolutions (4³, stride 2, ReLU) that takes in the encoder's grid of the same size, and at
    the end the input itself.

    With `recompute` nothing but each layer's input is kept for the backward pass, which computes the rest once more:
    the same gradients for less memory and a third more time.
    """

    def __init__(
        self, input_resolution: int = 64, width: int = 64, bottleneck: int = 2000, recompute: bool = False
    ) -> None:
        super().__init__()
        self.recompute = recompute
        levels = halvings(input_resolution)
        down = [1, *(width * 2**level for level in range(levels))]  # 1, 64, 128, 256, 512
        at_input, at_double = max(width // 4, MIN_CHANNELS), max(width // 8, MIN_CHANNELS)
        up = [*reversed(down[1:-1]), at_input, at_double]  # 256, 128, 64, 16, 8
        self.encoder = nn.ModuleList(nn.Conv3d(a, b, 4) for a, b in pairwise(down))
        flat = down[-1] * BOTTLENECK_SIDE**3
        self.into_bottleneck = nn.Linear(flat, bottleneck)
        self.out_of_bottleneck = nn.Linear(bottleneck, flat)
        self.decoder = nn.ModuleList(
            nn.ConvTranspose3d(before + skip, after, 4, stride=2, padding=1)
            for before, skip, after in zip([down[-1], *up], reversed(down), up, strict=False)
        )
        self.out = nn.ConvTranspose3d(up[-1], 1, 4, stride=2, padding=1)
        self._initialize()

    def forward(self, view: Tensor) -> Tensor:
        """(B,R,R,R) → (B,4R,4R,4R)."""
        x = view[:, None]  # (B,1,R,R,R)
        skips = [x]
        for convolution in self.encoder:
            x = _run(_down, convolution, x, recompute=self.recompute)  # (B,w·2^i,R/2^(i+1),…)
            skips.append(x)
        shape = x.shape  # (B,C,4,4,4)
        x = F.relu(self.into_bottleneck(x.flatten(1)))  # (B,bottleneck)
        x = F.relu(self.out_of_bottleneck(x)).reshape(shape)
        for convolution in self.decoder:
            x = _run(_up, convolution, x, skips.pop(), recompute=self.recompute)  # (B,…,2·side,…)
        logits: Tensor = self.out(x)[:, 0]
        return logits

    def _initialize(self) -> None:
        """He's initialization for what each output voxel really sums up: a stride of 2 leaves 2³ of the 4³ weights."""
        for module in self.modules():
            if isinstance(module, nn.Conv3d):
                nn.init.kaiming_normal_(module.weight, a=0.2)
            elif isinstance(module, nn.ConvTranspose3d):
                nn.init.normal_(module.weight, std=(2 / (module.in_channels * 2**3)) ** 0.5)
            elif isinstance(module, nn.Linear):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if isinstance(module, nn.Conv3d | nn.ConvTranspose3d | nn.Linear) and module.bias is not None:
                nn.init.zeros_(module.bias)


NETWORK = Generator


def onnx_interface(network: Generator, config: Mapping[str, Any], _views: int) -> OnnxInterface:
    """grid (B,R,R,R) → probability (B,4R,4R,4R)."""
    side, batch = int(config["input_resolution"]), torch.export.Dim("batch", min=1, max=1024)
    return OnnxInterface(OccupancyProbability(network), "grid", (2, side, side, side), {0: batch}, "probability")


class Discriminator(nn.Module):
    """Does a shape (B,4R,4R,4R) belong to a 2.5D grid (B,R,R,R)? → scores (B,), higher for true: WGAN's critic.

    The view is laid out as slabs of the shape's own size, (4R,4R,R/16), and joined to it along depth. Then convolutions
    (4³, stride 2, leaky ReLU but for the last) down to 4·4·5, and the mean of their sigmoids.

    Raises `ParameterError` for a form that there isn't, and for the paper's below 16³, where its slabs are none.
    """

    def __init__(
        self, input_resolution: int = 64, width: int = 64, form: str = "scaled", recompute: bool = False
    ) -> None:
        super().__init__()
        require(form in DISCRIMINATORS, f"discriminator: expected {' or '.join(DISCRIMINATORS)}, got {form}")
        fits, least = form != "paper" or input_resolution >= UPSCALE**2, UPSCALE**2
        require(fits, f"input_resolution: expected {least} or more for the paper's form, got {input_resolution}")
        self.form = form
        self.recompute = recompute
        first = max(width // 8, MIN_CHANNELS)
        channels = [1, *(first * 2**level for level in range(halvings(input_resolution) + 2))]  # 1, 8, …, 256
        self.convolutions = nn.ModuleList(nn.Conv3d(a, b, 4, stride=2, padding=1) for a, b in pairwise(channels))

    def forward(self, view: Tensor, shape: Tensor) -> Tensor:
        """(B,R,R,R), (B,4R,4R,4R) in 0…1 → (B,)."""
        slabs = _as_slabs(view) if self.form == "scaled" else view.reshape(*shape.shape[:3], -1)
        x = torch.cat([shape, slabs], dim=3)[:, None]  # (B,1,4R,4R,4R+R/16)
        *inner, last = self.convolutions
        for convolution in inner:
            x = _run(_halve, convolution, x, recompute=self.recompute)  # 260, 130, 65, 33, 17, 9, 5
        return torch.sigmoid(last(_pad_even(x)).float()).flatten(1).mean(dim=1)


def occupancy_loss(logits: Tensor, occupied: Tensor, weight: float = 0.85, floor: float = 0.0) -> Tensor:
    """Mean cross entropy, occupied voxels weighted by `weight` and empty ones by 1 − `weight` (paper, section 3.4).

    Probabilities below `floor`, 0 to below 1, count as `floor` and have no gradient; the paper's code has 0.01.
    """
    if floor > 0:
        logits = logits.clamp(min=math.log(floor / (1 - floor)))
    occupied = occupied.to(logits.dtype)
    per_voxel = -weight * occupied * F.logsigmoid(logits) - (1 - weight) * (1 - occupied) * F.logsigmoid(-logits)
    return per_voxel.mean()


def gradient_penalty(discriminator: Discriminator, view: Tensor, true: Tensor, made: Tensor, mix: Tensor) -> Tensor:
    """How far the discriminator's gradient is from norm 1 between true and made shapes.

    Gulrajani et al.: Improved Training of Wasserstein GANs, 2017, arXiv 1704.00028.

    In the form `scaled` the distance of two shapes is the root mean square of their difference, so that the
    discriminator's pull on the generator is of the size of the cross entropy's, a mean over the voxels as well. With
    the root of the sum, the paper's, the pull is √(4R)³ times as strong, 512 times at 64³, and drowns it.

    Args:
        discriminator: of either form.
        view: (B,R,R,R).
        true: (B,4R,4R,4R) of 0 and 1.
        made: (B,4R,4R,4R) in 0…1.
        mix: (B,1,1,1) or (B,4R,4R,4R) in 0…1, see `mix_size`: the share of the true one.
    """
    between = torch.lerp(made, true, mix).requires_grad_()
    (gradient,) = torch.autograd.grad(discriminator(view, between).sum(), between, create_graph=True)
    norms: Tensor = gradient.flatten(1).norm(dim=1)
    if discriminator.form == "scaled":
        norms = norms * between[0].numel() ** 0.5
    return (norms - 1).square().mean()


def mix_size(form: str, shapes: Tensor) -> tuple[int, ...]:
    """The size of `gradient_penalty`'s mix for shapes (B,4R,4R,4R): a number a pair, or in the paper's code a voxel."""
    return (len(shapes), 1, 1, 1) if form == "scaled" else tuple(shapes.shape)


def _run(layer: Callable[..., Tensor], *arguments: nn.Module | Tensor, recompute: bool) -> Tensor:
    """A layer's output, its inner values either kept for the backward pass or computed once more in it."""
    if not recompute or not torch.is_grad_enabled():
        return layer(*arguments)
    made: Tensor = checkpoint(layer, *arguments, use_reentrant=False, preserve_rng_state=False)
    return made


def _down(convolution: nn.Module, x: Tensor) -> Tensor:
    """(B,a,S,S,S) → (B,b,S/2,S/2,S/2)."""
    return F.max_pool3d(F.leaky_relu(convolution(_pad_same(x)), 0.2), 2)


def _up(convolution: nn.Module, x: Tensor, skip: Tensor) -> Tensor:
    """(B,a,S,S,S) and (B,b,S,S,S) → (B,c,2S,2S,2S)."""
    return F.relu(convolution(torch.cat([x, skip.to(x.dtype)], dim=1)))


def _halve(convolution: nn.Module, x: Tensor) -> Tensor:
    """(B,a,S,S,T) → (B,b,S/2,S/2,⌈T/2⌉)."""
    return F.leaky_relu(convolution(_pad_even(x)), 0.2)


def _pad_even(x: Tensor) -> Tensor:
    """An odd depth made even, as a stride of 2 needs it."""
    return F.pad(x, (0, x.shape[-1] % 2))


def _pad_same(x: Tensor) -> Tensor:
    """What an even kernel of 4 needs for the size to stay: 1 before, 2 after."""
    return F.pad(x, (1, 2, 1, 2, 1, 2))


def _as_slabs(view: Tensor) -> Tensor:
    """(B,R,R,R) → (B,4R,4R,R/16), one slab at least: the column at (x,y) fills the 4×4 patch at (4x,4y)."""
    batch, side = view.shape[:2]
    slabs = -(-side // UPSCALE**2)
    columns = F.pad(view, (0, slabs * UPSCALE**2 - side))  # (B,R,R,16·slabs)
    patches = columns.reshape(batch, side, side, UPSCALE, UPSCALE, slabs)
    return patches.permute(0, 1, 3, 2, 4, 5).reshape(batch, UPSCALE * side, UPSCALE * side, slabs)
