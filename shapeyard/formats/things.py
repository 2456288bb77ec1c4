"""Things as people print them: one mesh file, a ZIP of STL files, or a folder of them."""

from __future__ import annotations

import stat
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from shapeyard.errors import FormatError, MeshError, one_line
from shapeyard.formats.mesh import MAX_BYTES, MAX_TRIANGLES, MESH_SUFFIXES, parse_mesh, read_mesh
from shapeyard.geometry.triangle_mesh import Mesh
from shapeyard.local_paths import local_path

THING_SUFFIXES = (*MESH_SUFFIXES, ".zip")
MAX_PARTS = 1000
MAX_RATIO = 200
"""How much larger than its archive a member may be: STL packs to about a tenth, seldom to a fiftieth."""
FREE_BYTES = 1_000_000
"""Members below this are never taken for a bomb."""


def read_thing(path: str | Path, max_triangles: int = MAX_TRIANGLES, max_bytes: int = MAX_BYTES) -> list[Mesh]:
    """Read all parts of a thing, sorted by name; nothing of a ZIP is written anywhere.

    Args:
        path: a mesh file, a ZIP (its STL members, whatever the case of their ending), or a folder of STL files.
        max_triangles: of all parts together.
        max_bytes: of all parts together, unpacked.

    Raises:
        MeshError: in one line, for a part that `read_mesh` refuses, a thing without any part, a ZIP that cannot be
            read, is encrypted, names files outside itself, or would unpack to more than is allowed or stated.
    """
    path = Path(path)
    meshes: list[Mesh] = []
    left = max_triangles
    for mesh in _parts(path, max_triangles, max_bytes):
        meshes.append(mesh)
        left -= len(mesh.faces)
        if left < 0:
            raise MeshError(f"{path}: expected at most {max_triangles} triangles in all parts, got more")
    return meshes


def _parts(path: Path, max_triangles: int, max_bytes: int) -> Iterator[Mesh]:
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.suffix.lower() == ".stl" and file.is_file())
        _require_parts(path, len(files), sum(file.stat().st_size for file in files), max_bytes)
        for file in files:
            yield read_mesh(file, max_triangles, max_bytes)
    elif path.suffix.lower() == ".zip":
        yield from _zipped(path, max_triangles, max_bytes)
    else:
        yield read_mesh(path, max_triangles, max_bytes)


def _zipped(path: Path, max_triangles: int, max_bytes: int) -> Iterator[Mesh]:
    try:
        with zipfile.ZipFile(path) as archive:
            members = [info for info in archive.infolist() if not _name(info.filename).endswith("/")]
            for info in members:
                _require_inside(path, info)
            members = sorted((m for m in members if _is_stl(_name(m.filename))), key=lambda m: _name(m.filename))
            _require_parts(path, len(members), sum(m.file_size for m in members), max_bytes)
            packed = path.stat().st_size
            for info in members:
                if info.flag_bits & 1:
                    raise MeshError(f"{path}: {info.filename}: expected a member that is not encrypted")
                if info.file_size > max(FREE_BYTES, MAX_RATIO * min(info.compress_size, packed)):
                    raise MeshError(
                        f"{path}: {info.filename}: expected a member at most {MAX_RATIO} times its packed size, got "
                        f"{info.file_size} bytes out of {info.compress_size}"
                    )
                if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                    raise MeshError(f"{path}: {info.filename}: expected a member that is stored or deflated")
                with archive.open(info) as member:  # `archive.read` would unpack more than the size that is stated
                    content = member.read(info.file_size)
                yield parse_mesh(content, f"{path}/{info.filename}", max_triangles, max_bytes)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError) as error:
        raise MeshError(f"{path}: not readable as ZIP: {one_line(error)}") from error


def _name(member: str) -> str:
    """A member's name with `/` between its parts: old tools on Windows wrote `\\`, against the format."""
    return member.replace("\\", "/")


def _require_parts(path: Path, parts: int, size: int, max_bytes: int) -> None:
    if not 1 <= parts <= MAX_PARTS:
        raise MeshError(f"{path}: expected 1 to {MAX_PARTS} STL files, found {parts or 'none'}")
    if size > max_bytes:
        raise MeshError(f"{path}: expected at most {max_bytes} bytes in all parts, got {size}")


def _require_inside(path: Path, info: zipfile.ZipInfo) -> None:
    """Nothing is unpacked, but an archive that would write elsewhere is none to read from."""
    try:
        for name in (info.orig_filename, info.filename):  # the second ends at a NUL, and may be from an extra field
            local_path(path, _name(name))
    except FormatError as error:
        raise MeshError(f"{path}: expected members inside the archive, got {error}") from error
    if stat.S_ISLNK(info.external_attr >> 16):
        raise MeshError(f"{path}: expected members inside the archive, got {info.filename!r}, a symbolic link")


def _is_stl(name: str) -> bool:
    """Not what macOS adds to archives (`__MACOSX/._name.stl`)."""
    parts = PurePosixPath(name).parts
    return name.lower().endswith(".stl") and parts[0] != "__MACOSX" and not parts[-1].startswith("._")
