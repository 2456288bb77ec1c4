"""`shapeyard predict`: photographs of one object in, its shape and class out, as files and on a page."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import trimesh
from numpy.typing import NDArray

from shapeyard import __version__
from shapeyard.errors import DatasetError, FormatError, require
from shapeyard.formats.binvox import write_binvox
from shapeyard.formats.photographs import read_photograph
from shapeyard.geometry.isosurface import isosurface
from shapeyard.inference.reconstructor import ReconstructedShape, Reconstructor
from shapeyard.pages.photograph_page import photograph_page

SMOOTHING_STEPS = 10
"""Of Taubin's two-sided smoothing, which takes the steps of the voxels and not the volume."""


def reconstruct_images(
    images: Sequence[Path],
    models: Sequence[Path],
    out: Path,
    *,
    fov_degrees: float | None = None,
    elevation_degrees: float = 30.0,
    tolerance: int = 24,
) -> dict[str, Any]:
    """Reconstruct the one object that the images show, and write it down.

    Args:
        images: files, each before a transparent or a plain background.
        models: directories of models, or of runs that left some.
        out: the folder for shape.binvox, shape.glb, shape.obj, result.json, index.html and, from one image, depth.npy
            (float32, canonical units, inf outside the object). Each is either whole or not there.
        fov_degrees: the camera's horizontal field of view, above 0 and below 180; None for that of the renders, 49.1°.
        elevation_degrees: how far above the object's middle the camera stood, −90 to 90.
        tolerance: how much a plain background's channels may differ from its colour, 0 to 255.

    Returns:
        The content of result.json.

    Raises:
        ParameterError: for a parameter out of its range.
        FormatError: if an image is not readable, has no object before such a background, or gives no shape.
        DatasetError: if a model is missing, broken or of another kind, or `out` is a file.
    """
    require(fov_degrees is None or 0 < fov_degrees < 180, f"fov: expected above 0 and below 180, got {fov_degrees}")
    require(-90 <= elevation_degrees <= 90, f"elevation: expected −90 to 90, got {elevation_degrees}")
    require(0 <= tolerance <= 255, f"tolerance: expected 0 to 255, got {tolerance}")
    if out.exists() and not out.is_dir():
        raise DatasetError(f"{out}: expected a folder to write into, found a file")
    reconstructor = Reconstructor(models)
    photographs = [read_photograph(image, tolerance) for image in images]
    try:
        shape = reconstructor.reconstruct(photographs, fov_degrees, elevation_degrees)
    except FormatError as error:
        raise FormatError(f"{images[0]}: {error}") from error
    result = _result(images, shape)
    _write(out, photographs, shape, result)
    return result


def smooth_mesh(probability: NDArray[np.float32], threshold: float) -> trimesh.Trimesh:
    """The surface of a canonical grid at its threshold, canonical coordinates, closed, its steps smoothed."""
    mesh = isosurface(probability, np.nextafter(threshold, 0))  # a voxel exactly at the threshold is occupied
    solid = trimesh.Trimesh(mesh.vertices - 0.5, mesh.faces)
    trimesh.smoothing.filter_taubin(solid, iterations=SMOOTHING_STEPS)
    return solid


def _result(images: Sequence[Path], shape: ReconstructedShape) -> dict[str, Any]:
    return {
        "version": __version__,
        "images": [str(image) for image in images],
        "networks": shape.networks,
        "resolution": len(shape.probability),
        "threshold": shape.threshold,
        "occupied_voxels": int(np.count_nonzero(shape.occupancy)),
        "classes": [{"class": name, "probability": round(share, 4)} for name, share in shape.classes],
        "azimuth_degrees": shape.azimuth_degrees,
        **({"intrinsics": shape.depth.intrinsics.tolist()} if shape.depth else {}),
    }


def _write(
    out: Path, photographs: Sequence[NDArray[np.uint8]], shape: ReconstructedShape, result: dict[str, Any]
) -> None:
    """All files into a folder beside the target, then each into its place."""
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out, prefix=".part-") as folder:
        part = Path(folder)
        write_binvox(part / "shape.binvox", shape.occupancy, [-0.5] * 3, 1.0)
        mesh = smooth_mesh(shape.probability, shape.threshold)
        for name in ("shape.glb", "shape.obj"):
            mesh.export(part / name)
        if shape.depth:
            np.save(part / "depth.npy", shape.depth.depth)
        (part / "index.html").write_text(photograph_page(photographs, shape, result), encoding="utf-8")
        (part / "result.json").write_text(json.dumps(result, indent=1, ensure_ascii=False), encoding="utf-8")
        for file in sorted(part.iterdir()):
            file.replace(out / file.name)
