"""The figures of an evaluation, each beside what needs no network and what a network must do.

An evaluation's metrics.json holds three parts, `depth`, `reconstruction` and `classification`, each with the same
measures again under `baselines`; a measure that could not be taken is null.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

HEADINGS = ("measure", "measured", "baseline", "measured − baseline, 95 %", "promise", "kept")
NUMBERS = ("measured", "baseline")
"""The headings whose columns hold numbers."""

SHOWN_DIGITS = 3
"""After the point; a per cent has one of them."""


class Figure(NamedTuple):
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
    def kept(self) -> bool | None:
        """Whether it is better than each baseline, by what the table shows; None where something was not measured."""
        others = [round(value, SHOWN_DIGITS) for _, value in self.baselines if value is not None]
        if self.measured is None or not others:
            return None
        measured = round(self.measured, SHOWN_DIGITS)
        return measured > max(others) if self.better == "higher" else measured < min(others)

    def text(self, value: float | None) -> str:
        """A value as it stands in the table."""
        if value is None:
            return "–"
        return f"{100 * value:.1f} %" if self.percent else f"{value:.3f}"

    def cells(self) -> tuple[str, str, str, str, str, str]:
        """The row in the order of `HEADINGS`."""
        baseline = ", ".join(f"{self.text(value)} ({name})" for name, value in self.baselines) or "–"
        differences = ", ".join(_interval(found) for found in self.intervals) or "–"
        count = len(self.baselines)
        promise = {0: "–", 1: f"{self.better} than the baseline"}.get(count, f"{self.better} than all of them")
        kept = {None: "–", True: "yes", False: "no"}[self.kept]
        return self.name, self.text(self.measured), baseline, differences, promise, kept


def figures(metrics: Mapping[str, Any]) -> list[Figure]:
    """The rows, from the content of metrics.json."""
    depth, shape = metrics["depth"], metrics["reconstruction"]
    delta = f"Depth within {100 * (depth['delta_threshold'] - 1):.0f} %, δ < {depth['delta_threshold']}"
    constant = depth["baselines"]["constant_depth"]
    at = f"{shape['resolution']}³"

    def against_constant(name: str, measure: str, better: str, percent: bool) -> Figure:
        others = (("constant depth", constant[measure]),)
        return Figure(name, depth[measure], others, better, percent, headline=measure == "rmse")

    rows = [
        against_constant("Depth RMSE, object's longest side = 1", "rmse", "lower", False),
        against_constant("Depth abs-rel", "abs_rel", "lower", True),
        against_constant(delta, "delta", "higher", True),
        _against_shapes(shape, f"Reconstruction IoU at {at}", "iou", "higher"),
        Figure(f"Reconstruction precision at {at}", shape["precision"], (), "higher", False),
        Figure(f"Reconstruction recall at {at}", shape["recall"], (), "higher", False),
        *_surfaces(shape),
    ]
    for name, of in (("true shapes", "true_grids"), ("reconstructed shapes", "reconstructions")):
        measured = metrics["classification"][of]
        always = measured["baselines"].get("most_common_class", {})
        for label, measure in (("Accuracy", "accuracy"), ("Mean class accuracy", "mean_class_accuracy")):
            others = (("always the most common class", always[measure]),) if always else ()
            headline = measure == "accuracy"
            rows.append(Figure(f"{label}, {name}", measured[measure], others, "higher", True, headline))
    return rows


def _surfaces(shape: Mapping[str, Any]) -> list[Figure]:
    """The rows of surfaces, each with what perfect voxels reach against the mesh."""
    best = {measure: shape["ceiling"][measure] for measure in ("fscore", "chamfer")}
    share = f"F-score at {100 * shape['fscore_distance']:.0f} % of the cube's side"
    chamfer = "Chamfer distance × 1000, squared longest sides"
    rows = []
    for name, measure, better, factor in ((share, "fscore", "higher", 1), (chamfer, "chamfer", "lower", 1000)):
        ceiling = "" if best[measure] is None else f" (perfect voxels {factor * best[measure]:.3f})"
        rows.append(_against_shapes(shape, f"Reconstruction {name}{ceiling}", measure, better, factor))
    return rows


def _against_shapes(shape: Mapping[str, Any], name: str, measure: str, better: str, factor: float = 1) -> Figure:
    def of(method: Mapping[str, Any]) -> float | None:
        value = (method if measure == "iou" else method["surfaces"])[measure]
        return None if value is None else factor * value

    baselines = tuple((other.replace("_", " "), of(measured)) for other, measured in shape["baselines"].items())
    intervals = tuple(_scaled(shape["differences"][other][measure], factor) for other in shape["baselines"])
    return Figure(name, of(shape), baselines, better, False, headline=measure == "iou", intervals=intervals)


def _scaled(found: Mapping[str, Any], factor: float) -> tuple[float, float, float] | None:
    if found["difference"] is None:
        return None
    return factor * found["difference"], factor * found["low"], factor * found["high"]


def _interval(found: tuple[float, float, float] | None) -> str:
    return "–" if found is None else f"{found[0]:+.3f} [{found[1]:+.3f}, {found[2]:+.3f}]"
