"""Meshes to occupancy grids."""

from __future__ import annotations

import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from shapeyard.contracts.dataset import Dataset, DatasetWriter, Sample, pack_occupancy, unpack_occupancy
from shapeyard.contracts.progress import track
from shapeyard.errors import FormatError, require
from shapeyard.formats.binvox import read_binvox
from shapeyard.formats.mesh import read_mesh
from shapeyard.geometry.file_grids import canonical_from_cube_in_file, cube_in_file, resample_occupancy
from shapeyard.geometry.frames import transform
from shapeyard.geometry.preview import contact_sheet, render_occupancy
from shapeyard.geometry.voxelization import MAX_RESOLUTION, MIN_RESOLUTION, solid_occupancy, surface_occupancy
from shapeyard.training import cores

MODES = {"solid": solid_occupancy, "surface": surface_occupancy}
PREVIEW_OBJECTS, PREVIEW_SIZE = 24, 160
GRIDS_AHEAD = 4
"""For each thread, how many packed grids may wait until they are written: at 256³ each takes 2 MB."""

Item = TypeVar("Item")
Result = TypeVar("Result")


def voxelize_meshes(
    meshes: str | Path,
    voxels: str | Path,
    *,
    resolution: int = 64,
    mode: str = "solid",
    workers: int = 0,
    max_skipped: float = 0.5,
) -> None:
    """Voxelize every mesh of a dataset; see the stage's spec for the parameters.

    A sample whose file is a .binvox keeps its grid, resampled where its resolution is another.

    Raises:
        ParameterError: for a parameter out of its range.
        DatasetError: if `meshes` is no dataset of meshes.
        TooManySkippedError: if more than `max_skipped` of the objects could not be voxelized.
    """
    in_range = MIN_RESOLUTION <= resolution <= MAX_RESOLUTION
    require(in_range, f"resolution: expected {MIN_RESOLUTION} to {MAX_RESOLUTION}, got {resolution}")
    require(mode in MODES, f"mode: expected {' or '.join(MODES)}, got {mode}")
    require(workers >= 0, f"workers: expected 0 or more, got {workers}")
    require(0 <= max_skipped <= 1, f"max_skipped: expected 0 to 1, got {max_skipped}")
    inputs = Dataset([meshes], "meshes")
    parameters = {"resolution": resolution, "mode": mode}
    writer = DatasetWriter(voxels, "voxels", "voxelize", parameters, max_skipped=max_skipped, skipped=inputs.skipped)
    archive = Lock()
    shown: list[tuple[str, NDArray[np.uint8]]] = []

    def voxelize(sample: Sample) -> _Grid | FormatError:
        try:
            return _voxelize(inputs, archive, sample, resolution, mode)
        except FormatError as error:
            return error

    with writer, ThreadPoolExecutor(cores(workers)) as pool:
        grids = _in_order(pool, voxelize, inputs.samples, GRIDS_AHEAD * cores(workers))
        for sample, grid in track(zip(inputs.samples, grids, strict=True), len(inputs.samples), "objects"):
            if isinstance(grid, FormatError):
                writer.skip(sample.id, str(grid))
                continue
            writer.add(grid.sample, {"occupancy": grid.packed}, grid.attributes)
            if len(shown) < PREVIEW_OBJECTS:
                picture = render_occupancy(unpack_occupancy(grid.packed, resolution), PREVIEW_SIZE)
                shown.append((sample.id, picture))
        if shown:
            writer.preview(contact_sheet([picture for _, picture in shown], labels=[name for name, _ in shown]))
    inputs.close()


class _Grid(NamedTuple):
    sample: Sample
    packed: NDArray[np.uint8]
    attributes: dict[str, Any]


def _voxelize(meshes: Dataset, archive: Lock, sample: Sample, resolution: int, mode: str) -> _Grid:
    """One object's grid, packed, with its row; `archive` guards the dataset's file, which has one reading position."""
    with tempfile.TemporaryDirectory(prefix="shapeyard-voxelize-") as folder:
        with archive:
            path = meshes.extract(sample.id, Path(folder))
        try:
            if path.suffix.lower() == ".binvox":
                stored = read_binvox(path)
                occupancy = resample_occupancy(stored.occupancy, resolution)
                sample = _with_frame(sample, canonical_from_cube_in_file(stored.translate, stored.scale))
            else:
                mesh = read_mesh(path)
                canonical = transform(np.array(sample.canonical_from_file), mesh.vertices)
                occupancy = MODES[mode](canonical, mesh.faces, resolution)
        except FormatError as error:
            raise FormatError(str(error).replace(f"{folder}/", "")) from error
    if not occupancy.any():
        raise FormatError(f"{path.name}: no voxel of {resolution}³ is occupied")
    translate, scale = cube_in_file(sample.canonical_from_file)
    attributes = {"resolution": resolution, "translate": translate.tolist(), "scale": scale}
    return _Grid(sample, pack_occupancy(occupancy), attributes)


def _with_frame(sample: Sample, canonical_from_file: NDArray[np.float64]) -> Sample:
    return replace(sample, canonical_from_file=tuple(tuple(row) for row in canonical_from_file.tolist()))


def _in_order(
    pool: ThreadPoolExecutor, work: Callable[[Item], Result], items: Sequence[Item], ahead: int
) -> Iterator[Result]:
    """What `work` makes of each item, in order, with at most `ahead` results waiting."""
    waiting: deque[Future[Result]] = deque()
    for item in items:
        waiting.append(pool.submit(work, item))
        if len(waiting) >= ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
