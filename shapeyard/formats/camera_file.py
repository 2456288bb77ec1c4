"""Cameras of one's own, as JSON:

    {
      "world_from_camera": [[[1, 0, 0, 0], [0, -1, 0, 0], [0, 0, -1, 2.1], [0, 0, 0, 1]], …],
      "intrinsics": [[149.8, 0, 68.5], [0, 149.8, 68.5], [0, 0, 1]], "image_size": 137
    }

`world_from_camera` has a 4×4 matrix a view: canonical frame, OpenCV axes (see `shapeyard.geometry.cameras`). The lens
is said by `intrinsics`, in pixels of an image of `image_size` (other sizes are scaled), by `fov_degrees` from the
image's left to its right, or not at all.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from shapeyard.boundary import reader
from shapeyard.errors import FormatError
from shapeyard.geometry.cameras import MAX_DISTANCE, MAX_VIEWS

MAX_BYTES = 1_000_000
ORTHONORMAL_TOLERANCE = 1e-3
"""What a rotation may be off, written with few digits; it is then made a true one."""
KEYS = {"world_from_camera", "intrinsics", "image_size", "fov_degrees"}


class CameraFile(NamedTuple):
    """What a camera file says."""

    world_from_camera: NDArray[np.float64]
    """(V,4,4), OpenCV axes"""
    unit_intrinsics: NDArray[np.float64] | None
    """(3,3) for an image whose side is 1; none if the file says nothing of the lens"""


def is_camera_file(cameras: str) -> bool:
    """Whether a text is meant as a camera file: its path, or its content."""
    return cameras.lower().endswith(".json") or cameras.lstrip().startswith("{")


@reader(FormatError, "cameras")
def read_camera_file(cameras: str) -> CameraFile:
    """Read and check a camera file.

    Args:
        cameras: the path of the file, or its content.

    Raises:
        FormatError: if it cannot be read, is no JSON, lacks something, or its matrices are no cameras.
    """
    if cameras.lstrip().startswith("{"):
        where, text = "cameras", cameras
    else:
        where, text = cameras, _read(Path(cameras))
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{where}: expected cameras as JSON: {error}") from error
    if not isinstance(content, Mapping) or "world_from_camera" not in content or not content.keys() <= KEYS:
        found = ", ".join(sorted(map(str, content))) if isinstance(content, Mapping) else type(content).__name__
        raise FormatError(
            f"{where}: expected world_from_camera, intrinsics with image_size or fov_degrees, got {found}"
        )
    return CameraFile(_extrinsics(content["world_from_camera"], where), _unit_intrinsics(content, where))


def _read(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise FormatError(f"{path}: expected a camera file of at most {MAX_BYTES} bytes")
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise FormatError(f"{path}: expected a camera file: {reason}") from error


def _extrinsics(value: Any, where: str) -> NDArray[np.float64]:
    matrices = _numbers(value, f"{where}: world_from_camera")
    if matrices.ndim != 3 or matrices.shape[1:] != (4, 4) or not 1 <= len(matrices) <= MAX_VIEWS:
        raise FormatError(
            f"{where}: world_from_camera: expected 1 to {MAX_VIEWS} matrices of 4×4, got {matrices.shape}"
        )
    for view, matrix in enumerate(matrices):
        rotation, position = matrix[:3, :3], matrix[:3, 3]
        off = np.abs(rotation @ rotation.T - np.eye(3)).max()
        if not np.array_equal(matrix[3], [0, 0, 0, 1]) or off > ORTHONORMAL_TOLERANCE or np.linalg.det(rotation) < 0:
            raise FormatError(
                f"{where}: world_from_camera of view {view}: expected a rotation and a position over 0 0 0 1, "
                f"got {matrix.round(4).tolist()}"
            )
        if np.linalg.norm(position) > MAX_DISTANCE:
            raise FormatError(f"{where}: view {view}: expected a camera within {MAX_DISTANCE} of the object's centre")
    left, _, right = np.linalg.svd(matrices[:, :3, :3])
    matrices[:, :3, :3] = left @ right
    return matrices


def _unit_intrinsics(content: Mapping[str, Any], where: str) -> NDArray[np.float64] | None:
    if ("intrinsics" in content) != ("image_size" in content) or {"intrinsics", "fov_degrees"} <= content.keys():
        raise FormatError(f"{where}: expected of the lens intrinsics with image_size, or fov_degrees alone, or nothing")
    if "fov_degrees" in content:
        fov = _numbers(content["fov_degrees"], f"{where}: fov_degrees")
        if fov.ndim or not 1 <= fov <= 170:
            raise FormatError(f"{where}: fov_degrees: expected 1 to 170, got {content['fov_degrees']}")
        focal = float(0.5 / np.tan(np.radians(fov) / 2))
        return np.array([[focal, 0, 0.5], [0, focal, 0.5], [0, 0, 1]])
    if "intrinsics" not in content:
        return None
    matrix = _numbers(content["intrinsics"], f"{where}: intrinsics")
    size = _numbers(content["image_size"], f"{where}: image_size")
    square_pixels = matrix.shape == (3, 3) and np.isclose(matrix[0, 0], matrix[1, 1], rtol=1e-6)
    if not square_pixels or matrix[0, 0] <= 0 or matrix[0, 1] or matrix[1, 0] or matrix[2].tolist() != [0, 0, 1]:
        raise FormatError(
            f"{where}: intrinsics: expected [[f, 0, cx], [0, f, cy], [0, 0, 1]], got {content['intrinsics']}"
        )
    if size.ndim or size <= 0:
        raise FormatError(f"{where}: image_size: expected the side of a square image, got {content['image_size']}")
    return np.diag([1 / size, 1 / size, 1.0]) @ matrix


def _numbers(value: Any, where: str) -> NDArray[np.float64]:
    try:
        numbers = np.array(value, dtype=np.float64)
    except (ValueError, TypeError, OverflowError) as error:
        raise FormatError(f"{where}: expected numbers, got {str(value)[:60]}") from error
    if not np.isfinite(numbers).all():
        raise FormatError(f"{where}: expected finite numbers")
    return numbers
