"""What a file tells of one shape, in the frame of its unit sphere: a mesh, a cloud, samples, a photograph."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shapeyard.errors import DatasetError, FormatError
from shapeyard.formats.mesh import MESH_SUFFIXES, read_mesh
from shapeyard.formats.photographs import read_photograph
from shapeyard.formats.ply import claimed_by_ply
from shapeyard.formats.point_clouds import PointCloud, SignedSamples, read_points
from shapeyard.geometry.frames import UpAxis, canonical_from_bounds, rotation, transform
from shapeyard.geometry.lifting import unproject
from shapeyard.geometry.sdf_observations import SdfObservation, observe_cloud, observe_depth, observe_samples
from shapeyard.geometry.sdf_samples import SPHERE_MARGIN, canonical_from_sphere, draw_points
from shapeyard.geometry.signed_distance import SignedDistance
from shapeyard.inference.models import find_models, load_torch
from shapeyard.inference.photograph import estimate_depth
from shapeyard.inference.upright import AZIMUTHS, UPRIGHT_FROM_CAMERA

SAMPLES = 65_536
NEAR_SURFACE, VARIANCES = 0.94, (0.005, 0.0005)
"""As `sample_sdf` draws by default."""
MAX_TWO_SIDED = 0.1
POINT_SUFFIXES = (".xyz", ".npz")


class KnownShape(NamedTuple):
    """What is known of a shape, and where it lies."""

    observations: list[SdfObservation]
    """one, or one for each azimuth from which the camera may have looked"""
    file_from_sdf: NDArray[np.float64]
    """(4,4) the unit sphere into the file's own frame; of a photograph the canonical frame's"""


def read_known_shape(
    path: Path, models: Sequence[Path], rng: np.random.Generator, *, up: UpAxis = "y", unit_sphere: bool = False,
    elevation_degrees: float = 30.0,
) -> KnownShape:  # fmt: skip
    """Read a file, whatever it is.

    Args:
        path: a mesh, a cloud with normals (`shapeyard.formats.point_clouds`), or an image of an object before a plain
            background.
        models: folders with a U-Net, needed for an image alone.
        rng: where samples are drawn from.
        up: the file's axis that points up.
        unit_sphere: the file's coordinates are the unit sphere's already (+Y up), as those of a part of a shape must
            be: its own bounds are not the whole shape's.
        elevation_degrees: how far above the object's middle an image's camera stood.

    Raises:
        FormatError: for a file that is not readable, without normals, with too few points, or an open mesh.
        DatasetError: for an image without a U-Net.
    """
    suffix = path.suffix.lower()
    try:
        if suffix in POINT_SUFFIXES or (suffix == ".ply" and not _has_faces(path)):
            return _of_points(read_points(path), rng, up, unit_sphere)
        if suffix in MESH_SUFFIXES:
            return _of_mesh(path, rng, up, unit_sphere)
        if suffix in Image.registered_extensions():
            return _of_photograph(path, models, rng, elevation_degrees)
    except FormatError as error:
        text = str(error)
        raise FormatError(text if text.startswith(str(path)) else f"{path}: {text}") from error
    raise FormatError(f"{path}: expected a mesh, a cloud (.ply, .xyz, .npz) or an image, got {suffix or 'no ending'}")


def _has_faces(path: Path) -> bool:
    try:
        return claimed_by_ply(path.read_bytes())[0] > 0
    except OSError as error:
        raise FormatError(f"{path}: not readable: {error.strerror}") from error


def _of_mesh(path: Path, rng: np.random.Generator, up: UpAxis, unit_sphere: bool) -> KnownShape:
    mesh = read_mesh(path)
    file_from_sdf = _file_from_sdf(mesh.vertices, up, unit_sphere)
    field = SignedDistance(transform(np.linalg.inv(file_from_sdf), mesh.vertices), mesh.faces)
    if field.two_sided > MAX_TWO_SIDED:
        raise FormatError(
            f"an open mesh: {field.two_sided:.0%} of its visible surface can be seen from both sides, "
            f"at most {MAX_TWO_SIDED:.0%} allowed"
        )
    points = draw_points(field, 2 * SAMPLES, NEAR_SURFACE, VARIANCES, rng).astype(np.float32)
    samples = np.column_stack([points, field(points.astype(np.float64)).astype(np.float32)])
    inside = samples[:, 3] < 0
    return KnownShape([observe_samples(samples[~inside], samples[inside], SAMPLES, rng)], file_from_sdf)


def _of_points(
    found: PointCloud | SignedSamples, rng: np.random.Generator, up: UpAxis, unit_sphere: bool
) -> KnownShape:
    if isinstance(found, SignedSamples):  # which are of the unit sphere by their nature
        return KnownShape([observe_samples(found.positive, found.negative, SAMPLES, rng)], np.eye(4))
    if len(found.points) < 2 or not np.isfinite(found.points).all():
        observe_cloud(found.points, found.normals, SAMPLES, rng)  # says what is wrong with it
    file_from_sdf = _file_from_sdf(found.points, up, unit_sphere)
    sdf_from_file = np.linalg.inv(file_from_sdf)
    normals = found.normals @ sdf_from_file[:3, :3].T
    return KnownShape([observe_cloud(transform(sdf_from_file, found.points), normals, SAMPLES, rng)], file_from_sdf)


def _of_photograph(
    path: Path, models: Sequence[Path], rng: np.random.Generator, elevation_degrees: float
) -> KnownShape:
    """The depth that the U-Net sees; the object's middle is taken to be as far behind its front as it is wide.

    Nobody knows from where the camera looked: one observation for each azimuth.
    """
    there = find_models(models)
    if "unet" not in there:
        raise DatasetError(f"{path}: expected the model of a U-Net for an image, found none in {models[0]}")
    seen = estimate_depth(load_torch(there["unet"]), read_photograph(path))
    points = unproject(seen.depth, seen.intrinsics)
    across = np.ptp(points[:, :2], axis=0).max() / 2
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    middle[2] = points[:, 2].min() + max(across, np.ptp(points[:, 2]) / 2)
    radius = SPHERE_MARGIN * float(np.linalg.norm(points - middle, axis=1).max())
    tilt = rotation(1, 2, -math.radians(elevation_degrees)) @ UPRIGHT_FROM_CAMERA
    observations = []
    for step in range(AZIMUTHS):
        sdf_from_camera = rotation(2, 0, 2 * math.pi * step / AZIMUTHS) @ tilt
        sdf_from_camera[:3, 3] = -sdf_from_camera[:3, :3] @ middle / radius
        depth = np.asarray(seen.depth / radius, np.float32)
        observations.append(observe_depth(depth, seen.intrinsics, sdf_from_camera, SAMPLES, rng))
    return KnownShape(observations, np.diag([radius, radius, radius, 1.0]))


def _file_from_sdf(points: NDArray[np.float64], up: UpAxis, unit_sphere: bool) -> NDArray[np.float64]:
    if unit_sphere:
        return np.eye(4)
    canonical = canonical_from_bounds(points.min(axis=0), points.max(axis=0), up)
    result: NDArray[np.float64] = np.linalg.inv(canonical) @ canonical_from_sphere(transform(canonical, points))
    return result
