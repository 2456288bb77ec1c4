"""The work of `describe`."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shapeyard.contracts.dataset import Dataset, DatasetWriter, Sample, pack_occupancy, unpack_occupancy
from shapeyard.contracts.progress import track
from shapeyard.errors import FormatError, require
from shapeyard.formats.mesh import Mesh
from shapeyard.formats.things import read_thing
from shapeyard.geometry.file_grids import cube_in_file
from shapeyard.geometry.frames import Y_UP_FROM_Z_UP
from shapeyard.geometry.point_images import point_image
from shapeyard.geometry.preview import contact_sheet, render_occupancy
from shapeyard.geometry.solids import describe_solid
from shapeyard.geometry.voxelization import MAX_RESOLUTION, MIN_RESOLUTION
from shapeyard.processes import results_in_order
from shapeyard.training import cores

FEATURE_SETS = {"solid": (), "points256": ("points",)}
"""The arrays of each set besides the grid and the measures."""
PREVIEW_THINGS, PREVIEW_SIZE = 24, 160

Arrays = dict[str, NDArray[Any]]


def describe_things(
    meshes: str | Path,
    features: str | Path,
    *,
    feature_set: str = "solid",
    resolution: int = 32,
    max_triangles: int = 2_000_000,
    seed: int = 0,
    workers: int = 0,
    max_skipped: float = 0.5,
) -> None:
    """Describe every thing of a dataset; see the stage's spec for the parameters.

    Raises:
        ParameterError: for a parameter out of its range.
        DatasetError: if `meshes` is no dataset of meshes.
        TooManySkippedError: if more than `max_skipped` of the things could not be described.
    """
    in_range = MIN_RESOLUTION <= resolution <= MAX_RESOLUTION
    require(in_range, f"resolution: expected {MIN_RESOLUTION} to {MAX_RESOLUTION}, got {resolution}")
    require(feature_set in FEATURE_SETS, f"feature_set: expected {' or '.join(FEATURE_SETS)}, got {feature_set}")
    require(max_triangles > 0, f"max_triangles: expected more than 0, got {max_triangles}")
    require(0 <= max_skipped <= 1, f"max_skipped: expected 0 to 1, got {max_skipped}")
    processes = cores(workers)
    inputs = Dataset([meshes], "meshes")
    parameters = {"feature_set": feature_set, "resolution": resolution, "seed": seed}
    extra = FEATURE_SETS[feature_set]
    names: list[str] = []
    writer = DatasetWriter(
        features, "features", "describe", parameters, max_skipped=max_skipped, skipped=inputs.skipped,
        attributes={"arrays": ["measures", *extra], "resolution": resolution, "feature_set": feature_set},
    )  # fmt: skip
    shown: list[tuple[str, NDArray[np.uint8]]] = []
    start = partial(_start_describing, meshes, resolution, bool(extra), max_triangles, seed)
    with writer:
        described = results_in_order(start, inputs.samples, processes)
        for sample, found in track(zip(inputs.samples, described, strict=True), len(inputs.samples), "things"):
            if isinstance(found, str | FormatError):
                writer.skip(sample.id, str(found))
                continue
            names, arrays = found
            translate, scale = cube_in_file(sample.canonical_from_file)
            attributes = {"resolution": resolution, "translate": translate.tolist(), "scale": scale}
            writer.add(sample, arrays, attributes)
            if len(shown) < PREVIEW_THINGS:
                grid = unpack_occupancy(arrays["occupancy"], resolution)
                shown.append((sample.id, render_occupancy(grid, PREVIEW_SIZE)))
        writer.attributes["measures"] = names
        if shown:
            writer.preview(contact_sheet([picture for _, picture in shown], labels=[name for name, _ in shown]))
    inputs.close()


def describe_parts(parts: Sequence[Mesh], resolution: int, points: bool, seed: int) -> tuple[list[str], Arrays]:
    """The names of the measures and the arrays of a thing whose parts stand upright (+Z up).

    Raises:
        FormatError: if nothing of it fills a voxel.
    """
    solid = describe_solid(parts, resolution)
    if not solid.occupancy.any():
        raise FormatError(f"no voxel of {resolution}³ is occupied")
    arrays: Arrays = {
        "occupancy": pack_occupancy(solid.occupancy),
        "measures": np.array(list(solid.measures.values()), np.float32),
    }
    if points:
        arrays["points"] = point_image(parts, np.random.default_rng(seed))
    return list(solid.measures), arrays


def _start_describing(
    meshes: str | Path, resolution: int, points: bool, max_triangles: int, seed: int
) -> Callable[[Sample], tuple[list[str], Arrays] | str]:
    """The work of one process: what is made of a sample, or why it could not be used."""
    return partial(_describe, Dataset([meshes], "meshes"), resolution, points, max_triangles, seed)


def _describe(
    meshes: Dataset, resolution: int, points: bool, max_triangles: int, seed: int, sample: Sample
) -> tuple[list[str], Arrays] | str:
    with tempfile.TemporaryDirectory(prefix="shapeyard-describe-") as folder:
        try:
            path = meshes.extract(sample.id, Path(folder))
            parts = read_thing(path, max_triangles)
            turn = np.array(sample.canonical_from_file)[:3, :3]
            turn = Y_UP_FROM_Z_UP[:3, :3].T @ (turn / np.linalg.norm(turn[:, 0]))
            if not np.allclose(turn, np.eye(3)):  # most things stand upright in their files
                parts = [Mesh(mesh.vertices @ turn.T, mesh.faces) for mesh in parts]
            own_seed = int.from_bytes(hashlib.sha256(f"{seed} {sample.id}".encode()).digest()[:8], "little")
            return describe_parts(parts, resolution, points, own_seed)
        except FormatError as error:
            return str(error).replace(f"{folder}/", "")
