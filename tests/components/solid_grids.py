"""Balls, boxes and bars as a dataset of kind voxels: something that a classifier learns in seconds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shapeyard.contracts.dataset import DatasetWriter, Sample
from shapeyard.contracts.packed_occupancy import pack_occupancy

CYCLE = ("train", "train", "train", "val", "test")


def write_solids(
    path: Path, counts: Mapping[str, int], splits: Sequence[str] = CYCLE, resolution: int = 32,
    empty: Sequence[str] = (), prefix: str = "",
) -> Path:  # fmt: skip
    """Write so many solids of each class, the splits in turn; those in `empty` have nothing in their grid."""
    with DatasetWriter(path, "voxels", "voxelize", {}) as writer:
        for class_name, count in counts.items():
            for index in range(count):
                sample_id = f"{class_name}/{prefix}{index:04}"
                grid = solid(class_name, index, resolution)
                if sample_id in empty:
                    grid[:] = False
                sample = Sample(sample_id, class_name, splits[index % len(splits)], f"test://{sample_id}")  # type: ignore[arg-type]
                attributes = {"resolution": resolution, "translate": [-0.5, -0.5, -0.5], "scale": 1.0}
                writer.add(sample, {"occupancy": pack_occupancy(grid)}, attributes)
    return path


def solid(class_name: str, index: int, resolution: int) -> NDArray[np.bool_]:
    """(D,D,D): the longest side along some axis fills the cube, the others differ, and so do a few stray voxels."""
    rng = np.random.default_rng([index, len(class_name), resolution])
    thickness = 0.06 if class_name == "bar" else 0.4
    half = rng.permutation([0.5, *(thickness * rng.uniform(0.8, 1.2, 2))])[:, None, None, None]
    centres = (np.arange(resolution) + 0.5) / resolution - 0.5
    place = np.abs(np.stack(np.meshgrid(centres, centres, centres, indexing="ij"))) / half
    inside = np.square(place).sum(axis=0) <= 1 if class_name == "ball" else place.max(axis=0) <= 1
    return np.asarray(inside ^ (rng.random(inside.shape) < 0.0005), dtype=bool)
