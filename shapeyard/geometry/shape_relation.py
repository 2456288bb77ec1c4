"""How one shape comes from another: the same triangles elsewhere, scaled, turned, mirrored, or remeshed."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from shapeyard.geometry.shape_alignment import Pose, poses
from shapeyard.geometry.shape_signature import Signature
from shapeyard.geometry.surface_deviation import deviation
from shapeyard.geometry.triangle_mesh import Mesh

SAME = 2e-4
"""Moments and invariants that differ by less are the same: those of coordinates with four digits do, and the nearest
two of 160 different printed things differ by twice as much."""
ALIKE = 0.012
"""Moments of a remeshed surface differ by less, or it has another shape."""
MAX_MEAN, MAX_MOST = 0.002, 0.015
"""The mean of the distances of a remeshed surface, and what 99 of 100 are below (`Deviation`), in root mean squared
radii."""
MOVED = 1e-3
"""In root mean squared radii."""
SCALED, SCALED_REMESHED = 1e-3, 0.01
"""What a size may differ by that is still the same: a remeshed surface has a little less area."""

Meshes = Callable[[], tuple[Mesh, Mesh]]


class Relation(NamedTuple):
    """What was done to a shape to make another."""

    scale: float
    """1 if nothing"""
    moved: bool
    turned: bool
    mirrored: bool
    remeshed: bool
    deviation: float
    """mean distance between the surfaces in root mean squared radii; 0 where their moments are the same"""


def relation(first: Signature, second: Signature, meshes: Meshes | None) -> Relation | None:
    """What makes the second shape of the first, None if nothing does.

    Args:
        first: one.
        second: the other.
        meshes: reads both, where a remeshed surface is to be recognized: distances are measured between the surfaces
            themselves. None: the surfaces must be the same.
    """
    distance = float(np.abs(first.invariants - second.invariants).max())
    if distance > (ALIKE if meshes else SAME):
        return None
    found = []
    for pose in poses(first, second, SAME):
        if pose.difference <= SAME:
            return _exact(first, second, pose)
        found.append(pose)
    if meshes is None or min(pose.difference for pose in found) > ALIKE:
        return None
    one, other = meshes()
    return _remeshed(first, second, found, one, other)


def same_triangles(first: Signature, second: Signature) -> bool:
    """Whether two surfaces of the same shape are cut alike, by how many triangles of which area they have."""
    ours, theirs = first.tessellation, second.tessellation
    count = abs(ours[0] - theirs[0]) <= 0.002 * ours[0]
    return bool(count and np.allclose(ours[1:], theirs[1:], rtol=0.02, atol=0.005))


def _exact(first: Signature, second: Signature, pose: Pose) -> Relation:
    scale = second.size / first.size
    scaled = abs(scale - 1) > SCALED
    apart = float(np.linalg.norm(second.centre - first.centre)) / first.size
    turned = not np.array_equal(pose.rotation, np.eye(3))
    mirrored = bool(np.linalg.det(pose.rotation) < 0)
    remeshed = not same_triangles(first, second)
    return Relation(scale if scaled else 1.0, apart > MOVED, turned and not mirrored, mirrored, remeshed, 0.0)


def _remeshed(first: Signature, second: Signature, found: list[Pose], one: Mesh, other: Mesh) -> Relation | None:
    """The first pose that lays one surface upon the other so well that they can be the same."""
    best = min(pose.difference for pose in found)
    as_it_is = [pose for pose in found[:1] if pose.difference <= 2 * best]
    others = sorted((pose for pose in found[1:] if pose.difference <= ALIKE), key=lambda pose: pose.difference)
    for pose in (as_it_is + others)[:2]:
        linear = pose.rotation * second.size / first.size
        matrix = np.column_stack([linear, second.centre - linear @ first.centre])
        measured = deviation(one, other, matrix, second.size, MAX_MEAN)
        if measured is None or measured.most > MAX_MOST:
            continue
        scale = float(np.cbrt(abs(np.linalg.det(measured.matrix[:, :3]))))
        scaled = abs(scale - 1) > SCALED_REMESHED
        apart = float(np.linalg.norm(second.centre - first.centre)) / first.size
        mirrored = bool(np.linalg.det(pose.rotation) < 0)
        turned = not mirrored and not np.array_equal(pose.rotation, np.eye(3))
        remeshed = not same_triangles(first, second)
        return Relation(scale if scaled else 1.0, apart > 10 * MOVED, turned, mirrored, remeshed, measured.mean)
    return None
