"""What was made of photographs, on one page that needs nothing but a browser."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shapeyard.geometry.frames import rotation
from shapeyard.geometry.framing import OPAQUE
from shapeyard.geometry.lifting import CANONICAL_FROM_UNIT, resample
from shapeyard.geometry.preview import render_occupancy
from shapeyard.inference.models import title_of
from shapeyard.pages.page import HERE, render_page
from shapeyard.pages.pictures import DEPTH_SCALE, Scale, color_picture, cropped, data_uri

if TYPE_CHECKING:  # they need torch, and a page does not
    from shapeyard.inference.photograph import DepthMap
    from shapeyard.inference.reconstructor import ReconstructedShape

PICTURE_SIZE = 360
MAX_VOXELS = 96
"""Along a side of what is turned and drawn."""
MAX_CLASSES = 5
FRAMES = 24
"""Pictures once around a shape."""


def photograph_page(photographs: Sequence[NDArray[np.uint8]], shape: ReconstructedShape, result: dict[str, Any]) -> str:
    """The page: what was seen, its depth, the shape from all around, and its classes.

    Args:
        photographs: (H,W,4), straight alpha.
        shape: what was made of them.
        result: the content of result.json.
    """
    files = [(Path(name).name, _cut_out(image)) for name, image in zip(result["images"], photographs, strict=True)]
    return render_page(
        HERE / "photograph.html.jinja",
        title=f"{files[0][0]} reconstructed",
        scripts=[HERE / "photograph.js"],
        result=result,
        networks=[title_of(name) for name in shape.networks],
        images=files,
        depth=_depth(shape.depth) if shape.depth else None,
        frames=[data_uri(Image.fromarray(frame), quality=80) for frame in turntable(shape.occupancy)],
        classes=shape.classes[:MAX_CLASSES],
    )


def turntable(occupancy: NDArray[np.bool_], size: int = PICTURE_SIZE) -> list[NDArray[np.uint8]]:
    """Pictures (size,size,3) of a canonical grid, turned about its upright axis once around, so small that it fits."""
    resolution = min(len(occupancy), MAX_VOXELS)
    centres = (np.argwhere(occupancy) + 0.5) / len(occupancy) - 0.5
    reach = float(np.linalg.norm(centres[:, [0, 2]], axis=1).max(initial=0.5))
    fitting = np.diag([0.5 / reach, 0.5 / reach, 0.5 / reach, 1.0])
    unit_from_canonical = np.linalg.inv(CANONICAL_FROM_UNIT)
    pictures = []
    for step in range(FRAMES):
        turned = fitting @ rotation(2, 0, 2 * np.pi * step / FRAMES)
        grid = resample(occupancy, unit_from_canonical @ turned @ CANONICAL_FROM_UNIT, resolution)
        pictures.append(render_occupancy(grid >= 0.5, size))
    return pictures


def _cut_out(rgba: NDArray[np.uint8]) -> str:
    image = Image.fromarray(cropped([rgba], rgba[..., 3] >= OPAQUE)[0])
    image.thumbnail((PICTURE_SIZE, PICTURE_SIZE), Image.Resampling.LANCZOS)
    return data_uri(image, quality=90)


def _depth(seen: DepthMap) -> dict[str, Any]:
    mask = np.isfinite(seen.depth)
    scale = Scale(float(seen.depth[mask].min()), float(seen.depth[mask].max()), DEPTH_SCALE)
    image = color_picture(cropped([seen.depth], mask)[0], scale)
    factor = -(-PICTURE_SIZE // image.width)  # by whole pixels, or a browser blurs the mask
    image = image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST)
    return {"picture": data_uri(image), "scale": scale}
