"""The results of an evaluation as a table: each figure with its baselines, and its target: to be better than them.

An evaluation's metrics.json holds three parts, `depth`, `reconstruction` and `classification`, each with the same
measures again under `baselines`; a measure that could not be taken is null.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from shapeyard.evaluation.measuring import CEILING, SURFACE_MEASURES

HEADINGS = ("measure", "measured", "baselines", "measured − baseline, 95 %", "target", "met")
NUMBERS = ("measured",)
"""The headings whose columns hold numbers."""
SHOWN_DIGITS = 3
"""After the point; a per cent has one of them."""

METHOD_TITLES = {
    "reconstruction": "reconstruction",
    "occupancy": "pixel-aligned occupancy network",
    "recgan": "U-Net + 3D-RecGAN++",
    "mean_shape": "mean shape",
    "extruded_surface": "extruded surface",
    "nearest_neighbour": "retrieval baseline (nearest neighbour)",
    "visual_hull": "visual hull (true cameras)",
    "constant_depth": "constant depth",
    "most_common_class": "always the most common class",
}


class ResultRow(NamedTuple):
    """A row of the table."""

    name: str
    measured: float | None
    baselines: tuple[tuple[str, float | None], ...]
    """what the same measure is without a network, each with its name"""
    better: str
    """"higher" or "lower" """
    percent: bool
    headline: bool = False
    """whether it is one of the few that a page shows first"""
    intervals: tuple[tuple[float, float, float] | None, ...] = ()
    """for each baseline the difference with the ends of its interval; empty where none was taken"""

    @property
    def met(self) -> bool | None:
        """Whether it is better than each baseline, by what the table shows; None where something was not measured."""
        others = [round(value, SHOWN_DIGITS) for _, value in self.baselines if value is not None]
        if self.measured is None or not others:
            return None
        measured = round(self.measured, SHOWN_DIGITS)
        return measured > max(others) if self.better == "higher" else measured < min(others)

    @property
    def target(self) -> str:
        """What has to be reached."""
        return {0: "–", 1: f"{self.better} than the baseline"}.get(
            len(self.baselines), f"{self.better} than all baselines"
        )

    def text(self, value: float | None) -> str:
        """A value as it stands in the table."""
        if value is None:
            return "–"
        return f"{100 * value:.1f} %" if self.percent else f"{value:.3f}"

    @property
    def baseline_texts(self) -> list[str]:
        """Each baseline with its value."""
        return [f"{name} {self.text(value)}" for name, value in self.baselines]

    @property
    def interval_texts(self) -> list[str]:
        """The difference to each baseline with its interval."""
        return ["–" if one is None else f"{one[0]:+.3f} [{one[1]:+.3f}, {one[2]:+.3f}]" for one in self.intervals]

    def cells(self) -> tuple[str, str, str, str, str, str]:
        """The row in the order of `HEADINGS`."""
        baselines, intervals = (", ".join(texts) or "–" for texts in (self.baseline_texts, self.interval_texts))
        met = {None: "–", True: "yes", False: "no"}[self.met]
        return self.name, self.text(self.measured), baselines, intervals, self.target, met


def result_rows(metrics: Mapping[str, Any]) -> list[ResultRow]:
    """The rows, from the content of metrics.json."""
    depth, shape = metrics["depth"], metrics["reconstruction"]
    delta = f"Depth within {100 * (depth['delta_threshold'] - 1):.0f} %, δ < {depth['delta_threshold']}"
    rows = [
        _depth_row(depth, "Depth RMSE, object's longest side = 1", "rmse", "lower", percent=False),
        _depth_row(depth, "Depth abs-rel", "abs_rel", "lower", percent=True),
        _depth_row(depth, delta, "delta", "higher", percent=True),
        *(row for network in networks_best_first(shape) for row in _network_rows(shape, network)),
    ]
    for name, of in (("true shapes", "true_grids"), ("reconstructed shapes", "reconstructions")):
        measured = metrics["classification"][of]
        for label, measure in (("Accuracy", "accuracy"), ("Mean class accuracy", "mean_class_accuracy")):
            others = tuple((METHOD_TITLES[one], found[measure]) for one, found in measured["baselines"].items())
            headline = measure == "accuracy"
            rows.append(ResultRow(f"{label}, {name}", measured[measure], others, "higher", True, headline))
    return rows


def markdown_table(metrics: Mapping[str, Any]) -> str:
    """The table as Markdown, from the content of metrics.json."""
    rows = [
        HEADINGS,
        ["--:" if heading in NUMBERS else "---" for heading in HEADINGS],
        *(row.cells() for row in result_rows(metrics)),
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _depth_row(depth: Mapping[str, Any], name: str, measure: str, better: str, *, percent: bool) -> ResultRow:
    others = tuple((METHOD_TITLES[one], found[measure]) for one, found in depth["baselines"].items())
    return ResultRow(name, depth[measure], others, better, percent, headline=measure == "rmse")


def networks_best_first(shape: Mapping[str, Any]) -> list[str]:
    """The networks of metrics.json's `reconstruction`, the best one on the validation split first."""
    return sorted(shape["networks"], key=lambda name: bool(name != shape["best"]))


def _network_rows(shape: Mapping[str, Any], network: str) -> list[ResultRow]:
    """The five rows of a network, those of surfaces with what perfect voxels reach against the mesh."""
    found, title = shape["networks"][network], METHOD_TITLES[network]
    at, of = f"{shape['resolution']}³", f"of {title}"
    best = {measure: shape[CEILING][measure] for measure in SURFACE_MEASURES}
    share = f"F-score {of} at {100 * shape['fscore_distance']:.0f} % of the cube's side"
    chamfer = f"Chamfer distance {of} × 1000, squared longest sides"
    rows = [
        _shape_row(shape, network, f"IoU {of} at {at}", "iou", "higher"),
        ResultRow(f"Precision {of} at {at}", found["precision"], (), "higher", False),
        ResultRow(f"Recall {of} at {at}", found["recall"], (), "higher", False),
    ]
    for name, measure, better, factor in ((share, "fscore", "higher", 1), (chamfer, "chamfer", "lower", 1000)):
        ceiling = "" if best[measure] is None else f" (perfect voxels {factor * best[measure]:.3f})"
        rows.append(_shape_row(shape, network, f"{name}{ceiling}", measure, better, factor))
    return rows


def _shape_row(
    shape: Mapping[str, Any], network: str, name: str, measure: str, better: str, factor: float = 1
) -> ResultRow:
    """A measure of a network beside the methods that its differences are taken to."""
    methods = {**shape["networks"], **shape["baselines"]}
    differences = shape["networks"][network]["differences"]

    def of(method: str) -> float | None:
        value = (methods[method] if measure == "iou" else methods[method]["surfaces"])[measure]
        return None if value is None else factor * value

    def scaled(found: Mapping[str, Any]) -> tuple[float, float, float] | None:
        if found["difference"] is None:
            return None
        return factor * found["difference"], factor * found["low"], factor * found["high"]

    others = tuple((METHOD_TITLES[other], of(other)) for other in differences)
    intervals = tuple(scaled(difference[measure]) for difference in differences.values())
    headline = measure == "iou" and network == shape["best"]
    return ResultRow(name, of(network), others, better, False, headline=headline, intervals=intervals)
