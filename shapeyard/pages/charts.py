"""Charts as plotly figures in JSON; `charts.js` draws them in the page's own colours, light or dark."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from shapeyard.evaluation.results import METHOD_TITLES
from shapeyard.metrics.calibration import ReliabilityBin

COLORS = {
    "reconstruction": "#4a7bd0",
    "occupancy": "#4a7bd0",
    "recgan": "#a678b8",
    "mean_shape": "#c9a55c",
    "extruded_surface": "#8f9bab",
    "nearest_neighbour": "#6fa58c",
    "visual_hull": "#a678b8",
    "training": "#9aa7ba",
    "validation": "#4a7bd0",
}
GAP_COLOR = "#c8664b"
MAX_ERROR = 0.05
"""From this distance from the truth on a surface has the last colour, in radii of the unit sphere."""
NOT_LEARNED = ("threshold", "val_threshold", "learning_rate")
LABELS = {"rmse": "RMSE", "iou": "IoU"}


def training_charts(history: Sequence[Mapping[str, float]]) -> list[dict[str, Any]]:
    """A chart for each quantity of a history, its training and validation curves together."""
    unit = next((name for name in ("step", "epoch") if history and name in history[0]), None)
    quantities: dict[str, list[str]] = {}
    for column in dict.fromkeys(name for row in history for name in row if name not in (unit, *NOT_LEARNED)):
        quantities.setdefault(column.removeprefix("train_").removeprefix("val_"), []).append(column)
    return [_training_chart(history, unit, *quantity) for quantity in quantities.items()]


def class_bars(per_class: Mapping[str, Mapping[str, float | None]], title: str = "IoU") -> dict[str, Any] | None:
    """A group of bars for each class, best first; None where the first method has no class.

    Args:
        per_class: method → class → value, 0 to 1; the first method's values decide the order.
        title: what the values are.
    """
    first = next(iter(per_class.values()))
    names = sorted(first, key=lambda name: -(first[name] or 0.0))
    if not names:
        return None
    figure = go.Figure()
    for method, of_class in per_class.items():
        values = [of_class.get(name) for name in names]
        if any(value is not None for value in values):
            label = METHOD_TITLES[method]
            figure.add_bar(
                x=[escape(name) for name in names], y=values, name=label, marker_color=COLORS[method],
                hovertemplate="%{x}: %{y:.3f}<extra>" + label + "</extra>",
            )  # fmt: skip
    figure.update_layout(
        barmode="group", bargap=0.28, bargroupgap=0.06, xaxis={"showgrid": False}, yaxis={"range": [0, 1]}
    )
    return _as_json(figure, "", title, height=320)


def lines_by_views(values: Mapping[str, Mapping[str, float]], names: Mapping[str, str], title: str) -> dict[str, Any]:
    """A line for each method over the number of images, which stand in equal steps.

    Args:
        values: method → number of images → value.
        names: method → its name.
        title: what the values are, 0 to 1.
    """
    figure = go.Figure()
    for method, by_views in values.items():
        figure.add_scatter(
            x=list(by_views), y=list(by_views.values()), name=names[method], mode="lines+markers",
            marker={"size": 8}, line={"color": COLORS[method], "width": 3 if method == "reconstruction" else 2},
            hovertemplate="%{y:.3f}",
        )  # fmt: skip
    figure.update_layout(hovermode="x unified", xaxis={"type": "category"}, yaxis={"range": [0, 1]})
    return _as_json(figure, "number of images", title, height=380)


def reliability_chart(bins: Sequence[ReliabilityBin]) -> dict[str, Any]:
    """Accuracy over mean confidence, a dot a bin; on the diagonal the probabilities are calibrated."""
    figure = go.Figure()
    figure.add_scatter(x=[0, 1], y=[0, 1], mode="lines", name="calibrated", hoverinfo="skip",
                       line={"dash": "dash", "width": 1.5, "color": COLORS["training"]})  # fmt: skip
    gaps = [(x, y) for one in bins for x, y in ((one.confidence, one.accuracy), (one.confidence,) * 2, (None, None))]
    figure.add_scatter(x=[x for x, _ in gaps], y=[y for _, y in gaps], mode="lines", name="gap", hoverinfo="skip",
                       line={"width": 2, "color": GAP_COLOR})  # fmt: skip
    figure.add_scatter(
        x=[one.confidence for one in bins], y=[one.accuracy for one in bins], mode="markers", name="bin of answers",
        marker={"size": 10, "color": COLORS["validation"]}, customdata=[one.samples for one in bins],
        hovertemplate="%{customdata} answers: confidence %{x:.3f}, accuracy %{y:.3f}<extra></extra>",
    )  # fmt: skip
    axis = {"range": [-0.02, 1.02], "dtick": 0.2}
    figure.update_layout(xaxis=axis, yaxis=axis)
    return _as_json(figure, "confidence", "accuracy", height=380)


def surface_with_error(
    vertices: NDArray[np.floating[Any]], faces: NDArray[np.integer[Any]], error: NDArray[np.floating[Any]]
) -> dict[str, Any]:
    """A mesh (N,3), (M,3) to turn, +Y up, coloured by a value (N,) at least 0 at each vertex."""
    (x, z, y), (i, j, k) = vertices.T.astype(np.float32), faces.T.astype(np.int32)
    figure = go.Figure()
    figure.add_mesh3d(
        x=x, y=-y, z=z, i=i, j=j, k=k, intensity=error.astype(np.float32), colorscale="Viridis", cmin=0, cmax=MAX_ERROR,
        colorbar={"title": {"text": "distance"}, "thickness": 12}, flatshading=True, hoverinfo="skip",
    )  # fmt: skip
    hidden = {"visible": False}
    figure.update_layout(scene={"xaxis": hidden, "yaxis": hidden, "zaxis": hidden, "aspectmode": "data"})
    return _as_json(figure, "", "", height=420)


def code_map(
    names: Sequence[str], classes: Sequence[str], places: NDArray[np.floating[Any]], pictures: Mapping[int, str]
) -> dict[str, Any]:
    """Objects at places (N,2), a colour for each class; of some numbers a picture (a URI) behind the point."""
    figure = go.Figure()
    for class_name in sorted(set(classes)):
        of_class = [number for number, one in enumerate(classes) if one == class_name]
        figure.add_scatter(
            x=places[of_class, 0], y=places[of_class, 1], name=escape(class_name), mode="markers", marker={"size": 8},
            text=[escape(names[number]) for number in of_class], hovertemplate="%{text}<extra></extra>",
        )  # fmt: skip
    extent = np.maximum(np.ptp(places, axis=0), 1e-6) if len(places) else np.ones(2)
    for number, uri in pictures.items():
        figure.add_layout_image(
            source=uri, x=places[number, 0], y=places[number, 1], xref="x", yref="y", sizex=0.1 * extent[0],
            sizey=0.1 * extent[1], xanchor="center", yanchor="middle", layer="below",
        )  # fmt: skip
    return _as_json(figure, "first principal axis", "second principal axis", height=560)


def _training_chart(
    history: Sequence[Mapping[str, float]], unit: str | None, quantity: str, columns: list[str]
) -> dict[str, Any]:
    figure = go.Figure()
    for column in columns:
        rows = [(k, row) for k, row in enumerate(history, start=1) if column in row]
        name = "validation" if column.startswith("val_") else "training"
        figure.add_scatter(
            x=[row[unit] if unit else k for k, row in rows], y=[row[column] for _, row in rows], name=name,
            mode="lines+markers" if len(rows) < 40 else "lines", marker={"size": 5},
            line={"color": COLORS[name], "width": 2.2},
        )  # fmt: skip
    figure.update_layout(hovermode="x unified", xaxis={"nticks": 6}, yaxis={"nticks": 6})
    title = LABELS.get(quantity, quantity.replace("_", " "))
    return _as_json(figure, unit or "row", title, height=250)


def _as_json(figure: go.Figure, x_title: str, y_title: str, *, height: int) -> dict[str, Any]:
    figure.update_layout(
        template="none", height=height, margin={"l": 48, "r": 8, "t": 28, "b": 44}, showlegend=True,
        legend={"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom"},
        xaxis={"title": {"text": escape(x_title)}, "automargin": True},
        yaxis={"title": {"text": escape(y_title), "standoff": 10}, "automargin": True},
    )  # fmt: skip
    value: dict[str, Any] = json.loads(figure.to_json())
    return value
