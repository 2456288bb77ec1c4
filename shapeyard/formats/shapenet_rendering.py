"""The image folders of ShapeNetRendering, as the 3D-R2N2 data has them (Choy et al., arXiv 1604.00449).

    <synset or class>/<id>/rendering/
        00.png …                  RGBA, square
        renderings.txt            their names, one a line
        rendering_metadata.txt    a line an image: azimuth, elevation and in-plane rotation (0) in degrees, distance
                                  ratio, and 25, which nothing follows

A camera stands at 1.75 · distance ratio from the centre of the object, whose box has a diagonal of 1, and looks at it
with +Y upwards; azimuth 0 is on the +X side, 90° on the +Z side. The lens is 35 mm before a sensor of 32 mm. So it was
found by laying the grids of ShapeNetVox32 over the images.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shapeyard.boundary import reader
from shapeyard.errors import FormatError
from shapeyard.formats.image_files import pixels_of_image, read_image
from shapeyard.geometry.cameras import MAX_DISTANCE, MAX_VIEWS, R2N2_DISTANCE, look_at
from shapeyard.local_paths import local_path

METADATA = "rendering_metadata.txt"
NAMES = "renderings.txt"
MAX_IMAGE_SIZE = 4096
MAX_PIXELS = 200_000_000
"""Of all images of an object: 200 of 1000²."""
LAST_COLUMN = 25
TOLERANCE = 1e-4
"""Canonical units and pixels: what a camera may be off from what the metadata can say."""


@reader(FormatError, "folder")
def read_renderings(folder: Path) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Read a `rendering` folder.

    Returns:
        rgba (V,H,H,4) uint8, straight alpha; world_from_camera (V,4,4), where the diagonal of the object's box is 1.

    Raises:
        FormatError: if a file is missing or broken, or the images are not square, not RGBA or of several sizes.
    """
    try:
        names = (folder / NAMES).read_text(encoding="utf-8").split()
        table = np.array([line.split() for line in (folder / METADATA).read_text().splitlines() if line.strip()], float)
    except (OSError, ValueError) as error:
        raise FormatError(f"{folder}: expected {NAMES}, and {METADATA} with five numbers a line: {error}") from error
    if table.shape != (len(names), 5) or not 1 <= len(names) <= MAX_VIEWS or not np.isfinite(table).all():
        raise FormatError(f"{folder}: expected 1 to {MAX_VIEWS} images and a line of five numbers for each, "
                          f"got {len(names)} and a table of {table.shape}")  # fmt: skip
    paths = [_image_path(folder, name) for name in names]
    pixels = sum(pixels_of_image(path, ("PNG",)) for path in paths)
    if pixels > MAX_PIXELS:
        raise FormatError(f"{folder}: expected at most {MAX_PIXELS} pixels in all images, got {pixels}")
    images = [_read_image(path) for path in paths]
    if len({image.shape for image in images}) > 1:
        raise FormatError(f"{folder}: expected images of one size, got {sorted({image.shape for image in images})}")
    return np.stack(images), np.stack(
        [_world_from_camera(row, f"{folder / METADATA}: view {v}") for v, row in enumerate(table)]
    )


def write_renderings(
    folder: Path, rgba: NDArray[np.uint8], world_from_camera: NDArray[np.float64], diagonal: float
) -> None:
    """Write a `rendering` folder; the inverse of `read_renderings`.

    Args:
        folder: made, if it is not there.
        rgba: (V,H,H,4), straight alpha.
        world_from_camera: (V,4,4), canonical frame.
        diagonal: of the object's box, in the same frame.

    Raises:
        FormatError: for a camera that does not look at the origin with +Y upwards: the metadata has no place for it.
    """
    rows = [_metadata_row(matrix, diagonal, f"{folder}: view {view}") for view, matrix in enumerate(world_from_camera)]
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"{view:02d}.png" for view in range(len(rgba))]
    for name, image in zip(names, rgba, strict=True):
        Image.fromarray(image).save(folder / name)
    (folder / NAMES).write_text("".join(f"{name}\n" for name in names))
    (folder / METADATA).write_text("".join(f"{' '.join(f'{value:.12g}' for value in row)}\n" for row in rows))


def _image_path(folder: Path, name: str) -> Path:
    if "/" in name:
        raise FormatError(f"{folder / NAMES}: expected names of files beside it, got {name}")
    return local_path(folder, name)


def _read_image(path: Path) -> NDArray[np.uint8]:
    image = read_image(path, MAX_IMAGE_SIZE**2, MAX_IMAGE_SIZE**2, ("PNG",))
    size, mode = image.size, image.mode
    if mode != "RGBA" or size[0] != size[1]:
        raise FormatError(f"{path}: expected a square RGBA image, got {mode} of {size[0]}×{size[1]}")
    return np.asarray(image)


def _world_from_camera(row: NDArray[np.float64], where: str) -> NDArray[np.float64]:
    azimuth, elevation, in_plane, ratio, _ = row
    if in_plane or not abs(elevation) < 90 or not 0 < ratio <= MAX_DISTANCE:
        raise FormatError(f"{where}: expected azimuth, elevation, 0 and a distance ratio, got {row.tolist()}")
    azimuth, elevation = np.radians(azimuth), np.radians(elevation)
    direction = np.array([np.cos(elevation) * np.cos(azimuth), np.sin(elevation), np.cos(elevation) * np.sin(azimuth)])
    return look_at(R2N2_DISTANCE * ratio * direction)


def _metadata_row(matrix: NDArray[np.float64], diagonal: float, where: str) -> tuple[float, ...]:
    position = matrix[:3, 3]
    distance = float(np.linalg.norm(position))
    azimuth = float(np.degrees(np.arctan2(position[2], position[0]))) % 360
    elevation = float(np.degrees(np.arcsin(position[1] / distance)))
    if abs(elevation) > 89.9 or np.abs(look_at(position) - matrix).max() > TOLERANCE:
        raise FormatError(f"{where}: expected a camera that looks at the origin with +Y upwards, got another: "
                          "rendering_metadata.txt has no place for it")  # fmt: skip
    return azimuth, elevation, 0, distance / diagonal / R2N2_DISTANCE, LAST_COLUMN
