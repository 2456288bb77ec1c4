"""Meshes to samples of their signed distance."""

from __future__ import annotations

import os
import tempfile
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from components.sample_sdf import SampleSdfSettings
from shapeyard.contracts.dataset import Dataset, DatasetWriter, Sample
from shapeyard.contracts.progress import track
from shapeyard.cpu import cores
from shapeyard.errors import FormatError, MeshError
from shapeyard.formats.mesh import read_mesh
from shapeyard.geometry.frames import transform
from shapeyard.geometry.preview import contact_sheet
from shapeyard.geometry.sdf_samples import DepthViews, canonical_from_sphere, depth_views, draw_points
from shapeyard.geometry.signed_distance import SignedDistance
from shapeyard.geometry.slice_preview import largest_slice, render_slice
from shapeyard.processes import Limits, ordered_process_map

PREVIEW_OBJECTS, PREVIEW_SIZE = 24, 160


class SampledObject(NamedTuple):
    """What one object gives."""

    positive: NDArray[np.float32]
    """(N,4) x, y, z, signed distance, in the unit sphere around the object"""
    negative: NDArray[np.float32]
    """(M,4)"""
    surface: NDArray[np.float32]
    """(S,6) points of the visible surface, and unit normals that lead outside"""
    views: DepthViews
    canonical_from_sdf: NDArray[np.float64]
    """4×4: from the unit sphere into the canonical frame"""
    two_sided: float
    """share of the visible surface that can be seen from both sides"""
    slice: NDArray[np.float32] | None
    """(H,W) signed distances for the preview"""


def sample_sdf(meshes: str | Path, sdf: str | Path, settings: SampleSdfSettings) -> None:
    """Sample every mesh of a dataset.

    Args:
        meshes: directory of kind meshes.
        sdf: the directory of kind sdf to write.
        settings: how.

    Raises:
        DatasetError: if `meshes` is no dataset of meshes.
        TooManySkippedError: if more than `max_skipped` of the objects could not be sampled.
    """
    inputs = Dataset([meshes], "meshes")
    writer = DatasetWriter(
        sdf,
        "sdf",
        "sample_sdf",
        settings.hyperparameters(),
        max_skipped=settings.max_skipped,
        skipped=inputs.skipped,
        planned=inputs.planned,
    )
    shown: list[tuple[str, NDArray[np.uint8]]] = []
    with writer:
        numbered = list(enumerate(inputs.samples))
        workers = cores(settings.workers)  # none begins a shape before one of theirs is written
        limits = Limits(settings.object_seconds, settings.object_gigabytes)
        start = partial(_start_sampling, inputs, settings)
        results = ordered_process_map(start, numbered, workers, workers, limits)
        for sample, result in track(zip(inputs.samples, results, strict=True), len(inputs.samples), "objects"):
            if isinstance(result, FormatError):
                writer.skip(sample.id, str(result))
                continue
            arrays = {
                "positive": result.positive, "negative": result.negative, "surface": result.surface,
                **result.views._asdict(),
            }  # fmt: skip
            attributes = {
                "canonical_from_sdf": result.canonical_from_sdf.tolist(), "two_sided": round(result.two_sided, 4),
            }  # fmt: skip
            writer.add(sample, arrays, attributes)
            if result.slice is not None:
                shown.append((sample.id, render_slice(result.slice)))
        if shown:
            writer.preview(contact_sheet([picture for _, picture in shown], labels=[name for name, _ in shown]))


def sample_mesh(
    vertices: NDArray[np.float64],
    faces: NDArray[np.int64],
    settings: SampleSdfSettings,
    rng: np.random.Generator,
    slice_size: int = 0,
) -> SampledObject:
    """Sample one mesh in the canonical frame; with `slice_size` also a slice of as many pixels a side.

    Raises:
        MeshError: for a mesh without an inside, or whose sign can't be trusted.
    """
    canonical_from_sdf = canonical_from_sphere(vertices)
    field = SignedDistance(transform(np.linalg.inv(canonical_from_sdf), vertices), faces)
    field.require_closed(settings.max_two_sided)
    variances = (settings.variance, settings.fine_variance)
    # In single precision before they are measured: the distance belongs to the very point that is stored.
    points = draw_points(field, settings.samples, settings.near_surface, variances, rng).astype(np.float32)
    distance = field(points.astype(np.float64)).astype(np.float32)
    samples, inside = np.column_stack([points, distance]), distance < 0
    if not inside.any():
        raise MeshError(f"nothing is inside: none of {settings.samples} points")
    surface = np.concatenate(field.oriented_points(settings.surface_points, rng), axis=1).astype(np.float32)
    views = depth_views(field, settings.views, settings.view_size, float(rng.uniform(0, 360)))
    picture = largest_slice(field, points[distance.argmin()], slice_size) if slice_size else None
    return SampledObject(
        samples[~inside], samples[inside], surface, views, canonical_from_sdf, field.two_sided, picture
    )


def _start_sampling(
    meshes: Dataset, settings: SampleSdfSettings
) -> Callable[[tuple[int, Sample]], SampledObject | FormatError]:
    use_one_core()
    return partial(_sample_one, meshes, settings)


def use_one_core() -> None:
    """For this process, before libigl is imported: the other cores have processes of their own."""
    os.environ["IGL_NUM_THREADS"] = "1"


def _sample_one(
    meshes: Dataset, settings: SampleSdfSettings, numbered: tuple[int, Sample]
) -> SampledObject | FormatError:
    number, sample = numbered
    rng = np.random.default_rng([settings.seed, zlib.crc32(sample.id.encode())])  # whatever stands before it
    with tempfile.TemporaryDirectory(prefix="shapeyard-sdf-") as folder:
        try:
            path = meshes.extract(sample.id, Path(folder))
            mesh = read_mesh(path, settings.max_triangles)
            canonical = transform(np.array(sample.canonical_from_file), mesh.vertices)
            return sample_mesh(canonical, mesh.faces, settings, rng, PREVIEW_SIZE if number < PREVIEW_OBJECTS else 0)
        except FormatError as error:
            return FormatError(str(error).replace(f"{folder}/", ""))
