"""What is kept of a mesh to find it again when it was exported anew, scaled, turned, mirrored or remeshed.

Moments of the surface are integrals over its triangles, exact however the surface is cut into them: a subdivided copy
has the same ones, a decimated copy nearly. Scaled to a mean squared radius of 1 about the surface's centroid they know
no place and no size; the eigenvalues of their symmetric forms, of degrees 2 and 4 as they are and of degree 3 squared,
know no rotation and no mirror.
"""

from __future__ import annotations

from itertools import combinations_with_replacement, product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from shapeyard.geometry.projected_triangles import compiled
from shapeyard.geometry.triangle_mesh import Mesh

QUANTILES = 16
# Dunavant, High degree efficient symmetrical Gaussian quadrature rules for the triangle, 1985: exact to degree 4.
NODES = np.array([[0.108103018168070, 0.445948490915965], [0.816847572980459, 0.091576213509771]])
WEIGHTS = np.array([0.223381589678011, 0.109951743655322])
PAIRS = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))
"""The six entries of a symmetric 3×3 matrix."""
MIXED = np.array([1.0, 1.0, 1.0, np.sqrt(2.0), np.sqrt(2.0), np.sqrt(2.0)])


class Signature(NamedTuple):
    """A surface as it is compared with others."""

    centre: NDArray[np.float64]
    """(3,) the surface's centroid in the file's coordinates"""
    size: float
    """root of the mean squared distance from it, in the file's units"""
    invariants: NDArray[np.float64]
    """(16,) see `_invariants`"""
    tessellation: NDArray[np.float64]
    """(1+QUANTILES,) how many triangles have an area, and quantiles of the areas, their mean = 1"""
    second: NDArray[np.float64]
    """(3,3) moments of the scaled surface"""
    third: NDArray[np.float64]
    """(3,6), the last two degrees over `PAIRS` with mixed ones times √2, so that a rotation of them is one of 6×6"""
    fourth: NDArray[np.float64]
    """(6,6), the same"""


def signature(mesh: Mesh) -> Signature | None:
    """The signature of a mesh; None for one without area."""
    corners = mesh.vertices[mesh.faces]
    areas, normals, centre, size = _first_moments(corners)
    if not size > 0:
        return None
    scaled = (corners - centre) / size
    areas /= areas.sum()
    moments = _moments(scaled, areas, normals)
    second, third = _symmetric(moments[:6], 2), _symmetric(moments[6:16], 3)
    first, last = np.array(PAIRS).T
    fourth = _symmetric(moments[16:31], 4)[first[:, None], last[:, None], first, last] * MIXED[:, None] * MIXED
    real = areas > 1e-9 / len(areas)
    quantiles = np.quantile(areas[real], (np.arange(QUANTILES) + 0.5) / QUANTILES) * real.sum()
    return Signature(
        centre, size, _invariants(second, third, fourth, moments[31:]), np.concatenate([[real.sum()], quantiles]),
        second, third[:, first, last] * MIXED, fourth,
    )  # fmt: skip


@compiled
def _first_moments(
    corners: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], float]:
    """Areas (M,), unit normals (M,3), the surface's centroid and its root mean squared distance from that."""
    areas, normals = np.empty(len(corners)), np.empty((len(corners), 3))
    origin = corners[0, 0].copy()  # a file may be far from its own
    total, square = 0.0, 0.0
    first, middle, edges = np.zeros(3), np.zeros(3), np.zeros((2, 3))
    for m in range(len(corners)):
        squares = 0.0
        for i in range(3):
            edges[0, i], edges[1, i] = corners[m, 1, i] - corners[m, 0, i], corners[m, 2, i] - corners[m, 0, i]
            middle[i] = 0.0
            for corner in range(3):
                value = corners[m, corner, i] - origin[i]
                middle[i] += value
                squares += value * value
            squares += middle[i] * middle[i]
        length = 0.0
        for i in range(3):
            j, k = (i + 1) % 3, (i + 2) % 3
            normals[m, i] = edges[0, j] * edges[1, k] - edges[0, k] * edges[1, j]
            length += normals[m, i] * normals[m, i]
        length = np.sqrt(length)
        areas[m] = length / 2
        total += areas[m]
        square += areas[m] / 12 * squares
        for i in range(3):
            normals[m, i] /= max(length, 1e-300)
            first[i] += areas[m] / 3 * middle[i]
    if not total > 0:
        return areas, normals, origin, 0.0
    first /= total
    return areas, normals, origin + first, np.sqrt(max(square / total - (first * first).sum(), 0.0))


@compiled
def _moments(
    corners: NDArray[np.float64], areas: NDArray[np.float64], normals: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Moments of degree 2 (6), 3 (10), 4 (15) by rising axes; of the normals (6); of the planes' distances |d|, d²."""
    out, x = np.zeros(39), np.zeros(3)
    for m in range(len(corners)):
        for rule in range(2):
            weight = WEIGHTS[rule] * areas[m]
            for turn in range(3):
                for i in range(3):
                    x[i] = NODES[rule, 0] * corners[m, turn, i] + NODES[rule, 1] * (
                        corners[m, (turn + 1) % 3, i] + corners[m, (turn + 2) % 3, i]
                    )
                second, third, fourth = 0, 6, 16
                for i in range(3):
                    for j in range(i, 3):
                        of_two = weight * x[i] * x[j]
                        out[second] += of_two
                        second += 1
                        for k in range(j, 3):
                            of_three = of_two * x[k]
                            out[third] += of_three
                            third += 1
                            for n in range(k, 3):
                                out[fourth] += of_three * x[n]
                                fourth += 1
        place = 31
        distance = 0.0
        for i in range(3):
            distance += corners[m, 0, i] * normals[m, i]
            for j in range(i, 3):
                out[place] += areas[m] * normals[m, i] * normals[m, j]
                place += 1
        out[37] += areas[m] * abs(distance)
        out[38] += areas[m] * distance * distance
    return out


def _symmetric(values: NDArray[np.float64], degree: int) -> NDArray[np.float64]:
    """The symmetric tensor of a degree from its entries by rising axes."""
    return values[_PLACES[degree]]


def _places(degree: int) -> NDArray[np.int64]:
    rising = {key: place for place, key in enumerate(combinations_with_replacement(range(3), degree))}
    every = [rising[tuple(sorted(key))] for key in product(range(3), repeat=degree)]
    return np.array(every).reshape((3,) * degree)


_PLACES = {degree: _places(degree) for degree in (2, 3, 4)}


def _invariants(
    second: NDArray[np.float64], third: NDArray[np.float64], fourth: NDArray[np.float64], planes: NDArray[np.float64]
) -> NDArray[np.float64]:
    """What no rotation and no mirror changes, (16,)."""
    vector = np.einsum("ijj->i", third)
    squares = np.linalg.eigvalsh(np.einsum("ikl,jkl->ij", third, third))
    return np.concatenate(
        [
            np.linalg.eigvalsh(second)[1:],
            [np.linalg.norm(vector)],
            np.sqrt(np.maximum(squares, 0)),
            np.linalg.eigvalsh(fourth),
            np.linalg.eigvalsh(_symmetric(planes[:6], 2))[1:],
            planes[6:],
        ]
    )
