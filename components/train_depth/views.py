"""Single views as training examples: an image and its depth."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from shapeyard.contracts.dataset import Dataset, Sample
from shapeyard.errors import DatasetError
from shapeyard.inference.depth import Standardization, View, Window, require_size

MEMORY_BYTES = 2 * 2**30
"""Views beyond this much of them stay in their files and are read when their turn comes."""


class Views:
    """All views of some samples in which anything of the object is visible, in the order of the samples.

    Attributes:
        window: around what is visible in any of them.

    Raises:
        ParameterError: if an image's height or width does not divide by 8.
        DatasetError: if the images differ in size.
    """

    def __init__(self, renders: Dataset, samples: Sequence[Sample]) -> None:
        self.renders = renders
        self.places: list[tuple[str, int]] = []
        self._held: list[View] = []
        self._sums = np.zeros(3)  # count, sum and sum of squares of all depths
        size: tuple[int, ...] = ()
        self.window = Window(2**31, 0, 2**31, 0)
        used = 0
        for sample in samples:
            rgba, depth = renders.read(sample.id, "rgba"), renders.read(sample.id, "depth")
            size = size or depth.shape[1:]
            if depth.shape[1:] != size:
                raise DatasetError(f"expected images of {size} pixels, sample {sample.id} has {depth.shape[1:]}")
            require_size(*size)
            visible = np.isfinite(depth)
            if visible.any():
                self.window = self.window.with_all_of(Window.around(visible))
            for view in np.nonzero(visible.any(axis=(1, 2)))[0]:
                seen = depth[view][np.isfinite(depth[view])].astype(np.float64)
                self._sums += [seen.size, seen.sum(), np.square(seen).sum()]
                used += rgba[view].nbytes + depth[view].nbytes
                if used <= MEMORY_BYTES:
                    self._held.append((rgba[view].copy(), depth[view].copy()))
                self.places.append((sample.id, int(view)))

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, index: int) -> View:
        if index < len(self._held):
            return self._held[index]
        sample_id, view = self.places[index]
        return self.renders.read(sample_id, "rgba", view), self.renders.read(sample_id, "depth", view)

    def standardization(self) -> Standardization:
        """Over all pixels of all objects; the deviation is 1 where every pixel is equally far."""
        count, total, squares = self._sums
        mean = total / count
        return Standardization(float(mean), float(np.sqrt(max(squares / count - mean**2, 0))) or 1.0)
