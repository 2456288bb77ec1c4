"""`shapeyard classify`: what files show, as a trained classifier says."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from components.describe.describe import describe_parts
from shapeyard.contracts.dataset import unpack_occupancy
from shapeyard.errors import DatasetError, FormatError, SourceError, one_line
from shapeyard.formats.mesh import Mesh
from shapeyard.formats.things import THING_SUFFIXES, read_thing
from shapeyard.geometry.frames import Y_UP_FROM_Z_UP, canonical_from_bounds, transform
from shapeyard.geometry.voxelization import solid_occupancy

if TYPE_CHECKING:
    from components.recognize.classifier import Classifier

UNLIKE = "unlike anything it was trained on"


def classify_files(paths: Sequence[Path], model: Path, top: int, up: str = "auto") -> list[dict[str, Any]]:
    """Classify each file, and each mesh and ZIP below each folder.

    Args:
        paths: files and folders.
        model: the directory of a classifier.
        top: so many classes of each file, the most probable first.
        up: the axis that points up, y or z; auto: z in STL and ZIP, else y.

    Returns:
        A JSON object a file: `file`, and `classes` (each `class` and `probability`), `unlike` and `unlikeness`, or
        `error` in one line.

    Raises:
        SourceError: if a path is missing or a folder holds no mesh.
        DatasetError: if the model cannot be read, or is one of other features than this version's.
    """
    files = [file for path in paths for file in _files(path)]
    with quiet_import():
        from components.recognize.classifier import load_classifier
    classifier = load_classifier(model)
    answers: list[dict[str, Any]] = []
    for file in files:
        try:
            inputs = _inputs(file, classifier, up, model)
        except FormatError as error:
            answers.append({"file": str(file), "error": one_line(error)})
            continue
        probabilities, unlikeness = classifier.answer(inputs)
        order = np.argsort(-probabilities[0], kind="stable")[:top]
        classes = [{"class": classifier.classes[i], "probability": round(float(probabilities[0, i]), 4)} for i in order]
        unlike = classifier.unlike_above is not None and float(unlikeness[0]) > classifier.unlike_above
        answers.append(
            {"file": str(file), "unlike": unlike, "unlikeness": round(float(unlikeness[0]), 4), "classes": classes}
        )
    return answers


def print_answers(answers: Sequence[dict[str, Any]], as_json: bool, console: Console) -> None:
    """As JSON, or as a table; errors go to standard error, one line each."""
    if as_json:
        print(json.dumps(answers, indent=1, ensure_ascii=False))  # noqa: T201
        return
    table = Table(Column("file", overflow="fold"), Column("class", no_wrap=True), Column("probability", no_wrap=True))
    for answer in answers:
        if "error" in answer:
            print(f"shapeyard: {answer['error']}", file=sys.stderr)  # noqa: T201
            continue
        names = [one["class"] for one in answer["classes"]]
        shares = [f"{100 * one['probability']:.1f} %" for one in answer["classes"]]
        if answer["unlike"]:
            names, shares = [UNLIKE, *(f"({name})" for name in names)], ["", *shares]
        table.add_row(escape(answer["file"]), escape("\n".join(names)), "\n".join(shares))
    if table.row_count:
        console.print(table)


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    found = sorted(file for file in path.rglob("*") if file.suffix.lower() in THING_SUFFIXES and file.is_file())
    if not found:
        raise SourceError(f"{path}: expected a mesh, a ZIP or a folder of them, found nothing")
    return found


def _inputs(file: Path, classifier: Classifier, up: str, model: Path) -> dict[str, NDArray[Any]]:
    """What the classifier wants to see of a file, one example."""
    parts = read_thing(file)
    z_up = file.suffix.lower() in (".stl", ".zip") if up == "auto" else up == "z"
    if classifier.features:
        upright = parts if z_up else [Mesh(mesh.vertices @ Y_UP_FROM_Z_UP[:3, :3], mesh.faces) for mesh in parts]
        points = "points" in classifier.features.get("arrays", [])
        resolution = int(classifier.features["resolution"])
        names, arrays = describe_parts(upright, resolution, points, seed=0)
        if names != classifier.features.get("measures"):
            raise DatasetError(
                f"{model}: expected a classifier of the measures that this version takes, got one of others"
            )
        arrays["occupancy"] = unpack_occupancy(arrays["occupancy"], resolution)
        return {name: array[None] for name, array in arrays.items()}
    starts = np.cumsum([0, *(len(mesh.vertices) for mesh in parts[:-1])])
    vertices = np.concatenate([mesh.vertices for mesh in parts])
    faces = np.concatenate([mesh.faces + start for mesh, start in zip(parts, starts, strict=True)])
    canonical = canonical_from_bounds(vertices.min(axis=0), vertices.max(axis=0), "z" if z_up else "y")
    grid = solid_occupancy(transform(canonical, vertices), faces, classifier.resolution)
    if not grid.any():
        raise FormatError(f"{file}: no voxel of {classifier.resolution}³ is occupied")
    return {"occupancy": grid[None]}


@contextmanager
def quiet_import() -> Iterator[None]:
    """TensorFlow writes to standard error while it is imported, whatever its log level is."""
    sys.stderr.flush()
    kept, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nothing)
