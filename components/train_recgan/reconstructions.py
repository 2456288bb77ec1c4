"""What the trained generator makes of views: its overlap with the truth, and the reconstructions dataset."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from components.train_recgan.pairs import Lifted, Pair, Pairs, lift
from components.train_recgan.published_pairs import PublishedPairs
from shapeyard.contracts.dataset import Dataset, DatasetWriter, Sample, Skipped
from shapeyard.contracts.progress import track
from shapeyard.geometry.lifting import CANONICAL_FROM_UNIT
from shapeyard.geometry.preview import contact_sheet, render_occupancy
from shapeyard.geometry.reconstruction_preview import render_reconstruction
from shapeyard.inference.completion import predict_grid
from shapeyard.inference.view_numbers import views_of
from shapeyard.metrics.occupancy import THRESHOLDS, overlap_at_thresholds
from shapeyard.networks.recgan import Generator

PREVIEW_OBJECTS = 12
PREVIEW_SIZE = 96


class BestIou(NamedTuple):
    """The best mean IoU over views, and the threshold that gives it."""

    iou: float
    threshold: float
    views: int = 0
    """over how many"""


class Shown(NamedTuple):
    """A sample as the generator sees it."""

    sample: Sample
    views: list[Lifted]
    picture: Callable[[], NDArray[np.uint8]]
    """draws its first view: (H,H,3) or (H,H,4)"""
    reason: str = ""
    """why there is no view"""


def best_iou(
    generator: Generator,
    pairs: Pairs,
    indices: Sequence[int],
    batch_size: int,
    precision: torch.dtype,
    thresholds: NDArray[np.float64] = THRESHOLDS,
) -> BestIou:
    """Compare the generator's shapes with the true ones in their cubes, at the threshold that suits it best.

    Pairs in which nothing is to be seen don't count; without any other the IoU is −1.
    """
    total, views = np.zeros(len(thresholds)), 0
    visible = (pair for pair in map(pairs.__getitem__, indices) if pair is not None)
    for some in _batches(visible, batch_size):
        made = predict_grid(generator, torch.stack([pair.grid for pair in some]), precision)
        for probability, pair in zip(made, some, strict=True):
            total += overlap_at_thresholds(probability, pair.shape.numpy() > 0, thresholds).iou
            views += 1
    best = int(np.argmax(total))
    return BestIou(float(total[best] / views) if views else -1.0, float(thresholds[best]), views)


def shown_views(renders: Dataset, depths: Dataset, resolution: int, views_per_object: int = 0) -> Iterator[Shown]:
    """The val and test samples, lifted by predicted depth; `views_per_object`: evenly spread, 0 for all."""
    for sample in renders.samples:
        if sample.split == "train":
            continue
        numbers = views_of(renders, sample.id, views_per_object)
        if sample.id not in depths:
            yield Shown(sample, [], partial(renders.read, sample.id, "rgba", 0), "no predicted depth")
            continue
        lifted = [lift(renders, depths, sample.id, number, resolution) for number in numbers]
        views = [one for one in lifted if one is not None]
        first = views[0].view if views else numbers[0]
        reason = "" if views else "no view shows the object"
        yield Shown(sample, views, partial(renders.read, sample.id, "rgba", first), reason)


def shown_pairs(sources: Sequence[PublishedPairs]) -> Iterator[Shown]:
    """Published pairs, each a sample of one view; the canonical frame is the view's: y up, z away from the camera."""
    for source in sources:
        for index in range(len(source.objects)):
            pair = source.make(index)
            grid = np.zeros((source.resolution,) * 3, bool) if pair is None else pair.grid.numpy() > 0
            views = [] if pair is None else [Lifted(0, grid, CANONICAL_FROM_UNIT)]
            reason = "" if views else "no view shows the object"
            yield Shown(source.sample(index), views, partial(render_occupancy, grid, PREVIEW_SIZE), reason)


def write_reconstructions(
    generator: Generator,
    shown: Iterator[Shown],
    count: int,
    reconstructions: str | Path,
    threshold: float,
    batch_size: int,
    precision: torch.dtype,
    parameters: Mapping[str, Any],
    skipped: Sequence[Skipped] = (),
) -> None:
    """Write the shapes of the views of `count` samples; the attribute `views` names a sample's views.

    Skipped: samples without a view.
    """
    every = max(1, count // PREVIEW_OBJECTS)
    pictures: list[NDArray[np.uint8]] = []
    labels: list[str] = []
    with DatasetWriter(
        reconstructions, "reconstructions", "train_recgan", parameters, max_skipped=1.0,
        skipped=skipped, attributes={"threshold": threshold},
    ) as writer:  # fmt: skip
        for index, (sample, views, picture, reason) in enumerate(track(shown, count, "reconstructing")):
            if not views:
                writer.skip(sample.id, reason)
                continue
            grids = torch.from_numpy(np.stack([one.grid for one in views]))
            probability = np.concatenate(
                [predict_grid(generator, some, precision) for some in torch.split(grids, batch_size)]
            )
            cubes = np.stack([one.canonical_from_cube for one in views])
            arrays = {"probability": probability, "canonical_from_cube": cubes}
            writer.add(sample, arrays, {"views": [one.view for one in views]})
            if index % every == 0 and len(pictures) < 2 * PREVIEW_OBJECTS:
                seen = picture()
                pictures += [seen, render_reconstruction(probability[0], cubes[0], threshold, len(seen))]
                labels += [sample.id, f"from view {views[0].view}"]
        if pictures:
            writer.preview(contact_sheet(pictures, columns=6, labels=labels))


def _batches(pairs: Iterator[Pair], size: int) -> Iterator[list[Pair]]:
    while some := list(islice(pairs, size)):
        yield some
