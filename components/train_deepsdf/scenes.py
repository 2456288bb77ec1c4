"""The samples of many shapes, of which a step reads the part that it needs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from shapeyard.contracts.dataset import Dataset, Sample
from shapeyard.errors import DatasetError

PARTS = ("positive", "negative")


class Scenes:
    """Draws from the samples of shapes; nothing of them stays in memory.

    The samples of an object are stored in random order (`shapeyard.geometry.sdf_samples.draw_points`), so that
    neighbours in the file are as good as any others, and a draw is one short read.
    """

    def __init__(self, sdf: Dataset, samples: Sequence[Sample]) -> None:
        """Look up how many samples each object has.

        Raises:
            DatasetError: for an object without samples outside or inside.
        """
        self.sdf, self.samples = sdf, samples
        self._counts: list[tuple[int, ...]] = []
        for sample in samples:
            shapes = [sdf.shape(sample.id, part) for part in PARTS]
            for part, shape in zip(PARTS, shapes, strict=True):
                if len(shape) != 2 or shape[1] != 4 or not shape[0]:
                    raise DatasetError(f"sample {sample.id}: expected {part} samples (N,4), at least one, got {shape}")
            self._counts.append(tuple(shape[0] for shape in shapes))

    def __len__(self) -> int:
        return len(self.samples)

    def draw(self, number: int, count: int, rng: np.random.Generator) -> NDArray[np.float32]:
        """(count,4) samples of an object: the first half outside, the others inside; repeated where it has fewer.

        Args:
            number: of the object.
            count: how many.
            rng: where in the file they are read.
        """
        parts = []
        for part, there, wanted in zip(PARTS, self._counts[number], (count - count // 2, count // 2), strict=True):
            start = int(rng.integers(max(there - wanted, 0) + 1))
            rows = self.sdf.read(self.samples[number].id, part, slice(start, start + wanted))
            parts.append(rows if len(rows) == wanted else rows[np.arange(wanted) % len(rows)])
        return np.concatenate(parts)
