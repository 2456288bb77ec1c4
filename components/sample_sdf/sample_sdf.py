"""Meshes to samples of their signed distance."""

from __future__ import annotations

import os
import tempfile
import zlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from shapeyard.contracts.dataset import Dataset, DatasetWriter, Sample
from shapeyard.contracts.progress import track
from shapeyard.errors import FormatError, MeshError, require
from shapeyard.formats.mesh import MAX_TRIANGLES, read_mesh
from shapeyard.geometry.frames import transform
from shapeyard.geometry.preview import contact_sheet
from shapeyard.geometry.sdf_samples import canonical_from_sphere, draw_points
from shapeyard.geometry.signed_distance import SignedDistance
from shapeyard.geometry.slice_preview import largest_slice, render_slice
from shapeyard.processes import results_in_order
from shapeyard.training import cores

PREVIEW_OBJECTS, PREVIEW_SIZE = 24, 160


@dataclass(frozen=True)
class Sampling:
    """How objects are sampled; see the stage's spec."""

    samples: int = 500_000
    near_surface: float = 0.94
    variance: float = 0.005
    fine_variance: float = 0.0005
    max_two_sided: float = 0.1
    max_triangles: int = MAX_TRIANGLES
    seed: int = 0

    def __post_init__(self) -> None:
        require(self.samples >= 1, f"samples: expected 1 or more, got {self.samples}")
        for name in ("near_surface", "max_two_sided"):
            share = getattr(self, name)
            require(0 <= share <= 1, f"{name}: expected 0 to 1, got {share}")
        for name in ("variance", "fine_variance"):
            variance = getattr(self, name)  # beyond 1 hardly a point would lie in the unit sphere
            require(0 <= variance <= 1, f"{name}: expected 0 to 1, got {variance}")
        require(self.max_triangles >= 1, f"max_triangles: expected 1 or more, got {self.max_triangles}")
        require(self.seed >= 0, f"seed: expected 0 or more, got {self.seed}")


class SampledObject(NamedTuple):
    """What one object gives."""

    positive: NDArray[np.float32]
    """(N,4) x, y, z, signed distance, in the unit sphere around the object"""
    negative: NDArray[np.float32]
    """(M,4)"""
    canonical_from_sdf: NDArray[np.float64]
    """4×4: from the unit sphere into the canonical frame"""
    two_sided: float
    """share of the visible surface that can be seen from both sides"""
    slice: NDArray[np.float32] | None
    """(H,W) signed distances for the preview"""


def sample_meshes(
    meshes: str | Path, sdf: str | Path, sampling: Sampling, *, workers: int = 0, max_skipped: float = 0.5
) -> None:
    """Sample every mesh of a dataset; see the stage's spec for the parameters.

    Raises:
        ParameterError: for a parameter out of its range.
        DatasetError: if `meshes` is no dataset of meshes.
        TooManySkippedError: if more than `max_skipped` of the objects could not be sampled.
    """
    require(workers >= 0, f"workers: expected 0 or more, got {workers}")
    require(0 <= max_skipped <= 1, f"max_skipped: expected 0 to 1, got {max_skipped}")
    inputs = Dataset([meshes], "meshes")
    writer = DatasetWriter(sdf, "sdf", "sample_sdf", asdict(sampling), max_skipped=max_skipped, skipped=inputs.skipped)
    shown: list[tuple[str, NDArray[np.uint8]]] = []
    with writer:
        numbered = list(enumerate(inputs.samples))
        results = results_in_order(partial(_start_sampling, inputs, sampling), numbered, cores(workers))
        for sample, result in track(zip(inputs.samples, results, strict=True), len(inputs.samples), "objects"):
            if isinstance(result, FormatError):
                writer.skip(sample.id, str(result))
                continue
            arrays = {"positive": result.positive, "negative": result.negative}
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
    sampling: Sampling,
    rng: np.random.Generator,
    slice_size: int = 0,
) -> SampledObject:
    """Sample one mesh in the canonical frame; with `slice_size` also a slice of as many pixels a side.

    Raises:
        MeshError: for a mesh without an inside, or whose sign can't be trusted.
    """
    canonical_from_sdf = canonical_from_sphere(vertices)
    field = SignedDistance(transform(np.linalg.inv(canonical_from_sdf), vertices), faces)
    if field.two_sided > sampling.max_two_sided:
        raise MeshError(
            f"an open mesh: {field.two_sided:.0%} of its visible surface can be seen from both sides, "
            f"at most {sampling.max_two_sided:.0%} allowed"
        )
    variances = (sampling.variance, sampling.fine_variance)
    # In single precision before they are measured: the distance belongs to the very point that is stored.
    points = draw_points(field, sampling.samples, sampling.near_surface, variances, rng).astype(np.float32)
    distance = field(points.astype(np.float64)).astype(np.float32)
    samples, inside = np.column_stack([points, distance]), distance < 0
    if not inside.any():
        raise MeshError(f"nothing is inside: none of {sampling.samples} points")
    picture = largest_slice(field, points[distance.argmin()], slice_size) if slice_size else None
    return SampledObject(samples[~inside], samples[inside], canonical_from_sdf, field.two_sided, picture)


def _start_sampling(meshes: Dataset, sampling: Sampling) -> Callable[[tuple[int, Sample]], SampledObject | FormatError]:
    use_one_core()
    return partial(_sample_one, meshes, sampling)


def use_one_core() -> None:
    """For this process, before libigl is imported: the other cores have processes of their own."""
    os.environ["IGL_NUM_THREADS"] = "1"


def _sample_one(meshes: Dataset, sampling: Sampling, numbered: tuple[int, Sample]) -> SampledObject | FormatError:
    number, sample = numbered
    rng = np.random.default_rng([sampling.seed, zlib.crc32(sample.id.encode())])  # whatever stands before it
    with tempfile.TemporaryDirectory(prefix="shapeyard-sdf-") as folder:
        try:
            path = meshes.extract(sample.id, Path(folder))
            mesh = read_mesh(path, sampling.max_triangles)
            canonical = transform(np.array(sample.canonical_from_file), mesh.vertices)
            return sample_mesh(canonical, mesh.faces, sampling, rng, PREVIEW_SIZE if number < PREVIEW_OBJECTS else 0)
        except FormatError as error:
            return FormatError(str(error).replace(f"{folder}/", ""))
