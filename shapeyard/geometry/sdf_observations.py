"""What is known of a shape, as samples of its signed distance: all of it, a cloud with normals, one depth map.

Park et al.: DeepSDF, arXiv 1901.05103, section 6.2 and its appendix: a point of the surface stands for samples a little
outside and inside of it along its normal, and what a camera looks through is free, so not inside. Here the rays that
meet nothing count as free as well: they are the silhouette.

Everything is in the frame of the unit sphere around the object.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from shapeyard.errors import FormatError
from shapeyard.geometry.frames import transform
from shapeyard.geometry.lifting import unproject

MIN_POINTS = 16
"""Fewer points than this say nothing of a shape."""
FARTHEST_OFFSET = 0.02
"""How far along its normal a point of the surface stands for a sample: farther, another surface may be nearer."""
EDGE, EDGE_PIXELS = 0.05, 2
"""Neighbouring pixels farther apart than this, and than so many pixels' width there, are on different surfaces."""


class SdfObservation(NamedTuple):
    """Samples of what is known of one shape."""

    points: NDArray[np.float32]
    """(N,3)"""
    distance: NDArray[np.float32]
    """(N,) signed; of free points without meaning"""
    free: NDArray[np.bool_]
    """(N,) points of which is only known that they are not inside"""


def observe_samples(
    positive: NDArray[np.float32], negative: NDArray[np.float32], count: int, rng: np.random.Generator
) -> SdfObservation:
    """Samples of the whole shape, half of them outside and half inside.

    Args:
        positive: (N,4) x, y, z, signed distance outside.
        negative: (M,4) the same inside.
        count: how many are drawn, with replacement.
        rng: where the draws come from.

    Raises:
        FormatError: if there is none outside or none inside, or one that is not finite.
    """
    for name, samples in (("positive", positive), ("negative", negative)):
        if samples.ndim != 2 or samples.shape[1] != 4 or not len(samples):
            raise FormatError(f"{name}: expected samples (N,4), at least one, got {samples.shape}")
        if not np.isfinite(samples).all():
            raise FormatError(f"{name}: expected finite samples")
    drawn = np.concatenate(
        [
            positive[rng.integers(len(positive), size=count - count // 2)],
            negative[rng.integers(len(negative), size=count // 2)],
        ]
    )
    return SdfObservation(drawn[:, :3], drawn[:, 3], np.zeros(count, np.bool_))


def observe_cloud(
    points: NDArray[np.floating[Any]], normals: NDArray[np.floating[Any]], count: int, rng: np.random.Generator
) -> SdfObservation:
    """Points of the surface, or of a part of it, with the normals that lead outside.

    Args:
        points: (N,3) in the unit sphere.
        normals: (N,3) of any length above 0.
        count: samples; half outside, half inside.
        rng: where the draws come from.

    Raises:
        FormatError: for fewer than `MIN_POINTS` points, another number of normals, numbers that are not finite, or a
            normal of length 0.
    """
    _check_cloud(points, normals)
    chosen = rng.integers(len(points), size=count)
    unit = normals[chosen] / np.linalg.norm(normals[chosen], axis=1, keepdims=True)
    offset = rng.uniform(0, FARTHEST_OFFSET, count) * np.where(np.arange(count) % 2, 1, -1)
    made = points[chosen] + offset[:, None] * unit
    return SdfObservation(made.astype(np.float32), offset.astype(np.float32), np.zeros(count, np.bool_))


def observe_depth(
    depth: NDArray[np.float32],
    intrinsics: NDArray[np.float64],
    sdf_from_camera: NDArray[np.float64],
    count: int,
    rng: np.random.Generator,
) -> SdfObservation:
    """One depth map: half of the samples around the surface that it shows, half where it looks through.

    Args:
        depth: (H,W) along the optical axis, in units of the sphere's radius, inf where nothing is.
        intrinsics: (3,3) pixels.
        sdf_from_camera: (4,4) camera axes into the unit sphere.
        count: samples.
        rng: where the draws come from.

    Raises:
        FormatError: if it shows fewer than `MIN_POINTS` points of a surface.
    """
    points, normals = surface_of_depth(depth, intrinsics)
    seen = observe_cloud(
        transform(sdf_from_camera, points), normals @ sdf_from_camera[:3, :3].T, count - count // 2, rng
    )
    free = _free_points(depth, intrinsics, sdf_from_camera, count // 2, rng)
    return SdfObservation(
        np.concatenate([seen.points, free]),
        np.concatenate([seen.distance, np.zeros(len(free), np.float32)]),
        np.concatenate([seen.free, np.ones(len(free), np.bool_)]),
    )


def surface_of_depth(
    depth: NDArray[np.float32], intrinsics: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Points (N,3) of a depth map (H,W) whose neighbours lie on the same surface, and their unit normals (N,3).

    Camera axes; the normals lead towards the camera.
    """
    grid = np.full((*depth.shape, 3), np.nan)
    grid[np.isfinite(depth)] = unproject(depth, intrinsics)
    right, down = grid[:-1, 1:] - grid[:-1, :-1], grid[1:, :-1] - grid[:-1, :-1]
    normals = np.cross(down, right)
    with np.errstate(invalid="ignore"):
        limit = np.maximum(EDGE, EDGE_PIXELS * grid[:-1, :-1, 2] / intrinsics[0, 0])
        on_one = np.maximum(np.linalg.norm(right, axis=2), np.linalg.norm(down, axis=2)) < limit
    on_one &= np.linalg.norm(normals, axis=2) > 0
    points, found = grid[:-1, :-1][on_one], normals[on_one]
    found = found / np.linalg.norm(found, axis=1, keepdims=True)
    return points, np.where(np.einsum("nk,nk->n", found, points)[:, None] > 0, -found, found)


def _free_points(
    depth: NDArray[np.float32],
    intrinsics: NDArray[np.float64],
    sdf_from_camera: NDArray[np.float64],
    count: int,
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """(count,3) points that the camera sees through, in the unit sphere; fewer where hardly any ray meets it."""
    rows, columns = (rng.integers(size, size=4 * count) for size in depth.shape)
    rays = np.linalg.inv(intrinsics) @ np.stack([columns + 0.5, rows + 0.5, np.ones(4 * count)])  # (3,4·count), z 1
    directions = rays.T @ sdf_from_camera[:3, :3].T
    centre = sdf_from_camera[:3, 3]
    # |centre + t·direction| = 1
    a, b = np.einsum("nk,nk->n", directions, directions), directions @ centre
    root = b**2 - a * (centre @ centre - 1)
    meets = root > 0
    entry = np.maximum((-b[meets] - np.sqrt(root[meets])) / a[meets], 0)
    exit_ = (-b[meets] + np.sqrt(root[meets])) / a[meets]
    until = np.minimum(exit_, depth[rows, columns][meets])
    share = rng.uniform(0, 1, len(until))
    along = entry + share * (until - entry)
    points = centre + along[:, None] * directions[meets]
    return np.asarray(points[until > entry][:count], np.float32)


def _check_cloud(points: NDArray[np.floating[Any]], normals: NDArray[np.floating[Any]]) -> None:
    if points.ndim != 2 or points.shape[1:] != (3,) or len(points) < MIN_POINTS:
        raise FormatError(f"expected at least {MIN_POINTS} points (N,3), got {points.shape}")
    if normals.shape != points.shape:
        raise FormatError(f"expected a normal for each of {len(points)} points, got {normals.shape}")
    if not (np.isfinite(points).all() and np.isfinite(normals).all()):
        raise FormatError("expected finite points and normals")
    if not (np.linalg.norm(normals, axis=1) > 0).all():
        raise FormatError("expected normals with a length above 0")
