"""The evaluation: perfect and flawed runs, what it is chosen on, and what is missing."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kfp import dsl
from synthetic_run import SyntheticRun, inside_boxes, orbit, write_run

from components.evaluate.component import evaluate as component
from components.evaluate.evaluate import evaluate
from components.evaluate.views import BASELINES, ViewDatasets, true_in_cube
from shapeyard.contracts.dataset import Dataset, DatasetWriter
from shapeyard.contracts.measures import Measured
from shapeyard.contracts.packed_occupancy import pack_occupancy
from shapeyard.errors import DatasetError
from shapeyard.evaluation.baselines import visible_surface
from shapeyard.evaluation.output import read_evaluation
from shapeyard.evaluation.retrieval import ViewGallery
from shapeyard.geometry.lifting import canonical_from_cube, enclosing_cube, extrude, unproject
from shapeyard.metrics.occupancy import overlap


def measure(run: SyntheticRun) -> tuple[Measured, dict[str, Any]]:
    result = evaluate(**run.shards, **run.outputs, evaluation=run.folder / "evaluation")
    return result, json.loads((run.folder / "evaluation" / "metrics.json").read_text())


def rewrite(path: Path, kind: Any, change: Any) -> None:
    """Read a dataset and write it again in its place; `change` gets a sample and its arrays and gives them back."""
    dataset = Dataset([path], kind)
    names = {"renders": ("rgba", "depth", "intrinsics", "world_from_camera"), "voxels": ("occupancy",),
             "depths": ("depth",), "reconstructions": ("probability", "canonical_from_cube"),
             "predictions": ("probabilities",)}[kind]  # fmt: skip
    content = [(s, {name: dataset.read(s.id, name) for name in names}) for s in dataset.samples]
    dataset.close()
    with DatasetWriter(path, kind, "test", {}, attributes=dataset.attributes) as writer:
        for sample, arrays in content:
            changed = change(sample, arrays)
            if changed is not None:
                writer.add(*changed, attributes=changed[0].attributes)


@pytest.fixture(scope="module")
def perfect(tmp_path_factory: pytest.TempPathFactory) -> tuple[SyntheticRun, Measured, dict[str, Any]]:
    run = write_run(tmp_path_factory.mktemp("perfect"))
    return run, *measure(run)


def test_the_truth_scores_full_marks(perfect: tuple[SyntheticRun, Measured, dict[str, Any]]) -> None:
    _, result, metrics = perfect
    figures = result.figures
    assert figures["depth_rmse"] == figures["depth_abs_rel"] == 0
    assert figures["depth_delta"] == figures["iou"] == figures["precision"] == figures["recall"] == 1
    assert figures["accuracy"] == figures["reconstructed_mean_class_accuracy"] == 1
    assert result.confusion == [[2, 0, 0], [0, 2, 0], [0, 0, 2]] and result.classes == ["chair", "shelf", "table"]
    assert metrics["depth"]["views"] == metrics["reconstruction"]["networks"]["recgan"]["views"] == 12, (
        "6 test objects, 2 views each"
    )
    assert metrics["notes"] == []


def test_baselines_are_worse_than_the_truth(perfect: tuple[SyntheticRun, Measured, dict[str, Any]]) -> None:
    figures = perfect[1].figures
    assert 0.1 < figures["constant_depth_rmse"] < 0.5
    bands = perfect[2]["depth"]["by_distance_from_silhouette"]
    assert [(band["from_pixels"], band["to_pixels"]) for band in bands] == [(1, 2), (2, 4), (4, 8), (8, None)]
    assert all(band["rmse"] == 0 and 0.05 < band["constant_depth_rmse"] < 0.6 for band in bands if band["pixels"])
    assert sum(band["pixels"] for band in bands) == pytest.approx(1)
    assert 0.05 < figures["mean_shape_iou"] < 0.9 and 0.05 < figures["extruded_surface_iou"] < 0.9


def test_baselines_against_the_obvious_version(perfect: tuple[SyntheticRun, Measured, dict[str, Any]]) -> None:
    """The constant from all pixels at once, and the extrusion at its chosen thickness with `extrude` itself."""
    run, result, metrics = perfect
    renders, voxels = Dataset(run.shards["renders"], "renders"), Dataset(run.shards["voxels"], "voxels")
    shown = np.concatenate([renders.read(s.id, "depth").ravel() for s in renders.of_split("train")])
    constant = shown[np.isfinite(shown)].astype(np.float64).mean()
    assert metrics["depth"]["baselines"]["constant_depth"]["depth"] == pytest.approx(constant)

    thickness = metrics["reconstruction"]["baselines"]["extruded_surface"]["thickness_voxels"]
    of_class: dict[str, list[float]] = {}
    for sample in renders.of_split("test"):
        occupancy = np.unpackbits(voxels.read(sample.id, "occupancy"), count=24**3).reshape(24, 24, 24).astype(bool)
        for view in range(2):
            depth, camera = renders.read(sample.id, "depth", view), renders.read(sample.id, "world_from_camera", view)
            intrinsics = renders.read(sample.id, "intrinsics")
            matrix = canonical_from_cube(camera, enclosing_cube(unproject(depth, intrinsics)))
            true, missed = true_in_cube(occupancy, matrix, 24)
            shape = extrude(visible_surface(depth, intrinsics, camera, matrix, 24), thickness)
            iou = (shape & true).sum() / ((shape | true).sum() + missed)
            of_class.setdefault(sample.class_name, []).append(iou)
    expected = np.mean([np.mean(ious) for ious in of_class.values()])
    assert result.figures["extruded_surface_iou"] == pytest.approx(expected)
    renders.close()
    voxels.close()


def test_perfect_voxels_have_nearly_perfect_surfaces(
    perfect: tuple[SyntheticRun, Measured, dict[str, Any]],
) -> None:
    """A voxel is 1/24 of the side, so that resampled and rounded it is not within 1 % everywhere, but near."""
    shape = perfect[2]["reconstruction"]
    surfaces, ceiling = shape["networks"]["recgan"]["surfaces"], shape["ceiling"]
    assert surfaces["views"] == 12 and set(surfaces["per_class"]) == {"chair", "shelf", "table"}
    assert 0 < surfaces["chamfer"] < 2e-3 and surfaces["fscore"] > 0.3
    assert 0 < ceiling["chamfer"] < 2e-3 and ceiling["samples"] == 6
    for baseline in shape["baselines"].values():
        assert baseline["surfaces"]["fscore"] < surfaces["fscore"]
        assert baseline["surfaces"]["chamfer"] > surfaces["chamfer"]


def test_differences_have_intervals(perfect: tuple[SyntheticRun, Measured, dict[str, Any]]) -> None:
    shape = perfect[2]["reconstruction"]
    for name, of in shape["networks"]["recgan"]["differences"].items():
        assert of["iou"]["difference"] == pytest.approx(1 - shape["baselines"][name]["iou"])
        assert 0 < of["iou"]["low"] <= of["iou"]["difference"] <= of["iou"]["high"] and of["iou"]["objects"] == 6
        assert of["chamfer"]["high"] < 0, "lower is better"


def test_grids_at_the_choice_are_those_that_were_measured(
    perfect: tuple[SyntheticRun, Measured, dict[str, Any]],
) -> None:
    """The IoU of each view from the grids whose surfaces are measured, against the table's."""
    run, _, metrics = perfect
    views = ViewDatasets(
        *(Dataset(run.shards[kind], kind) for kind in ("renders", "voxels")),
        Dataset([run.outputs["depths"]], "depths"),
        *(Dataset([run.outputs[name]], "reconstructions") for name in ("reconstructions", "occupancy_reconstructions")),
    )
    gallery = ViewGallery.of_training(views.renders, views.depths, views.voxels)
    measured = metrics["reconstruction"]
    chosen = {name: of["threshold"] for name, of in measured["networks"].items()}
    chosen |= {name: next(iter(of.values())) for name, of in measured["baselines"].items()}
    methods = views.methods(24)
    iou: dict[str, dict[str, list[float]]] = {method.name: {} for method in methods}
    for sample in views.renders.of_split("test"):
        for case in views.cases(sample, 24, gallery):
            true, missed = case.truth()
            for method in methods:
                shapes = method.shapes(case)
                assert shapes is not None
                grid = shapes.at(list(method.candidates).index(chosen[method.name]))
                of_class = iou[method.name].setdefault(sample.class_name, [])
                of_class.append(
                    float(overlap(grid, true, missed).iou)
                )  # two views of each object, so all weigh the same
    for name in BASELINES:
        assert np.mean([np.mean(values) for values in iou[name].values()]) == pytest.approx(
            measured["baselines"][name]["iou"]
        )
    assert {value for values in iou["recgan"].values() for value in values} == {1.0}
    for dataset in views.datasets:
        dataset.close()


def test_the_table_holds_every_view(perfect: tuple[SyntheticRun, Measured, dict[str, Any]]) -> None:
    """Means over an object's views, then a class's objects, from the file are those of metrics.json."""
    metrics, table = read_evaluation(perfect[0].folder / "evaluation")
    rows = table.rows("recgan", "iou")
    assert len(rows) == 12 and len({row.id for row in rows}) == 6 and {row.value for row in rows} == {1.0}
    of_object: dict[str, list[float]] = {}
    for row in table.rows("constant_depth", "rmse"):
        if row.class_name == "chair":
            of_object.setdefault(row.id, []).append(row.value)
    assert set(of_object) == {"chair/0003", "chair/0004"} and {len(values) for values in of_object.values()} == {2}
    expected = np.mean([np.mean(values) for values in of_object.values()])
    per_class = metrics["depth"]["baselines"]["constant_depth"]["per_class"]
    assert per_class["chair"]["rmse"] == pytest.approx(expected, abs=1e-5)
    assert table.class_means("constant_depth", "rmse")["chair"] == pytest.approx(expected)
    predicted = table.rows("classifier_on_reconstructions", "predicted")
    assert len(predicted) == 12 and all(row.value == row.class_name for row in predicted)


def test_the_component_writes_its_artifacts(tmp_path: Path) -> None:
    run = write_run(tmp_path, splits=("train", "val", "test"), views=1)
    shards = {name: [dsl.Dataset(uri=str(path)) for path in paths] for name, paths in run.shards.items()}
    others = {name: dsl.Dataset(uri=str(path)) for name, path in run.outputs.items()}
    metrics, confusion = dsl.Metrics(uri=str(tmp_path / "m")), dsl.ClassificationMetrics(uri=str(tmp_path / "c"))
    evaluation = dsl.Artifact(uri=str(tmp_path / "evaluation"))
    component.python_func(**shards, **others, evaluation=evaluation, metrics=metrics, confusion=confusion)
    assert metrics.metadata["iou"] == 1.0
    assert confusion.metadata["confusionMatrix"]["rows"][0] == {"row": [1, 0, 0]}
    assert (tmp_path / "evaluation" / "metrics.json").is_file()


def test_the_threshold_comes_from_val_alone(tmp_path: Path) -> None:
    """Occupied voxels are at 0.6, the air at 0.3, and only in val; in test the other way round nothing would fit."""
    run = write_run(tmp_path, views=1)

    def tell(sample: Any, arrays: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        occupied = arrays["probability"] > 127
        values = (153, 77) if sample.split == "val" else (255, 230)
        return sample, arrays | {"probability": np.where(occupied, *values).astype(np.uint8)}

    rewrite(run.outputs["reconstructions"], "reconstructions", tell)
    found = measure(run)[1]["reconstruction"]["networks"]["recgan"]
    assert found["threshold"] == 0.35, "the lowest that separates 0.3 from 0.6"
    assert found["recall"] == 1 and found["precision"] < 0.5, "0.9 would have served test, not val"


def test_the_best_network_is_that_of_the_validation_split(tmp_path: Path) -> None:
    """On val the occupancy network fails, on test 3D-RecGAN++ does: chosen is the one that is worse on test."""
    run = write_run(tmp_path, views=1)

    def failing_on(split: str) -> Any:
        def tell(sample: Any, arrays: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
            return sample, arrays | ({"probability": 0 * arrays["probability"]} if sample.split == split else {})

        return tell

    rewrite(run.outputs["occupancy_reconstructions"], "reconstructions", failing_on("val"))
    rewrite(run.outputs["reconstructions"], "reconstructions", failing_on("test"))
    result, metrics = measure(run)
    shape = metrics["reconstruction"]
    assert shape["best"] == "recgan" and shape["networks"]["recgan"]["val_iou"] == 1
    assert result.figures["iou"] == result.figures["recgan_iou"] == 0 and result.figures["occupancy_iou"] == 1
    assert shape["networks"]["recgan"]["differences"]["occupancy"]["iou"]["difference"] == -1
    assert set(shape["networks"]["occupancy"]["differences"]) == set(BASELINES)


def test_a_second_network_may_be_missing_or_of_another_resolution_but_not_in_other_cubes(tmp_path: Path) -> None:
    run = write_run(tmp_path, views=1)
    folder = run.outputs["occupancy_reconstructions"]

    def finer(sample: Any, arrays: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        return sample, arrays | {"probability": np.kron(arrays["probability"], np.ones((1, 2, 2, 2), np.uint8))}

    rewrite(folder, "reconstructions", finer)
    assert measure(run)[0].figures["occupancy_iou"] > 0.95, "resampled to 24³"

    def moved(sample: Any, arrays: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        return sample, arrays | {"canonical_from_cube": arrays["canonical_from_cube"] + 0.01}

    rewrite(folder, "reconstructions", moved)
    with pytest.raises(DatasetError, match=r"sample chair/0002: expected view 0 in the cube of .*, found another"):
        measure(run)
    outputs = {**run.outputs, "occupancy_reconstructions": None}
    figures = evaluate(**run.shards, **outputs, evaluation=run.folder / "evaluation").figures
    assert figures["iou"] == figures["recgan_iou"] == 1 and "occupancy_iou" not in figures


def test_truth_outside_the_cube_is_missed() -> None:
    """A cube that holds the lower half of a full canonical grid, at another resolution."""
    matrix = np.eye(4)
    matrix[:3, 3] = [-0.5, -1.0, -0.5]
    true, missed = true_in_cube(np.ones((4, 4, 4), bool), matrix, 8)
    assert missed == pytest.approx(8**3 / 2)
    assert true[1:-1, 4:, 1:-1].all() and not true[:, :3].any(), "edges are blurred"
    half_as_large = np.diag([0.5, 0.5, 0.5, 1.0])
    half_as_large[:3, 3] = -0.25
    true, missed = true_in_cube(np.ones((4, 4, 4), bool), half_as_large, 8)
    assert true.all()
    assert missed == pytest.approx(7 * 8**3), "seven eighths of the volume, in the cube's small voxels"


def test_surface_on_the_cube_s_faces_stays_inside() -> None:
    boxes = np.array([[[-0.5, -0.5, -0.5], [0.5, 0.5, 0.5]]])
    from synthetic_run import cast, intrinsics

    depth = cast(boxes, orbit(0, 0), 32, np.ones(3))[1]
    points = unproject(depth, intrinsics(32))
    matrix = canonical_from_cube(orbit(0, 0), enclosing_cube(points)).astype(np.float32)
    surface = visible_surface(depth, intrinsics(32), orbit(0, 0), matrix.astype(np.float64), 16)
    assert surface.any(axis=2).sum() == surface[:, :, 0].sum() > 100, "the front face lies at the nearest depth"


def test_no_test_samples(tmp_path: Path) -> None:
    run = write_run(tmp_path, splits=("train", "val"), views=1)
    with pytest.raises(DatasetError, match="expected samples of the test split to measure, got none"):
        measure(run)
    assert not (tmp_path / "evaluation").exists()


def test_no_val_and_no_train_samples(tmp_path: Path) -> None:
    run = write_run(tmp_path, splits=("test",), views=1)
    result, metrics = measure(run)
    shape = metrics["reconstruction"]
    assert (
        shape["networks"]["recgan"]["threshold"] == 0.5
        and shape["baselines"]["extruded_surface"]["thickness_voxels"] == 6
    )
    assert (
        shape["baselines"]["mean_shape"]["iou"] is None
        and shape["baselines"]["nearest_neighbour"]["iou"] is None
        and metrics["depth"]["baselines"]["constant_depth"]["rmse"] is None
    )
    assert metrics["notes"] == ["reconstruction: no validation samples, so what is chosen there has its default"]
    assert result.figures["iou"] == 1 and "mean_shape_iou" not in result.figures


def test_samples_that_are_missing_are_noted(tmp_path: Path) -> None:
    run = write_run(tmp_path, views=1)
    for name, kind in (("reconstructions", "reconstructions"), ("reconstruction_predictions", "predictions")):
        rewrite(run.outputs[name], kind, lambda s, arrays: None if s.id == "table/0003" else (s, arrays))
    _, metrics = measure(run)
    assert metrics["notes"] == [
        "reconstruction: 1 of 6 test samples are missing, table/0003 first",
        "classification of reconstructions: 1 of 6 test samples are missing, table/0003 first",
    ]
    assert metrics["reconstruction"]["networks"]["recgan"]["samples"] == 5 and metrics["depth"]["samples"] == 6


def test_only_some_views_were_reconstructed(tmp_path: Path) -> None:
    run = write_run(tmp_path, views=3)

    def keep_the_last(sample: Any, arrays: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        return replace(sample, attributes={"views": [2]}), {name: values[2:] for name, values in arrays.items()}

    rewrite(run.outputs["reconstructions"], "reconstructions", keep_the_last)
    result, metrics = measure(run)
    assert (
        result.figures["iou"] == 1
        and metrics["reconstruction"]["networks"]["recgan"]["views"] == 6
        and metrics["depth"]["views"] == 18
    )
    assert result.figures["extruded_surface_iou"] > 0.2, "the surface is lifted from the same view"


def test_a_class_the_classifier_does_not_know(tmp_path: Path) -> None:
    run = write_run(tmp_path, views=1)
    path = run.outputs["class_predictions"]
    dataset = Dataset([path], "predictions")
    samples = dataset.samples
    with DatasetWriter(path, "predictions", "test", {}, attributes={"classes": ["chair"]}) as writer:
        for sample in samples:
            writer.add(sample, {"probabilities": np.ones((1, 1), np.float32)})
    result, _ = measure(run)
    assert result.confusion == [[2, 0, 0], [2, 0, 0], [2, 0, 0]]
    assert result.figures["accuracy"] == result.figures["mean_class_accuracy"] == pytest.approx(1 / 3)


def test_an_empty_grid_and_an_empty_view(tmp_path: Path) -> None:
    run = write_run(tmp_path, views=2)
    empty = pack_occupancy(np.zeros((24, 24, 24), bool))
    rewrite(
        run.shards["voxels"][0], "voxels",
        lambda s, arrays: (s, {"occupancy": empty} if s.id == "chair/0003" else arrays),
    )  # fmt: skip
    nothing = np.full((40, 40), np.inf, np.float32)

    def blind(sample: Any, arrays: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        shown = np.stack([nothing, arrays["depth"][1]]) if sample.id == "chair/0003" else arrays["depth"]
        return sample, arrays | {"depth": shown}

    rewrite(run.shards["renders"][0], "renders", blind)
    result, metrics = measure(run)
    assert metrics["depth"]["views"] == 11, "a view that shows nothing has no error"
    assert metrics["reconstruction"]["networks"]["recgan"]["per_class"]["chair"]["iou"] == 0.5, (
        "something where nothing is scores 0"
    )
    assert result.figures["depth_rmse"] == 0


FLAWS: dict[str, tuple[str, str, Any]] = {
    "expected depth of shape": ("depths", "depths", lambda s, a: {"depth": a["depth"][:, ::2]}),
    "expected finite depth all over": ("depths", "depths", lambda s, a: {"depth": a["depth"] * np.float32(np.nan)}),
    "finite probabilities of 3": (
        "reconstruction_predictions",
        "predictions",
        lambda s, a: {"probabilities": a["probabilities"][:, :2]},
    ),
    r"expected a grid of 24³ voxels, got shape \(9, 24, 24\)": ("reconstructions",) * 2
    + (lambda s, a: a | {"probability": a["probability"][:, :9]},),
    r"expected a grid of 24³ voxels, got shape \(12, 12, 12\)": ("reconstructions",) * 2
    + (lambda s, a: a | {"probability": a["probability"][:, ::2, ::2, ::2]} if s.split == "test" else a,),
}


@pytest.mark.parametrize("message", FLAWS)
def test_datasets_that_do_not_fit(tmp_path: Path, message: str) -> None:
    name, kind, change = FLAWS[message]
    run = write_run(tmp_path, views=1)
    rewrite(run.outputs[name], kind, lambda sample, arrays: (sample, change(sample, arrays)))
    with pytest.raises(DatasetError, match=message):
        measure(run)


def test_boxes_are_what_they_look_like() -> None:
    """The synthetic shapes themselves: half a cube is half the voxels."""
    assert inside_boxes(np.array([[[-0.5, -0.5, -0.5], [0.5, 0.0, 0.5]]]), 8).sum() == 8**3 // 2
