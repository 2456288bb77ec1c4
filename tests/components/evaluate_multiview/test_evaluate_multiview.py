"""Multi-view measures: by hand on analytic shapes, the baselines, the page, and what does not fit."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh
from kfp import dsl
from numpy.typing import NDArray

from components.evaluate_multiview.baselines import Neighbours, features, hull, mean_shape, silhouettes
from components.evaluate_multiview.component import evaluate_multiview as component
from components.evaluate_multiview.evaluate_multiview import evaluate_multiview
from components.evaluate_multiview.measures import Row, best_thresholds, class_iou, difference, mean_iou
from components.evaluate_multiview.surfaces import Surfaces, evenly, fscore_difference, surface_summary
from shapeyard.contracts.dataset import Dataset, DatasetWriter, Sample, read_occupancy
from shapeyard.contracts.model import finish_model, start_model
from shapeyard.errors import DatasetError
from shapeyard.geometry.isosurface import isosurface
from shapeyard.metrics.occupancy import THRESHOLDS
from shapeyard.metrics.surface import SurfaceAgreement

Write = Callable[..., Any]
NUMBERS, ORDER = [1, 2, 3], [2, 0, 3, 1]


def write_reconstructions(
    folder: Path, voxels: Path, attributes: dict[str, Any], splits: tuple[str, ...] = ("val", "test")
) -> Path:
    """Perfect from three views; from fewer each with a missing slab, twice as thick from one as from two."""
    grids = Dataset([voxels], "voxels")
    with DatasetWriter(folder, "reconstructions", "train_multiview", {}) as writer:
        for sample in grids.samples:
            if sample.split in splits:
                true = read_occupancy(grids, sample.id)
                shapes = np.stack([_without(true, 4), _without(true, 2), true])
                cubes = np.stack([np.eye(4)] * 3)
                arrays = {"probability": shapes * np.uint8(200), "canonical_from_cube": cubes}
                writer.add(sample, arrays, attributes)
    return folder


def _without(grid: NDArray[np.bool_], slabs: int) -> NDArray[np.bool_]:
    made = grid.copy()
    made[16 : 16 + slabs] = False
    return made


def write_meshes(folder: Path, voxels: Path) -> Path:
    """The surfaces of the grids themselves as OFF files in millimetres, the cube's corner at the origin."""
    grids = Dataset([voxels], "voxels")
    canonical_from_file = [[0.001, 0, 0, -0.5], [0, 0.001, 0, -0.5], [0, 0, 0.001, -0.5], [0, 0, 0, 1]]
    with DatasetWriter(folder, "meshes", "fetch", {}) as writer:
        for sample in grids.samples:
            source = folder.parent / "source"
            source.mkdir(exist_ok=True)
            surface(read_occupancy(grids, sample.id), 1000).export(source / "model.off")
            matrix = tuple(tuple(row) for row in canonical_from_file)
            writer.add_files(replace(sample, canonical_from_file=matrix), source, "model.off")
    return folder


def surface(grid: NDArray[np.bool_], side: float = 1) -> trimesh.Trimesh:
    mesh = isosurface(grid)
    return trimesh.Trimesh(mesh.vertices * side, mesh.faces, process=False)


def write_model(folder: Path) -> Path:
    model = start_model(folder, {"network": "r2n2", "width": 12})
    finish_model(model, [{"step": 4, "train_loss": 0.5}], {"seconds": 3.5, "val_iou": 0.4})
    return model


@pytest.fixture
def run(write_shapes: Write, tmp_path: Path) -> tuple[Path, Path, Path, Path, Path]:
    folders = write_shapes(count=10, views=4, resolution=32)
    made = write_reconstructions(tmp_path / "made", folders.voxels, {"views_used": NUMBERS, "view_order": ORDER})
    meshes = write_meshes(tmp_path / "meshes", folders.voxels)
    return meshes, folders.renders, folders.voxels, made, write_model(tmp_path / "model")


def test_figures_by_hand(run: tuple[Path, Path, Path, Path, Path], tmp_path: Path) -> None:
    meshes, renders, voxels, made, model = run
    outputs = [dsl.HTML(uri=str(tmp_path / "page.html")), dsl.Artifact(uri=str(tmp_path / "evaluation")),
               dsl.Metrics(uri=str(tmp_path / "metrics"))]  # fmt: skip
    component.python_func(
        *([dsl.Dataset(uri=str(path))] for path in (meshes, renders, voxels)), dsl.Dataset(uri=str(made)),
        dsl.Model(uri=str(model)), *outputs, title="A <title>",
    )  # fmt: skip
    found = json.loads((tmp_path / "evaluation" / "metrics.json").read_text())
    grids = Dataset([voxels], "voxels")
    test = {name: read_occupancy(grids, name) for name in ("ball/0004", "box/0009")}
    expected = np.mean([_without(grid, 4).sum() / grid.sum() for grid in test.values()])
    iou = found["methods"]["reconstruction"]["iou"]
    assert iou["1"] == pytest.approx(expected) and iou["1"] < iou["2"] < iou["3"] == 1
    assert found["samples"] == {"train": 6, "val": 2, "test": 2} and found["views"] == NUMBERS
    assert found["methods"]["mean_shape"]["iou"]["1"] == found["methods"]["mean_shape"]["iou"]["3"] < 0.9
    hulls = found["methods"]["visual_hull"]["iou"]
    assert 0.3 < hulls["1"] < hulls["3"] < 1
    assert found["more_views"]["3 − 1"]["low"] > 0 and found["over_baselines"]["mean_shape"]["3"]["objects"] == 2
    assert outputs[2].metadata["iou_3"] == 1 and outputs[2].metadata["mean_shape_iou_1"] < 1
    with (tmp_path / "evaluation" / "per_sample.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["id"], row["views"]) for row in rows[:3]] == [("ball/0004", n) for n in "123"] and len(rows) == 6
    surfaces_by_hand(found, list(test.values()))
    measured = [float(row["reconstruction_fscore"]) for row in rows]
    assert measured[0] < measured[1] < measured[2] and len({row["ceiling_fscore"] for row in rows[:3]}) == 1
    assert np.mean(measured[2::3]) == pytest.approx(found["methods"]["reconstruction"]["fscore"]["3"], abs=1e-5)
    page = (tmp_path / "page.html").read_text()
    assert page.count("perfect voxels, against the mesh</th>") == 2
    assert 'class="clear"' not in page, "an interval without width says nothing"
    assert "A &lt;title&gt;" in page and "<script" not in page and "from 3, IoU 1.00" in page
    assert page.count('class="view"') == 2 * 4 and page.count("<polyline") == 4


def surfaces_by_hand(found: dict[str, Any], test: list[NDArray[np.bool_]]) -> None:
    """Points of a Poisson process of density λ: one is farther than r from all others with probability exp(−πr²λ), and
    the mean squared distance to the nearest is 1/(πλ); the mesh is the grid's own surface.
    """
    areas = [surface(grid).area for grid in test]
    fscore, chamfer = (
        np.mean([of(area) for area in areas])
        for of in (lambda area: 1 - math.exp(-math.pi / area), lambda area: 2 * area / (math.pi * 10_000))
    )
    methods, ceiling = found["methods"], found["ceiling"]
    made = methods["reconstruction"]
    assert made["fscore"]["1"] < made["fscore"]["2"] < made["fscore"]["3"] == pytest.approx(fscore, rel=0.03)
    assert made["chamfer"]["1"] > made["chamfer"]["2"] > made["chamfer"]["3"] == pytest.approx(chamfer, rel=0.03)
    assert ceiling == {
        "objects": 2, "fscore": pytest.approx(fscore, rel=0.03), "chamfer": pytest.approx(chamfer, rel=0.03)
    }  # fmt: skip
    assert found["surface_objects"] == 2 and found["surface_points"] == 10_000
    for baseline, by_views in found["fscore_over_baselines"].items():
        assert methods[baseline]["fscore"]["3"] < made["fscore"]["3"]
        assert methods[baseline]["chamfer"]["3"] > made["chamfer"]["3"]
        above = made["fscore"]["3"] - methods[baseline]["fscore"]["3"]
        assert by_views["3"]["difference"] == pytest.approx(above) and by_views["3"]["objects"] == 2
        assert by_views["3"]["low"] == by_views["3"]["high"], "one object a class: no width"
    assert methods["mean_shape"]["fscore"]["1"] == methods["mean_shape"]["fscore"]["3"]


def test_means_of_surfaces_by_hand() -> None:
    def of(name: str, fscores: dict[int, float], ceiling: float | None) -> Surfaces:
        by_views = {
            views: {"reconstruction": SurfaceAgreement(value, 2 * value), "mean_shape": SurfaceAgreement(0.25, 3),
                    "nearest_neighbour": SurfaceAgreement(value, 3), "visual_hull": SurfaceAgreement(0, 6)}
            for views, value in fscores.items()
        }  # fmt: skip
        reached = None if ceiling is None else SurfaceAgreement(ceiling, 0)
        return Surfaces(Sample(name, name.split("/")[0], "test", ""), by_views, reached)

    measured = [of("a/0", {1: 0.5, 2: 1.0}, 0.5), of("a/1", {1: 0.0}, 1.0), of("b/0", {1: 0.75}, None)]
    found = surface_summary(measured)
    made = found["methods"]["reconstruction"]
    assert made == {"fscore": {"1": 0.5, "2": 1.0}, "chamfer": {"1": 1.0, "2": 2.0}}, "classes weigh the same"
    assert found["ceiling"] == {"objects": 2, "fscore": 0.75, "chamfer": 0}
    assert found["fscore_over_baselines"]["mean_shape"]["2"]["difference"] == 0.75
    above = fscore_difference(measured, "nearest_neighbour", 1)
    assert above == (0, 0, 0, 3)
    assert surface_summary(measured[2:])["ceiling"] is None


def test_objects_are_chosen_evenly_in_any_order() -> None:
    samples = [Sample(f"{name}/{k:03}", name, "test", "") for name in "ba" for k in range(50)]
    chosen = evenly(samples, 20)
    assert [sample.id for sample in chosen[:2]] == ["a/000", "a/005"] and len(chosen) == 20
    assert sum(sample.class_name == "b" for sample in chosen) == 10 and evenly(samples[::-1], 20) == chosen
    assert len(evenly(samples, 33)) == 33 and len(evenly(samples)) == 100 and evenly([]) == []


def test_means_and_thresholds_by_hand() -> None:
    def row(name: str, views: int, at_most: float, value: float) -> Row:
        curve = np.where(at_most >= THRESHOLDS, value, 0.0)
        return Row(Sample(name, name.split("/")[0], "val", ""), views, dict.fromkeys(("reconstruction", "mean_shape",
                   "nearest_neighbour", "visual_hull"), curve))  # fmt: skip

    rows = [row("a/0", 1, 0.5, 0.2), row("a/1", 1, 0.5, 0.4), row("b/0", 1, 0.3, 1.0), row("b/0", 2, 0.3, 0.5)]
    at_start = mean_iou(rows, "reconstruction", 1)
    assert at_start[0] == pytest.approx((0.3 + 1.0) / 2), "classes weigh the same"
    assert THRESHOLDS[best_thresholds(rows)["reconstruction"]] == 0.05
    late = [*rows, row("c/0", 1, 0.95, 0.1)]
    assert mean_iou(late, "reconstruction", 1)[-1] == pytest.approx(0.1 / 3)
    assert THRESHOLDS[best_thresholds([])["visual_hull"]] == 0.4
    assert class_iou(rows, "reconstruction", 1, 0) == {"a": pytest.approx(0.3), "b": 1.0}
    chosen = dict.fromkeys(("reconstruction", "mean_shape"), 0)
    more = difference(rows, chosen, ("reconstruction", 2), ("reconstruction", 1))
    assert (more.difference, more.objects) == (pytest.approx(-0.5), 1)
    assert difference(rows, chosen, ("reconstruction", 1), ("mean_shape", 1)).difference == 0


def test_the_mean_shape_is_a_mean(write_shapes: Write) -> None:
    voxels = Dataset([write_shapes(count=2, resolution=32, splits=["train"]).voxels], "voxels")
    one, other = (read_occupancy(voxels, sample.id) for sample in voxels.samples)
    np.testing.assert_allclose(mean_shape(voxels, voxels.samples, 32), (one.astype(float) + other) / 2)


def test_an_object_is_its_own_nearest_neighbour(write_shapes: Write) -> None:
    renders = Dataset([write_shapes(count=6, views=3, splits=["train"]).renders], "renders")
    neighbours = Neighbours(renders, renders.samples)
    for sample in renders.samples:
        rgba = renders.read(sample.id, "rgba")
        assert neighbours.nearest(rgba[1:2]) == neighbours.nearest(rgba) == sample.id


def test_features_by_hand() -> None:
    rgba = np.zeros((1, 32, 32, 4), dtype=np.uint8)
    rgba[0, :2, :2] = [255, 255, 255, 255]
    rgba[0, 0, 2:4] = [255, 0, 0, 255]
    rgba[0, 31, 31] = [255, 255, 255, 0]
    brightness, alpha = features(rgba).reshape(2, 16, 16)
    assert (brightness[0, 0], alpha[0, 0]) == (pytest.approx(1), 1)
    assert (brightness[0, 1], alpha[0, 1]) == (pytest.approx(0.299 / 2), 0.5)
    assert brightness[15, 15] == alpha[15, 15] == 0


def test_the_hull_takes_the_views_it_is_told(write_shapes: Write) -> None:
    renders = Dataset([write_shapes(count=1, views=3, image_size=64, splits=["train"]).renders], "renders")
    name = renders.samples[0].id
    one, all_three = hull(renders, name, [1], 16) >= 0.5, hull(renders, name, [1, 0, 2], 16) >= 0.5
    assert all_three.sum() < one.sum() and not (all_three & ~one).any()
    np.testing.assert_array_equal(silhouettes(renders, name), np.isfinite(renders.read(name, "depth")))


def test_silhouettes_of_brought_images(tmp_path: Path) -> None:
    rgba = np.zeros((1, 4, 4, 4), dtype=np.uint8)
    rgba[0, 1, 1, 3], rgba[0, 2, 2, 3] = 128, 127
    with DatasetWriter(tmp_path / "r", "renders", "render", {}) as writer:
        writer.add(Sample("a/0", "a", "test", ""), {"rgba": rgba})
    found = silhouettes(Dataset([tmp_path / "r"], "renders"), "a/0")
    assert found.sum() == 1 and found[0, 1, 1]


def test_without_a_validation_split_and_without_meshes(write_shapes: Write, tmp_path: Path) -> None:
    folders = write_shapes(count=4, views=4, resolution=32, splits=["train", "train", "train", "test"])
    made = write_reconstructions(tmp_path / "made", folders.voxels, {"views_used": NUMBERS, "view_order": ORDER})
    places = [], [folders.renders], [folders.voxels], made, write_model(tmp_path / "model")
    figures = evaluate_multiview(*places, tmp_path / "page.html", tmp_path / "evaluation")
    assert figures["threshold"] == 0.4
    found = json.loads((tmp_path / "evaluation" / "metrics.json").read_text())
    assert found["chosen_on"].startswith("nothing")
    assert found["ceiling"] is None and "ceiling_fscore" not in figures and figures["fscore_3"] > 0.3
    assert "perfect voxels" not in (tmp_path / "page.html").read_text()
    with (tmp_path / "evaluation" / "per_sample.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert all(row["ceiling_fscore"] == "" and float(row["visual_hull_chamfer"]) > 0 for row in rows)


def test_what_does_not_fit(write_shapes: Write, tmp_path: Path) -> None:
    folders = write_shapes(count=10, views=4, resolution=32)
    model = write_model(tmp_path / "model")
    outputs = tmp_path / "page.html", tmp_path / "evaluation"
    nameless = write_reconstructions(tmp_path / "nameless", folders.voxels, {})
    with pytest.raises(DatasetError, match="sample box/0003: expected views_used and view_order"):
        evaluate_multiview([], [folders.renders], [folders.voxels], nameless, model, *outputs)
    many = write_reconstructions(tmp_path / "many", folders.voxels, {"views_used": [1], "view_order": ORDER})
    with pytest.raises(DatasetError, match=r"sample box/0003: expected probabilities of shape \(1, 32, 32, 32\)"):
        evaluate_multiview([], [folders.renders], [folders.voxels], many, model, *outputs)
    none = write_reconstructions(tmp_path / "none", folders.voxels, {}, splits=("val",))
    with pytest.raises(DatasetError, match="expected samples of the test split, got none"):
        evaluate_multiview([], [folders.renders], [folders.voxels], none, model, *outputs)
    assert not any(path.exists() for path in outputs)
