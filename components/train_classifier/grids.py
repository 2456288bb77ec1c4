"""The grids that the classifier sees, from a voxels dataset."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shapeyard.contracts.dataset import Dataset, Sample, Split, read_occupancy
from shapeyard.errors import ParameterError
from shapeyard.geometry.pooling import pool_grid


@dataclass(frozen=True)
class Grids:
    """The samples of a split that hold anything, as arrays."""

    samples: list[Sample]
    occupancy: NDArray[np.bool_]
    """(N,R,R,R)"""
    labels: NDArray[np.int64]
    """(N,) columns of the class list"""
    empty: list[str]
    """ids of the samples left out since nothing in their grid is occupied"""

    def __len__(self) -> int:
        return len(self.samples)

    def where(self, keep: NDArray[np.bool_]) -> Grids:
        """Those where `keep` (N,) is true."""
        samples = [sample for sample, kept in zip(self.samples, keep, strict=True) if kept]
        return Grids(samples, self.occupancy[keep], self.labels[keep], self.empty)


def read_grids(voxels: Dataset, split: Split, classes: list[str], resolution: int) -> Grids:
    """Read and pool the grids of a split.

    Raises:
        ParameterError: if a grid's side is no multiple of `resolution`.
    """
    samples, grids, empty = [], [], []
    for sample in voxels.of_split(split):
        try:
            grid = pool_grid(read_occupancy(voxels, sample.id), resolution)
        except ParameterError as error:
            raise ParameterError(f"{voxels.paths[0]}: {sample.id}: {error}") from error
        if grid.any():
            samples.append(sample)
            grids.append(grid)
        else:
            empty.append(sample.id)
    occupancy = np.stack(grids) if grids else np.zeros((0,) + (resolution,) * 3, dtype=bool)
    labels = np.array([classes.index(sample.class_name) for sample in samples], dtype=np.int64)
    return Grids(samples, occupancy, labels, empty)
