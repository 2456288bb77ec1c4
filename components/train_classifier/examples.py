"""What the classifier learns from and is shown, from a dataset of kind voxels or features."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shapeyard.contracts.dataset import Dataset, Sample, Split, read_info, read_occupancy
from shapeyard.errors import DatasetError, ParameterError
from shapeyard.geometry.duplicates import eight_ways, first_copies
from shapeyard.geometry.pooling import pool_grid


@dataclass(frozen=True)
class Examples:
    """Samples whose grid holds anything, as arrays."""

    samples: list[Sample]
    inputs: dict[str, NDArray[Any]]
    """occupancy (N,R,R,R) bool; of kind features also measures (N,F) float32 and, where it is there, points
    (N,256,256,3) uint8"""
    labels: NDArray[np.int64]
    """(N,) columns of the class list"""
    empty: list[str]
    """ids of the samples left out since nothing in their grid is occupied"""

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def occupancy(self) -> NDArray[np.bool_]:
        """(N,R,R,R)"""
        return self.inputs["occupancy"]

    def where(self, keep: NDArray[np.bool_]) -> Examples:
        """Those where `keep` (N,) is true."""
        samples = [sample for sample, kept in zip(self.samples, keep, strict=True) if kept]
        inputs = {name: array[keep] for name, array in self.inputs.items()}
        return Examples(samples, inputs, self.labels[keep], self.empty)

    def joined(self, other: Examples) -> Examples:
        """These and then the others."""
        if not len(self) or not len(other):  # what is not there has no shapes
            full = self if len(self) else other
            return Examples(full.samples, full.inputs, full.labels, [*self.empty, *other.empty])
        inputs = {name: np.concatenate([array, other.inputs[name]]) for name, array in self.inputs.items()}
        labels = np.concatenate([self.labels, other.labels])
        return Examples([*self.samples, *other.samples], inputs, labels, [*self.empty, *other.empty])


def open_dataset(paths: Sequence[str | Path]) -> Dataset:
    """The dataset, of kind features if that is what the first directory holds, else of kind voxels."""
    return Dataset(paths, "features" if paths and read_info(paths[0])["kind"] == "features" else "voxels")


def read_examples(
    dataset: Dataset, samples: Sequence[Sample], classes: Sequence[str], resolution: int, padding: int = 0
) -> Examples:
    """Read samples; grids are pooled to `resolution` and get `padding` empty voxels on every side.

    Raises:
        ParameterError: if a grid's side is no multiple of `resolution`.
        DatasetError: if not all samples have the same arrays.
    """
    kept: list[Sample] = []
    empty: list[str] = []
    names = ["occupancy", *dataset.attributes.get("arrays", [])]
    columns: dict[str, list[NDArray[Any]]] = {name: [] for name in names}
    for sample in samples:
        try:
            grid = pool_grid(read_occupancy(dataset, sample.id), resolution)
        except ParameterError as error:
            raise ParameterError(f"{dataset.paths[0]}: {sample.id}: {error}") from error
        if not grid.any():
            empty.append(sample.id)
            continue
        kept.append(sample)
        columns["occupancy"].append(np.pad(grid, padding))
        for name in names[1:]:
            columns[name].append(dataset.read(sample.id, name))
    side = resolution + 2 * padding
    inputs: dict[str, NDArray[Any]] = {}
    for name, arrays in columns.items():
        if len({array.shape for array in arrays}) > 1:
            raise DatasetError(f"{dataset.paths[0]}: expected {name} of one shape, got several")
        nothing = np.zeros((0, side, side, side) if name == "occupancy" else (0,), bool)
        inputs[name] = np.stack(arrays) if arrays else nothing
    labels = np.array([classes.index(sample.class_name) for sample in kept], dtype=np.int64)
    return Examples(kept, inputs, labels, empty)


def split_of_folds(samples: Sequence[Sample], folds: int, fold: int, validating: bool) -> dict[Split, list[Sample]]:
    """Cross-validation: each class dealt out to the folds in the order of its ids' hashes.

    Fold `fold` is test, the next one val if `validating`, the rest train.
    """
    ranks: dict[str, int] = {}
    splits: dict[Split, list[Sample]] = {"train": [], "val": [], "test": []}
    for sample in sorted(samples, key=lambda s: hashlib.sha256(f"shapeyard fold {s.id}".encode()).digest()):
        place = ranks[sample.class_name] = ranks.get(sample.class_name, -1) + 1
        distance = (place - fold) % folds
        splits["test" if distance == 0 else "val" if distance == 1 and validating else "train"].append(sample)
    return splits


def without_copies(
    examples: Examples, held_out: Sequence[Examples], min_iou: float, rotated: bool
) -> tuple[Examples, list[list[str]]]:
    """Those that are no copies of held-out ones, by the file's hash or by the grid; each copy's id with its twin's.

    `rotated`: as training shows grids rotated and flipped, a copy is one in any of these ways.
    """
    copies: dict[int, str] = {}
    for others in held_out:
        of_hash = {sample.sha256: sample.id for sample in others.samples if sample.sha256}
        for number, grids in enumerate(eight_ways(examples.occupancy) if rotated else [examples.occupancy]):
            twins = first_copies(grids, others.occupancy, min_iou)
            for place, (sample, twin) in enumerate(zip(examples.samples, twins.tolist(), strict=True)):
                if number == 0 and sample.sha256 in of_hash:
                    copies.setdefault(place, of_hash[sample.sha256])
                elif twin >= 0:
                    copies.setdefault(place, others.samples[twin].id)
    keep = np.array([place not in copies for place in range(len(examples))], dtype=bool)
    return examples.where(keep), [[examples.samples[place].id, twin] for place, twin in sorted(copies.items())]
