"""What the trained generator makes of views: its overlap with the truth on val, and the reconstructions dataset."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from components.train_recgan.model import Generator
from components.train_recgan.pairs import Pairs, lift_views
from shapeyard.contracts.dataset import Dataset, DatasetWriter
from shapeyard.contracts.progress import track
from shapeyard.geometry.lifting import canonical_grid_from_cube
from shapeyard.geometry.preview import contact_sheet, render_occupancy
from shapeyard.metrics.occupancy import THRESHOLDS, overlap_at_thresholds

PREVIEW_OBJECTS = 12
PREVIEW_RESOLUTION = 64


class Agreement(NamedTuple):
    """The best mean IoU over views, and the threshold that gives it."""

    iou: float
    threshold: float


def predict(generator: Generator, grids: torch.Tensor, half: bool) -> NDArray[np.uint8]:
    """2.5D grids (B,R,R,R) → probabilities (B,4R,4R,4R), 0…255 for 0…1."""
    device = next(generator.parameters()).device
    generator.eval()
    with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=half):
        probability = generator(grids.to(device)).float().sigmoid()
    whole: NDArray[np.uint8] = (probability * 255).round().to(torch.uint8).cpu().numpy()
    return whole


def agreement(generator: Generator, pairs: Pairs, indices: NDArray[np.int64], batch_size: int, half: bool) -> Agreement:
    """Compare the generator's shapes with the true ones in their cubes, at the threshold that suits it best."""
    iou = np.zeros(len(THRESHOLDS))
    for start in range(0, len(indices), batch_size):
        grids, shapes = pairs.batch(indices[start : start + batch_size])
        for made, true in zip(predict(generator, grids, half), shapes.numpy() > 0, strict=True):
            iou += overlap_at_thresholds(made, true).iou / len(indices)
    best = int(np.argmax(iou))
    return Agreement(float(iou[best]), float(THRESHOLDS[best]))


def write_reconstructions(
    generator: Generator,
    renders: Dataset,
    depths: Dataset,
    reconstructions: str | Path,
    resolution: int,
    threshold: float,
    batch_size: int,
    half: bool,
    parameters: Mapping[str, Any],
) -> None:
    """Write the shapes of every view of the val and test samples; the attribute `views` names a sample's views.

    Skipped: samples without predicted depth, and those that no view shows.
    """
    samples = [sample for sample in renders.samples if sample.split != "train"]
    every = max(1, len(samples) // PREVIEW_OBJECTS)
    pictures: list[NDArray[np.uint8]] = []
    labels: list[str] = []
    with DatasetWriter(
        reconstructions, "reconstructions", "train_recgan", parameters, max_skipped=1.0,
        skipped=renders.skipped, attributes={"threshold": threshold},
    ) as writer:  # fmt: skip
        for index, sample in enumerate(track(samples, len(samples), "reconstructing")):
            if sample.id not in depths:
                writer.skip(sample.id, "no predicted depth")
                continue
            lifted = lift_views(renders, depths, sample.id, resolution)
            if not lifted:
                writer.skip(sample.id, "no view shows the object")
                continue
            grids = torch.from_numpy(np.stack([one.grid for one in lifted])).float()
            probability = np.concatenate([predict(generator, some, half) for some in torch.split(grids, batch_size)])
            cubes = np.stack([one.canonical_from_cube for one in lifted])
            arrays = {"probability": probability, "canonical_from_cube": cubes}
            writer.add(sample, arrays, {"views": [one.view for one in lifted]})
            if index % every == 0 and len(pictures) < 2 * PREVIEW_OBJECTS:
                image = renders.read(sample.id, "rgba", lifted[0].view)
                pictures += [image, _picture(probability[0], cubes[0], threshold, image.shape[0])]
                labels += [sample.id, f"from view {lifted[0].view}"]
        writer.preview(contact_sheet(pictures, columns=6, labels=labels))


def _picture(
    probability: NDArray[np.uint8], canonical_from_cube: NDArray[np.float64], threshold: float, size: int
) -> NDArray[np.uint8]:
    """The reconstruction in the canonical frame, where objects stand upright."""
    resolution = min(PREVIEW_RESOLUTION, probability.shape[0])
    canonical = canonical_grid_from_cube(probability, canonical_from_cube, resolution)
    return render_occupancy(canonical >= threshold * 255, size)
