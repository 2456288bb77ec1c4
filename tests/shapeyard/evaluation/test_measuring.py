"""Measuring shapes by hand: overlap, truth outside of the cube, surfaces and their ceiling."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from shapeyard.contracts.dataset import Dataset, DatasetWriter, Sample
from shapeyard.evaluation.measuring import (
    cases_of_each,
    ceiling_of_objects,
    compare_methods,
    evenly,
    iou_curves,
    measure_overlap,
    measure_surfaces,
    tracked,
)
from shapeyard.evaluation.methods import GradedShape, Method, ShapeCase, thresholded
from shapeyard.evaluation.table import EvaluationTable
from shapeyard.geometry.isosurface import isosurface
from shapeyard.geometry.lifting import CANONICAL_FROM_UNIT

BOX = np.zeros((16, 16, 16), bool)
BOX[4:12, 4:12, 4:12] = True
HALF = BOX.copy()
HALF[8:] = False


@dataclass(frozen=True)
class CaseWithMissing(ShapeCase):
    def truth(self) -> tuple[NDArray[np.bool_], float]:
        return self.occupancy, 512.0


def case(view: int = 0, kind: type[ShapeCase] = ShapeCase, name: str = "a/0") -> ShapeCase:
    return kind(Sample(name, name.split("/")[0], "test", ""), view, BOX, CANONICAL_FROM_UNIT)


EXACT = Method("exact", lambda case: GradedShape.single(case.occupancy))
HALVED = Method("half", lambda _: GradedShape.single(HALF))
SILENT = Method("silent", lambda _: None)
METHODS, FIRST = [EXACT, HALVED, SILENT], dict.fromkeys(("exact", "half", "silent"), 0)


def test_overlap_by_hand() -> None:
    table = EvaluationTable(measure_overlap([case(0), case(1)], METHODS, FIRST))
    assert table.values("half", "iou") == {("a/0", 0): 0.5, ("a/0", 1): 0.5}
    assert (table.mean("half", "precision"), table.mean("half", "recall"), table.mean("exact", "iou")) == (1, 0.5, 1)
    assert not table.rows("silent", "iou") and not table.rows("truth", "outside")


def test_truth_outside_of_the_cube_is_missed() -> None:
    """As much truth again lies outside."""
    table = EvaluationTable(measure_overlap([case(kind=CaseWithMissing)], METHODS, FIRST))
    assert table.mean("exact", "iou") == 0.5 and table.mean("truth", "outside") == 0.5


def test_curves_have_a_value_for_each_candidate() -> None:
    method = thresholded("m", lambda _: np.where(HALF, 1.0, np.where(BOX, 0.52, 0.0)), 0.5)
    (row,) = iou_curves([case()], [method, SILENT])
    assert row.value[:10].tolist() == [1.0] * 10 and row.value[10:].tolist() == [0.5] * 9


def test_surfaces_by_hand() -> None:
    """Points of a Poisson process of density λ: one is farther than r from all others with probability exp(−πr²λ)."""
    area = 6 * 0.5**2  # rounded at the edges by marching cubes
    halved = replace(HALVED, constant=GradedShape.single(HALF))
    table = EvaluationTable(measure_surfaces([[case(0), case(1)], []], [EXACT, halved, SILENT], FIRST, None))
    assert table.mean("exact", "fscore") == pytest.approx(1 - math.exp(-math.pi / area), rel=0.06)
    first, second = (table.values("exact", "fscore")["a/0", view] for view in (0, 1))
    assert first != second, "points are drawn again"
    assert len(set(table.values("half", "chamfer").values())) == 1, "a shape that is the same for all is drawn once"
    assert table.mean("half", "chamfer") > 100 * table.mean("exact", "chamfer")
    assert not table.rows("ceiling", "fscore") and not table.rows("silent", "fscore")


def test_the_ceiling_is_what_the_grid_reaches_against_its_mesh(tmp_path: Path) -> None:
    import trimesh

    surface = isosurface(BOX)
    with DatasetWriter(tmp_path / "m", "meshes", "fetch", {}) as writer:
        (tmp_path / "source").mkdir()
        trimesh.Trimesh(surface.vertices, surface.faces, process=False).export(tmp_path / "source" / "model.off")
        matrix = tuple(tuple(row) for row in CANONICAL_FROM_UNIT.tolist())
        writer.add_files(Sample("a/0", "a", "test", "", canonical_from_file=matrix), tmp_path / "source", "model.off")
    meshes = Dataset([tmp_path / "m"], "meshes")
    groups = [[case(0), case(1)], [case(name="a/1")]]
    table = EvaluationTable(measure_surfaces(groups, [EXACT], FIRST, meshes))
    assert set(table.values("ceiling", "fscore")) == {("a/0", 0), ("a/0", 1)}, "the other object has no mesh"
    (once,) = ceiling_of_objects(table, "fscore")
    assert once.value == pytest.approx(table.mean("exact", "fscore"), rel=0.05)


def test_samples_are_chosen_evenly_in_any_order() -> None:
    samples = [Sample(f"{name}/{k:03}", name, "test", "") for name in "ba" for k in range(50)]
    chosen = evenly(samples, 20)
    assert [sample.id for sample in chosen[:2]] == ["a/000", "a/005"] and len(chosen) == 20
    assert sum(sample.class_name == "b" for sample in chosen) == 10 and evenly(samples[::-1], 20) == chosen
    assert len(evenly(samples, 33)) == 33 and len(evenly(samples, 200)) == 100 and evenly([], 200) == []


def test_cases_follow_their_samples() -> None:
    samples = [Sample(f"a/{k}", "a", "test", "") for k in range(2)]
    cases_of: Callable[[Sample], Any] = lambda sample: [(sample.id, view) for view in (0, 1)]  # noqa: E731
    assert list(tracked(samples, cases_of, "note")) == [("a/0", 0), ("a/0", 1), ("a/1", 0), ("a/1", 1)]


def test_methods_are_compared_on_test_at_what_val_says() -> None:
    """The air is at 0.6 in val, so that thresholds above it are best, and at 0.9 in test, where nobody asks."""

    def probability(one: ShapeCase) -> NDArray[np.float64]:
        return np.where(BOX, 1.0, 0.6 if one.sample.split == "val" else 0.9)

    def cases_of(sample: Sample) -> list[ShapeCase]:
        return [ShapeCase(sample, view, BOX, CANONICAL_FROM_UNIT) for view in range(3)]

    val, test = ([Sample(f"a/{split}{k}", "a", split, "") for k in range(2)] for split in ("val", "test"))  # type: ignore[arg-type]
    method = thresholded("m", probability, 0.5)
    rows, values, _ = compare_methods([method], cases_of, val, test, surface_samples=test[:1], max_surface_cases=2)
    table = EvaluationTable(rows)
    assert values == {"m": 0.65} and table.mean("m", "iou") == 1 / 8, "the lowest of those that are equally good"
    assert len(table.rows("m", "iou")) == 6 and set(table.values("m", "fscore")) == {("a/test0", 0), ("a/test0", 1)}
    assert compare_methods([method], cases_of, [], test).chosen == {"m": 0.5}
    assert (cases_of_each(10, val), cases_of_each(1, val), cases_of_each(10, [])) == (5, 1, 10)
