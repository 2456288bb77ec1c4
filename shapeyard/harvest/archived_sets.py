"""ModelNet and ShapeNet out of the archives that they are distributed as, member by member: nothing is unpacked whole.

ModelNet   ModelNet10.zip, ModelNet40.zip: ModelNet10/chair/train/chair_0001.off, with the official split;
           modelnet40_manually_aligned.tar: chair/train/chair_0001.off, its classes turned alike (Sedaghat et al. 2017,
           arXiv:1604.03351)
ShapeNet   ShapeNetCore.v2.zip or a ZIP a synset: 03001627/ID/models/model_normalized.obj with materials and textures;
           v1 has 03001627/ID/model.obj, which is put where v2 has it
"""

from __future__ import annotations

import io
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from shapeyard.errors import FormatError, SourceError, one_line
from shapeyard.formats.archives import Archive, Member, is_of_macos, open_archive
from shapeyard.formats.tar_archives import TarArchive, open_tar
from shapeyard.harvest.collect import Brought, Collection, NothingToTakeError, Outcome, harvest_into
from shapeyard.harvest.pacing import Clock
from shapeyard.harvest.target import Target
from shapeyard.sources.folder import FolderSource
from shapeyard.sources.layouts import MODELNET, SHAPENET
from shapeyard.sources.s3 import S3Source
from shapeyard.sources.schemes import open_source
from shapeyard.sources.source import SourceFile
from shapeyard.sources.synsets import CLASS_OF_SYNSET

Family = Literal["modelnet", "shapenet"]
MAX_MEMBERS = 2_000_000
"""ShapeNetCore.v2.zip has some 400,000."""
ARCHIVES = (".zip", ".tar")
BUFFER = {".zip": 1 << 20, ".tar": 1 << 16}
"""Bytes that are read of a bucket at the least: a tar's headers lie apart, a ZIP's in one piece."""
_MODELNET_MEMBER = re.compile(r"(?:.*/)?([^/]+/(?:train|test)/[^/]+\.off)", re.IGNORECASE)
_SHAPENET_MEMBER = re.compile(r"(?:.*/)?(\d{8})/([^/]+)/(?!screenshots/)(.+)")
TERMS = {"modelnet": "LicenseRef-ModelNet", "shapenet": "LicenseRef-ShapeNet"}
"""Both are for research; ShapeNet's terms have to be accepted by each person."""


def harvest_archives(family: Family, uri: str, target: Target) -> Outcome:
    """Bring the objects of archives that are not in a target yet, or are of other lengths there.

    Args:
        family: whose archives they are.
        uri: a ZIP or an uncompressed TAR, or a folder of them; local or s3://.
        target: where to, in the layout that `plan` reads.

    Raises:
        SourceError: if there is no archive, or the source can't be read.
    """
    source, files = _find_archives(uri)
    facts = {"license": TERMS[family], "license_as_given": ""}

    def work(collection: Collection) -> None:
        for file in files:
            try:
                with _open(source, file) as archive:
                    _bring_archive(family, archive, collection, facts)
            except FormatError as error:
                collection.missing[f"archive/{file.key}"] = one_line(error)

    return harvest_into(target, {"name": family, "from": uri}, work)


def _bring_archive(
    family: Family, archive: Archive | TarArchive, collection: Collection, facts: Mapping[str, Any]
) -> None:
    objects = (_modelnet if family == "modelnet" else _shapenet)(archive.members)
    if not objects:
        raise FormatError(f"{archive.path}: expected members as {family}'s archives have them, found none")

    def bring(name: str, folder: Path) -> Brought:
        files, left_out = {}, {}
        for number, (key, member) in enumerate(sorted(objects[name].items())):
            try:
                archive.extract(member, folder / str(number))
                files[key] = folder / str(number)
            except FormatError as error:
                if _is_main(key):
                    raise
                left_out[member.name] = one_line(error).removeprefix(f"{archive.path}: ")
        if not any(map(_is_main, files)):
            raise NothingToTakeError(f"{name}: expected a mesh, got none")
        return Brought(files, facts, left_out)

    def is_current(row: Mapping[str, Any]) -> bool:
        members, left_out = objects[row["id"]], row.get("left_out", {})
        offered = {key: member.size for key, member in members.items() if member.name not in left_out}
        return offered == {file["key"]: file["size"] for file in row["files"]}

    collection.bring_all(sorted(objects), bring, Clock(), is_current)


def _modelnet(members: list[Member]) -> dict[str, dict[str, Member]]:
    """Id → path below the target → member."""
    objects: dict[str, dict[str, Member]] = {}
    for member in members:
        if (match := _MODELNET_MEMBER.fullmatch(member.name)) and not is_of_macos(member.name):
            class_name, _, name = match[1].split("/")
            objects[f"{class_name}/{name[: -len('.off')]}"] = {match[1]: member}
    return objects


def _shapenet(members: list[Member]) -> dict[str, dict[str, Member]]:
    """Id → path below the target → member."""
    found = [
        (match[1], match[2], match[3], member)
        for member in members
        if (match := _SHAPENET_MEMBER.fullmatch(member.name)) and not is_of_macos(member.name)
    ]
    of_v1 = {(synset, name) for synset, name, rest, _ in found if rest == "model.obj"}
    objects: dict[str, dict[str, Member]] = defaultdict(dict)
    for synset, name, rest, member in found:
        if (synset, name) in of_v1:  # a material finds its textures by paths relative to it
            rest = "models/" + ("model_normalized.obj" if rest == "model.obj" else rest)
        objects[f"{CLASS_OF_SYNSET.get(synset, synset)}/{name}"][f"{synset}/{name}/{rest}"] = member
    return dict(objects)


def _is_main(key: str) -> bool:
    return bool(MODELNET.fullmatch(key) or SHAPENET.fullmatch(key))


def _find_archives(uri: str) -> tuple[FolderSource | S3Source, list[SourceFile]]:
    """The archive that a URI names, or those in the folder that it names."""
    single = uri.lower().endswith(ARCHIVES)
    folder, _, name = uri.rstrip("/").rpartition("/") if single else (uri, "", "")
    source = open_source(folder or ("/" if uri.startswith("/") else "."))
    if not isinstance(source, FolderSource | S3Source):
        raise SourceError(f"source {uri}: expected a ZIP or TAR or a folder of them, local or s3://")
    files = [
        file for file in source.list_files() if (file.key == name if single else file.key.lower().endswith(ARCHIVES))
    ]
    if not files:
        raise SourceError(f"source {uri}: expected a ZIP or TAR or a folder of them, found none")
    return source, files


@contextmanager
def _open(source: FolderSource | S3Source, file: SourceFile) -> Iterator[Archive | TarArchive]:
    suffix = file.key[-4:].lower()
    opened = open_tar if suffix == ".tar" else open_archive
    if isinstance(source, FolderSource):
        with opened(source.root / file.key, max_members=MAX_MEMBERS) as archive:
            yield archive
        return
    with (
        io.BufferedReader(_StoredBytes(source, file), BUFFER[suffix]) as content,
        opened(f"{source.uri}/{file.key}", content, MAX_MEMBERS) as archive,
    ):
        yield archive


class _StoredBytes(io.RawIOBase):
    """An object of a bucket as a file of which any part can be read."""

    def __init__(self, source: S3Source, file: SourceFile) -> None:
        self._source, self._file, self._position = source, file, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._file.size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def readinto(self, buffer: Any) -> int:
        content = self._source.read_range(self._file, self._position, len(buffer))
        buffer[: len(content)] = content
        self._position += len(content)
        return len(content)
