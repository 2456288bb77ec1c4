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

from components.render.images import PASSES
from components.render.lighting import Light, random_background, random_light
from shapeyard.contracts.dataset import Dataset, DatasetWriter, Sample
from shapeyard.contracts.progress import track
from shapeyard.errors import FormatError, MeshError, require
from shapeyard.formats.binvox import read_binvox
from shapeyard.formats.camera_file import is_camera_file, read_camera_file
from shapeyard.formats.confined import confine_mesh
from shapeyard.formats.shapenet_rendering import METADATA, read_renderings
from shapeyard.geometry.cameras import (
    DEFAULT_DISTANCE,
    LENS_MM,
    cameras_for,
    check_cameras,
    generator_for,
    intrinsics,
)
from shapeyard.geometry.preview import contact_sheet
from shapeyard.processes import ITEMS_AHEAD, results_in_order
from shapeyard.training import cores

if TYPE_CHECKING:
    from components.render.studio import Studio

MOST_PROCESSES = 4
"""Each takes 0.4 GB; further cores become threads of Blender."""
WAITING_BYTES, BYTES_A_PIXEL = 500e6, 17
"""What objects that wait until they are written may take: of many or large views, which keep threads busy, fewer
processes draw. A pixel has 17 bytes with all passes."""
PREVIEW_OBJECTS, PREVIEW_VIEWS = 8, 3
Look = Callable[[str, float], NDArray[np.float64]]
"""An object's id and the diagonal of its box → world_from_camera (V,4,4)."""
LIGHTS = ("studio", "random")
BACKGROUNDS = ("transparent", "random")


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
    lens_mm: float = LENS_MM,
    passes: str = "",
    light: str = "studio",
    background: str = "transparent",
    seed: int = 0,
    workers: int = 0,
    max_skipped: float = 0.5,
) -> None:
    """Render every mesh of a dataset from several cameras; see the stage's spec for the parameters.

    A sample that brings its own images (ShapeNetRendering) keeps them.

    Raises:
        ParameterError: for a parameter out of its range.
        FormatError: for a camera file that is none.
        DatasetError: if `meshes` is no dataset of meshes.
        TooManySkippedError: if more than `max_skipped` of the objects could not be rendered.
    """
    require(16 <= image_size <= 1024, f"image_size: expected 16 to 1024, got {image_size}")
    require(1 <= samples <= 4096, f"samples: expected 1 to 4096, got {samples}")
    require(5 <= lens_mm <= 1000, f"lens_mm: expected 5 to 1000, got {lens_mm}")
    require(light in LIGHTS, f"light: expected {' or '.join(LIGHTS)}, got {light!r}")
    require(background in BACKGROUNDS, f"background: expected {' or '.join(BACKGROUNDS)}, got {background!r}")
    require(workers >= 0, f"workers: expected 0 or more, got {workers}")
    require(0 <= max_skipped <= 1, f"max_skipped: expected 0 to 1, got {max_skipped}")
    extra = [name.strip() for name in passes.split(",") if name.strip()]
    require(set(extra) <= set(PASSES), f"passes: expected some of {', '.join(PASSES)}, got {passes!r}")
    look, projection = _cameras(cameras, views, image_size, elevation_degrees, distance, lens_mm, seed)
    parameters = {
        "cameras": cameras, "views": views, "image_size": image_size, "samples": samples,
        "elevation_degrees": elevation_degrees, "distance": distance, "lens_mm": lens_mm, "passes": passes,
        "light": light, "background": background, "seed": seed,
    }  # fmt: skip
    inputs = Dataset([meshes], "meshes")
    writer = DatasetWriter(renders, "renders", "render", parameters, max_skipped=max_skipped, skipped=inputs.skipped)
    pictures: list[NDArray[np.uint8]] = []
    surround = partial(_surroundings, seed=seed, size=image_size, light=light, background=background)
    open_studio = partial(_open_studio, image_size, samples, projection, extra)
    draw = partial(_draw_or_say_why_not, meshes=inputs, look=look, surround=surround)
    with writer:
        object_bytes = len(look("", 1.0)) * image_size**2 * BYTES_A_PIXEL
        most = min(MOST_PROCESSES, int(WAITING_BYTES / (ITEMS_AHEAD * object_bytes)))
        results = _draw_all(open_studio, draw, inputs.samples, cores(workers), most)
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


def _cameras(
    cameras: str, views: int, image_size: int, elevation_degrees: float, distance: float, lens_mm: float, seed: int
) -> tuple[Look, NDArray[np.float64]]:
    """The function that gives an object its cameras, and the (3,3) intrinsics of all of them."""
    projection = intrinsics(image_size, lens_mm)
    if is_camera_file(cameras):
        world_from_camera, unit_intrinsics = read_camera_file(cameras)
        if unit_intrinsics is not None:
            projection = np.diag([image_size, image_size, 1.0]) @ unit_intrinsics
        return lambda *_: world_from_camera, projection
    check_cameras(cameras, views, elevation_degrees, distance)

    def look(object_id: str, diagonal: float) -> NDArray[np.float64]:
        return cameras_for(
            object_id, cameras, views,
            elevation_degrees=elevation_degrees, distance=distance, diagonal=diagonal, seed=seed,
        )  # fmt: skip

    return look, projection


def _surroundings(
    object_id: str, views: int, *, seed: int, size: int, light: str, background: str
) -> tuple[list[Light], Iterator[NDArray[np.float32]] | None]:
    """An object's own random lights and backgrounds, one a view; none where they are not random."""
    of_light, of_background = (generator_for(seed, f"{object_id}/{what}") for what in ("light", "background"))
    lights = [random_light(of_light) for _ in range(views)] if light == "random" else []
    backgrounds = (random_background(of_background, size) for _ in range(views)) if background == "random" else None
    return lights, backgrounds


def _draw_all(
    open_studio: Callable[[int], Studio],
    draw: Callable[[Studio, Sample], _Drawn | FormatError],
    samples: Sequence[Sample],
    cores: int,
    most: int,
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
    yield from results_in_order(lambda: partial(draw, open_studio(cores // processes)), samples, processes, ahead)


def _open_studio(
    image_size: int, samples: int, intrinsics: NDArray[np.float64], passes: Sequence[str], threads: int
) -> Studio:
    from components.render.studio import Studio

    return Studio(image_size, samples, threads, intrinsics, passes)


def _draw_or_say_why_not(
    studio: Studio, sample: Sample, *, meshes: Dataset, look: Look, surround: Callable[..., Any]
) -> _Drawn | FormatError:
    try:
        return _draw(studio, meshes, sample, look, surround)
    except FormatError as error:
        return FormatError(str(error))


def _draw(studio: Studio, meshes: Dataset, sample: Sample, look: Look, surround: Callable[..., Any]) -> _Drawn:
    """One object's views, drawn or brought."""
    with tempfile.TemporaryDirectory() as scratch:  # kept while it renders: Cycles opens textures as it needs them
        folder = Path(scratch)
        path = meshes.extract(sample.id, folder)
        metadata = next(folder.rglob(METADATA), None)
        try:
            if metadata is not None:
                return _brought(metadata.parent, path, sample)
        except FormatError as error:
            raise FormatError(str(error).replace(f"{folder}/", "")) from error
        if path.suffix.lower() == ".binvox":
            raise MeshError("a voxel grid cannot be rendered")
        diagonal = studio.show(confine_mesh(path, folder), np.array(sample.canonical_from_file))
        world_from_camera = look(sample.id, diagonal)
        arrays = studio.render(world_from_camera, *surround(sample.id, len(world_from_camera)))
    if not np.isfinite(arrays["depth"]).any():
        raise MeshError("nothing of it can be seen in any view")
    cameras = {"world_from_camera": world_from_camera, "intrinsics": studio.intrinsics}
    return _Drawn(sample, {**arrays, **cameras}, diagonal)


def _brought(renderings: Path, main: Path, sample: Sample) -> _Drawn:
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
