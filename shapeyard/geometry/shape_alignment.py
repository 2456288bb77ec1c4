"""The rotations, with or without a mirror, that lay one surface upon another, by their moments."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import permutations, product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from shapeyard.geometry.shape_signature import MIXED, PAIRS, Signature

STARTS = 512
"""Rotations to begin with, about 25° apart: moments of a degree up to 4 change no faster."""
REFINED = 8
"""So many of the best of them are improved."""
STEPS = 10
NUDGE = 1e-4
"""Radians, for slopes."""
MAX_STEP = 0.3
"""Radians."""
DAMPING = 1e-6
"""Of the mean curvature: a surface of revolution may turn about its axis as it likes."""


class Pose(NamedTuple):
    """How one scaled surface is laid upon another."""

    rotation: NDArray[np.float64]
    """(3,3), with determinant −1 if it mirrors"""
    difference: float
    """the norm of the difference of all moments, 0 if there is none"""


def poses(first: Signature, second: Signature, same: float) -> Iterator[Pose]:
    """Ways to lay the first surface upon the second: as it is, the best rotation, the best one that mirrors.

    Args:
        first: what is turned.
        second: what it is laid upon.
        same: a difference that is none; a rotation that reaches it isn't improved.
    """
    yield Pose(np.eye(3), float(_differences(np.eye(3)[None], first, second, 1.0)[0]))
    axes = _by_axes(first, second)
    for sign in (1.0, -1.0):
        by_axes = _differences(axes, first, second, sign)
        if by_axes.min() <= same:
            yield Pose(sign * axes[by_axes.argmin()], float(by_axes.min()))
            continue
        turns = np.concatenate([axes, _starts()])
        best = np.argsort(_differences(turns, first, second, sign))[:REFINED]
        turns = _improved(turns[best], first, second, sign)
        differences = _differences(turns, first, second, sign)
        yield Pose(sign * turns[differences.argmin()], float(differences.min()))


def _by_axes(first: Signature, second: Signature) -> NDArray[np.float64]:
    """(24,3,3): principal axes upon principal axes, in any order since near equal ones change places."""
    ours, theirs = np.linalg.eigh(first.second)[1], np.linalg.eigh(second.second)[1]
    turns = theirs @ _cube() @ ours.T
    return np.asarray(turns * np.linalg.det(turns)[:, None, None])


def _improved(turns: NDArray[np.float64], first: Signature, second: Signature, sign: float) -> NDArray[np.float64]:
    """Gauss and Newton's steps from several rotations (N,3,3) at once, each taken if it helps."""
    nudges = Rotation.from_rotvec(np.concatenate([np.zeros((1, 3)), NUDGE * np.eye(3)])).as_matrix()
    damping = np.full(len(turns), DAMPING)
    for _ in range(STEPS):
        rest = _residuals((nudges[:, None] @ turns).reshape(-1, 3, 3), first, second, sign).reshape(4, len(turns), -1)
        slopes = ((rest[1:] - rest[0]) / NUDGE).transpose(1, 0, 2)
        square = slopes @ slopes.transpose(0, 2, 1)
        floor = damping * (np.trace(square, axis1=1, axis2=2) + 1e-9)
        step = -np.linalg.solve(square + floor[:, None, None] * np.eye(3), slopes @ rest[0][..., None])[..., 0]
        step *= np.minimum(1, MAX_STEP / np.maximum(np.linalg.norm(step, axis=1, keepdims=True), 1e-12))
        tried = Rotation.from_rotvec(step).as_matrix() @ turns
        better = _differences(tried, first, second, sign) < np.linalg.norm(rest[0], axis=1)
        turns = np.where(better[:, None, None], tried, turns)
        damping = np.where(better, damping / 10, damping * 100)
    return np.asarray(turns)


def _differences(turns: NDArray[np.float64], first: Signature, second: Signature, sign: float) -> NDArray[np.float64]:
    """(N,)"""
    return np.asarray(np.linalg.norm(_residuals(turns, first, second, sign), axis=1))


def _residuals(turns: NDArray[np.float64], first: Signature, second: Signature, sign: float) -> NDArray[np.float64]:
    """(N,63): the first's moments under rotations (N,3,3), with `sign` −1 reflected as well, less the second's."""
    of_pairs = _rotations_of_pairs(turns)
    back = of_pairs.transpose(0, 2, 1)
    degrees = (
        turns @ first.second @ turns.transpose(0, 2, 1) - second.second,
        sign * (turns @ first.third @ back) - second.third,
        of_pairs @ first.fourth @ back - second.fourth,
    )
    return np.concatenate([degree.reshape(len(turns), -1) for degree in degrees], axis=1)


def _rotations_of_pairs(turns: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N,6,6): what rotations (N,3,3) do to symmetric matrices over `PAIRS`."""
    first, last = np.array(PAIRS).T
    one = turns[:, first[:, None], first] * turns[:, last[:, None], last]
    other = turns[:, first[:, None], last] * turns[:, last[:, None], first]
    # Entry ij of R S Rᵀ is the sum of R_ik R_jl S_kl, where a mixed pair stands for both kl and lk.
    return np.asarray(np.where(first == last, one, one + other) * MIXED[:, None] / MIXED)


@lru_cache(maxsize=1)
def _cube() -> NDArray[np.float64]:
    """(24,3,3): the axes in any order and with any signs, one of each two that differ in all signs."""
    found = []
    for order, signs in product(permutations(range(3)), product((1.0, -1.0), repeat=2)):
        found.append(np.eye(3)[list(order)] * (*signs, 1.0))
    return np.array(found)


@lru_cache(maxsize=1)
def _starts() -> NDArray[np.float64]:
    """(STARTS,3,3), evenly all over the rotations: Alexa, Super-Fibonacci spirals, CVPR 2022."""
    phi, psi = np.sqrt(2.0), 1.533751168755204288118041
    place = np.arange(STARTS) + 0.5
    inner, outer = np.sqrt(place / STARTS), np.sqrt(1 - place / STARTS)
    alpha, beta = 2 * np.pi * place / phi, 2 * np.pi * place / psi
    four = [inner * np.sin(alpha), inner * np.cos(alpha), outer * np.sin(beta), outer * np.cos(beta)]
    return np.asarray(Rotation.from_quat(np.stack(four, axis=1)).as_matrix())
