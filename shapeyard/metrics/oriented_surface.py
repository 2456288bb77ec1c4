"""How DeepSDF's study and those after it compare surfaces: points with normals, and the volume.

Chamfer: Park et al., arXiv 1901.05103, section 6.1: the sum of both mean squared distances, of 30,000 points each, here
× 1000, as its tables have it. Normal consistency: Mescheder et al., Occupancy Networks, CVPR 2019, arXiv 1812.03828,
appendix: the mean |cosine| between the normals of nearest points, averaged over both directions; the same source for
the IoU of volumes at uniform points. F-score: Tatarchenko et al., arXiv 1905.03678, at 1 % of the sphere's diameter.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

POINTS = 30_000
FSCORE_DISTANCE = 0.02
"""1 % of the unit sphere's diameter."""
FARTHEST = 2.0
"""The sphere's diameter: how far a surface that is not there is said to be."""


class OrientedCloud(NamedTuple):
    """Points all over a surface, with unit normals."""

    points: NDArray[np.float64]
    """(N,3)"""
    normals: NDArray[np.float64]
    """(N,3)"""


class SurfaceComparison(NamedTuple):
    """The measures of one pair of surfaces in the unit sphere."""

    chamfer: float
    """× 1000, squared radii of the sphere"""
    normal_consistency: float
    """0 to 1"""
    fscore: float
    """0 to 1"""


def compare_surfaces(predicted: OrientedCloud, true: OrientedCloud) -> SurfaceComparison:
    """Compare two surfaces; one without points is as far away as can be."""
    if not len(predicted.points):
        return SurfaceComparison(2 * 1000 * FARTHEST**2, 0.0, 0.0)
    distances, cosines = [], []
    for one, other in ((predicted, true), (true, predicted)):
        distance, nearest = cKDTree(other.points).query(one.points)
        distances.append(distance)
        cosines.append(np.abs(np.einsum("nk,nk->n", one.normals, other.normals[nearest])).mean())
    precision, recall = (float(np.mean(distance < FSCORE_DISTANCE)) for distance in distances)
    chamfer = 1000 * sum(float(np.square(distance).mean()) for distance in distances)
    fscore = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return SurfaceComparison(chamfer, float(np.mean(cosines)), fscore)
