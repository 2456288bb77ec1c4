"""Files of a source that hold the same shape: copies, exports, scaled, turned, mirrored, remeshed, plates of several.

A file is read once and only its moments are kept, some 1.5 kB. Neighbours in the space of their invariants (a k-d tree)
are compared; files are read again only for surfaces that are nearly the same, as remeshed ones are. Time and memory
grow with the number of files.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from shapeyard.contracts.progress import track
from shapeyard.cpu import cores
from shapeyard.errors import FormatError, SourceError, one_line, printable
from shapeyard.formats.binvox import read_binvox
from shapeyard.formats.mesh import MAX_BYTES
from shapeyard.formats.references import referenced_files
from shapeyard.formats.things import THING_SUFFIXES, read_thing
from shapeyard.geometry.bodies import bodies, joined
from shapeyard.geometry.isosurface import isosurface
from shapeyard.geometry.shape_relation import SAME, Meshes, Relation, relation
from shapeyard.geometry.shape_signature import Signature, signature
from shapeyard.geometry.triangle_mesh import Mesh
from shapeyard.local_paths import local_path
from shapeyard.processes import ordered_process_map
from shapeyard.sources.schemes import open_source
from shapeyard.sources.shape_groups import EXACT_COPY, SAME_SIZE, Pair, Shape, grouped
from shapeyard.sources.source import Source, SourceFile

SUFFIXES = (*THING_SUFFIXES, ".binvox")


@dataclass
class Member:
    """A file of a group."""

    file: str
    relation: Relation
    """to the group's first file"""
    copies: int = 0
    """on a plate; 0 for a file that is one"""
    alone: bool = True
    """whether nothing else is on that plate"""
    exact: bool = False
    """whether its bytes are those of the first file"""

    @property
    def differs(self) -> list[str]:
        """How it differs from the group's first file, in words."""
        made = self.relation
        words = []
        if self.copies:
            words.append(f"plate of {self.copies}" if self.alone else f"plate with {self.copies} among others")
        if made.scale != 1:
            words.append(f"scaled ×{made.scale:.4g}")
        if made.mirrored:
            words.append("mirrored")
        if made.turned and not self.copies:
            words.append("turned")
        if made.remeshed and not self.copies:
            words.append("remeshed")
        if made.deviation:
            words.append(f"{made.deviation:.2%} apart")
        if self.exact:
            return ["exact copy"]
        if words:
            return words
        return ["re-export, moved" if made.moved else "re-export"]

    def as_json(self) -> dict[str, Any]:
        """Everything that is known of it."""
        made = self.relation
        return {
            "file": self.file, "differs": self.differs, "exact": self.exact, "scale": made.scale, "moved": made.moved,
            "turned": made.turned, "mirrored": made.mirrored, "remeshed": made.remeshed,
            "deviation": made.deviation, "copies": self.copies,
        }  # fmt: skip


@dataclass
class Duplicates:
    """What was found in a source."""

    source: str
    files: int
    """that could be read"""
    groups: list[list[Member]] = field(default_factory=list)
    """of two files or more, each with its first file first"""
    plates: dict[str, int] = field(default_factory=dict)
    """files that hold nothing but copies of one part → how many"""
    broken: dict[str, str] = field(default_factory=dict)
    """file → why it could not be read"""

    def as_json(self, splits: Mapping[str, str]) -> dict[str, Any]:
        """Everything, with the split of each file of a group that has one in `splits`."""
        groups = []
        for group in self.groups:
            rows = [member.as_json() for member in group]
            rows[0]["differs"] = []
            groups.append([row | ({"split": splits[row["file"]]} if row["file"] in splits else {}) for row in rows])
        return {
            "source": self.source, "files": self.files, "groups": groups, "plates": self.plates, "broken": self.broken,
        }  # fmt: skip


def find_duplicates(uri: str, workers: int = 0) -> Duplicates:
    """Compare all meshes of a source with each other.

    Args:
        uri: of a source; see `shapeyard.sources.schemes`.
        workers: processes; 0 for as many as there are cores.

    Raises:
        SourceError: if the source can't be listed or read, or holds no mesh.
    """
    listed = open_source(uri).list_files()
    files = [file for file in listed if PurePosixPath(file.key).suffix.lower() in SUFFIXES]
    if not files:
        raise SourceError(f"{uri}: expected meshes ({', '.join(SUFFIXES)}), found none in {len(listed)} files")
    found, keys = Duplicates(uri, 0), [printable(file.key) for file in files]
    shapes: list[Shape] = []
    first_of: dict[str, int] = {}
    exact: dict[int, list[int]] = defaultdict(list)
    processes = cores(workers)
    read = ordered_process_map(partial(_start_reading, uri, listed), files, processes)
    for number, result in enumerate(track(read, len(files), "files read")):
        if isinstance(result, FormatError):
            found.broken[keys[number]] = one_line(result)
            continue
        digest, parts = result
        found.files += 1
        first = first_of.setdefault(digest, number)
        if parts and parts[-1].copies and parts[-1].alone:
            found.plates[keys[number]] = parts[-1].copies
        if first != number:
            exact[first].append(number)
        else:
            shapes += [part._replace(file=number) for part in parts]
    # A part comes behind all files, since a group is told by a file rather than by a part of one.
    shapes.sort(key=lambda shape: (shape.copies > 0, shape.file))
    groups = grouped(shapes, partial(_start_comparing, uri, listed, files, shapes), processes)
    found.groups = [_members(group, shapes, keys, exact) for group in groups]
    in_groups = {member.file for group in found.groups for member in group if not member.copies}
    for first, copies in exact.items():
        if keys[first] not in in_groups:
            heads = [Member(keys[first], EXACT_COPY)]
            found.groups.append(heads + [Member(keys[copy], EXACT_COPY, exact=True) for copy in copies])
    found.groups.sort(key=lambda group: group[0].file)
    return found


def _members(
    group: dict[int, Relation], shapes: Sequence[Shape], keys: Sequence[str], exact: dict[int, list[int]]
) -> list[Member]:
    members = []
    for place, (shape, made) in enumerate((shapes[number], made) for number, made in group.items()):
        members.append(Member(keys[shape.file], made, shape.copies, shape.alone))
        for copy in exact.get(shape.file, ()):
            members.append(Member(keys[copy], made, shape.copies, shape.alone, exact=place == 0 and not shape.copies))
    return members[:1] + sorted(members[1:], key=lambda member: member.file)


def read_shape(source: Source, listed: dict[str, SourceFile], file: SourceFile) -> tuple[str, Mesh]:
    """The hash of a file's content and all of its triangles; nothing of it stays on the disk.

    Args:
        source: where it is.
        listed: all files of the source by their keys, since a glTF file has buffers beside it.
        file: a mesh, a ZIP of them, or a grid, whose surface is taken.

    Raises:
        FormatError: for a file that can't be used, with its key in front.
        SourceError: if the source can't be read.
    """
    if file.size > MAX_BYTES:
        raise FormatError(f"{file.key}: expected at most {MAX_BYTES} bytes, got {file.size}")
    with tempfile.TemporaryDirectory(prefix="shapeyard-duplicates-") as folder:
        path = local_path(Path(folder), PurePosixPath(file.key).name)
        source.download(file, path)
        with path.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        try:
            if path.suffix.lower() == ".binvox":
                mesh = isosurface(read_binvox(path).occupancy)
                if not len(mesh.faces):
                    raise FormatError(f"{file.key}: nothing in the grid is occupied")
                return digest, mesh
            if path.suffix.lower() == ".gltf":
                for name in referenced_files(path):
                    beside = listed.get(str(PurePosixPath(file.key).parent / name))
                    if beside and beside.size <= MAX_BYTES:
                        source.download(beside, local_path(Path(folder), name))
            return digest, joined(read_thing(path))
        except FormatError as error:
            raise FormatError(str(error).replace(str(path), file.key)) from error


def _start_reading(uri: str, listed: Sequence[SourceFile]) -> Callable[[SourceFile], Any]:
    """The work of a process that reads files: hash and shapes of one, or why it can't be used."""
    return partial(_read, open_source(uri), {file.key: file for file in listed})


def _read(source: Source, listed: dict[str, SourceFile], file: SourceFile) -> tuple[str, list[Shape]] | FormatError:
    try:
        digest, mesh = read_shape(source, listed, file)
    except FormatError as error:
        return error
    whole = signature(mesh)
    if whole is None:
        return FormatError(f"{file.key}: expected triangles with an area")
    return digest, [Shape(0, whole, 0, True), *_parts(mesh)]


def _parts(mesh: Mesh) -> list[Shape]:
    """The parts that lie apart in a mesh, those that are copies of each other as one."""
    kinds: list[tuple[Signature, int]] = []
    for body in bodies(mesh):
        found = signature(body)
        if found is None:
            continue
        for place, (kind, count) in enumerate(kinds):
            near = np.abs(kind.invariants - found.invariants).max() <= SAME
            if near and abs(kind.size / found.size - 1) < SAME_SIZE:
                kinds[place] = kind, count + 1
                break
        else:
            kinds.append((found, 1))
    return [Shape(0, kind, count, len(kinds) == 1) for kind, count in kinds]


def _start_comparing(
    uri: str, listed: Sequence[SourceFile], files: Sequence[SourceFile], shapes: Sequence[Shape]
) -> Callable[[tuple[Pair, bool]], Relation | None]:
    """The work of a process that compares pairs of shapes; `closely`: remeshed ones are recognized as well."""
    source, by_key = open_source(uri), {file.key: file for file in listed}

    def mesh(number: int) -> Mesh:
        return read_shape(source, by_key, files[shapes[number].file])[1]

    def compare(asked: tuple[Pair, bool]) -> Relation | None:
        (low, high), closely = asked
        meshes: Meshes = lambda: (mesh(low), mesh(high))  # noqa: E731
        whole = not shapes[low].copies and not shapes[high].copies
        try:
            return relation(shapes[low].signature, shapes[high].signature, meshes if closely and whole else None)
        except FormatError:  # a file that has changed since it was read
            return None

    return compare
