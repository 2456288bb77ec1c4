"""Measure predicted depth maps, beside predicting the same number everywhere."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.evaluate.averages import Row
from shapeyard.contracts.dataset import Dataset, Sample
from shapeyard.contracts.progress import track
from shapeyard.errors import DatasetError
from shapeyard.metrics.depth import BANDS, depth_errors, silhouette_bands

MEASURES = ("rmse", "abs_rel", "delta")
METHODS = ("depth", "constant_depth")
BAND_MEASURES = tuple(f"rmse_band_{number}" for number in range(len(BANDS)))
"""RMSE of the pixels at a distance from the silhouette."""


def mean_training_depth(renders: Dataset) -> float:
    """The mean true depth over all pixels of all objects of the training split; nan where there is no such pixel."""
    total, pixels = 0.0, 0
    samples = renders.of_split("train")
    for sample in track(samples, len(samples), "depth of the training split"):
        depth = renders.read(sample.id, "depth")
        seen = depth[np.isfinite(depth)]
        total, pixels = total + float(seen.sum(dtype=np.float64)), pixels + len(seen)
    return total / pixels if pixels else float("nan")


def depth_rows(renders: Dataset, depths: Dataset, samples: list[Sample], constant: float) -> list[Row]:
    """A row for each view of the samples: depth_rmse, …, constant_depth_rmse, …; views that show nothing are left out.

    `pixels_band_0`, … are the shares of the object's pixels that are at the distances of `BANDS` from its silhouette.

    Raises:
        DatasetError: if a predicted map has another shape than the true one, or holes in the object.
    """
    rows: list[Row] = []
    for sample in track(samples, len(samples), "depth of the test split"):
        true, predicted = renders.read(sample.id, "depth"), depths.read(sample.id, "depth")
        _check(depths, sample.id, true, predicted)
        for view in range(len(true)):
            if np.isfinite(true[view]).any():
                bands = silhouette_bands(np.isfinite(true[view]))
                row: Row = {"id": sample.id, "class": sample.class_name, "view": view}
                row |= {f"pixels_band_{k}": float(band.sum() / sum(map(np.sum, bands))) for k, band in enumerate(bands)}
                for method, values in zip(METHODS, (predicted[view], constant), strict=True):
                    if np.isnan(values).all():  # no training split, no constant
                        continue
                    errors = depth_errors(values, true[view])
                    row |= {f"{method}_{measure}": getattr(errors, measure) for measure in MEASURES}
                    for name, band in zip(BAND_MEASURES, bands, strict=True):
                        row[f"{method}_{name}"] = depth_errors(values, true[view], band).rmse
                rows.append(row)
    return rows


def _check(depths: Dataset, sample_id: str, true: NDArray[Any], predicted: NDArray[Any]) -> None:
    where = f"{depths.paths[0]}: sample {sample_id}"
    if predicted.shape != true.shape:
        raise DatasetError(f"{where}: expected depth of shape {true.shape} as rendered, got {predicted.shape}")
    holes = int(np.count_nonzero(np.isfinite(true) & ~np.isfinite(predicted)))
    if holes:
        raise DatasetError(f"{where}: expected finite depth all over the object, got {holes} pixels that are not")
