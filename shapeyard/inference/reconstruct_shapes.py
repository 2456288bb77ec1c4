"""`shapeyard reconstruct` and `shapeyard interpolate`: a file in, its shape by a decoder of codes out."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import trimesh
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from shapeyard import __version__
from shapeyard.contracts.progress import report, track
from shapeyard.errors import DatasetError, FormatError, require
from shapeyard.geometry.frames import transform
from shapeyard.geometry.mesh_preview import render_mesh
from shapeyard.geometry.sdf_observations import FARTHEST_OFFSET
from shapeyard.geometry.triangle_mesh import Mesh
from shapeyard.inference.implicit import CLAMP, CodeSearch, extract_surface, find_codes, observation_errors
from shapeyard.inference.implicit_models import DECODERS, load_decoder
from shapeyard.inference.known_shapes import KnownShape, Place, read_known_shape
from shapeyard.inference.models import find_models
from shapeyard.networks.code_decoder import CodeDecoder

SEARCH = CodeSearch(steps=300, samples=4096)
AZIMUTH_SEARCH = CodeSearch(steps=40, samples=1024)
"""For each azimuth, to tell which one it was."""
PICTURE = 320
FRAME_MS = 80
BAD_ERROR = CLAMP / 2
"""An error of half of what the clamp allows says that no shape fits."""
BAD_CLOUD_ERROR = FARTHEST_OFFSET / 2
"""A cloud's samples are so far from its surface on the average: a distance of 0 everywhere would fit as well."""


class FoundShape(NamedTuple):
    """A shape by its code."""

    code: Tensor
    """(C,)"""
    error: float
    """mean clamped error of what was known, in radii of the unit sphere"""
    file_from_sdf: NDArray[np.float64]
    azimuth_degrees: float | None
    """of a photograph's camera"""
    warning: str | None
    """in one line, if the shape is hardly the file's"""


class ShapeFinder:
    """A decoder of codes, ready.

    Raises:
        DatasetError: if the folders hold none.
    """

    def __init__(self, folders: Sequence[Path], search: CodeSearch = SEARCH) -> None:
        """Load the first decoder that is found."""
        models = find_models(folders)
        found = [models[name] for name in DECODERS if name in models]
        if not found:
            raise DatasetError(f"{folders[0]}: expected a model of train_deepsdf, found none")
        self.folders, self.search = folders, search
        self.decoder: CodeDecoder
        self.decoder, known = load_decoder(found[0])
        self.starts = torch.stack(list(known.values()))

    def find(self, path: Path, seed: int, **reading: Any) -> FoundShape:
        """The shape of a file; `reading` as `read_known_shape` takes it."""
        known = read_known_shape(path, self.folders, np.random.default_rng(seed), **reading)
        if len(known.observations) == 1:
            return self._found(path, known, 0, None)
        codes = find_codes(self.decoder, known.observations, self.starts, AZIMUTH_SEARCH)
        best = int(observation_errors(self.decoder, codes, known.observations).argmin())
        return self._found(path, known, best, 360 * best / len(known.observations))

    def _found(self, path: Path, known: KnownShape, number: int, azimuth_degrees: float | None) -> FoundShape:
        observation = known.observations[number]
        (code,) = find_codes(self.decoder, [observation], self.starts, self.search)
        error = float(observation_errors(self.decoder, code[None], [observation])[0])
        warning = None
        if error >= (BAD_CLOUD_ERROR if known.placed_cloud else BAD_ERROR):
            part = "; if it shows a part of a shape, say where the whole lies" if known.placed_cloud else ""
            warning = f"{path}: no shape was found that fits it well, the error is {error:.3f}{part}"
        return FoundShape(code, error, known.file_from_sdf, azimuth_degrees, warning)


def reconstruct_shape(
    file: Path, models: Sequence[Path], out: Path, *, up: str = "auto", unit_sphere: bool = False,
    centre: tuple[float, float, float] | None = None, radius: float | None = None, elevation_degrees: float = 30.0,
    resolution: int = 256, seed: int = 0,
) -> dict[str, Any]:  # fmt: skip
    """Reconstruct the shape of which a file holds a mesh, a cloud with normals, samples or a photograph.

    Args:
        file: as `shapeyard.inference.known_shapes.read_known_shape` takes it.
        models: directories of models, or of runs that left some: a decoder of codes, and for an image a U-Net.
        out: the folder for shape.glb, shape.obj (in the file's own frame), shape.png, code.npy (C,) and result.json.
            Each is either whole or not there.
        up: the file's axis that points up, one of `shapeyard.geometry.up_axis.UP_CHOICES`.
        unit_sphere: the file's coordinates are those of the unit sphere already.
        centre, radius: or the middle of the whole shape's bounding box in the file's frame, and the distance of the
            shape's farthest point from there.
        elevation_degrees: of an image's camera, −90 to 90.
        resolution: cells along a side of the grid that the surface is extracted from, 64, 128, 256 or 512.
        seed: of all that is drawn.

    Returns:
        The content of result.json.

    Raises:
        ParameterError: for a parameter out of its range.
        FormatError: if the file does not say enough of a shape, or none is found.
        DatasetError: if a model is missing or broken, or `out` is a file.
    """
    require(-90 <= elevation_degrees <= 90, f"elevation: expected −90 to 90, got {elevation_degrees}")
    finder = ShapeFinder(models)
    place = Place(unit_sphere, centre, radius)
    found = finder.find(file, seed, up=up, place=place, elevation_degrees=elevation_degrees)
    surface = extract_surface(finder.decoder, found.code, resolution)
    if not len(surface.faces):
        raise FormatError(f"{file}: no shape was found that fits it")
    result = {
        "version": __version__, "file": str(file), "error": round(found.error, 6), "resolution": resolution,
        "code_length": len(found.code), "azimuth_degrees": found.azimuth_degrees, "warning": found.warning,
        "file_from_sdf": found.file_from_sdf.tolist(),
    }  # fmt: skip
    with _files_of(out) as part:
        placed = trimesh.Trimesh(transform(found.file_from_sdf, surface.vertices), surface.faces)
        for name in ("shape.glb", "shape.obj"):
            placed.export(part / name)
        Image.fromarray(render_mesh(surface, PICTURE)).save(part / "shape.png")
        np.save(part / "code.npy", found.code.numpy())
        (part / "result.json").write_text(json.dumps(result, indent=1, ensure_ascii=False), encoding="utf-8")
    return result


def interpolate_shapes(
    files: tuple[Path, Path], models: Sequence[Path], out: Path, *, frames: int = 24, up: str = "auto",
    unit_sphere: bool = False, elevation_degrees: float = 30.0, resolution: int = 128, seed: int = 0,
) -> list[str]:  # fmt: skip
    """The shapes on the straight line between the codes of two files' shapes.

    Args:
        files: as `reconstruct_shape` takes them.
        models: as there.
        out: the folder for animation.gif (from the first to the second and back), start.glb, middle.glb and end.glb in
            the frame of the unit sphere.
        frames: shapes on the way, at least 3.
        up, unit_sphere, elevation_degrees, resolution, seed: as there.

    Returns:
        Warnings, each one line.

    Raises:
        ParameterError, FormatError, DatasetError: as there.
    """
    require(frames >= 3, f"frames: expected at least 3, got {frames}")
    finder = ShapeFinder(models)
    reading = {"up": up, "place": Place(unit_sphere), "elevation_degrees": elevation_degrees}
    first, second = (finder.find(file, seed, **reading) for file in files)
    shares = np.linspace(0, 1, frames)
    surfaces: list[Mesh] = []
    for share in track(shares, frames, "shapes"):
        surfaces.append(extract_surface(finder.decoder, torch.lerp(first.code, second.code, float(share)), resolution))
    pictures = [Image.fromarray(render_mesh(surface, PICTURE)) for surface in surfaces]
    with _files_of(out) as part:
        there_and_back = [*pictures, *pictures[-2:0:-1]]
        there_and_back[0].save(
            part / "animation.gif", save_all=True, append_images=there_and_back[1:], duration=FRAME_MS, loop=0
        )
        for name, surface in zip(("start", "middle", "end"), (surfaces[0], surfaces[frames // 2], surfaces[-1]),
                                 strict=True):  # fmt: skip
            trimesh.Trimesh(surface.vertices, surface.faces).export(part / f"{name}.glb")
    report(frames, frames, "written")
    return [found.warning for found in (first, second) if found.warning]


@contextmanager
def _files_of(out: Path) -> Iterator[Path]:
    """A folder beside the target, whose files go into their places at the end."""
    if out.exists() and not out.is_dir():
        raise DatasetError(f"{out}: expected a folder to write into, found a file")
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out, prefix=".part-") as folder:
        yield Path(folder)
        for file in sorted(Path(folder).iterdir()):
            file.replace(out / file.name)
