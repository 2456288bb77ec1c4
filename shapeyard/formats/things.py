"""Things as people print them: one mesh file, a ZIP of STL (or OBJ) files, or a folder of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

from shapeyard.boundary import reader
from shapeyard.errors import FormatError, MeshError, TooLargeError, one_line
from shapeyard.formats.archives import is_of_macos, open_archive
from shapeyard.formats.mesh import MAX_BYTES, MAX_TRIANGLES, MESH_SUFFIXES, parse_mesh, read_mesh
from shapeyard.geometry.triangle_mesh import Mesh

THING_SUFFIXES = (*MESH_SUFFIXES, ".zip")
MAX_PARTS = 1000
PART_SUFFIXES = (".stl", ".obj")
"""Of the parts of a thing in a folder or ZIP, the first that is there: people offer both of the same parts."""


class Parts(NamedTuple):
    """A thing, as far as it can be read."""

    meshes: list[Mesh]
    broken: list[str]
    """what is wrong with each of its other parts, in one line"""


def read_thing(path: str | Path, max_triangles: int = MAX_TRIANGLES, max_bytes: int = MAX_BYTES) -> list[Mesh]:
    """The meshes of `read_parts`."""
    return read_parts(path, max_triangles, max_bytes).meshes


@reader(MeshError)
def read_parts(path: str | Path, max_triangles: int = MAX_TRIANGLES, max_bytes: int = MAX_BYTES) -> Parts:
    """Read all parts of a thing, sorted by name; nothing of a ZIP is written anywhere.

    Of several parts those that are broken are left out; one that is too large is missed in any shape, so it is refused.

    Args:
        path: a mesh file, or a ZIP or folder of STL files, whatever the case of their ending; of OBJ files if there
            are no STL files.
        max_triangles: of all parts together.
        max_bytes: of all parts together, unpacked.

    Raises:
        MeshError: in one line, for a thing without a part that `read_mesh` takes, a ZIP that cannot be read, is
            encrypted, names files outside itself, or would unpack to more than is allowed or stated.
    """
    path = Path(path)
    meshes: list[Mesh] = []
    broken: list[MeshError] = []
    left = max_triangles
    for part in _parts(path, max_triangles, max_bytes):
        if isinstance(part, MeshError):
            broken.append(part)
            continue
        meshes.append(part)
        left -= len(part.faces)
        if left < 0:
            raise TooLargeError(f"{path}: expected at most {max_triangles} triangles in all parts, got more")
    if not meshes:
        raise broken[0]
    return Parts(meshes, [one_line(error) for error in broken])


def select_parts(names: Iterable[str]) -> list[str]:
    """The names of those files of a thing that are its parts, sorted: its STL files or, without any, its OBJ files."""
    meshes = [name for name in names if not is_of_macos(name)]
    for suffix in PART_SUFFIXES:
        if parts := sorted(name for name in meshes if name.lower().endswith(suffix)):
            return parts
    return []


def _parts(path: Path, max_triangles: int, max_bytes: int) -> Iterator[Mesh | MeshError]:
    if path.is_dir():
        found = {file.relative_to(path).as_posix(): file for file in path.rglob("*") if file.is_file()}
        files = [found[name] for name in select_parts(found)]
        _require_parts(path, len(files), sum(file.stat().st_size for file in files), max_bytes)
        for file in files:
            yield _unless_broken(partial(read_mesh, file, max_triangles, max_bytes))
    elif path.suffix.lower() == ".zip":
        yield from _zipped(path, max_triangles, max_bytes)
    else:
        yield read_mesh(path, max_triangles, max_bytes)


def _unless_broken(read: Callable[[], Mesh]) -> Mesh | MeshError:
    try:
        return read()
    except TooLargeError:
        raise
    except MeshError as error:
        return error


def _zipped(path: Path, max_triangles: int, max_bytes: int) -> Iterator[Mesh | MeshError]:
    try:
        with open_archive(path) as archive:
            found = {member.name: member for member in archive.members}
            members = [found[name] for name in select_parts(found)]
            _require_parts(path, len(members), sum(member.size for member in members), max_bytes)
            for member in members:
                content = archive.read(member)
                name = f"{path}/{member.name}"
                yield _unless_broken(partial(parse_mesh, content, name, max_triangles, max_bytes))
    except MeshError:
        raise
    except FormatError as error:
        raise MeshError(str(error)) from error


def _require_parts(path: Path, parts: int, size: int, max_bytes: int) -> None:
    if not 1 <= parts <= MAX_PARTS:
        raise MeshError(f"{path}: expected 1 to {MAX_PARTS} STL files, found {parts or 'none'}")
    if size > max_bytes:
        raise MeshError(f"{path}: expected at most {max_bytes} bytes in all parts, got {size}")
