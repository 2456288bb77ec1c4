"""How far a predicted depth map is from the true one.

The measures of Eigen, Puhrsch and Fergus, "Depth Map Prediction from a Single Image using a Multi-Scale Deep Network"
(NIPS 2014, arXiv 1406.2283, section 4), over the pixels of the object alone. With predicted depth d and true depth t of
the n pixels in the mask:

    RMSE            √( Σ (d − t)² / n )                             in the unit of the depth
    abs-rel         Σ |d − t| / t / n                               a share of the depth
    δ < threshold   share of pixels with max(d/t, t/d) < threshold

The paper's thresholds are 1.25, 1.25² and 1.25³, made for rooms. A shape of size 1 seen from a distance of 2 spans
depths from 1.5 to 2.5: nearly everything would pass 1.25, so the default is 1.05.

Most of the error lies at the silhouette, where a pixel may just as well belong to what is behind; so the measures are
given for bands of pixels by their distance from it, too.

A mask without a pixel has no error to speak of: every measure is nan.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

DELTA_THRESHOLD = 1.05


BANDS = ((1.0, 2.0), (2.0, 4.0), (4.0, 8.0), (8.0, float("inf")))
"""Pixels from the silhouette, from … to below …; a pixel beside the background is 1 away from it."""


class DepthErrors(NamedTuple):
    """The three measures of one depth map."""

    rmse: float
    abs_rel: float
    delta: float


def depth_errors(
    predicted: NDArray[np.floating[Any]] | float,
    true: NDArray[np.floating[Any]],
    mask: NDArray[np.bool_] | None = None,
    threshold: float = DELTA_THRESHOLD,
) -> DepthErrors:
    """Measure a depth map against the true one.

    Args:
        predicted: same shape as `true` and in the same unit, or one number for all pixels.
        true: any shape; positive where the mask is set.
        mask: the pixels that count; by default those where `true` is finite.
        threshold: of δ, above 1.

    Returns:
        rmse in the depth's unit, abs_rel and delta as shares. A prediction that is not a positive number makes rmse
        and abs_rel inf (or nan) and never counts as within the threshold.

    Raises:
        ValueError: if the shapes differ.
    """
    mask = np.isfinite(true) if mask is None else mask
    values = np.broadcast_to(predicted, true.shape) if np.ndim(predicted) == 0 else np.asarray(predicted)
    if values.shape != true.shape or mask.shape != true.shape:
        raise ValueError(f"expected predicted and mask of shape {true.shape}, got {values.shape} and {mask.shape}")
    d, t = values[mask].astype(np.float64), true[mask].astype(np.float64)
    if not len(t):
        return DepthErrors(np.nan, np.nan, np.nan)
    difference = np.abs(d - t)
    within = np.maximum(d, t) < threshold * np.minimum(d, t)  # max(d/t, t/d) without dividing by d, which may be 0
    return DepthErrors(
        rmse=float(np.sqrt(np.mean(difference**2))),
        abs_rel=float(np.mean(difference / t)),
        delta=float(np.mean(within)),
    )


def silhouette_bands(mask: NDArray[np.bool_]) -> list[NDArray[np.bool_]]:
    """The pixels (H,W) of a mask in each of `BANDS`; beyond the image's edge there is background."""
    distance = distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    return [(distance >= near) & (distance < far) for near, far in BANDS]
