"""Shapes to turn: for each class its median test view, and the best and the worst of all."""

from __future__ import annotations

import base64
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from components.report.run import ReconstructionRun
from shapeyard.contracts.dataset import read_occupancy
from shapeyard.contracts.packed_occupancy import pack_occupancy
from shapeyard.evaluation.results import METHOD_TITLES
from shapeyard.evaluation.table import Measurement
from shapeyard.geometry.lifting import canonical_grid_from_cube
from shapeyard.geometry.pooling import pool_grid
from shapeyard.geometry.preview import render_occupancy
from shapeyard.pages.pictures import cropped, data_uri

MAX_CLASSES = 22
MAX_VOXELS = 128
"""Along a side of what is drawn; finer grids are pooled."""
STILL_SIZE = 320
THUMBNAIL_SIZE = 112
TRUE_COLOR = (0.80, 0.72, 0.57)


def shape_examples(run: ReconstructionRun) -> list[dict[str, Any]]:
    """What the page needs to show each example: the packed grids, the camera, pictures, and the text beside them.

    Both shapes are drawn in the canonical frame, where objects stand upright and the true grid is as it was voxelized.
    """
    ranked = sorted(run.table.rows(run.best, "iou"), key=lambda row: row.value)
    of_class: dict[str, list[Measurement]] = {}
    for row in ranked:
        of_class.setdefault(row.class_name, []).append(row)
    examples = [
        _example(run, rows[len(rows) // 2], "", f"the median of {len(rows)} views of this class")
        for _, rows in sorted(of_class.items())[:MAX_CLASSES]
    ]
    for place, rank in ((-1, "best"), (0, "worst")):
        if ranked:
            examples.append(_example(run, ranked[place], rank, f"the {rank} of all {len(ranked)} views"))
    return examples


def _example(run: ReconstructionRun, row: Measurement, rank: str, why: str) -> dict[str, Any]:
    sample_id, view = row.id, row.view or 0
    true = _drawable(read_occupancy(run.voxels, sample_id))
    made = _reconstructed(run, run.best, sample_id, view, true.shape[0])
    others = {network: _reconstructed(run, network, sample_id, view, true.shape[0]) for network in other_networks(run)}
    rgba, depth = run.renders.read(sample_id, "rgba", view), run.renders.read(sample_id, "depth", view)
    image = Image.fromarray(cropped([rgba], np.isfinite(depth))[0])
    thumbnail = image.copy()
    thumbnail.thumbnail((THUMBNAIL_SIZE, THUMBNAIL_SIZE), Image.Resampling.LANCZOS)
    return {
        "rank": rank,
        "class": row.class_name,
        "thumbnail": data_uri(thumbnail, quality=85),
        "size": true.shape[0],
        "reconstructed": _packed(made),
        "true": _packed(true),
        "pose": _pose(run.renders.read(sample_id, "world_from_camera", view), _radius(true)),
        "text": {
            "name": sample_id,
            "why": why,
            "view": f"view {view}",
            "iou": f"{row.value:.3f}",
            "baselines": _baselines(run, row),
        },
        "pictures": {
            "image": data_uri(image, quality=90),
            "reconstructed": data_uri(Image.fromarray(render_occupancy(made, STILL_SIZE)), quality=85),
            "true": data_uri(Image.fromarray(render_occupancy(true, STILL_SIZE, TRUE_COLOR)), quality=85),
            **{
                network: data_uri(Image.fromarray(render_occupancy(grid, STILL_SIZE)), quality=85)
                for network, grid in others.items()
            },
        },
    }


def other_networks(run: ReconstructionRun) -> list[str]:
    """Those that reconstructed the same views and are not the best one."""
    return [network for network in run.metrics["reconstruction"]["networks"] if network != run.best]


def _reconstructed(
    run: ReconstructionRun, network: str, sample_id: str, view: int, resolution: int
) -> NDArray[np.bool_]:
    """What a network made of a view, canonical frame (R,R,R); nothing where it has not reconstructed it."""
    dataset = run.reconstructions[network]
    shown = list(dataset[sample_id].attributes.get("views", range(view + 1))) if sample_id in dataset else []
    if view not in shown:
        return np.zeros((resolution,) * 3, np.bool_)
    probability = dataset.read(sample_id, "probability", shown.index(view))
    matrix = dataset.read(sample_id, "canonical_from_cube", shown.index(view)).astype(np.float64)
    threshold = float(run.metrics["reconstruction"]["networks"][network]["threshold"])
    return np.asarray(canonical_grid_from_cube(probability, matrix, resolution) >= threshold * 255)


def _drawable(grid: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The grid, pooled by whole blocks until it is small enough to draw."""
    size = grid.shape[0]
    for block in range(1, size + 1):
        if size % block == 0 and size // block <= MAX_VOXELS:
            return pool_grid(grid, size // block)
    return grid


def _packed(grid: NDArray[np.bool_]) -> str:
    """Bits, most significant first, deflated, as base64."""
    return base64.b64encode(zlib.compress(pack_occupancy(grid).tobytes(), 9)).decode()


def _radius(grid: NDArray[np.bool_]) -> float:
    """How far the occupied voxels of a canonical grid reach from its centre, with a little air."""
    centres = (np.argwhere(grid) + 0.5) / grid.shape[0] - 0.5
    return 1.05 * float(np.linalg.norm(centres, axis=1).max(initial=0.5))


def _pose(camera: NDArray[Any], radius: float) -> dict[str, float]:
    """Where the image was taken from, as an orbit around the origin, with a lens that a ball of the radius fills."""
    x, y, z = (float(value) for value in camera[:3, 3])
    distance = max(float(np.sqrt(x * x + y * y + z * z)), 1.2 * radius)
    return {
        "azimuth": float(np.arctan2(x, z)),
        "elevation": float(np.arcsin(np.clip(y / distance, -1, 1))),
        "distance": distance,
        "focal": 0.5 * float(np.sqrt(distance**2 - radius**2)) / radius,
    }


def _baselines(run: ReconstructionRun, row: Measurement) -> str:
    names = [*other_networks(run), *run.metrics["reconstruction"]["baselines"]]
    found = {METHOD_TITLES[name]: run.table.values(name, "iou").get((row.id, row.view)) for name in names}
    return " · ".join(f"{name} {value:.3f}" for name, value in found.items() if value is not None)
