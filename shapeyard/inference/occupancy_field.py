"""What the pixel-aligned occupancy network sees in an image: the depth of the visible surface, and the whole shape."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import expit
from torch import Tensor

from shapeyard.geometry.lifting import Cube
from shapeyard.inference.refinement import over_corners, refined_grid
from shapeyard.networks.pixel_aligned import Features, PixelAligned

COARSEST = 16
"""Cells along a side of the grid that is computed whole."""
BAND = 1.5
"""A cell holds nothing of the surface if the logits of its corners all lie on one side of this band around 0: all are
above it or all below its negative, 0.82 and 0.18 as probabilities."""
POINTS_AT_ONCE = 2**12  # what is known of so many fits into a processor's cache
NEAREST = 0.1
"""Points nearer to the camera than this, or behind it, count as being here."""

Points = NDArray[np.float64]
Lens = Callable[[Points], Points]
"""Points (N,3) in a camera's axes → where a camera with the training's lens sees the same."""


class OccupancyEstimator(NamedTuple):
    """A network with what it was trained to be given."""

    network: PixelAligned
    depth_std: float
    """canonical units; the mean is the network's own"""
    half: bool
    """whether it computes in bfloat16"""


class SeenView(NamedTuple):
    """An image as the network sees it."""

    features: Features
    """of the image and its mirror image"""
    intrinsics: Tensor
    """(2,3,3) of both"""
    depth: NDArray[np.float32]
    """(H,W) canonical units, the mean of both; it means nothing outside the object"""


def see(estimator: OccupancyEstimator, rgba: NDArray[np.uint8], intrinsics: NDArray[np.floating[Any]]) -> SeenView:
    """Look at an image (H,W,4) of straight alpha, taken by a camera of these intrinsics (3,3), and at its mirror image.

    The mirror image of an object is an object, and the network learned from mirror images as well.
    """
    network, std, half = estimator
    device = network.depth.weight.device
    image = torch.from_numpy(np.array(rgba)).permute(2, 0, 1).float().div(255).to(device)
    projection = torch.from_numpy(intrinsics.astype(np.float32)).to(device)
    mirrored = projection.clone()
    mirrored[0, 2] = rgba.shape[1] - projection[0, 2]
    network.eval()
    with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=half):
        features = network.encode(torch.stack([image, image.flip(2)]))
        depth = (features.depth[0] + features.depth[1].flip(1)) / 2 * std + network.depth_mean
    return SeenView(features, torch.stack([projection, mirrored]), depth.cpu().numpy())


def probability_in_cube(
    estimator: OccupancyEstimator, seen: SeenView, cube: Cube, resolution: int, lens: Lens | None = None
) -> NDArray[np.uint8]:
    """The probabilities (D,D,D), 0…255 for 0…1, at the voxels of a cube in camera axes; finely near the surface only.

    Args:
        estimator: the network.
        seen: the image.
        cube: where.
        resolution: D, `COARSEST` times a power of two.
        lens: how the training's camera sees the points; None for the same camera.
    """

    def logits_at(nodes: NDArray[np.int64], cells: int) -> NDArray[np.float32]:
        unit = nodes / cells + 0.5 / resolution  # the finest grid's nodes are the middles of voxels
        points = cube.minimum + cube.side * unit
        return _logits(estimator, seen, points if lens is None else lens(points))

    grid = refined_grid(logits_at, _may_hold_surface, COARSEST, resolution)
    if grid.cells < resolution:  # nothing, or all of it
        values = np.full((resolution,) * 3, grid.values.mean(), np.float32)
    else:
        after = resolution + 1 - grid.origin - grid.values.shape
        beside = list(zip(grid.origin.tolist(), after.tolist(), strict=True))
        values = np.pad(grid.values, beside, mode="edge")[:-1, :-1, :-1]
    return np.asarray(np.rint(255 * expit(values)), np.uint8)


def _logits(estimator: OccupancyEstimator, seen: SeenView, points: Points) -> NDArray[np.float32]:
    """The mean logits (N,) of points (N,3) in camera axes, seen in the image and in its mirror image."""
    network, _, half = estimator
    points = points.astype(np.float32)
    points[:, 2] = np.maximum(points[:, 2], NEAREST)
    device = seen.intrinsics.device
    found = []
    with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=half):
        for some in torch.split(torch.from_numpy(points).to(device), POINTS_AT_ONCE):
            both = torch.stack([some, some * some.new_tensor([-1.0, 1.0, 1.0])])
            found.append(network.occupancy(seen.features, both, seen.intrinsics).mean(dim=0).cpu())
    return np.asarray(torch.cat(found).numpy())


def _may_hold_surface(values: NDArray[np.float32], _cells: int) -> NDArray[np.bool_]:
    """Logits at nodes (X+1,Y+1,Z+1) → the cells (X,Y,Z) whose corners do not all lie on one side of the band."""
    lowest, highest = (over_corners(values, combine) for combine in (np.minimum, np.maximum))
    return np.asarray((lowest < BAND) & (highest > -BAND))
