"""From what is known of a shape to its code, and from the code to its surface."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from shapeyard.errors import FormatError, require
from shapeyard.geometry.sdf_observations import SdfObservation
from shapeyard.geometry.sdf_samples import SPHERE_MARGIN
from shapeyard.geometry.triangle_mesh import Mesh
from shapeyard.inference.refinement import over_corners, refined_grid
from shapeyard.networks.code_decoder import CodeDecoder

CODES_FILE = "codes.safetensors"
"""In a model's directory: `codes` (N,C) of the objects that config.json lists as `ids`."""
CLAMP = 0.1
"""Beyond this distance from the surface an error is none: DeepSDF, equation 4."""
START_POINTS = 128
"""Samples by which the best of several codes to begin with is found."""
MAX_STARTS = 64
POINTS_AT_ONCE = 2**18
COARSEST = 64
"""Cells along a side of the grid that is computed whole."""
STEEPEST = 1.25
"""How much steeper than a distance, whose gradient has length 1, a learned one is taken to be."""


class CodeSearch(NamedTuple):
    """How a code is found: the original's 800 steps, from 5e-3, a tenth of it from the half on."""

    steps: int = 800
    samples: int = 8000
    """a step and shape"""
    learning_rate: float = 5e-3
    regularization: float = 1e-4
    """of the code's mean square"""
    seed: int = 0


def clamped_error(estimate: Tensor, distance: Tensor, clamp: float = CLAMP) -> Tensor:
    """|clamp(estimate) − clamp(distance)|, elementwise: DeepSDF, equation 4."""
    return (estimate.clamp(-clamp, clamp) - distance.clamp(-clamp, clamp)).abs()


def observation_error(estimate: Tensor, distance: Tensor, free: Tensor) -> Tensor:
    """How far estimates (B,N) are from what is known: a free point errs only where it is said to be inside."""
    return torch.where(free, (-estimate).clamp(0, CLAMP), clamped_error(estimate, distance))


def find_codes(
    decoder: CodeDecoder, observations: Sequence[SdfObservation], starts: Tensor, search: CodeSearch
) -> Tensor:
    """The codes of several shapes at once, by optimization; what one shape is found as does not depend on the others.

    Args:
        decoder: in the state in which it is used, on any device.
        observations: of B shapes, of as many samples each.
        starts: (K,C) codes to begin with, best those of training: each shape begins with the one that fits it best.
        search: how.

    Returns:
        (B,C).

    Raises:
        ParameterError: for codes of another length than the decoder's.
        FormatError: if a shape has other numbers of samples than the first.
    """
    require(
        starts.shape[1] == decoder.code_length, f"code: expected length {decoder.code_length}, got {starts.shape[1]}"
    )
    sizes = {len(one.points) for one in observations}
    if len(sizes) != 1:
        raise FormatError(f"expected observations of one size, got {sorted(sizes)}")
    return improve_codes(decoder, observations, _best_starts(decoder, starts, *_stacked(decoder, observations)), search)


def improve_codes(
    decoder: CodeDecoder, observations: Sequence[SdfObservation], codes: Tensor, search: CodeSearch
) -> Tensor:
    """The codes (B,C) of shapes that have some already, better for a decoder that stays as it is; else `find_codes`."""
    points, distance, free = _stacked(decoder, observations)
    codes = codes.detach().to(points.device).clone().requires_grad_()
    optimizer = torch.optim.Adam([codes], lr=search.learning_rate)
    generator = torch.Generator().manual_seed(search.seed)
    count = points.shape[1]
    for step in range(search.steps):  # the same draws for all shapes
        optimizer.param_groups[0]["lr"] = search.learning_rate * (1 if step < search.steps / 2 else 0.1)
        drawn = torch.randint(count, (min(search.samples, count),), generator=generator).to(points.device)
        estimate = decoder(codes, points[:, drawn])
        error = observation_error(estimate, distance[:, drawn], free[:, drawn]).mean(dim=1)
        loss = (error + search.regularization * codes.square().mean(dim=1)).sum()
        (codes.grad,) = torch.autograd.grad(loss, codes)  # the decoder stays as it is
        optimizer.step()
    return codes.detach()


def observation_errors(decoder: CodeDecoder, codes: Tensor, observations: Sequence[SdfObservation]) -> Tensor:
    """(B,) the mean error of codes (B,C) on what is known of their shapes."""
    errors = []
    with torch.inference_mode():
        for code, one in zip(codes, observations, strict=True):
            points, distance, free = (torch.from_numpy(part).to(code.device) for part in one)
            estimate = decoder(code[None], points[None])
            errors.append(observation_error(estimate, distance[None], free[None]).mean())
    return torch.stack(errors)


def extract_surface(decoder: CodeDecoder, code: Tensor, resolution: int = 256, *, coarsest: int = COARSEST) -> Mesh:
    """The surface of a code, computed finely only where it can be.

    A cell whose middle is farther from the surface than half of its diagonal holds nothing of it; the middle's distance
    is about the mean of the corners'.

    Args:
        decoder: in the state in which it is used.
        code: (C,).
        resolution: cells along a side of [−1, 1]³: `coarsest` times a power of two.
        coarsest: cells along a side of the grid that is computed whole.

    Returns:
        Vertices in the unit sphere's frame, triangles counterclockwise seen from outside; none where nothing is
        inside.
    """
    from skimage.measure import marching_cubes

    with torch.inference_mode():
        condition = decoder.condition(code[None])
        values, origin, cells = refined_grid(partial(_values, decoder, condition), _near_surface, coarsest, resolution)
    if not values.min() < 0 < values.max():
        return Mesh(np.zeros((0, 3)), np.zeros((0, 3), np.int64))
    values = np.pad(values, 1, constant_values=CLAMP)  # closed where the shape reaches the grid's border
    vertices, faces, _, _ = marching_cubes(values, 0.0, gradient_direction="descent", allow_degenerate=False)
    return Mesh((vertices.astype(np.float64) - 1 + origin) * (2 / cells) - 1, faces.astype(np.int64))


def _stacked(decoder: CodeDecoder, observations: Sequence[SdfObservation]) -> tuple[Tensor, Tensor, Tensor]:
    """Points (B,N,3), distances (B,N) and which are free (B,N), where the decoder is."""
    device = next(decoder.parameters()).device
    points, distance, free = (
        torch.from_numpy(np.stack([one[part] for one in observations])).to(device) for part in range(3)
    )
    return points, distance, free


def _best_starts(decoder: CodeDecoder, starts: Tensor, points: Tensor, distance: Tensor, free: Tensor) -> Tensor:
    """For each shape the start (C,) that fits best, and the zero code is one of them → (B,C)."""
    some = torch.linspace(0, len(starts) - 1, min(MAX_STARTS, len(starts))).round().long()
    candidates = torch.cat([torch.zeros_like(starts[:1]), starts[some]]).to(points.device)
    spread = torch.linspace(0, points.shape[1] - 1, START_POINTS).round().long()
    with torch.inference_mode():
        condition = decoder.condition(candidates)
        errors = torch.stack([
            observation_error(
                decoder.distance(condition, points[shape, spread].expand(len(candidates), -1, -1)),
                distance[shape, spread], free[shape, spread],
            ).mean(dim=1)
            for shape in range(len(points))
        ])  # (B,K+1)  # fmt: skip
    return candidates[errors.argmin(dim=1)].clone()


def _values(decoder: CodeDecoder, condition: Tensor, nodes: NDArray[np.int64], cells: int) -> NDArray[np.float32]:
    """The distance at nodes (N,3) of a grid of so many cells a side.

    Outside the unit sphere no decoder was trained, and no shape reaches there: the distance is at least that from the
    sphere within which its vertices lie.
    """
    points = (nodes * (2 / cells) - 1).astype(np.float32)
    radius = np.linalg.norm(points, axis=1)
    values, known = radius - np.float32(1 / SPHERE_MARGIN), np.flatnonzero(radius <= 1)
    for start in range(0, len(known), POINTS_AT_ONCE):
        some = known[start : start + POINTS_AT_ONCE]
        part = torch.from_numpy(points[some]).to(condition.device)
        values[some] = decoder.distance(condition, part[None])[0].cpu().numpy()
    return np.asarray(values, np.float32)


def _near_surface(values: NDArray[np.float32], cells: int) -> NDArray[np.bool_]:
    """Nodes (X+1,Y+1,Z+1), `cells` of them to a side of [−1, 1]³ → the cells (X,Y,Z) that may hold the surface."""
    half_diagonal = np.sqrt(3) / cells
    middle = over_corners(values, np.add) / 8
    lowest, highest = (over_corners(values, combine) for combine in (np.minimum, np.maximum))
    return np.asarray((np.abs(middle) < STEEPEST * half_diagonal) | ((lowest < 0) & (highest > 0)))
