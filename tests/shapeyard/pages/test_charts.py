"""Charts as plotly figures: what is in them, by hand."""

from __future__ import annotations

from shapeyard.metrics.calibration import ReliabilityBin
from shapeyard.pages.charts import class_bars, lines_by_views, reliability_chart, training_charts


def test_curves_are_grouped_by_what_they_measure() -> None:
    history = [{"step": 10.0, "train_loss": 1.0}, {"step": 20.0, "train_loss": 0.5, "val_loss": 0.6, "val_iou": 0.2}]
    loss, iou = training_charts(history)
    assert [(trace["name"], trace["x"]) for trace in loss["data"]] == [("training", [10, 20]), ("validation", [20])]
    assert iou["layout"]["yaxis"]["title"]["text"] == "IoU"
    assert training_charts([]) == []


def test_bars_of_a_class_without_a_baseline() -> None:
    none: dict[str, dict[str, float | None]] = {"mean_shape": {}, "extruded_surface": {}, "nearest_neighbour": {}}
    chart = class_bars({"reconstruction": {"<b>": 0.5, "a": 0.7}, **none})
    assert chart and [(bar["x"], bar["y"]) for bar in chart["data"]] == [(["a", "&lt;b&gt;"], [0.7, 0.5])]
    assert class_bars({"reconstruction": {}, **none}) is None


def test_lines_over_the_number_of_images() -> None:
    values = {"reconstruction": {"1": 0.5, "12": 0.75}, "visual_hull": {"1": 0.25, "12": 0.5}}
    chart = lines_by_views(values, {"reconstruction": "3D-R2N2", "visual_hull": "hull"}, "IoU")
    assert [(line["name"], line["x"], line["y"]) for line in chart["data"]] == [
        ("3D-R2N2", ["1", "12"], [0.5, 0.75]), ("hull", ["1", "12"], [0.25, 0.5]),
    ]  # fmt: skip
    assert chart["layout"]["xaxis"]["type"] == "category", "the steps between numbers of images are equal"


def test_a_reliability_diagram_joins_each_bin_to_the_diagonal() -> None:
    diagonal, gaps, dots = reliability_chart([ReliabilityBin(0.25, 0.5, 8), ReliabilityBin(0.75, 0.5, 2)])["data"]
    assert (diagonal["x"], diagonal["y"]) == ([0, 1], [0, 1])
    assert (dots["x"], dots["y"], dots["customdata"]) == ([0.25, 0.75], [0.5, 0.5], [8, 2])
    assert list(zip(gaps["x"], gaps["y"], strict=True))[:3] == [(0.25, 0.5), (0.25, 0.25), (None, None)]
