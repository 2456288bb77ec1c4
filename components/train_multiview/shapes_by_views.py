"""What the trained network makes of one, two and more views: its overlap with the truth, and the reconstructions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from components.train_multiview import TrainMultiviewSettings
from components.train_multiview.view_sequences import ViewSequences, view_order
from shapeyard.contracts.dataset import Dataset, DatasetWriter
from shapeyard.contracts.progress import track
from shapeyard.geometry.preview import contact_sheet, render_occupancy
from shapeyard.inference.multiview import composite, predict_shapes
from shapeyard.metrics.occupancy import THRESHOLDS, overlap_at_thresholds
from shapeyard.networks.r2n2 import R2N2

VIEW_NUMBERS = (1, 2, 3, 5, 12)
"""After so many views the shape is looked at, as far as there are so many."""
PREVIEW_OBJECTS = 12
CANONICAL_FROM_UNIT = np.array([[1, 0, 0, -0.5], [0, 1, 0, -0.5], [0, 0, 1, -0.5], [0, 0, 0, 1.0]])


class IouByViews(NamedTuple):
    """The best mean IoU over objects and numbers of views, and the threshold that gives it."""

    iou: float
    threshold: float
    by_views: dict[int, float]
    """number of views → mean IoU at that threshold"""

    def figures(self) -> dict[str, float]:
        """`val_iou`, `threshold`, `val_iou_1`, …"""
        of_views = {f"val_iou_{number}": value for number, value in self.by_views.items()}
        return {"val_iou": self.iou, "threshold": self.threshold, **of_views}


def iou_by_views(
    network: R2N2, objects: ViewSequences, numbers: Sequence[int], batch_size: int, half: bool
) -> IouByViews:
    """Compare the network's shapes with the true ones, at the threshold that suits it best."""
    iou = np.zeros((len(numbers), len(THRESHOLDS)))
    for start in range(0, len(objects), batch_size):
        some = range(start, min(start + batch_size, len(objects)))
        images, shapes = objects.batch(objects.eval_views(some, max(numbers)))
        for made, true in zip(predict_shapes(network, images, numbers, half), shapes.numpy() > 0, strict=True):
            iou += [overlap_at_thresholds(one, true).iou / len(objects) for one in made]
    best = int(np.argmax(iou.mean(axis=0)))
    by_views = {number: float(value) for number, value in zip(numbers, iou[:, best], strict=True)}
    return IouByViews(float(iou[:, best].mean()), float(THRESHOLDS[best]), by_views)


def numbers_up_to(views: int) -> list[int]:
    """Those of `VIEW_NUMBERS` that so many views allow."""
    return [number for number in VIEW_NUMBERS if number <= views]


def write_reconstructions(
    network: R2N2,
    renders: Dataset,
    settings: TrainMultiviewSettings,
    reconstructions: str | Path,
    threshold: float,
    half: bool,
) -> None:
    """Write the shapes of the val and test samples after one, two and more of their views.

    Attributes of a sample: `views_used`, how many views each shape was made of, and `view_order`, whose first so many
    these were.
    """
    samples = [sample for sample in renders.samples if sample.split != "train"]
    every = max(1, len(samples) // PREVIEW_OBJECTS)
    pictures: list[NDArray[np.uint8]] = []
    labels: list[str] = []
    with DatasetWriter(
        reconstructions, "reconstructions", "train_multiview", settings.hyperparameters(),
        skipped=renders.skipped, attributes={"threshold": threshold},
    ) as writer:  # fmt: skip
        for index, sample in enumerate(track(samples, len(samples), "reconstructing")):
            order = view_order(sample.id, len(renders.read(sample.id, "world_from_camera")))
            numbers = numbers_up_to(len(order))
            rgba = renders.read(sample.id, "rgba")[order[: max(numbers)]]
            images = composite(middle(rgba, settings.crop_size)[None], np.ones((1, len(rgba), 3), dtype=np.float32))
            probability = predict_shapes(network, images, numbers, half)[0]
            arrays = {"probability": probability, "canonical_from_cube": np.stack([CANONICAL_FROM_UNIT] * len(numbers))}
            writer.add(sample, arrays, {"views_used": numbers, "view_order": order.tolist()})
            if index % every == 0 and len(pictures) < 3 * PREVIEW_OBJECTS:
                shapes = [render_occupancy(probability[k] >= threshold * 255, rgba.shape[1]) for k in (0, -1)]
                pictures += [rgba[0], *shapes]
                labels += [sample.id, "from 1 view", f"from {numbers[-1]}"]
        writer.preview(contact_sheet(pictures, columns=6, labels=labels))


def middle(images: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """The middle (…,size,size,4) of images (…,H,W,4)."""
    top, left = ((side - size) // 2 for side in images.shape[-3:-1])
    return images[..., top : top + size, left : left + size, :]
