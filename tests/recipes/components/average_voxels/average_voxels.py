"""Occupancy grids to a mean shape of each class."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from components.average_voxels import AverageVoxelsSettings
from shapeyard.contracts.dataset import Dataset, read_occupancy
from shapeyard.contracts.files import empty_output
from shapeyard.contracts.measures import Measured
from shapeyard.contracts.progress import track


def average_voxels(voxels: Sequence[str | Path], mean_shapes: str | Path, settings: AverageVoxelsSettings) -> Measured:
    """Average the training objects of each class.

    Args:
        voxels: directories of kind voxels, of one resolution D.
        mean_shapes: the folder to write: CLASS.npy, (D,D,D) bool.
        settings: what belongs to a mean shape.

    Returns:
        The occupied share of each mean shape, by class.

    Raises:
        DatasetError: for what is no dataset of voxels.
    """
    dataset, folder = Dataset(voxels, "voxels"), Path(mean_shapes)
    empty_output(folder)
    shares = {}
    for name in track(dataset.classes, len(dataset.classes), "classes"):
        samples = [sample for sample in dataset.of_split("train") if sample.class_name == name]
        if not samples:
            continue
        mean = np.mean([read_occupancy(dataset, sample.id) for sample in samples], axis=0)
        occupied = mean >= settings.threshold
        np.save(folder / f"{name}.npy", occupied)
        shares[name] = float(occupied.mean())
    return Measured(shares)
