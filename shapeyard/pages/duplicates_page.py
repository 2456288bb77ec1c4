"""The page of `shapeyard duplicates`: each group with pictures of its shapes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from PIL import Image

from shapeyard.contracts.progress import report
from shapeyard.errors import FormatError, printable
from shapeyard.geometry.frames import Y_UP_FROM_Z_UP
from shapeyard.geometry.mesh_preview import render_mesh
from shapeyard.geometry.triangle_mesh import Mesh
from shapeyard.pages.page import HERE, write_page
from shapeyard.pages.pictures import data_uri
from shapeyard.sources.duplicate_files import Duplicates, Member, read_shape
from shapeyard.sources.schemes import open_source

PICTURES, PICTURES_OF_GROUP = 300, 6
"""In all and of a group at the most: a page of 2 MB, and as many files to read again."""
PICTURE_SIZE = 220
Z_UP = (".stl", ".zip", ".off")


def write_duplicates_page(page: Path, found: Duplicates, splits: Mapping[str, str]) -> None:
    """Write the page, whole or not at all.

    Args:
        page: the file.
        found: what it shows.
        splits: file → its split, where that is to be shown.
    """
    source = open_source(found.source)
    listed = source.list_files()
    by_key = {file.key: file for file in listed}
    files = {printable(file.key): file for file in listed}
    left = PICTURES
    groups = []
    for done, group in enumerate(found.groups, start=1):
        shown: list[dict[str, Any]] = []
        for member in group:
            picture = ""
            if left and len(shown) < PICTURES_OF_GROUP and not member.exact and member.file in files:
                left -= 1
                try:
                    picture = _picture(read_shape(source, by_key, files[member.file])[1], member.file)
                except FormatError:  # it was there when it was compared
                    picture = ""
            shown.append(_row(member, picture, splits, first=not shown))
        groups.append(shown)
        report(done, len(found.groups), "groups drawn")
    write_page(
        page, HERE / "duplicates.html.jinja", title="Duplicates", found=found, groups=groups, has_splits=bool(splits),
        others=sum(len(group) - 1 for group in groups),
    )  # fmt: skip


def _row(member: Member, picture: str, splits: Mapping[str, str], *, first: bool) -> dict[str, Any]:
    differs = "" if first else ", ".join(member.differs)
    return {"file": member.file, "differs": differs, "split": splits.get(member.file, ""), "picture": picture}


def _picture(mesh: Mesh, file: str) -> str:
    low, high = mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)
    vertices = mesh.vertices - (low + high) / 2
    vertices /= np.linalg.norm(vertices, axis=1).max()
    if PurePosixPath(file).suffix.lower() in Z_UP:
        vertices = vertices @ Y_UP_FROM_Z_UP[:3, :3].T
    return data_uri(Image.fromarray(render_mesh(Mesh(vertices, mesh.faces), PICTURE_SIZE)), quality=80)
