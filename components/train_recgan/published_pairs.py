"""The pairs that 3D-RecGAN++ was published with, as training data.

Their framing is the whole object's box, see `shapeyard.formats.recgan_pairs`. Figures on them stand beside the paper's,
not beside those on our own views. Each pair is a sample of its own: its frame is the view's, and nothing tells how the
views of an object lie to one another.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from components.train_recgan.pairs import Pair
from shapeyard.contracts.dataset import Sample, Split
from shapeyard.errors import require
from shapeyard.formats.recgan_pairs import RESOLUTION, PairFiles, find_recgan_pairs, in_cube, read_recgan_pair
from shapeyard.networks.recgan import UPSCALE, halvings

OBJECTS_A_VALIDATION = 10
"""Of so many training objects of a category one becomes val."""


class PublishedPairs:
    """Pairs of files, numbered, at a resolution of choice."""

    def __init__(self, files: Sequence[PairFiles], resolution: int, split: Split = "train") -> None:
        """`resolution`: of the grids, R; raises `ParameterError` for more than their files have, 64 and 256."""
        halvings(resolution)
        fits = UPSCALE * resolution <= RESOLUTION
        require(fits, f"input_resolution: expected at most {RESOLUTION // UPSCALE} for pairs, got {resolution}")
        self.resolution = resolution
        self.split = split
        self.files = list(files)
        self.objects = [f"{file.category}/{file.object_id}" for file in files]

    def make(self, index: int) -> Pair | None:
        """Read both files: a voxel of the grid is occupied if any of its voxels is, one of the shape if half are."""
        pair = read_recgan_pair(self.files[index])
        seen = _blocks(in_cube(pair.surface), self.resolution).any(axis=(1, 3, 5))
        there = _blocks(in_cube(pair.shape), UPSCALE * self.resolution).mean(axis=(1, 3, 5)) >= 0.5
        if not seen.any():
            return None
        return Pair(torch.from_numpy(seen).to(torch.uint8), torch.from_numpy(there).to(torch.uint8))

    def sample(self, index: int) -> Sample:
        """A pair as a row of a dataset."""
        file = self.files[index]
        name = f"{file.category}/{file.object_id}_{file.view}"
        return Sample(name, file.category, self.split, file.surface.resolve().as_uri())


def published_pairs(folder: str | Path, resolution: int) -> dict[Split, PublishedPairs]:
    """All pairs below a folder by split; raises `FormatError` where there is none.

    The split is their own, but for a tenth of a category's training objects, by the rank of their id's hash, that
    become val: none of fewer than ten.
    """
    files = find_recgan_pairs(folder)
    held_out: set[tuple[str, str]] = set()
    for category in {file.category for file in files}:
        objects = {(category, f.object_id) for f in files if f.category == category and f.split == "train"}
        ranked = sorted(objects, key=lambda name: hashlib.sha256("/".join(name).encode()).digest())
        held_out.update(ranked[: len(objects) // OBJECTS_A_VALIDATION])
    by_split: dict[Split, list[PairFiles]] = {"train": [], "val": [], "test": []}
    for file in files:
        held = file.split == "train" and (file.category, file.object_id) in held_out
        by_split["val" if held else file.split].append(file)
    return {split: PublishedPairs(some, resolution, split) for split, some in by_split.items()}


def fingerprint_of_pairs(splits: Mapping[Split, PublishedPairs]) -> str:
    """A hash of the files' names and sizes."""
    files = [path for source in splits.values() for file in source.files for path in (file.surface, file.shape)]
    listing = [f"{path.parent.parent.name}/{path.parent.name}/{path.name} {path.stat().st_size}" for path in files]
    return hashlib.sha256("\n".join(listing).encode()).hexdigest()


def _blocks(grid: NDArray[np.bool_], resolution: int) -> NDArray[np.bool_]:
    """(D,D,D) → (resolution,D/resolution,)*3."""
    return grid.reshape((resolution, len(grid) // resolution) * 3)
