"""Predicted depth maps, and the same number everywhere as a baseline."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from shapeyard.contracts.dataset import Dataset, Sample
from shapeyard.contracts.progress import track
from shapeyard.errors import DatasetError
from shapeyard.evaluation.table import EvaluationTable, Measurement, measurements
from shapeyard.metrics.depth import BANDS, DELTA_THRESHOLD, depth_errors, silhouette_bands

DEPTH_MEASURES = ("rmse", "abs_rel", "delta")
DEPTH, CONSTANT = "depth", "constant_depth"


def mean_training_depth(renders: Dataset) -> float:
    """The mean true depth over all pixels of all objects of the training split; nan where there is no such pixel."""
    total, pixels = 0.0, 0
    samples = renders.of_split("train")
    for sample in track(samples, len(samples), "depth of the training split"):
        depth = renders.read(sample.id, "depth")
        seen = depth[np.isfinite(depth)]
        total, pixels = total + float(seen.sum(dtype=np.float64)), pixels + len(seen)
    return total / pixels if pixels else float("nan")


def measure_depth(renders: Dataset, depths: Dataset, samples: list[Sample], constant: float) -> list[Measurement]:
    """`rmse`, `abs_rel` and `delta` of the methods `depth` and `constant_depth`; views that show nothing are left out.

    `rmse_band_0`, … are those of the pixels at the distances of `BANDS` from the silhouette, and `pixels_band_0`, … of
    the method `truth` the shares of the object's pixels that are there.

    Raises:
        DatasetError: if a predicted map has another shape than the true one, or holes in the object.
    """
    rows: list[Measurement] = []
    for sample in track(samples, len(samples), "depth of the test split"):
        true, predicted = renders.read(sample.id, "depth"), depths.read(sample.id, "depth")
        _check(depths, sample.id, true, predicted)
        for view in range(len(true)):
            if not np.isfinite(true[view]).any():
                continue
            bands = silhouette_bands(np.isfinite(true[view]))
            pixels = sum(map(np.sum, bands))
            shares = {f"pixels_band_{k}": float(band.sum() / pixels) for k, band in enumerate(bands)}
            rows += measurements(sample, view, "truth", shares)
            for method, values in ((DEPTH, predicted[view]), (CONSTANT, constant)):
                if np.isnan(values).all():  # no training split, no constant
                    continue
                found: dict[str, float] = dict(depth_errors(values, true[view])._asdict())
                found |= {f"rmse_band_{k}": depth_errors(values, true[view], band).rmse for k, band in enumerate(bands)}
                rows += measurements(sample, view, method, found)
    return rows


def depth_metrics(table: EvaluationTable, constant: float) -> dict[str, Any]:
    """What metrics.json says of predicted depth, and of the constant (canonical units) in its place."""
    return {
        **table.summary(DEPTH, DEPTH_MEASURES),
        "by_distance_from_silhouette": [
            {
                "from_pixels": near,
                "to_pixels": far,
                "pixels": table.mean("truth", f"pixels_band_{k}"),
                "rmse": table.mean(DEPTH, f"rmse_band_{k}"),
                "constant_depth_rmse": table.mean(CONSTANT, f"rmse_band_{k}"),
            }
            for k, (near, far) in enumerate(BANDS)
        ],
        "delta_threshold": DELTA_THRESHOLD,
        "unit": "longest side of the object",
        "baselines": {CONSTANT: {"depth": constant, **table.summary(CONSTANT, DEPTH_MEASURES)}},
    }


def _check(depths: Dataset, sample_id: str, true: NDArray[Any], predicted: NDArray[Any]) -> None:
    where = f"{depths.paths[0]}: sample {sample_id}"
    if predicted.shape != true.shape:
        raise DatasetError(f"{where}: expected depth of shape {true.shape} as rendered, got {predicted.shape}")
    holes = int(np.count_nonzero(np.isfinite(true) & ~np.isfinite(predicted)))
    if holes:
        raise DatasetError(f"{where}: expected finite depth all over the object, got {holes} pixels that are not")
