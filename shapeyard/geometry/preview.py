"""Pictures of occupancy grids, for contact sheets and reports: numpy alone, a few milliseconds each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

AZIMUTH_DEGREES = 35.0
ELEVATION_DEGREES = 30.0
HALF_WINDOW = 0.79
"""Half the picture's side in units of the cube: all of the cube is always inside, so that pictures compare in size."""
SUPERSAMPLING = 2
BACKGROUND = np.array([0.965, 0.97, 0.98], np.float32)
SURFACE = np.array([0.36, 0.55, 0.82], np.float32)
LIGHT = np.array([0.25, 0.85, 0.46], np.float32)
"""Towards the light, in the axes right, up, towards the viewer."""
LABEL_HEIGHT = 18


def render_occupancy(
    occupancy: NDArray[np.bool_], size: int = 160, color: tuple[float, float, float] | None = None
) -> NDArray[np.uint8]:
    """Draw a grid in orthographic projection, seen from above and from the side of ShapeNet's fronts (−Z).

    Args:
        occupancy: (D,D,D) bool, index order x, y, z, +Y up.
        size: side of the picture in pixels.
        color: RGB in 0…1 of the surface; a soft blue by default.

    Returns:
        (size,size,3) uint8; nothing but background for an empty grid.
    """
    occupancy = np.pad(np.asarray(occupancy, bool), 1)
    view_from_world = _view_from_world()
    pixels = size * SUPERSAMPLING
    picture = np.tile(BACKGROUND, (pixels * pixels, 1))
    voxels, axes = _facing_faces(occupancy, view_from_world[2])
    if len(voxels):
        shade = _shade(occupancy, voxels, axes, view_from_world)
        surface = SURFACE if color is None else np.asarray(color, np.float32)
        _paint(picture, voxels, axes, shade[:, None] * surface, occupancy.shape[0] - 2, view_from_world)
    blocks = picture.reshape(size, SUPERSAMPLING, size, SUPERSAMPLING, 3)
    return np.asarray(np.clip(blocks.mean(axis=(1, 3)), 0, 1) * 255 + 0.5).astype(np.uint8)


def contact_sheet(
    images: Sequence[NDArray[np.uint8] | Image.Image], columns: int = 6, labels: Sequence[str] | None = None
) -> Image.Image:
    """Lay pictures of one size out in rows, each with its label below; cells are as large as the largest picture.

    Args:
        images: (H,W,3), (H,W,4) or (H,W) uint8, or Pillow images; transparent parts show the background.
        columns: cells in a row.
        labels: one a picture; cut off where they are wider than the cell.
    """
    pictures = [p if isinstance(p, Image.Image) else Image.fromarray(p) for p in images]
    columns = max(1, min(columns, len(pictures)))
    rows = -(-len(pictures) // columns)
    width = max((p.width for p in pictures), default=1)
    height = max((p.height for p in pictures), default=1)
    cell = height + (LABEL_HEIGHT if labels else 0)
    background = tuple(round(255 * c) for c in BACKGROUND.tolist())
    sheet = Image.new("RGB", (columns * width, max(1, rows) * cell), background)
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(11)
    for index, picture in enumerate(pictures):
        left, top = index % columns * width, index // columns * cell
        sheet.paste(picture, (left, top), picture if picture.mode == "RGBA" else None)
        if labels:
            text = _fitting(labels[index], width - 6, font)
            draw.text((left + width / 2, top + height + 2), text, fill=(70, 76, 88), font=font, anchor="ma")
    return sheet


def _view_from_world() -> NDArray[np.float32]:
    """(3,3): rows are the world directions right, up, towards the viewer."""
    azimuth, elevation = np.radians([AZIMUTH_DEGREES, ELEVATION_DEGREES])
    towards = np.array(
        [np.sin(azimuth) * np.cos(elevation), np.sin(elevation), -np.cos(azimuth) * np.cos(elevation)], np.float32
    )
    right = np.cross([0.0, 1.0, 0.0], towards)
    right /= np.linalg.norm(right)
    return np.asarray([right, np.cross(towards, right), towards], np.float32)


def _facing_faces(
    padded: NDArray[np.bool_], towards: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Uncovered faces that look towards the viewer, farthest first: voxels (F,3) of the padded grid, axes (F,).

    On a lattice of equal cubes the order of the centres along the view is an order in which they can be painted.
    """
    voxels, axes = [], []
    for axis in range(3):
        open_side = padded & ~np.roll(padded, -1 if towards[axis] > 0 else 1, axis)
        found = np.argwhere(open_side)
        voxels.append(found)
        axes.append(np.full(len(found), axis))
    every = np.concatenate(voxels)
    order = np.argsort(every @ towards, kind="stable")
    return every[order], np.concatenate(axes)[order]


def _shade(
    padded: NDArray[np.bool_],
    voxels: NDArray[np.int64],
    axes: NDArray[np.int64],
    view_from_world: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Brightness (F,) of each face: smooth normals from the blurred grid, a little of the flat face, dark corners."""
    density = padded.astype(np.float32)
    for axis in range(3):
        for _ in range(2):
            density = 0.5 * density + 0.25 * (np.roll(density, 1, axis) + np.roll(density, -1, axis))
    x, y, z = voxels.T
    last = padded.shape[0] - 1
    slope = [
        density[np.maximum(x - 1, 0), y, z] - density[np.minimum(x + 1, last), y, z],
        density[x, np.maximum(y - 1, 0), z] - density[x, np.minimum(y + 1, last), z],
        density[x, y, np.maximum(z - 1, 0)] - density[x, y, np.minimum(z + 1, last)],
    ]
    outward = np.sign(view_from_world[2])
    faces = np.eye(3, dtype=np.float32)[axes] * outward
    normals = _unit(np.stack(slope, axis=1)) * 0.75 + faces * 0.25
    in_view = _unit(normals) @ view_from_world.T
    light = LIGHT / np.linalg.norm(LIGHT)
    diffuse = np.clip(in_view @ light, 0, 1)
    outside = np.clip(voxels + faces.astype(np.int64), 0, last)
    openness = 1 - density[outside[:, 0], outside[:, 1], outside[:, 2]]
    rim = np.clip(1 - in_view[:, 2], 0, 1) ** 3
    return np.asarray((0.5 + 0.72 * diffuse) * (0.55 + 0.6 * openness) - 0.12 * rim, np.float32)


def _paint(
    picture: NDArray[np.float32],
    voxels: NDArray[np.int64],
    axes: NDArray[np.int64],
    colors: NDArray[np.float32],
    resolution: int,
    view_from_world: NDArray[np.float32],
) -> None:
    """Paint the faces into `picture` (N²,3), later ones over earlier ones; each as points closer than a pixel."""
    pixels = int(np.sqrt(len(picture)))
    per_unit = pixels / (2 * HALF_WINDOW)
    steps = int(np.ceil(1.5 * per_unit / resolution))
    across = (np.arange(steps) + 0.5) / steps - 0.5
    outward = np.sign(view_from_world[2])
    for_axis = []
    for axis in range(3):
        offsets = np.zeros((steps, steps, 3), np.float32)
        offsets[..., axis] = 0.5 * outward[axis]
        offsets[..., (axis + 1) % 3] = across[:, None]
        offsets[..., (axis + 2) % 3] = across
        for_axis.append(offsets.reshape(-1, 3) / resolution)
    to_picture = view_from_world[:2].T * np.array([per_unit, -per_unit], np.float32)
    centres = ((voxels - 0.5) / resolution - 0.5).astype(np.float32) @ to_picture
    points = centres[:, None] + (np.stack(for_axis) @ to_picture)[axes]
    column, row = np.clip(np.floor(points + pixels / 2).astype(np.int64), 0, pixels - 1).transpose(2, 0, 1)
    picture[(row * pixels + column).ravel()] = np.repeat(colors, steps * steps, axis=0)


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-6), np.float32)


def _fitting(text: str, width: float, font: ImageFont.ImageFont | ImageFont.FreeTypeFont) -> str:
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "…") > width:
        text = text[:-1]
    return text + "…"
