"""Charts as plotly figures in JSON: training curves, IoU of each class."""

from __future__ import annotations

import json
from html import escape
from typing import Any

import plotly.graph_objects as go

from components.report.run import Model

COLORS = {
    "measured": "#4a7bd0",
    "mean_shape": "#c9a55c",
    "extruded_surface": "#8f9bab",
    "nearest_neighbour": "#6fa58c",
    "training": "#9aa7ba",
    "validation": "#4a7bd0",
}
NOT_LEARNED = ("threshold", "val_threshold", "learning_rate")
LABELS = {"rmse": "RMSE", "iou": "IoU"}


def training_charts(model: Model) -> list[dict[str, Any]]:
    """A chart for each quantity of a history, its training and validation curves together."""
    unit = next((name for name in ("step", "epoch") if model.history and name in model.history[0]), None)
    quantities: dict[str, list[str]] = {}
    for column in dict.fromkeys(name for row in model.history for name in row if name not in (unit, *NOT_LEARNED)):
        quantities.setdefault(column.removeprefix("train_").removeprefix("val_"), []).append(column)
    return [_curves(model.history, unit, *quantity) for quantity in quantities.items()]


def class_chart(metrics: dict[str, Any]) -> dict[str, Any] | None:
    """IoU of each class beside the baselines; None where nothing was reconstructed."""
    shape = metrics["reconstruction"]
    if not shape["per_class"]:
        return None
    names = sorted(shape["per_class"], key=lambda name: -shape["per_class"][name]["iou"])
    series = [("measured", "reconstruction", shape)]
    series += [(name, name.replace("_", " "), of) for name, of in shape["baselines"].items()]
    figure = go.Figure()
    for color, label, of in series:
        values = [of["per_class"].get(name, {}).get("iou") for name in names]
        if any(value is not None for value in values):
            figure.add_bar(
                x=[escape(name) for name in names], y=values, name=label, marker_color=COLORS[color],
                hovertemplate="%{x}: %{y:.3f}<extra>" + label + "</extra>",
            )  # fmt: skip
    figure.update_layout(
        height=300, barmode="group", bargap=0.28, bargroupgap=0.06, margin={"l": 48, "r": 8, "t": 8, "b": 40},
        showlegend=False, xaxis={"automargin": True}, yaxis={"title": "IoU", "range": [0, 1]},
    )  # fmt: skip
    return _as_json(figure)


def _curves(history: list[dict[str, float]], unit: str | None, quantity: str, columns: list[str]) -> dict[str, Any]:
    figure = go.Figure()
    for column in columns:
        rows = [(k, row) for k, row in enumerate(history, start=1) if column in row]
        name = "validation" if column.startswith("val_") else "training"
        figure.add_scatter(
            x=[row[unit] if unit else k for k, row in rows], y=[row[column] for _, row in rows], name=name,
            mode="lines+markers" if len(rows) < 40 else "lines", marker={"size": 5},
            line={"color": COLORS[name], "width": 2.2},
        )  # fmt: skip
    title = escape(LABELS.get(quantity, quantity.replace("_", " ")))
    figure.update_layout(
        height=230, showlegend=False, hovermode="x unified", margin={"l": 48, "r": 8, "t": 8, "b": 40},
        xaxis={"title": unit or "row", "nticks": 6},
        yaxis={"title": {"text": title, "standoff": 10}, "automargin": True, "nticks": 6},
    )  # fmt: skip
    return _as_json(figure)


def _as_json(figure: go.Figure) -> dict[str, Any]:
    figure.update_layout(template="none")
    value: dict[str, Any] = json.loads(figure.to_json())
    return value
