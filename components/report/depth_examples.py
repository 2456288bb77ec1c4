"""Depth, predicted and true, side by side: the best, the median and the worst view of the test split."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image

from components.report.run import ReconstructionRun
from shapeyard.evaluation.depth_maps import CONSTANT, DEPTH
from shapeyard.evaluation.table import Measurement
from shapeyard.pages.pictures import DEPTH_SCALE, ERROR_SCALE, Scale, color_picture, cropped, data_uri

ENLARGED = 240
"""Pixels: smaller pictures are made so large, so that a browser doesn't blur their masks."""


def depth_examples(run: ReconstructionRun) -> list[dict[str, Any]]:
    """The views of smallest, median and largest RMSE, with their pictures as data URIs and what their colours mean."""
    ranked = sorted(run.table.rows(DEPTH, "rmse"), key=lambda row: row.value)
    if not ranked:
        return []
    places = {"Best": 0, "Median": len(ranked) // 2, "Worst": len(ranked) - 1}
    constant = run.table.values(CONSTANT, "rmse")
    return [
        {
            "label": label,
            "rank": place + 1,
            "count": len(ranked),
            "id": ranked[place].id,
            "view": ranked[place].view,
            "rmse": ranked[place].value,
            "constant_rmse": constant.get((ranked[place].id, ranked[place].view)),
            **_pictures(run, ranked[place]),
        }
        for label, place in places.items()
    ]


def _pictures(run: ReconstructionRun, row: Measurement) -> dict[str, Any]:
    sample_id, view = row.id, row.view
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
        "pictures": [
            ("Image", _uri(Image.fromarray(rgba), Image.Resampling.LANCZOS), f"Image of {sample_id}, view {view}"),
            ("Predicted depth", _uri(color_picture(predicted, depth_scale)), f"Predicted depth of {sample_id}"),
            ("True depth", _uri(color_picture(true, depth_scale)), f"True depth of {sample_id}"),
            ("Error", _uri(color_picture(difference, error_scale)), f"Predicted minus true depth of {sample_id}"),
        ],
        "depth_scale": depth_scale,
        "error_scale": error_scale,
    }


def _uri(image: Image.Image, method: Image.Resampling = Image.Resampling.NEAREST) -> str:
    factor = -(-ENLARGED // image.width)
    return data_uri(image.resize((image.width * factor, image.height * factor), method))
