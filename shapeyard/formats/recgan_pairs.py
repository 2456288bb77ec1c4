"""The training pairs of 3D-RecGAN++ as they are distributed: a view's 2.5D grid and the whole shape, a file each.

Yang et al., "Dense 3D object reconstruction from a single depth view" (arXiv 1802.00411), and its published data:

    P1_<synset>_<category>/<split>_25d_vox256/<object>_<view>.npz     what the view shows
    P1_<synset>_<category>/<split>_3d_vox256/<object>_<view>.npz      the shape as the view sees it

Their framing is the whole object's box: both grids end where the whole shape does, unpadded, its longest side 256
voxels. So the 2.5D grid tells how deep the object is behind what can be seen, which a photograph doesn't; the
camera-frame cube of `shapeyard.geometry.lifting` comes from the visible part alone. A result on these pairs stands for
their framing, never for ours.

Axes: the first runs across the image, the second along it, the third away from the camera.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from shapeyard.boundary import reader
from shapeyard.errors import FormatError, require
from shapeyard.formats.npz_arrays import read_npz

RESOLUTION = 256
"""Voxels along the cube's side; the longest side of a grid has about as many."""
FRAMING = "whole object's box"
"""What their cube is put around, to be named wherever a figure comes from these pairs."""
MAX_BYTES = RESOLUTION**3 + 4096
FOLDER = re.compile(r"(train|test)\w*?_25d_vox256")


class PairFiles(NamedTuple):
    """Where a pair lies, and what its place says."""

    category: str
    split: Literal["train", "test"]
    """their own"""
    object_id: str
    """pairs of the same object are views of it"""
    view: str
    surface: Path
    """the 2.5D grid"""
    shape: Path
    """the whole shape"""


class Pair(NamedTuple):
    """Two grids of the same box."""

    surface: NDArray[np.bool_]
    """(X,Y,Z), each at most 256"""
    shape: NDArray[np.bool_]
    """(X,Y,Z)"""


def find_recgan_pairs(folder: str | Path) -> list[PairFiles]:
    """All pairs below a folder, in the order of their paths.

    Raises:
        FormatError: if there is none, or one of the two files of a pair is missing.
    """
    pairs = []
    for surface in sorted(Path(folder).glob("*/*_25d_vox256/*.npz")):
        split = FOLDER.fullmatch(surface.parent.name)
        if split is None:
            raise FormatError(f"{surface.parent}: expected the name of a train or test split")
        shape = surface.parent.parent / surface.parent.name.replace("_25d_", "_3d_") / surface.name
        if not shape.is_file():
            raise FormatError(f"{shape}: expected the whole shape that belongs to {surface}")
        object_id, _, view = surface.stem.partition("_")
        category = surface.parent.parent.name.rpartition("_")[2]
        which: Literal["train", "test"] = "train" if split[1] == "train" else "test"
        pairs.append(PairFiles(category, which, object_id, view, surface, shape))
    if not pairs:
        raise FormatError(f"{folder}: expected folders <category>/<split>_25d_vox256 with .npz files, found none")
    return pairs


@reader(FormatError, "files.surface")
def read_recgan_pair(files: PairFiles) -> Pair:
    """Read both grids, unpadded as they are.

    Raises:
        FormatError: if a file isn't an .npz of one grid of 0 and 1 of at most 256 voxels a side, or the two differ in
            their shape.
    """
    surface, shape = _read_grid(files.surface), _read_grid(files.shape)
    if surface.shape != shape.shape:
        raise FormatError(f"{files.surface}: expected a grid of {shape.shape} as in {files.shape}, got {surface.shape}")
    return Pair(surface, shape)


def in_cube(grid: NDArray[np.bool_], resolution: int = RESOLUTION) -> NDArray[np.bool_]:
    """An unpadded grid in the middle of a cube (D,D,D), as its networks see it.

    Raises:
        ParameterError: if the grid is larger than the cube.
    """
    require(grid.ndim == 3 and max(grid.shape) <= resolution, f"expected at most {resolution}³, got {grid.shape}")
    before = [(resolution - side) // 2 for side in grid.shape]
    widths = [(first, resolution - side - first) for first, side in zip(before, grid.shape, strict=True)]
    return np.pad(grid, widths)


def _read_grid(path: Path) -> NDArray[np.bool_]:
    arrays = read_npz(path, ("arr_0",), MAX_BYTES)
    if "arr_0" not in arrays:
        raise FormatError(f"{path}: expected an .npz of one grid, found no arr_0")
    values = arrays["arr_0"]
    if values.ndim == 4 and values.shape[3] == 1:
        values = values[..., 0]
    if values.ndim != 3 or not values.size or max(values.shape) > RESOLUTION:
        raise FormatError(f"{path}: expected a grid of 1 to {RESOLUTION} voxels a side, got {values.shape}")
    if values.dtype.kind not in "biu" or values.min() < 0 or values.max() > 1:
        raise FormatError(f"{path}: expected voxels of 0 and 1, got {values.dtype}")
    return np.asarray(values != 0)
