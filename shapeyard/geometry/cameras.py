"""Cameras around an object in the canonical frame.

    world         the canonical frame: right-handed, +Y up, the object centred on the origin, longest side 1
    camera        OpenCV axes: x to the right of the image, y down, z forward along the optical axis
    pixel         the one in row r, column c has its centre at (c + 0.5, r + 0.5)
    projection    u = f·x/z + cx, v = f·y/z + cy, with f = lens/sensor · image size in pixels and cx = cy = half of it
    azimuth       0 on the +Z side, 90° on the +X side: counterclockwise seen from above
    elevation     0 at the height of the origin, positive above it

Every recipe gives `world_from_camera` (V,4,4) float64: columns right, down, forward and position.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shapeyard.errors import ParameterError, require

RECIPES = ("orbit", "r2n2", "sphere")

LENS_MM = 35.0
SENSOR_MM = 32.0
"""Lens and sensor of the 3D-R2N2 renderings: a field of view of 49.13°."""

UNIT_CUBE_RADIUS = float(np.sqrt(3) / 2)
"""Every object lies within this distance of the origin, since it lies within the cube of side 1."""

MAX_VIEWS = 200
MAX_DISTANCE = 100.0

DEFAULT_DISTANCE = 2.1
"""The sphere around the unit cube fits into the image from √3/2 / sin(49.13°/2) = 2.083 on: at 2.1 no object is cut off
from any side, a cube fills the frame, and one distance for all lets the size in the image tell the depth."""

SPHERE_DISTANCE = 2.45
"""The unit sphere fits into the image from 1 / sin(49.13°/2) = 2.405 on."""

R2N2_DISTANCE = 1.75
R2N2_DISTANCE_RATIO = (0.65, 0.95)
R2N2_ELEVATION_DEGREES = (25.0, 30.0)
GOLDEN_ANGLE_DEGREES = 180 * (3 - 5**0.5)


def cameras_for(
    object_id: str,
    recipe: str,
    views: int,
    *,
    elevation_degrees: float = 30.0,
    distance: float = DEFAULT_DISTANCE,
    diagonal: float = 1.0,
    seed: int = 0,
) -> NDArray[np.float64]:
    """The cameras of one object: they depend on its id and the seed, not on its place in a list.

    Args:
        object_id: class/name.
        recipe: orbit, r2n2 or sphere; what each takes is said there. Orbit and sphere start at a random azimuth, so
            that a class isn't seen from the same few sides throughout.
        views: how many.
        elevation_degrees: of orbit.
        distance: of orbit and sphere, from the origin, canonical units.
        diagonal: of the object's box, canonical units (1 to √3), for r2n2.
        seed: of everything random.

    Returns:
        world_from_camera (V,4,4).

    Raises:
        ParameterError: as `check_cameras` does.
    """
    check_cameras(recipe, views, elevation_degrees, distance)
    rng = generator_for(seed, object_id)
    if recipe == "r2n2":
        return r2n2(views, rng, diagonal)
    start_degrees = float(rng.uniform(0, 360))
    if recipe == "sphere":
        return sphere(views, distance, start_degrees)
    return orbit(views, elevation_degrees, distance, start_degrees)


def generator_for(seed: int, object_id: str) -> np.random.Generator:
    """A random generator of the object's own: the same on every machine, in any shard and order."""
    digest = hashlib.sha256(f"{seed}/{object_id}".encode()).digest()
    return np.random.default_rng(int.from_bytes(digest, "big"))


def orbit(views: int, elevation_degrees: float, distance: float, start_degrees: float = 0.0) -> NDArray[np.float64]:
    """A circle around the +Y axis in equal steps of azimuth, all at one elevation → (V,4,4)."""
    azimuth = start_degrees + np.arange(views) * 360 / views
    return _looking_at_origin(azimuth, np.full(views, elevation_degrees), np.full(views, distance))


def r2n2(views: int, rng: np.random.Generator, diagonal: float) -> NDArray[np.float64]:
    """Random views as in the 3D-R2N2 data (Choy et al., arXiv 1604.00449) → (V,4,4).

    Azimuth 0 to 360°, elevation 25 to 30°, distance 1.75 · (0.65 to 0.95). That distance is in ShapeNet's own scale, in
    which the diagonal of the object's box is 1; in the canonical frame, where the longest side is 1, the diagonal is
    1 to √3, and the distance grows with it: the objects fill the image as they do in the original.

    Args:
        views: how many.
        rng: drawn from three times, V numbers each.
        diagonal: of the object's box in canonical units.
    """
    azimuth = rng.uniform(0, 360, views)
    elevation = rng.uniform(*R2N2_ELEVATION_DEGREES, views)
    ratio = rng.uniform(*R2N2_DISTANCE_RATIO, views)
    return _looking_at_origin(azimuth, elevation, R2N2_DISTANCE * ratio * diagonal)


def sphere(views: int, distance: float, start_degrees: float = 0.0) -> NDArray[np.float64]:
    """Evenly from all sides, below as well, on a Fibonacci lattice from top to bottom → (V,4,4)."""
    order = np.arange(views)
    elevation = np.degrees(np.arcsin(1 - (2 * order + 1) / views))
    return _looking_at_origin(start_degrees + GOLDEN_ANGLE_DEGREES * order, elevation, np.full(views, distance))


def intrinsics(image_size: int, lens_mm: float = LENS_MM, sensor_mm: float = SENSOR_MM) -> NDArray[np.float64]:
    """The (3,3) projection of camera axes to pixels of a square image."""
    focal = lens_mm / sensor_mm * image_size
    return np.array([[focal, 0, image_size / 2], [0, focal, image_size / 2], [0, 0, 1]])


def look_at(
    position: ArrayLike, target: ArrayLike = (0.0, 0.0, 0.0), up: ArrayLike = (0.0, 1.0, 0.0)
) -> NDArray[np.float64]:
    """`world_from_camera` (4,4) of a camera at `position` (3,) that looks at `target`, with `up` upwards in the image.

    Raises:
        ParameterError: if it would look along `up`, or stands in its target: then no direction is right.
    """
    position = np.asarray(position, dtype=np.float64)
    forward = np.asarray(target, dtype=np.float64) - position
    right = np.cross(forward, np.asarray(up, dtype=np.float64))
    if not np.linalg.norm(right) > 1e-9 * np.linalg.norm(forward):
        raise ParameterError(f"expected a camera that does not look along {up!r}, got one at {position} to {target!r}")
    forward /= np.linalg.norm(forward)
    right /= np.linalg.norm(right)
    world_from_camera = np.eye(4)
    world_from_camera[:3] = np.stack([right, np.cross(forward, right), forward, position], axis=1)
    return world_from_camera


def check_cameras(recipe: str, views: int, elevation_degrees: float, distance: float) -> None:
    """Raise `ParameterError` for an unknown recipe, or cameras that stand inside the object or on its axis."""
    require(recipe in RECIPES, f"cameras: expected {', '.join(RECIPES)} or a JSON file, got {recipe!r}")
    require(1 <= views <= MAX_VIEWS, f"views: expected 1 to {MAX_VIEWS}, got {views}")
    require(abs(elevation_degrees) <= 89, f"elevation_degrees: expected -89 to 89, got {elevation_degrees}")
    require(
        0.9 <= distance <= MAX_DISTANCE,
        f"distance: expected 0.9 to {MAX_DISTANCE:.0f} (objects reach {UNIT_CUBE_RADIUS:.3f} from their centre), "
        f"got {distance}",
    )


def _looking_at_origin(
    azimuth_degrees: NDArray[np.float64], elevation_degrees: NDArray[np.float64], distance: NDArray[np.float64]
) -> NDArray[np.float64]:
    azimuth, elevation = np.radians(azimuth_degrees), np.radians(elevation_degrees)
    direction = np.stack(
        [np.cos(elevation) * np.sin(azimuth), np.sin(elevation), np.cos(elevation) * np.cos(azimuth)], axis=1
    )
    return np.stack([look_at(position) for position in direction * distance[:, None]])
