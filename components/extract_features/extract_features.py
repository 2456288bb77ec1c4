"""Printable objects to features."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from components.extract_features import ExtractFeaturesSettings
from shapeyard.contracts.dataset import Dataset, DatasetWriter, Sample
from shapeyard.contracts.packed_occupancy import unpack_occupancy
from shapeyard.contracts.progress import track
from shapeyard.cpu import cores
from shapeyard.errors import FormatError
from shapeyard.formats.things import read_thing
from shapeyard.geometry.file_grids import cube_in_file
from shapeyard.geometry.frames import Y_UP_FROM_Z_UP
from shapeyard.geometry.part_features import Arrays, features_of_parts
from shapeyard.geometry.preview import contact_sheet, render_occupancy
from shapeyard.geometry.triangle_mesh import Mesh
from shapeyard.processes import Limits, ordered_process_map

FEATURE_SETS = {"measures": (), "points256": ("points",)}
"""The arrays of each set besides the grid and the measures."""
PREVIEW_THINGS, PREVIEW_SIZE = 24, 160


def extract_features(meshes: str | Path, features: str | Path, settings: ExtractFeaturesSettings) -> None:
    """Extract the features of every printable object of a dataset.

    Args:
        meshes: directory of kind meshes.
        features: the directory of kind features to write.
        settings: which.

    Raises:
        DatasetError: if `meshes` is no dataset of meshes.
        TooManySkippedError: if more than `max_skipped` of the objects could not be described.
    """
    resolution, extra = settings.resolution, FEATURE_SETS[settings.feature_set]
    inputs = Dataset([meshes], "meshes")
    names: list[str] = []
    writer = DatasetWriter(
        features, "features", "extract_features", settings.hyperparameters(), max_skipped=settings.max_skipped,
        skipped=inputs.skipped, planned=inputs.planned,
        attributes={"arrays": ["measures", *extra], "resolution": resolution, "feature_set": settings.feature_set},
    )  # fmt: skip
    shown: list[tuple[str, NDArray[np.uint8]]] = []
    start = partial(_start, meshes, settings)
    limits = Limits(settings.object_seconds, settings.object_gigabytes)
    with writer:
        described = ordered_process_map(start, inputs.samples, cores(settings.workers), limits=limits)
        for sample, found in track(zip(inputs.samples, described, strict=True), len(inputs.samples), "objects"):
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


def _start(meshes: str | Path, settings: ExtractFeaturesSettings) -> Callable[[Sample], tuple[list[str], Arrays] | str]:
    """The work of one process: what is made of a sample, or why it could not be used."""
    return partial(_features_of, Dataset([meshes], "meshes"), settings)


def _features_of(meshes: Dataset, settings: ExtractFeaturesSettings, sample: Sample) -> tuple[list[str], Arrays] | str:
    with tempfile.TemporaryDirectory(prefix="shapeyard-features-") as folder:
        try:
            path = meshes.extract(sample.id, Path(folder))
            parts = read_thing(path, settings.max_triangles)
            turn = np.array(sample.canonical_from_file)[:3, :3]
            turn = Y_UP_FROM_Z_UP[:3, :3].T @ (turn / np.linalg.norm(turn[:, 0]))
            if not np.allclose(turn, np.eye(3)):  # most things stand upright in their files
                parts = [Mesh(mesh.vertices @ turn.T, mesh.faces) for mesh in parts]
            own_seed = int.from_bytes(hashlib.sha256(f"{settings.seed} {sample.id}".encode()).digest()[:8], "little")
            points = bool(FEATURE_SETS[settings.feature_set])
            return features_of_parts(parts, settings.resolution, points, own_seed)
        except FormatError as error:
            return str(error).replace(f"{folder}/", "")
