"""Multi-view measures: by hand on analytic shapes, the baselines, the page, and what does not fit."""

from __future__ import annotations

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

from components.evaluate_multiview import EvaluateMultiviewSettings
from components.evaluate_multiview.component import evaluate_multiview as component
from components.evaluate_multiview.evaluate_multiview import evaluate_multiview, summary
from components.evaluate_multiview.image_sequences import METHODS, SequenceDatasets
from shapeyard.contracts.dataset import Dataset, DatasetWriter, read_occupancy
from shapeyard.contracts.model import finish_model, start_model
from shapeyard.errors import DatasetError
from shapeyard.evaluation.output import read_evaluation
from shapeyard.evaluation.retrieval import ImageGallery
from shapeyard.evaluation.table import EvaluationTable, Measurement
from shapeyard.geometry.isosurface import isosurface

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
    finish_model(model, [{"step": 4, "train_loss": 0.5}], {"seconds": 3.5, "val_iou": 0.4}, [])
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
    table = read_evaluation(tmp_path / "evaluation").table
    assert list(table.values("reconstruction", "iou"))[:3] == [("ball/0004", n) for n in NUMBERS]
    surfaces_by_hand(found, list(test.values()))
    measured = list(table.values("reconstruction", "fscore").values())
    assert measured[0] < measured[1] < measured[2] and len(measured) == 6
    assert len({row.value for row in table.rows("ceiling", "fscore") if row.id == "ball/0004"}) == 1
    assert np.mean(measured[2::3]) == pytest.approx(found["methods"]["reconstruction"]["fscore"]["3"], abs=1e-5)
    page = (tmp_path / "page.html").read_text()
    assert page.count("perfect voxels, against the mesh</th>") == 2
    assert 'class="clear"' not in page, "an interval without width says nothing"
    assert "A &lt;title&gt;" in page and "<title>A <title>" not in page and "from 3, IoU 1.00" in page
    assert page.count('class="view"') == 2 * 4
    lines = {name: json.loads(page.split(f'id="chart-{name}">')[1].split("</script>")[0]) for name in ("iou", "fscore")}
    assert [line["name"] for line in lines["iou"]["data"]] == [
        "3D-R2N2", "mean shape", "retrieval baseline (nearest neighbour)", "visual hull (true cameras)",
    ]  # fmt: skip
    assert lines["iou"]["data"][0]["x"] == ["1", "2", "3"]
    assert lines["fscore"]["data"][0]["y"] == list(found["methods"]["reconstruction"]["fscore"].values())


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


def test_means_by_hand() -> None:
    def rows(name: str, views: int, values: dict[str, float], measure: str) -> list[Measurement]:
        return [
            Measurement(name, name.split("/")[0], views, method, measure, value) for method, value in values.items()
        ]

    def of(name: str, views: int, fscore: float) -> list[Measurement]:
        fscores = {"reconstruction": fscore, "mean_shape": 0.25, "nearest_neighbour": fscore, "visual_hull": 0.0}
        chamfers = {"reconstruction": 2 * fscore, "mean_shape": 3.0, "nearest_neighbour": 3.0, "visual_hull": 6.0}
        return [*rows(name, views, dict.fromkeys(METHODS, fscore), "iou"), *rows(name, views, fscores, "fscore"),
                *rows(name, views, chamfers, "chamfer")]  # fmt: skip

    measured = [*of("a/0", 1, 0.5), *of("a/0", 2, 1.0), *of("a/1", 1, 0.0), *of("b/0", 1, 0.75)]
    ceilings = [Measurement("a/0", "a", n, "ceiling", "fscore", 0.5) for n in (1, 2)]
    ceilings.append(Measurement("a/1", "a", 1, "ceiling", "fscore", 1.0))
    ceilings += [row._replace(measure="chamfer", value=0.0) for row in ceilings]
    found = summary(EvaluationTable(measured + ceilings), [1, 2], dict.fromkeys(METHODS, 0.4))
    made = found["methods"]["reconstruction"]
    assert made["fscore"] == {"1": 0.5, "2": 1.0} and made["chamfer"] == {"1": 1.0, "2": 2.0}, "classes weigh the same"
    assert made["iou"] == made["fscore"] and made["per_class"] == {"1": {"a": 0.25, "b": 0.75}, "2": {"a": 1.0}}
    assert "threshold" in made and "threshold" not in found["methods"]["nearest_neighbour"]
    assert found["ceiling"] == {"objects": 2, "fscore": 0.75, "chamfer": 0}
    assert found["fscore_over_baselines"]["mean_shape"]["2"]["difference"] == 0.75
    above = found["fscore_over_baselines"]["nearest_neighbour"]["1"]
    assert above == {"difference": 0, "low": 0, "high": 0, "objects": 3}
    assert found["more_views"]["2 − 1"]["difference"] == 0.5 and found["more_views"]["2 − 1"]["objects"] == 1
    assert found["surface_objects"] == 3
    assert summary(EvaluationTable(measured), [1, 2], dict.fromkeys(METHODS, 0.4))["ceiling"] is None


def test_cases_show_the_views_they_are_told(run: tuple[Path, Path, Path, Path, Path]) -> None:
    """The first so many of the order: more views leave less room, and the nearest object is among the training's."""
    _, renders, voxels, made, _ = run
    data = SequenceDatasets(
        Dataset([renders], "renders"), Dataset([voxels], "voxels"), Dataset([made], "reconstructions"), None
    )
    sample, training = data.samples("test")[0], data.samples("train")
    one, two, three = data.cases(sample, 32, ImageGallery(data.renders, training))
    np.testing.assert_array_equal(one.silhouettes, np.isfinite(data.renders.read(sample.id, "depth", ORDER[0]))[None])
    hulls = [case.hull() >= 0.5 for case in (one, three)]
    assert hulls[1].sum() < hulls[0].sum() and not (hulls[1] & ~hulls[0]).any()
    assert [case.view for case in (one, two, three)] == NUMBERS and len(two.world_from_camera) == 2
    neighbours = [read_occupancy(data.voxels, other.id) for other in training if other.class_name == sample.class_name]
    assert any(np.array_equal(three.neighbour, grid) for grid in neighbours)
    data.close()


def test_without_a_validation_split_and_without_meshes(write_shapes: Write, tmp_path: Path) -> None:
    folders = write_shapes(count=4, views=4, resolution=32, splits=["train", "train", "train", "test"])
    made = write_reconstructions(tmp_path / "made", folders.voxels, {"views_used": NUMBERS, "view_order": ORDER})
    places = [], [folders.renders], [folders.voxels], made, write_model(tmp_path / "model")
    outputs = tmp_path / "page.html", tmp_path / "evaluation"
    figures = evaluate_multiview(*places, *outputs, EvaluateMultiviewSettings()).figures
    assert figures["threshold"] == 0.4
    found = json.loads((tmp_path / "evaluation" / "metrics.json").read_text())
    assert found["chosen_on"].startswith("nothing")
    assert found["ceiling"] is None and "ceiling_fscore" not in figures and figures["fscore_3"] > 0.3
    assert "perfect voxels" not in (tmp_path / "page.html").read_text()
    table = read_evaluation(tmp_path / "evaluation").table
    assert not table.rows("ceiling", "fscore")
    assert all(row.value > 0 for row in table.rows("visual_hull", "chamfer"))


def test_what_does_not_fit(write_shapes: Write, tmp_path: Path) -> None:
    folders = write_shapes(count=10, views=4, resolution=32)
    model = write_model(tmp_path / "model")
    outputs = tmp_path / "page.html", tmp_path / "evaluation"
    nameless = write_reconstructions(tmp_path / "nameless", folders.voxels, {})
    with pytest.raises(DatasetError, match="sample box/0003: expected views_used and view_order"):
        evaluate_multiview(
            [], [folders.renders], [folders.voxels], nameless, model, *outputs, EvaluateMultiviewSettings()
        )
    many = write_reconstructions(tmp_path / "many", folders.voxels, {"views_used": [1], "view_order": ORDER})
    with pytest.raises(DatasetError, match=r"sample box/0003: expected probabilities of shape \(1, 32, 32, 32\)"):
        evaluate_multiview([], [folders.renders], [folders.voxels], many, model, *outputs, EvaluateMultiviewSettings())
    none = write_reconstructions(tmp_path / "none", folders.voxels, {}, splits=("val",))
    with pytest.raises(DatasetError, match="expected samples of the test split, got none"):
        evaluate_multiview([], [folders.renders], [folders.voxels], none, model, *outputs, EvaluateMultiviewSettings())
    assert not any(path.exists() for path in outputs)
