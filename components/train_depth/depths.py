"""What the trained network says: its error on a split, and its depth for every view."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from components.train_depth import TrainDepthSettings
from components.train_depth.views import Views
from shapeyard.contracts.dataset import Dataset, DatasetWriter
from shapeyard.contracts.progress import track
from shapeyard.geometry.preview import contact_sheet
from shapeyard.inference.depth import DepthEstimator, predict_depth, require_size

PREVIEW_VIEWS = 12


def rmse(estimator: DepthEstimator, views: Views, batch_size: int) -> float:
    """Root mean squared error over all object pixels of all views, canonical units."""
    squares, count = 0.0, 0
    for start in range(0, len(views), batch_size):
        batch = [views[i] for i in range(start, min(start + batch_size, len(views)))]
        true = np.stack([depth for _, depth in batch])
        mask = np.isfinite(true)
        error = predict_depth(estimator, batch)[mask] - true[mask]
        squares, count = squares + float(np.square(error, dtype=np.float64).sum()), count + error.size
    return math.sqrt(squares / count)


def write_depths(estimator: DepthEstimator, renders: Dataset, depths: str | Path, settings: TrainDepthSettings) -> None:
    """Write the predicted depth of every view of every sample, with a preview of views in val, or of the first."""
    shown = [s.id for s in (renders.of_split("val") or renders.samples)][:PREVIEW_VIEWS]
    pictures: list[NDArray[np.uint8]] = []
    attributes = {"mask": "the silhouette is taken as given: finite where the render's own depth is"}
    with DatasetWriter(
        depths, "depths", "train_depth", settings.hyperparameters(), skipped=renders.skipped, attributes=attributes
    ) as writer:
        for sample in track(renders.samples, len(renders.samples), "predicting"):
            rgba, depth = renders.read(sample.id, "rgba"), renders.read(sample.id, "depth")
            require_size(*depth.shape[1:])
            views = list(zip(rgba, depth, strict=True))
            predicted = np.concatenate(
                [
                    predict_depth(estimator, views[start : start + settings.batch_size])
                    for start in range(0, len(views), settings.batch_size)
                ]
            )
            writer.add(sample, {"depth": predicted})
            if sample.id in shown:
                view = len(pictures) // 3 % len(views)  # another angle for each object
                pictures += _pictures(rgba[view], predicted[view], depth[view])
        labels = ["image", "predicted", "true"] * (len(pictures) // 3)
        writer.preview(contact_sheet(pictures, columns=9, labels=labels))


def _pictures(
    rgba: NDArray[np.uint8], predicted: NDArray[np.float32], true: NDArray[np.float32]
) -> list[NDArray[np.uint8]]:
    """The image and both depths, near bright and far dark, on the scale of the true one."""
    seen = true[np.isfinite(true)]
    near, far = (float(seen.min()), float(seen.max())) if len(seen) else (0.0, 1.0)
    return [rgba, *(_gray(depth, near, far) for depth in (predicted, true))]


def _gray(depth: NDArray[np.float32], near: float, far: float) -> NDArray[np.uint8]:
    """(H,W) → (H,W,4): transparent where there is nothing."""
    mask = np.isfinite(depth)
    share = np.clip((np.where(mask, depth, far) - near) / max(far - near, 1e-6), 0, 1)
    gray = (245 - 205 * share).astype(np.uint8)
    return np.stack([gray, gray, gray, np.where(mask, 255, 0).astype(np.uint8)], axis=-1)
