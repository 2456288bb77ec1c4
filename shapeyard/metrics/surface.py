"""How near two surfaces are to each other, each given as points that are spread evenly over it.

With d(p, Q) the distance of a point from the nearest one of a set:

    precision  share of the predicted points p with d(p, true) < threshold
    recall     share of the true points q with d(q, predicted) < threshold
    F-score    their harmonic mean
    Chamfer    mean of d(p, true)² + mean of d(q, predicted)²

Tatarchenko, Richter, Ranftl, Li, Koltun, Brox: "What do single-view 3D reconstruction networks learn?", CVPR 2019,
arXiv 1905.03678, for the F-score at 1 % of the cube's side; Fan, Su, Guibas, CVPR 2017, arXiv 1612.00603, for the sum
of mean squares.

Points are drawn at random, so that even a surface that is drawn twice does not score 1: of N points on an area A, both
in units of the cube, some are farther than r from all of the other N, and F-score ≈ 1 − exp(−πr²N / A). With the
values below that is 1 − exp(−π / A): 0.96 for an area of 1, 0.79 for 2, 0.54 for 4.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

POINTS = 10_000
SHARE_OF_SIDE = 0.01
"""The F-score's threshold, of the canonical cube's side, which is 1."""
FARTHEST_SQUARED = 3.0
"""The squared diagonal of the canonical cube: how far from anything a shape without a surface is said to be."""


class SurfaceScores(NamedTuple):
    """The measures of one pair of surfaces."""

    fscore: float
    """0 to 1"""
    chamfer: float
    """squared units of the points: canonical, squared longest sides of the object"""


def surface_tree(points: NDArray[np.float64]) -> cKDTree:
    """Points (N,3) made ready to be compared, once for several comparisons."""
    return cKDTree(points)


def surface_scores(predicted: cKDTree, true: cKDTree, threshold: float = SHARE_OF_SIDE) -> SurfaceScores:
    """Compare two surfaces, canonical units.

    No points in both: F-score 1 and Chamfer 0. None in only one of them: F-score 0, and Chamfer as if every point were
    the cube's diagonal away, so that to predict nothing is never good.

    Args:
        predicted: of `surface_tree`.
        true: the same.
        threshold: a point counts below this distance.
    """
    if not predicted.n or not true.n:
        return SurfaceScores(1.0, 0.0) if predicted.n == true.n else SurfaceScores(0.0, 2 * FARTHEST_SQUARED)
    from_predicted, _ = true.query(predicted.data)
    from_true, _ = predicted.query(true.data)
    precision, recall = float(np.mean(from_predicted < threshold)), float(np.mean(from_true < threshold))
    fscore = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return SurfaceScores(fscore, float(np.square(from_predicted).mean() + np.square(from_true).mean()))
