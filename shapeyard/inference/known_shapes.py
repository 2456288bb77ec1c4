"""What a file tells of one shape, in the frame of its unit sphere: a mesh, a cloud, samples, a photograph."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shapeyard.errors import DatasetError, FormatError, require
from shapeyard.formats.mesh import MESH_SUFFIXES, read_mesh
from shapeyard.formats.photographs import read_photograph
from shapeyard.formats.ply import claimed_by_ply
from shapeyard.formats.point_clouds import PointCloud, SignedSamples, read_points
from shapeyard.geometry.frames import Y_UP_FROM_Z_UP, canonical_from_bounds, rotation, transform
from shapeyard.geometry.lifting import unproject
from shapeyard.geometry.sdf_defaults import FINE_VARIANCE, MAX_TWO_SIDED, NEAR_SURFACE, VARIANCE
from shapeyard.geometry.sdf_observations import SdfObservation, observe_cloud, observe_depth, observe_samples
from shapeyard.geometry.sdf_samples import SPHERE_MARGIN, canonical_from_sphere, draw_points
from shapeyard.geometry.signed_distance import SignedDistance
from shapeyard.geometry.up_axis import UpAxis, up_axis_of
from shapeyard.inference.models import find_models, load_torch
from shapeyard.inference.observations import OBSERVED_SAMPLES
from shapeyard.inference.photograph import estimate_depth
from shapeyard.inference.upright import AZIMUTHS, UPRIGHT_FROM_CAMERA

POINT_SUFFIXES = (".xyz", ".npz")
LARGEST = 1e30
"""Coordinate of a file, and one over the least extent; a .glb holds single precision."""
FARTHEST_SAMPLE = 1.4
"""Coordinate of a sample: DeepSDF's own files hold some that its noise led out of the unit sphere."""


class Place(NamedTuple):
    """Where the whole shape lies in a file's own frame, if not in the middle of the file's bounds."""

    unit_sphere: bool = False
    """the file's coordinates are the unit sphere's already (+Y up)"""
    centre: tuple[float, float, float] | None = None
    """of the whole shape's bounding box; goes with `radius`"""
    radius: float | None = None
    """distance of the whole shape's farthest point from there"""

    def check(self) -> None:
        """Raise `ParameterError` for what does not go together, or a radius that is none."""
        require((self.centre is None) == (self.radius is None), "expected both centre and radius, or none of them")
        require(self.centre is None or not self.unit_sphere, "expected either unit-sphere, or centre and radius")
        sizes = (*(self.centre or ()), 1.0 if self.radius is None else self.radius)
        require(all(abs(size) < LARGEST for size in sizes) and sizes[-1] > 1 / LARGEST,
                f"expected a finite centre and a radius above 0, got {self.centre} and {self.radius}")  # fmt: skip


OWN_BOUNDS = Place()


class KnownShape(NamedTuple):
    """What is known of a shape, and where it lies."""

    observations: list[SdfObservation]
    """one, or one for each azimuth from which the camera may have looked"""
    file_from_sdf: NDArray[np.float64]
    """(4,4) the unit sphere into the file's own frame; of a photograph the canonical frame's"""
    placed_cloud: bool = False
    """a cloud of which nobody said where the whole shape lies: it may be a part"""


def read_known_shape(
    path: Path, models: Sequence[Path], rng: np.random.Generator, *, up: str = "auto", place: Place = OWN_BOUNDS,
    elevation_degrees: float = 30.0,
) -> KnownShape:  # fmt: skip
    """Read a file, whatever it is.

    Args:
        path: a mesh, a cloud with normals (`shapeyard.formats.point_clouds`), or an image of an object before a plain
            background.
        models: folders with a U-Net, needed for an image alone.
        rng: where samples are drawn from.
        up: the file's axis that points up, one of `shapeyard.geometry.up_axis.UP_CHOICES`.
        place: of the whole shape; needed for a part of one, whose own bounds are not the whole shape's.
        elevation_degrees: how far above the object's middle an image's camera stood.

    Raises:
        ParameterError: for a place that is none.
        FormatError: for a file that is not readable, without normals, with too few points, or an open mesh, or points
            that can't be of a shape in that place.
        DatasetError: for an image without a U-Net.
    """
    place.check()
    suffix, axis = path.suffix.lower(), up_axis_of(path, up)
    try:
        if suffix in POINT_SUFFIXES or (suffix == ".ply" and not _has_faces(path)):
            return _of_points(read_points(path), rng, axis, place)
        if suffix in MESH_SUFFIXES:
            return _of_mesh(path, rng, axis, place)
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


def _of_mesh(path: Path, rng: np.random.Generator, up: UpAxis, place: Place) -> KnownShape:
    mesh = read_mesh(path)
    file_from_sdf = _file_from_sdf(mesh.vertices, up, place)
    field = SignedDistance(transform(np.linalg.inv(file_from_sdf), mesh.vertices), mesh.faces)
    field.require_closed(MAX_TWO_SIDED)
    points = draw_points(field, 2 * OBSERVED_SAMPLES, NEAR_SURFACE, (VARIANCE, FINE_VARIANCE), rng).astype(np.float32)
    samples = np.column_stack([points, field(points.astype(np.float64)).astype(np.float32)])
    inside = samples[:, 3] < 0
    return KnownShape([observe_samples(samples[~inside], samples[inside], OBSERVED_SAMPLES, rng)], file_from_sdf)


def _of_points(found: PointCloud | SignedSamples, rng: np.random.Generator, up: UpAxis, place: Place) -> KnownShape:
    if isinstance(found, SignedSamples):  # which are of the unit sphere by their nature
        farthest = max((float(np.abs(one[:, :3]).max()) for one in found if len(one)), default=0.0)
        if farthest > FARTHEST_SAMPLE:
            raise FormatError(f"expected samples in the unit sphere, got a coordinate of {farthest:.3g}")
        return KnownShape([observe_samples(found.positive, found.negative, OBSERVED_SAMPLES, rng)], np.eye(4))
    if len(found.points) < 2 or not np.isfinite(found.points).all():
        observe_cloud(found.points, found.normals, OBSERVED_SAMPLES, rng)  # says what is wrong with it
    file_from_sdf = _file_from_sdf(found.points, up, place)
    sdf_from_file = np.linalg.inv(file_from_sdf)
    turned = sdf_from_file[:3, :3] / np.abs(sdf_from_file[:3, :3]).max()
    normals = found.normals @ turned.T
    seen = observe_cloud(transform(sdf_from_file, found.points), normals, OBSERVED_SAMPLES, rng)
    return KnownShape([seen], file_from_sdf, placed_cloud=place == OWN_BOUNDS)


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
        observations.append(observe_depth(depth, seen.intrinsics, sdf_from_camera, OBSERVED_SAMPLES, rng))
    return KnownShape(observations, np.diag([radius, radius, radius, 1.0]))


def _file_from_sdf(points: NDArray[np.float64], up: UpAxis, place: Place) -> NDArray[np.float64]:
    largest = float(np.abs(points).max())
    if largest > LARGEST or 0 < np.ptp(points, axis=0).max() < 1 / LARGEST:
        raise FormatError(f"expected coordinates up to {LARGEST:g} and an extent of {1 / LARGEST:g} or more, "
                          f"got coordinates up to {largest:.3g}")  # fmt: skip
    if place == OWN_BOUNDS:
        canonical = canonical_from_bounds(points.min(axis=0), points.max(axis=0), up)
        result: NDArray[np.float64] = np.linalg.inv(canonical) @ canonical_from_sphere(transform(canonical, points))
        return result
    file_from_sdf = np.eye(4)
    if place.centre is not None and place.radius is not None:
        file_from_sdf[:3, :3] *= SPHERE_MARGIN * place.radius
        file_from_sdf[:3, 3] = place.centre
        if up == "z":
            file_from_sdf = file_from_sdf @ Y_UP_FROM_Z_UP.T
    farthest = float(np.linalg.norm(transform(np.linalg.inv(file_from_sdf), points), axis=1).max())
    if farthest > SPHERE_MARGIN:
        raise FormatError(f"expected points in the unit sphere of the whole shape, got one {farthest:.3g} radii away")
    return file_from_sdf
