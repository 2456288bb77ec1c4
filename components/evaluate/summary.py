"""From rows of measures to the figures of a run: metrics.json, the tables beside it, and what is logged."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import Any

from components.evaluate import depth, reconstruction, surfaces
from components.evaluate.averages import Row, mean_over_classes, mean_over_objects, mean_over_views, write_csv
from shapeyard.contracts.dataset import Sample
from shapeyard.metrics.classification import accuracy, class_accuracies, confusion_matrix, mean_class_accuracy
from shapeyard.metrics.depth import BANDS, DELTA_THRESHOLD
from shapeyard.metrics.paired import paired_difference
from shapeyard.metrics.surface import POINTS, SHARE_OF_SIDE


def depth_metrics(rows: list[Row], constant: float) -> dict[str, Any]:
    """The measures of predicted depth, and of the constant (canonical units) in its place."""
    metrics = _of_method(rows, "depth", depth.MEASURES)
    metrics["by_distance_from_silhouette"] = [
        {
            "from_pixels": near,
            "to_pixels": far,
            "pixels": float(mean_over_classes(rows, f"pixels_band_{number}")),
            "rmse": float(mean_over_classes(rows, f"depth_{measure}")),
            "constant_depth_rmse": float(mean_over_classes(rows, f"constant_depth_{measure}")),
        }
        for number, ((near, far), measure) in enumerate(zip(BANDS, depth.BAND_MEASURES, strict=True))
    ]
    metrics |= {"delta_threshold": DELTA_THRESHOLD, "unit": "longest side of the object"}
    constant_metrics = _of_method(rows, "constant_depth", depth.MEASURES)
    return metrics | {"baselines": {"constant_depth": {"depth": constant, **constant_metrics}}}


def reconstruction_metrics(rows: list[Row], settings: dict[str, Any]) -> dict[str, Any]:
    """The measures of the reconstructions and of the baselines, each with the number that was chosen for it.

    Beside them under `differences` the reconstructions' advantage over each baseline, with its 95 % interval.
    """
    chosen = settings.get("chosen", {})
    named = {"mean_shape": "threshold", "extruded_surface": "thickness_voxels", "nearest_neighbour": "depth_weight"}
    return {
        "resolution": settings["resolution"],
        "threshold": chosen.get("reconstruction", math.nan),
        "outside_the_cube": mean_over_classes(rows, "outside"),
        **_of_shapes(rows, "reconstruction"),
        "surface_points": POINTS,
        "fscore_distance": SHARE_OF_SIDE,
        "chamfer_unit": "squared longest sides of the object",
        "ceiling": _of_method(rows, "ceiling", surfaces.MEASURES),
        "baselines": {name: {number: chosen.get(name, math.nan), **_of_shapes(rows, name)}
                      for name, number in named.items()},
        "differences": {name: _differences(rows, name) for name in named},
    }  # fmt: skip


def classification_metrics(rows: list[Row], classes: list[str], training: list[Sample]) -> dict[str, Any]:
    """Accuracy, mean class accuracy, confusion matrix and each class's accuracy, over all that was shown.

    Args:
        rows: of `recognized_rows`.
        classes: the names in the order of the matrix, all that occur in the rows.
        training: the training split; the baseline always says its most common class.
    """
    true = [row["class"] for row in rows]
    matrix = confusion_matrix(true, [row["predicted"] for row in rows], classes)
    of_class = zip(classes, class_accuracies(matrix).tolist(), strict=True)
    metrics: dict[str, Any] = {
        "shown": len(rows),
        "samples": len({row["id"] for row in rows}),
        "accuracy": accuracy(matrix),
        "mean_class_accuracy": mean_class_accuracy(matrix),
        "confusion": {"classes": classes, "matrix": matrix.tolist()},
        "per_class": {name: {"accuracy": value} for name, value in of_class if not math.isnan(value)},
        "baselines": {},
    }
    if training:
        counts = Counter(sample.class_name for sample in training)
        common = min(counts, key=lambda name: (-counts[name], name))
        always = confusion_matrix(true, [common] * len(true), classes)
        metrics["baselines"]["most_common_class"] = {
            "class": common,
            "accuracy": accuracy(always),
            "mean_class_accuracy": mean_class_accuracy(always),
        }
    return metrics


def key_figures(metrics: dict[str, Any]) -> dict[str, float]:
    """The figures that a person asks for first, under flat names; what could not be measured is left out."""
    seen, shape, classified = metrics["depth"], metrics["reconstruction"], metrics["classification"]
    constant = seen["baselines"]["constant_depth"]
    figures = {
        "depth_rmse": seen["rmse"],
        "depth_abs_rel": seen["abs_rel"],
        "depth_delta": seen["delta"],
        "constant_depth_rmse": constant["rmse"],
        "constant_depth_abs_rel": constant["abs_rel"],
        "constant_depth_delta": constant["delta"],
        "iou": shape["iou"],
        "precision": shape["precision"],
        "recall": shape["recall"],
        "threshold": shape["threshold"],
        "mean_shape_iou": shape["baselines"]["mean_shape"]["iou"],
        "extruded_surface_iou": shape["baselines"]["extruded_surface"]["iou"],
        "nearest_neighbour_iou": shape["baselines"]["nearest_neighbour"]["iou"],
        "fscore": shape["surfaces"]["fscore"],
        "chamfer": shape["surfaces"]["chamfer"],
        "accuracy": classified["true_grids"]["accuracy"],
        "mean_class_accuracy": classified["true_grids"]["mean_class_accuracy"],
        "reconstructed_accuracy": classified["reconstructions"]["accuracy"],
        "reconstructed_mean_class_accuracy": classified["reconstructions"]["mean_class_accuracy"],
    }
    return {name: float(value) for name, value in figures.items() if not math.isnan(value)}


def write_tables(
    folder: Path, depth_rows: list[Row], shape_rows: list[Row], true_rows: list[Row], reconstructed_rows: list[Row]
) -> None:
    """Write per_view.csv, per_sample.csv and per_class.csv."""
    measures = [f"depth_{m}" for m in depth.MEASURES] + [f"constant_depth_{m}" for m in depth.MEASURES]
    measures += [f"{method}_{m}" for method in reconstruction.METHODS for m in reconstruction.MEASURES] + ["outside"]
    measures += [f"{method}_{m}" for method in (*reconstruction.METHODS, "ceiling") for m in surfaces.MEASURES]

    views: dict[tuple[str, int], Row] = {}
    for row in (*depth_rows, *shape_rows):
        views[row["id"], row["view"]] = views.get((row["id"], row["view"]), {}) | row
    write_csv(folder / "per_view.csv", views.values())

    samples = mean_over_views(list(views.values()), measures)
    for row in true_rows:
        samples.setdefault(row["id"], {"id": row["id"], "class": row["class"]})
        samples[row["id"]] |= {"predicted_class": row["predicted"], "recognized": row["right"]}
    for name, row in mean_over_views(reconstructed_rows, ["right"]).items():
        samples.setdefault(name, {"id": name, "class": row["class"]})
        samples[name]["reconstruction_recognized"] = row["right"]
    write_csv(folder / "per_sample.csv", samples.values())

    measures += ["recognized", "reconstruction_recognized"]
    of_class = {measure: mean_over_objects(samples.values(), measure) for measure in measures}
    counts = Counter(row["class"] for row in samples.values())
    classes = [
        {"class": name, "samples": counts[name]}
        | {m: float(of_class[m][name]) for m in measures if name in of_class[m]}
        for name in sorted(counts)
    ]
    write_csv(folder / "per_class.csv", classes)


def without_nan(value: Any) -> Any:
    """The same tree with null in place of nan, which JSON does not know, and whole numbers as such."""
    if isinstance(value, dict):
        return {name: without_nan(inside) for name, inside in value.items()}
    if isinstance(value, list):
        return [without_nan(inside) for inside in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _of_shapes(rows: list[Row], method: str) -> dict[str, Any]:
    """The overlap over all views, and under `surfaces` what was measured over some of them."""
    overlap = _of_method(rows, method, reconstruction.MEASURES)
    return overlap | {"surfaces": _of_method(rows, method, surfaces.MEASURES)}


def _differences(rows: list[Row], baseline: str) -> dict[str, Any]:
    """For each measure the reconstructions' mean minus the baseline's, its interval, and over how many objects."""
    found: dict[str, Any] = {}
    for measure in ("iou", *surfaces.MEASURES):
        first, second = (
            [row.get(f"{method}_{measure}", math.nan) for row in rows] for method in ("reconstruction", baseline)
        )
        of_objects = ([row[name] for row in rows] for name in ("id", "class"))
        found[measure] = paired_difference(first, second, *of_objects)._asdict()
    return found


def _of_method(rows: list[Row], method: str, measures: tuple[str, ...]) -> dict[str, Any]:
    """The mean of each measure over the classes, for each class, and over how much."""
    rows = [row for row in rows if f"{method}_{measures[0]}" in row]
    metrics: dict[str, Any] = {"samples": len({row["id"] for row in rows}), "views": len(rows)}
    metrics |= {measure: float(mean_over_classes(rows, f"{method}_{measure}")) for measure in measures}
    of_class = {measure: mean_over_objects(rows, f"{method}_{measure}") for measure in measures}
    names = of_class[measures[0]]
    return metrics | {"per_class": {name: {m: float(of_class[m][name]) for m in measures} for name in names}}
