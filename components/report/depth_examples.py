"""Depth, predicted and true, side by side: the best, the median and the worst view of the test split."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image

from components.report.pictures import DEPTH_SCALE, ERROR_SCALE, Scale, color_picture, cropped, data_uri
from components.report.run import Row, Run, number

ENLARGED = 240
"""Pixels: smaller pictures are made so large, so that a browser doesn't blur their masks."""


def depth_examples(run: Run) -> list[dict[str, Any]]:
    """The views of smallest, median and largest RMSE, with their pictures as data URIs and what their colours mean."""
    ranked = sorted((row for row in run.views if number(row, "depth_rmse") is not None), key=_rmse)
    if not ranked:
        return []
    places = {"Best": 0, "Median": len(ranked) // 2, "Worst": len(ranked) - 1}
    return [_example(run, label, ranked[place], place + 1, len(ranked)) for label, place in places.items()]


def _example(run: Run, label: str, row: Row, rank: int, count: int) -> dict[str, Any]:
    sample_id, view = row["id"], int(row["view"])
    rgba = run.renders.read(sample_id, "rgba", view)
    true, predicted = run.renders.read(sample_id, "depth", view), run.depths.read(sample_id, "depth", view)
    mask = np.isfinite(true)
    rgba, true, predicted = cropped([rgba, true, predicted], mask)
    mask = np.isfinite(true)
    difference = np.where(mask, np.where(mask, predicted, 0) - np.where(mask, true, 0), np.nan)
    depth_scale = Scale(float(true[mask].min()), float(true[mask].max()), DEPTH_SCALE)
    largest = max(float(np.percentile(np.abs(difference[mask]), 98)), 0.005)
    error_scale = Scale(-largest, largest, ERROR_SCALE)
    return {
        "label": label,
        "rank": rank,
        "count": count,
        "id": sample_id,
        "view": view,
        "rmse": _rmse(row),
        "constant_rmse": number(row, "constant_depth_rmse"),
        "pictures": [
            ("Image", _uri(Image.fromarray(rgba), Image.Resampling.LANCZOS), f"Image of {sample_id}, view {view}"),
            ("Predicted depth", _uri(color_picture(predicted, depth_scale)), f"Predicted depth of {sample_id}"),
            ("True depth", _uri(color_picture(true, depth_scale)), f"True depth of {sample_id}"),
            ("Error", _uri(color_picture(difference, error_scale)), f"Predicted minus true depth of {sample_id}"),
        ],
        "depth_scale": depth_scale,
        "error_scale": error_scale,
    }


def _rmse(row: Row) -> float:
    return number(row, "depth_rmse") or 0.0


def _uri(image: Image.Image, method: Image.Resampling = Image.Resampling.NEAREST) -> str:
    factor = -(-ENLARGED // image.width)
    return data_uri(image.resize((image.width * factor, image.height * factor), method))
