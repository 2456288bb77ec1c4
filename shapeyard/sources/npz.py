"""Voxel grids in one file as a source: `modelnet10.npz`, in the layout of the ModelNet tutorials.

    X_train, X_test     (N,R,R,R) or (N,R,R,R,1), index order x, y, z with +Z up; what is not 0 is occupied
    y_train, y_test     (N,) whole numbers from 0 on
    classes             (C,) names, optional

Names can be given behind the file's name, too: `modelnet10.npz?classes=bathtub,bed,…`; without any, ten classes are
taken for ModelNet10's, whose labels follow the alphabet. Each grid is brought as a .binvox file, turned to +Y up and
without the empty border that all grids have in common, so that its cube is the box of the largest objects.
"""

from __future__ import annotations

from pathlib import Path
from threading import Lock
from typing import Any
from urllib.parse import parse_qs

import numpy as np
from numpy.typing import NDArray

from shapeyard.boundary import reader
from shapeyard.errors import FormatError, SourceError
from shapeyard.formats.binvox import write_binvox
from shapeyard.formats.npz_arrays import read_npz
from shapeyard.sources.source import SourceFile

MODELNET10 = (
    "bathtub", "bed", "chair", "desk", "dresser", "monitor", "night_stand", "sofa", "table", "toilet",
)  # fmt: skip
PARTS = ("train", "test")
MAX_CLASSES = 10_000


class NpzSource:
    """The grids of an .npz file, one .binvox file each: `<class>/<train|test>/<part>-<number>.binvox`."""

    @reader(SourceError, "uri")
    def __init__(self, uri: str) -> None:
        """Raises `SourceError` if there is no such file, its arrays do not fit together, or a class has no name."""
        path, _, query = uri.partition("?")
        self.path = Path(path).expanduser()
        if not self.path.is_file():
            raise SourceError(f"source {self.path}: expected an .npz file, found nothing")
        given = parse_qs(query).get("classes", [""])[0]
        self._lock = Lock()
        self._grids: dict[str, NDArray[np.bool_]] = {}
        self.labels = {part: self._labels(part) for part in PARTS}
        count = 1 + max(int(labels.max(initial=-1)) for labels in self.labels.values())
        if count > MAX_CLASSES:
            raise SourceError(f"source {self.path}: expected labels below {MAX_CLASSES}, got {count - 1}")
        self.classes = self._class_names([name for name in given.split(",") if name], count)

    def list_files(self) -> list[SourceFile]:
        """A file a grid, sorted by key; sizes are not known before."""
        stat = self.path.stat()
        tag = f"{stat.st_mtime_ns}-{stat.st_size}"
        keys = [
            f"{self.classes[label]}/{part}/{part}-{number:06d}.binvox"
            for part, labels in self.labels.items()
            for number, label in enumerate(labels.tolist())
        ]
        return [SourceFile(key, 0, tag) for key in sorted(keys)]

    @reader(SourceError, "self.path")
    def download(self, file: SourceFile, target: Path) -> None:
        """Write one grid."""
        part, _, number = Path(file.key).stem.rpartition("-")
        grid = self._read_grids()[part][int(number)]
        turned = grid.transpose(0, 2, 1)[:, :, ::-1]  # x stays, z becomes y, y becomes −z
        target.parent.mkdir(parents=True, exist_ok=True)
        write_binvox(target, turned, (-0.5, -0.5, -0.5), 1.0)

    def _read_grids(self) -> dict[str, NDArray[np.bool_]]:
        """Both parts (N,D,D,D), read once, without the border."""
        with self._lock:
            if not self._grids:
                read = {part: self._occupancy(part) for part in PARTS}
                sides = {grids.shape[1] for grids in read.values()}
                if len(sides) != 1:
                    raise SourceError(f"source {self.path}: expected grids of one size, got {sorted(sides)}")
                margin = min(_margin(grids) for grids in read.values())
                inner = slice(margin, sides.pop() - margin)
                self._grids = {part: grids[:, inner, inner, inner] for part, grids in read.items()}
        return self._grids

    def _labels(self, part: str) -> NDArray[np.int64]:
        labels = self._array(f"y_{part}")
        if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer) or labels.min(initial=0) < 0:
            raise SourceError(
                f"source {self.path}: expected y_{part} as whole numbers (N,) from 0 on, "
                f"got shape {labels.shape} of {labels.dtype}"
            )
        return labels.astype(np.int64)

    def _occupancy(self, part: str) -> NDArray[np.bool_]:
        grids = self._array(f"X_{part}")
        if grids.ndim == 5 and grids.shape[-1] == 1:
            grids = grids[..., 0]
        if grids.ndim != 4 or len(set(grids.shape[1:])) != 1 or len(grids) != len(self.labels[part]):
            raise SourceError(
                f"source {self.path}: expected X_{part} as cubic grids ({len(self.labels[part])},R,R,R), "
                f"got {grids.shape}"
            )
        return np.asarray(grids != 0)

    def _array(self, name: str) -> NDArray[Any]:
        try:
            arrays = read_npz(self.path, (name,))
        except FormatError as error:
            raise SourceError(f"source {error}") from error
        if name not in arrays:
            raise SourceError(f"source {self.path}: expected the arrays X_train, y_train, X_test and y_test, "
                              f"found no {name}")  # fmt: skip
        return arrays[name]

    def _class_names(self, given: list[str], count: int) -> list[str]:
        if not given:
            try:
                given = [str(name) for name in self._array("classes").tolist()]
            except SourceError:
                given = list(MODELNET10) if count == len(MODELNET10) else [f"class-{i:03d}" for i in range(count)]
        if len(given) < count or len(set(given)) < len(given):
            raise SourceError(f"source {self.path}: expected {count} different class names, got {', '.join(given)}")
        return given


def _margin(grids: NDArray[np.bool_]) -> int:
    """How many voxel layers no grid uses, the same on all six sides; 0 if all are empty."""
    shared = grids.any(axis=0)
    if not shared.any():
        return 0
    places = np.argwhere(shared)
    return int(min(places.min(), shared.shape[0] - 1 - places.max()))
