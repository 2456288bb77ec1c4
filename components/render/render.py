"""Meshes to colour and depth images of many views."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.render.studio import Studio
from shapeyard.contracts.dataset import Dataset, DatasetWriter, Sample
from shapeyard.contracts.progress import track
from shapeyard.errors import MeshError, require
from shapeyard.geometry.cameras import DEFAULT_DISTANCE, cameras_for, check_cameras, intrinsics
from shapeyard.geometry.preview import contact_sheet
from shapeyard.training import cores

PREVIEW_OBJECTS, PREVIEW_VIEWS = 8, 3


def render_meshes(
    meshes: str | Path,
    renders: str | Path,
    *,
    cameras: str = "orbit",
    views: int = 24,
    image_size: int = 137,
    samples: int = 8,
    elevation_degrees: float = 30.0,
    distance: float = DEFAULT_DISTANCE,
    seed: int = 0,
    workers: int = 0,
    max_skipped: float = 0.5,
) -> None:
    """Render every mesh of a dataset from several cameras; see the stage's spec for the parameters.

    Raises:
        ParameterError: for a parameter out of its range.
        DatasetError: if `meshes` is no dataset of meshes.
        TooManySkippedError: if more than `max_skipped` of the objects could not be rendered.
    """
    check_cameras(cameras, views, elevation_degrees, distance)
    require(16 <= image_size <= 1024, f"image_size: expected 16 to 1024, got {image_size}")
    require(1 <= samples <= 4096, f"samples: expected 1 to 4096, got {samples}")
    require(workers >= 0, f"workers: expected 0 or more, got {workers}")
    require(0 <= max_skipped <= 1, f"max_skipped: expected 0 to 1, got {max_skipped}")
    parameters = {
        "cameras": cameras, "views": views, "image_size": image_size, "samples": samples,
        "elevation_degrees": elevation_degrees, "distance": distance, "seed": seed,
    }  # fmt: skip
    inputs = Dataset([meshes], "meshes")
    writer = DatasetWriter(renders, "renders", "render", parameters, max_skipped=max_skipped, skipped=inputs.skipped)
    pictures: list[NDArray[np.uint8]] = []
    look = partial(
        cameras_for, recipe=cameras, views=views, elevation_degrees=elevation_degrees, distance=distance, seed=seed
    )
    with writer, Studio(image_size, samples, cores(workers)) as studio:
        for sample in track(inputs.samples, len(inputs.samples), "objects"):
            try:
                arrays = _render(studio, inputs, sample, look)
            except MeshError as error:
                writer.skip(sample.id, str(error))
                continue
            writer.add(sample, {**arrays, "intrinsics": intrinsics(image_size)})
            if len(pictures) < PREVIEW_OBJECTS * PREVIEW_VIEWS:
                pictures += list(arrays["rgba"][:: -(-views // PREVIEW_VIEWS)])
        if pictures:
            writer.preview(contact_sheet(pictures))
    inputs.close()


def _render(
    studio: Studio, meshes: Dataset, sample: Sample, look: Callable[..., NDArray[np.float64]]
) -> dict[str, NDArray[Any]]:
    """One object's `rgba`, `depth` and `world_from_camera`; `look` gives its cameras."""
    if str(sample.attributes["main"]).lower().endswith(".binvox"):
        raise MeshError("a voxel grid cannot be rendered")
    with tempfile.TemporaryDirectory() as folder:  # kept while it renders: Cycles opens textures as it needs them
        path = meshes.extract(sample.id, Path(folder))
        diagonal = studio.show(path, np.array(sample.canonical_from_file))
        world_from_camera = look(sample.id, diagonal=diagonal)
        rgba, depth = studio.render(world_from_camera)
    if not np.isfinite(depth).any():
        raise MeshError("nothing of it can be seen in any view")
    return {"rgba": rgba, "depth": depth, "world_from_camera": world_from_camera}
