"""The figures of an evaluation, each beside what needs no network and what a network must do.

An evaluation's metrics.json holds three parts, `depth`, `reconstruction` and `classification`, each with the same
measures again under `baselines`; a measure that could not be taken is null.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

HEADINGS = ("measure", "measured", "baseline", "promise", "kept")

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

    def cells(self) -> tuple[str, str, str, str, str]:
        """The row in the order of `HEADINGS`."""
        baseline = ", ".join(f"{self.text(value)} ({name})" for name, value in self.baselines) or "–"
        promise = {0: "–", 1: f"{self.better} than the baseline"}.get(len(self.baselines), f"{self.better} than both")
        return self.name, self.text(self.measured), baseline, promise, {None: "–", True: "yes", False: "no"}[self.kept]


def figures(metrics: Mapping[str, Any]) -> list[Figure]:
    """The rows, from the content of metrics.json."""
    depth, shape = metrics["depth"], metrics["reconstruction"]
    delta = f"Depth within {100 * (depth['delta_threshold'] - 1):.0f} %, δ < {depth['delta_threshold']}"
    constant, mean = depth["baselines"]["constant_depth"], shape["baselines"]["mean_shape"]
    surface = shape["baselines"]["extruded_surface"]
    at = f"{shape['resolution']}³"

    def against_constant(name: str, measure: str, better: str, percent: bool) -> Figure:
        others = (("constant depth", constant[measure]),)
        return Figure(name, depth[measure], others, better, percent, headline=measure == "rmse")

    def against_shapes(name: str, measure: str) -> Figure:
        others = (("mean shape", mean[measure]), ("extruded surface", surface[measure]))
        compared = others if measure == "iou" else ()
        return Figure(f"{name} at {at}", shape[measure], compared, "higher", False, headline=measure == "iou")

    rows = [
        against_constant("Depth RMSE, object's longest side = 1", "rmse", "lower", False),
        against_constant("Depth abs-rel", "abs_rel", "lower", True),
        against_constant(delta, "delta", "higher", True),
        against_shapes("Reconstruction IoU", "iou"),
        against_shapes("Reconstruction precision", "precision"),
        against_shapes("Reconstruction recall", "recall"),
    ]
    for name, of in (("true shapes", "true_grids"), ("reconstructed shapes", "reconstructions")):
        measured = metrics["classification"][of]
        always = measured["baselines"].get("most_common_class", {})
        for label, measure in (("Accuracy", "accuracy"), ("Mean class accuracy", "mean_class_accuracy")):
            others = (("always the most common class", always[measure]),) if always else ()
            headline = measure == "accuracy"
            rows.append(Figure(f"{label}, {name}", measured[measure], others, "higher", True, headline))
    return rows
