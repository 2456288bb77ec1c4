"""Meshes to colour and depth images of many views."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from components.render import RenderSettings
from components.render.lighting import Light, random_background, random_light
from shapeyard.contracts.dataset import Dataset, DatasetWriter, Sample
from shapeyard.contracts.progress import track
from shapeyard.cpu import cores
from shapeyard.errors import FormatError, MeshError
from shapeyard.formats.binvox import read_binvox
from shapeyard.formats.camera_file import is_camera_file, read_camera_file
from shapeyard.formats.confined import confine_mesh
from shapeyard.formats.shapenet_rendering import METADATA, read_renderings
from shapeyard.geometry.cameras import cameras_for, generator_for, intrinsics
from shapeyard.geometry.preview import contact_sheet
from shapeyard.processes import ITEMS_AHEAD, Limits, ordered_process_map

if TYPE_CHECKING:
    from components.render.studio import Studio

MAX_PROCESSES = 4
"""Each takes 0.4 GB; further cores become threads of Blender."""
WAITING_BYTES, BYTES_A_PIXEL = 500e6, 17
"""What objects that wait until they are written may take: of many or large views, which keep threads busy, fewer
processes draw. A pixel has 17 bytes with all passes."""
SECONDS_A_RAY = 5e-6
"""That an object's rays may take beyond `object_seconds`: ten times what they take on one core."""
PREVIEW_OBJECTS, PREVIEW_VIEWS = 8, 3
CameraPlacement = Callable[[str, float], NDArray[np.float64]]
"""An object's id and the diagonal of its box → world_from_camera (V,4,4)."""


def render(meshes: str | Path, renders: str | Path, settings: RenderSettings) -> None:
    """Render every mesh of a dataset from several cameras.

    A sample with external renderings (ShapeNetRendering) keeps them.

    Args:
        meshes: directory of kind meshes.
        renders: the directory of kind renders to write.
        settings: how.

    Raises:
        FormatError: for a camera file that is none.
        DatasetError: if `meshes` is no dataset of meshes.
        ParameterError: for a GPU where Blender finds none.
        TooManySkippedError: if more than `max_skipped` of the objects could not be rendered.
    """
    place_cameras, projection = _cameras(settings)
    inputs = Dataset([meshes], "meshes")
    writer = DatasetWriter(
        renders,
        "renders",
        "render",
        settings.hyperparameters(),
        max_skipped=settings.max_skipped,
        skipped=inputs.skipped,
        planned=inputs.planned,
    )
    pictures: list[NDArray[np.uint8]] = []
    surround = partial(_surroundings, settings=settings)
    open_studio = partial(
        _open_studio, settings.image_size, settings.samples, projection, settings.extra_passes, settings.device
    )
    draw = partial(_draw_or_say_why_not, meshes=inputs, place_cameras=place_cameras, surround=surround)
    with writer:
        pixels = len(place_cameras("", 1.0)) * settings.image_size**2
        object_bytes = pixels * BYTES_A_PIXEL
        seconds = settings.object_seconds + pixels * settings.samples * SECONDS_A_RAY
        limits = Limits(seconds, settings.object_gigabytes)
        most = min(MAX_PROCESSES, int(WAITING_BYTES / (ITEMS_AHEAD * object_bytes)))
        results = _draw_all(open_studio, draw, inputs.samples, cores(settings.workers), most, limits)
        for sample, drawn in track(zip(inputs.samples, results, strict=True), len(inputs.samples), "objects"):
            if isinstance(drawn, FormatError):
                writer.skip(sample.id, str(drawn))
                continue
            writer.add(drawn.sample, drawn.arrays, {"diagonal": drawn.diagonal})
            if len(pictures) < PREVIEW_OBJECTS * PREVIEW_VIEWS:
                pictures += _spread(drawn.arrays["rgba"], PREVIEW_VIEWS)
        if pictures:
            writer.preview(contact_sheet(pictures))
    inputs.close()


class _Drawn(NamedTuple):
    sample: Sample
    arrays: dict[str, NDArray[Any]]
    diagonal: float
    """of the object's box, in the frame of its cameras"""


def _cameras(settings: RenderSettings) -> tuple[CameraPlacement, NDArray[np.float64]]:
    """The function that gives an object its cameras, and the (3,3) intrinsics of all of them."""
    size, cameras = settings.image_size, settings.cameras
    projection = intrinsics(size, settings.lens_mm)
    if is_camera_file(cameras):
        world_from_camera, unit_intrinsics = read_camera_file(cameras)
        if unit_intrinsics is not None:
            projection = np.diag([size, size, 1.0]) @ unit_intrinsics
        return lambda *_: world_from_camera, projection

    def place_cameras(object_id: str, diagonal: float) -> NDArray[np.float64]:
        return cameras_for(
            object_id, cameras, settings.views, elevation_degrees=settings.elevation_degrees,
            distance=settings.distance, diagonal=diagonal, seed=settings.seed,
        )  # fmt: skip

    return place_cameras, projection


def _surroundings(
    object_id: str, views: int, *, settings: RenderSettings
) -> tuple[list[Light], Iterator[NDArray[np.float32]] | None]:
    """An object's own random lights and backgrounds, one a view; none where they are not random."""
    of_light, of_background = (generator_for(settings.seed, f"{object_id}/{what}") for what in ("light", "background"))
    lights = [random_light(of_light) for _ in range(views)] if settings.light == "random" else []
    if settings.background != "random":
        return lights, None
    return lights, (random_background(of_background, settings.image_size) for _ in range(views))


def _draw_all(
    open_studio: Callable[[int], Studio],
    draw: Callable[[Studio, Sample], _Drawn | FormatError],
    samples: Sequence[Sample],
    cores: int,
    most: int,
    limits: Limits,
) -> Iterator[_Drawn | FormatError]:
    """What each sample gives, in order: one process a core, at most so many, since a small view keeps but one busy.

    Never in this process, which Blender may end; unless it is loaded here, since then no process can be forked.
    """
    if "bpy" in sys.modules:
        with open_studio(cores) as studio:
            for sample in samples:
                yield draw(studio, sample)
        return
    processes = max(min(cores, len(samples), most), 1)
    ahead = 0 if most else 1
    start = lambda: partial(draw, open_studio(cores // processes))  # noqa: E731
    yield from ordered_process_map(start, samples, processes, ahead, limits)


def _open_studio(
    image_size: int, samples: int, intrinsics: NDArray[np.float64], passes: Sequence[str], device: str, threads: int
) -> Studio:
    from components.render.studio import Studio

    return Studio(image_size, samples, threads, intrinsics, passes, device)


def _draw_or_say_why_not(
    studio: Studio, sample: Sample, *, meshes: Dataset, place_cameras: CameraPlacement, surround: Callable[..., Any]
) -> _Drawn | FormatError:
    try:
        return _draw(studio, meshes, sample, place_cameras, surround)
    except FormatError as error:
        return FormatError(str(error))


def _draw(
    studio: Studio, meshes: Dataset, sample: Sample, place_cameras: CameraPlacement, surround: Callable[..., Any]
) -> _Drawn:
    """One object's views, drawn, or external renderings."""
    with tempfile.TemporaryDirectory() as scratch:  # kept while it renders: Cycles opens textures as it needs them
        folder = Path(scratch)
        path = meshes.extract(sample.id, folder)
        metadata = next(folder.rglob(METADATA), None)
        try:
            if metadata is not None:
                return _external_renderings(metadata.parent, path, sample)
        except FormatError as error:
            raise FormatError(str(error).replace(f"{folder}/", "")) from error
        if path.suffix.lower() == ".binvox":
            raise MeshError("a voxel grid cannot be rendered")
        diagonal = studio.show(confine_mesh(path, folder), np.array(sample.canonical_from_file))
        world_from_camera = place_cameras(sample.id, diagonal)
        arrays = studio.render(world_from_camera, *surround(sample.id, len(world_from_camera)))
    if not np.isfinite(arrays["depth"]).any():
        raise MeshError("nothing of it can be seen in any view")
    cameras = {"world_from_camera": world_from_camera, "intrinsics": studio.intrinsics}
    return _Drawn(sample, {**arrays, **cameras}, diagonal)


def _external_renderings(renderings: Path, main: Path, sample: Sample) -> _Drawn:
    """The images that a sample came with. What size the object has is known from its grid, if that came too."""
    rgba, world_from_camera = read_renderings(renderings)
    diagonal = 1.0
    if main.suffix.lower() == ".binvox":
        side = read_binvox(main).scale
        diagonal = 1 / side
        world_from_camera[:, :3, 3] /= side
        canonical_from_file = np.diag([1 / side, 1 / side, 1 / side, 1.0])  # these files are centred on the origin
        sample = replace(sample, canonical_from_file=tuple(tuple(row) for row in canonical_from_file.tolist()))
    cameras = {"world_from_camera": world_from_camera, "intrinsics": intrinsics(rgba.shape[1])}
    return _Drawn(sample, {"rgba": rgba, **cameras}, diagonal)


def _spread(images: NDArray[np.uint8], count: int) -> list[NDArray[np.uint8]]:
    """At most so many of the images, evenly."""
    return list(images[:: -(-len(images) // count)])
