"""Meshes to occupancy grids."""

from __future__ import annotations

import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from components.voxelize import VoxelizeSettings
from components.voxelize.binvox import find_binvox, run_binvox
from components.voxelize.modes import MODES, Mode, chosen_mode, without_internal
from shapeyard.contracts.dataset import Dataset, DatasetWriter, Sample
from shapeyard.contracts.packed_occupancy import pack_occupancy, unpack_occupancy
from shapeyard.contracts.progress import track
from shapeyard.cpu import cores
from shapeyard.errors import FormatError, require
from shapeyard.formats.binvox import read_binvox
from shapeyard.formats.mesh import read_mesh
from shapeyard.geometry.file_grids import canonical_from_cube_in_file, cube_in_file, resample_occupancy
from shapeyard.geometry.frames import transform
from shapeyard.geometry.preview import contact_sheet, render_occupancy
from shapeyard.geometry.triangle_mesh import Mesh
from shapeyard.geometry.voxelization import CANONICAL_MINIMUM
from shapeyard.ordered_map import bounded_ordered_map

PREVIEW_OBJECTS, PREVIEW_SIZE = 24, 160
GRIDS_AHEAD = 4
"""For each thread, how many packed grids may wait until they are written: at 256³ each takes 2 MB."""


def voxelize(meshes: str | Path, voxels: str | Path, settings: VoxelizeSettings) -> None:
    """Voxelize every mesh of a dataset.

    A sample whose file is a .binvox keeps its grid, resampled where its resolution is another. With padding, or if not
    centred, a sample's `canonical_from_file` leads into the cube that its grid fills.

    Args:
        meshes: directory of kind meshes.
        voxels: the directory of kind voxels to write.
        settings: how.

    Raises:
        ParameterError: for an engine that isn't there, or hasn't the mode.
        DatasetError: if `meshes` is no dataset of meshes.
        TooManySkippedError: if more than `max_skipped` of the objects could not be voxelized.
    """
    mode = MODES[settings.mode]
    has_mode = settings.engine != "binvox" or mode.binvox is not None
    require(has_mode, f"mode: expected one that binvox has, got {settings.mode}")
    binvox = find_binvox() if settings.engine == "binvox" else ""
    inputs = Dataset([meshes], "meshes")
    writer = DatasetWriter(
        voxels, "voxels", "voxelize", settings.hyperparameters(), max_skipped=settings.max_skipped,
        skipped=inputs.skipped, planned=inputs.planned,
    )  # fmt: skip
    archive = Lock()
    shown: list[tuple[str, NDArray[np.uint8]]] = []

    def grid_of(sample: Sample) -> _Grid | FormatError:
        try:
            return _voxelize(inputs, archive, sample, settings, binvox)
        except FormatError as error:
            return error

    with writer, ThreadPoolExecutor(cores(settings.workers)) as pool:
        grids = bounded_ordered_map(pool, grid_of, inputs.samples, GRIDS_AHEAD * cores(settings.workers))
        for sample, grid in track(zip(inputs.samples, grids, strict=True), len(inputs.samples), "objects"):
            if isinstance(grid, FormatError):
                writer.skip(sample.id, str(grid))
                continue
            writer.add(grid.sample, {"occupancy": grid.packed}, grid.attributes)
            if len(shown) < PREVIEW_OBJECTS:
                picture = render_occupancy(unpack_occupancy(grid.packed, settings.size), PREVIEW_SIZE)
                shown.append((sample.id, picture))
        if shown:
            writer.preview(contact_sheet([picture for _, picture in shown], labels=[name for name, _ in shown]))
    inputs.close()


class _Grid(NamedTuple):
    sample: Sample
    packed: NDArray[np.uint8]
    attributes: dict[str, Any]


def _voxelize(meshes: Dataset, archive: Lock, sample: Sample, settings: VoxelizeSettings, binvox: str) -> _Grid:
    """One object's grid, packed, with its row; `archive` guards the dataset's file, which has one reading position."""
    used: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="shapeyard-voxelize-") as folder:
        try:
            with archive:
                path = meshes.extract(sample.id, Path(folder))
            if path.suffix.lower() == ".binvox":
                stored = read_binvox(path)
                occupancy = resample_occupancy(stored.occupancy, settings.size)
                sample = _with_frame(sample, canonical_from_cube_in_file(stored.translate, stored.scale))
            else:
                mesh = read_mesh(path, settings.max_triangles)
                inner = _inner_cube_from_file(sample, mesh.vertices, settings)
                mode = chosen_mode(settings.mode, mesh.vertices, mesh.faces)
                used = {"mode": mode} if settings.mode == "auto" else {}
                occupancy = np.pad(_occupancy(mesh, inner, settings, MODES[mode], binvox), settings.padding)
                sample = _with_frame(sample, np.diag([*[settings.resolution / settings.size] * 3, 1.0]) @ inner)
        except FormatError as error:
            raise FormatError(str(error).replace(f"{folder}/", "")) from error
    if settings.remove_internal:
        occupancy = without_internal(occupancy)
    if not occupancy.any():
        raise FormatError(f"{path.name}: no voxel of {settings.size}³ is occupied")
    translate, scale = cube_in_file(sample.canonical_from_file)
    attributes = {"resolution": settings.size, "translate": translate.tolist(), "scale": scale, **used}
    return _Grid(sample, pack_occupancy(occupancy), attributes)


def _inner_cube_from_file(
    sample: Sample, vertices: NDArray[np.float64], settings: VoxelizeSettings
) -> NDArray[np.float64]:
    """(4,4): the file's coordinates into those of the grid without its padding, whose cube is [−½, ½]³."""
    inner = np.array(sample.canonical_from_file)
    if not settings.centered:
        corner, _ = cube_in_file(inner)
        inner[:3, 3] -= inner[:3, :3] @ (vertices.min(axis=0) - corner)
    return inner


def _occupancy(
    mesh: Mesh, inner_from_file: NDArray[np.float64], settings: VoxelizeSettings, mode: Mode, binvox: str
) -> NDArray[np.bool_]:
    vertices = transform(inner_from_file, mesh.vertices)
    if binvox:
        return run_binvox(binvox, vertices, mesh.faces, settings.resolution, mode)
    return mode.occupancy(vertices, mesh.faces, settings.resolution, CANONICAL_MINIMUM, 1.0)


def _with_frame(sample: Sample, canonical_from_file: NDArray[np.float64]) -> Sample:
    return replace(sample, canonical_from_file=tuple(tuple(row) for row in canonical_from_file.tolist()))
