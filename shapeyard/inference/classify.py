"""`shapeyard classify`: what files show, as a trained classifier says."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from shapeyard.contracts.packed_occupancy import unpack_occupancy
from shapeyard.errors import DatasetError, FormatError, SourceError, one_line
from shapeyard.formats.binvox import read_binvox
from shapeyard.formats.things import THING_SUFFIXES, read_thing
from shapeyard.geometry.file_grids import resample_occupancy
from shapeyard.geometry.frames import Y_UP_FROM_Z_UP, canonical_from_bounds, transform
from shapeyard.geometry.part_features import features_of_parts
from shapeyard.geometry.triangle_mesh import Mesh
from shapeyard.geometry.up_axis import up_axis_of
from shapeyard.geometry.voxelization import solid_occupancy

if TYPE_CHECKING:
    from shapeyard.inference.classifier import Classifier


def classify_files(paths: Sequence[Path], model: Path, top: int, up: str = "auto") -> list[dict[str, Any]]:
    """Classify each file, and each mesh and ZIP below each folder.

    Args:
        paths: files and folders.
        model: the directory of a classifier.
        top: so many classes of each file, the most probable first.
        up: the axis that points up, one of `shapeyard.geometry.up_axis.UP_CHOICES`.

    Returns:
        A JSON object a file: `file`, and `classes` (each `class` and `probability`), `ood` and `ood_score`, or
        `error` in one line.

    Raises:
        SourceError: if there is no file at all.
        DatasetError: if the model cannot be read, or is one of other features than this version's.
    """
    files = [file for path in paths for file in (_files(path) or [path])]
    if not any(file.is_file() for file in files):
        raise SourceError(f"{files[0]}: expected a mesh, a ZIP or a folder of them, found nothing")
    from shapeyard.inference.classifier import load_classifier

    classifier = load_classifier(model)
    answers: list[dict[str, Any]] = []
    for file in files:
        try:
            inputs = _inputs(file, classifier, up, model)
        except (FormatError, SourceError) as error:
            answers.append({"file": str(file), "error": one_line(error)})
            continue
        probabilities, ood_scores = classifier.answer(inputs)
        order = np.argsort(-probabilities[0], kind="stable")[:top]
        classes = [{"class": classifier.classes[i], "probability": round(float(probabilities[0, i]), 4)} for i in order]
        ood = classifier.ood_threshold is not None and float(ood_scores[0]) > classifier.ood_threshold
        answers.append({"file": str(file), "ood": ood, "ood_score": round(float(ood_scores[0]), 4), "classes": classes})
    return answers


def _files(path: Path) -> list[Path]:
    """The file, or all meshes and ZIPs below the folder."""
    if not path.is_dir():
        return [path]
    found = (file for file in path.rglob("*") if file.suffix.lower() in (*THING_SUFFIXES, ".binvox"))
    return sorted(file for file in found if file.is_file())


def _inputs(file: Path, classifier: Classifier, up: str, model: Path) -> dict[str, NDArray[Any]]:
    """What the classifier wants to see of a file, one example.

    Raises:
        FormatError: if it cannot be used.
        SourceError: if it is not there.
    """
    if not file.is_file():
        raise SourceError(f"{file}: expected a mesh, a ZIP or a folder of them, found nothing")
    if file.suffix.lower() == ".binvox":
        if classifier.features:
            raise FormatError(f"{file}: expected a mesh, since the classifier takes its measures, got a voxel grid")
        grid = resample_occupancy(read_binvox(file).occupancy, classifier.resolution)
        return {"occupancy": _occupied(file, grid)[None]}
    parts = read_thing(file)
    up_axis = up_axis_of(file, up)
    z_up = up_axis == "z"
    if classifier.features:
        upright = parts if z_up else [Mesh(mesh.vertices @ Y_UP_FROM_Z_UP[:3, :3], mesh.faces) for mesh in parts]
        points = "points" in classifier.features.get("arrays", [])
        resolution = int(classifier.features["resolution"])
        names, arrays = features_of_parts(upright, resolution, points, seed=0)
        if names != classifier.features.get("measures"):
            raise DatasetError(
                f"{model}: expected a classifier of the measures that this version takes, got one of others"
            )
        arrays["occupancy"] = unpack_occupancy(arrays["occupancy"], resolution)
        return {name: array[None] for name, array in arrays.items()}
    starts = np.cumsum([0, *(len(mesh.vertices) for mesh in parts[:-1])])
    vertices = np.concatenate([mesh.vertices for mesh in parts])
    faces = np.concatenate([mesh.faces + start for mesh, start in zip(parts, starts, strict=True)])
    canonical = canonical_from_bounds(vertices.min(axis=0), vertices.max(axis=0), up_axis)
    grid = solid_occupancy(transform(canonical, vertices), faces, classifier.resolution)
    return {"occupancy": _occupied(file, grid)[None]}


def _occupied(file: Path, grid: NDArray[np.bool_]) -> NDArray[np.bool_]:
    if not grid.any():
        raise FormatError(f"{file}: no voxel of {len(grid)}³ is occupied")
    return grid
