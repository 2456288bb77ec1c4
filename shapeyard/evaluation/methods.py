"""Methods, networks and baselines alike: from a sample, or a view of it, to a shape.

Most methods have one parameter that cannot be learned, such as a threshold. A method gives its shape for every
candidate of it; `iou_curves` measures them all on the validation split, `choose` takes the best, and the test split is
measured at that one alone (`shapeyard.evaluation.measuring`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from shapeyard.contracts.dataset import Sample
from shapeyard.evaluation.table import Measurement, overall_mean
from shapeyard.geometry.isosurface import isosurface
from shapeyard.geometry.triangle_mesh import Mesh
from shapeyard.metrics.occupancy import THRESHOLDS, Overlap, lowest_levels, overlap_at_levels, probability_levels


@dataclass(frozen=True)
class ShapeCase:
    """What methods are asked for once; evaluations add what a method may look at."""

    sample: Sample
    view: int
    """the view that is shown, or the number of views"""
    occupancy: NDArray[np.bool_]
    """(D,D,D) the true shape, canonical cube"""
    canonical_from_cube: NDArray[np.float64]
    """(4,4) the unit coordinates of the cube that the methods' shapes fill into the canonical frame"""

    def truth(self) -> tuple[NDArray[np.bool_], float | None]:
        """The true shape in that cube, and what of it is outside, in the cube's voxels; None if nothing can be."""
        return self.occupancy, None

    def true_surface(self) -> Mesh:
        """What the methods' surfaces are compared with, unit coordinates of the canonical cube."""
        return isosurface(self.occupancy)


class CandidateShapes(Protocol):
    """A shape for each candidate of a method's parameter."""

    def at(self, candidate: int) -> NDArray[np.bool_]:
        """(D,D,D) the shape for one of them."""

    def surface(self, candidate: int) -> Mesh:
        """Its surface, unit coordinates of the case's cube."""

    def overlap(self, true: NDArray[np.bool_], missed: float) -> Overlap:
        """The overlap (K,) of each of them with the truth, of which so many voxels are outside."""


class GradedShape(NamedTuple):
    """A shape that grows from candidate to candidate, or a single one."""

    levels: NDArray[np.integer[Any]]
    """(D,D,D) at least 0"""
    lowest: NDArray[np.int64]
    """(K,) the level from which a voxel is occupied, for each candidate"""

    @classmethod
    def at_thresholds(cls, probability: NDArray[Any]) -> GradedShape:
        """Probabilities (uint8 for 0…1, or floating) at each of `THRESHOLDS`."""
        return cls(probability_levels(probability), lowest_levels(THRESHOLDS))

    @classmethod
    def single(cls, grid: NDArray[np.bool_]) -> GradedShape:
        """One shape, without anything to choose."""
        return cls(grid.astype(np.uint8), np.ones(1, np.int64))

    def at(self, candidate: int) -> NDArray[np.bool_]:
        """(D,D,D) the shape for one candidate."""
        return np.asarray(self.levels >= self.lowest[candidate])

    def surface(self, candidate: int) -> Mesh:
        """Its surface, unit coordinates of the case's cube."""
        return isosurface(self.at(candidate))

    def overlap(self, true: NDArray[np.bool_], missed: float) -> Overlap:
        """The overlap (K,) of each candidate's shape with the truth."""
        return overlap_at_levels(self.levels, true, self.lowest, missed)


@dataclass(frozen=True)
class Method:
    """One of the methods that are compared."""

    name: str
    shapes: Callable[[Any], CandidateShapes | None]
    """of a `ShapeCase`; None where the method has no answer"""
    candidates: Sequence[float] = (0.0,)
    """of its parameter; a single one for nothing to choose"""
    default: float = 0.0
    """one of them, for where there is nothing to choose by"""
    constant: CandidateShapes | None = None
    """its shapes where they are the same for every case, in the canonical cube"""

    @property
    def default_index(self) -> int:
        """The place of the default among the candidates."""
        return int(np.argmin(np.abs(np.asarray(self.candidates) - self.default)))


def thresholded(name: str, probability: Callable[[Any], NDArray[Any] | None], default: float) -> Method:
    """A method that gives probabilities (D,D,D) of occupied voxels."""

    def shapes(case: ShapeCase) -> GradedShape | None:
        grid = probability(case)
        return None if grid is None else GradedShape.at_thresholds(grid)

    return Method(name, shapes, THRESHOLDS.tolist(), default)


def constant_method(name: str, probability: NDArray[Any], default: float) -> Method:
    """A method that gives the same probabilities (D,D,D), canonical cube, for every case."""
    shapes = GradedShape.at_thresholds(probability)
    return Method(name, lambda _: shapes, THRESHOLDS.tolist(), default, shapes)


def choose(methods: Sequence[Method], curves: Sequence[Measurement], *, by_view: bool = False) -> dict[str, int]:
    """Method → the place of the candidate with the best mean IoU; of its default where there are no curves.

    Args:
        methods: those whose parameter is chosen.
        curves: of `iou_curves`.
        by_view: whether each view (number of views) counts the same, however many objects have it.
    """
    chosen = {}
    for method in methods:
        rows = [row for row in curves if row.method == method.name]
        views = sorted({row.view for row in rows if row.view is not None}) if by_view else []
        groups = [[row for row in rows if row.view == view] for view in views] if by_view else [rows]
        means = [overall_mean(group) for group in groups if group]
        chosen[method.name] = int(np.mean(means, axis=0).argmax()) if means else method.default_index
    return chosen


def chosen_values(methods: Sequence[Method], chosen: Mapping[str, int]) -> dict[str, float]:
    """Method → the candidate that was chosen for it."""
    return {method.name: method.candidates[chosen[method.name]] for method in methods}


def mean_at(chosen: Mapping[str, int], curves: Sequence[Measurement]) -> dict[str, float]:
    """Method → the mean of its curves at the place that was chosen; nan where there are no curves."""
    of_method: dict[str, list[Measurement]] = {}
    for row in curves:
        of_method.setdefault(row.method, []).append(row)
    means = {method: overall_mean(rows) for method, rows in of_method.items()}
    return {
        method: float(means[method][place]) if method in means else float("nan") for method, place in chosen.items()
    }
