"""Which objects of a source are taken, in which split, in which shard.

Everything here depends on an object's id alone (by salted hashes), so a source that grows keeps what was decided:
a new object lands in one shard and leaves the other shards as they are.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from operator import attrgetter

from shapeyard.contracts.dataset import Split
from shapeyard.contracts.licenses import count_licenses, takes
from shapeyard.errors import SourceError
from shapeyard.geometry.up_axis import UpAxis
from shapeyard.sources.folder import FolderSource
from shapeyard.sources.layouts import ListedObject, detect_layout, group_objects, is_mesh
from shapeyard.sources.provenance import NO_TERMS, Provenance, Terms
from shapeyard.sources.selection import LAYOUTS, Selection
from shapeyard.sources.source import Source, SourceFile
from shapeyard.sources.unused_files import UnusedFile, unfollowed_links, unused_files

SMALL_CLASS = 20
"""Below this a split drawn by chance may be empty, so it goes by rank."""


@dataclass(frozen=True, slots=True)
class SelectedObject:
    """An object with its split and the axis that points up."""

    listed: ListedObject
    split: Split
    up_axis: UpAxis
    terms: Terms = NO_TERMS


@dataclass(frozen=True)
class Chosen:
    """What a selection takes of a source."""

    objects: list[SelectedObject]
    """sorted by id, without their terms"""
    unused: list[UnusedFile]
    """what looks like an object and is none"""
    files: dict[str, SourceFile]
    """the whole listing, by key"""
    provenance: Provenance
    tag: Callable[[SourceFile], str]
    """changes with a file's content, and with nothing else where that is known"""

    def shards(self, count: int) -> list[tuple[list[SelectedObject], list[UnusedFile]]]:
        """The objects of each shard; the first that has any tells of the unused files as well."""
        cut = cut_into_shards(self.objects, count)
        first = next((number for number, members in enumerate(cut) if members), None)
        return [(members, self.unused if number == first else []) for number, members in enumerate(cut)]


def choose(selection: Selection, source: Source) -> Chosen:
    """List a source, and take what a selection wants.

    Raises:
        SourceError: if the source cannot be listed, or as `select_objects`.
    """
    files = source.list_files()
    provenance = Provenance(source, list(files), selection)
    objects, unused = _select(selection, files, provenance)
    tag = cache(source.content_tag) if isinstance(source, FolderSource) else attrgetter("etag")
    return Chosen(objects, [*unused, *unfollowed_links(source)], {file.key: file for file in files}, provenance, tag)


def select_objects(
    selection: Selection, files: Sequence[SourceFile], provenance: Provenance | None = None
) -> list[SelectedObject]:
    """The objects of a listing that a selection takes, with their splits and without their terms, sorted by id.

    Args:
        selection: what to take.
        files: the listing.
        provenance: what the source says of licences; needed where the selection asks for some.

    Raises:
        SourceError: if none is left, or a class that was asked for is not there.
    """
    return _select(selection, files, provenance)[0]


def _select(
    selection: Selection, files: Sequence[SourceFile], provenance: Provenance | None
) -> tuple[list[SelectedObject], list[UnusedFile]]:
    by_class: dict[str, list[ListedObject]] = defaultdict(list)
    try:
        layout = next((name for name in LAYOUTS if name == selection.layout), None) or detect_layout(files)
        listed = group_objects(files, layout)
        for item in listed:
            by_class[item.class_name].append(item)
    except SourceError as error:
        others = [file for file in unused_files(files, [], "classes") if not is_mesh(file.key)]
        other = "".join(f"; {file.key}: {file.reason}" for file in others[:3])
        raise SourceError(f"{selection.source}: {error}{other}") from error
    wanted = [name.strip() for name in selection.classes.split(",") if name.strip()] or sorted(by_class)
    missing = [name for name in wanted if name not in by_class]
    if missing:
        raise SourceError(f"{selection.source}: no objects of class {', '.join(missing)}; there are {sorted(by_class)}")
    if selection.license_words:
        by_class = _licensed(selection, {name: by_class[name] for name in wanted}, provenance)
    selected = []
    for name in wanted:
        objects = by_class[name]
        if selection.max_per_class:
            objects = sorted(objects, key=lambda item: _hash("choice", item.id))[: selection.max_per_class]
        splits = split_class(objects)
        for item in objects:
            up_axis: UpAxis = item.up_axis
            if selection.up_axis != "auto":
                up_axis = "z" if selection.up_axis == "z" else "y"
            selected.append(SelectedObject(item, splits[item.id], up_axis))
    if not selected:
        raise SourceError(f"{selection.source}: no objects of layout {layout} in {len(files)} files")
    return sorted(selected, key=lambda item: item.listed.id), unused_files(files, listed, layout)


def with_terms(objects: Sequence[SelectedObject], provenance: Provenance) -> list[SelectedObject]:
    """The same objects, and for each its licence and creator; raises `SourceError` if what tells of them is broken."""
    terms = provenance.of_objects([item.listed for item in objects])
    return [
        item if terms[item.listed.id] == item.terms else replace(item, terms=terms[item.listed.id]) for item in objects
    ]


def _licensed(
    selection: Selection, by_class: dict[str, list[ListedObject]], provenance: Provenance | None
) -> dict[str, list[ListedObject]]:
    """The objects under the licences that the selection names."""
    if provenance is None:
        raise SourceError(f"{selection.source}: expected what the source says of licences")
    terms = provenance.of_objects([item for objects in by_class.values() for item in objects])
    taken = {
        name for name, found in terms.items() if any(takes(word, found.license) for word in selection.license_words)
    }
    if not taken:
        there = ", ".join(f"{name} ({count})" for name, count in count_licenses(terms.values()).items())
        raise SourceError(f"{selection.source}: no objects under {selection.licenses}; there are {there}")
    return {name: [item for item in objects if item.id in taken] for name, objects in by_class.items()}


def split_class(objects: Sequence[ListedObject]) -> dict[str, Split]:
    """80/10/10 by a salted hash of the id; by its rank in a class of fewer than 20; a source's own split is kept.

    A source that knows training and test only (ModelNet) gives its validation split from the training part.
    """
    splits: dict[str, Split] = {}
    own = [item for item in objects if item.source_split]
    if own:
        for item in own:
            validation = item.source_split == "train" and _fraction("split", item.id) < 0.1
            splits[item.id] = "val" if validation else item.source_split or "train"
        return splits
    count = len(objects)
    if count >= SMALL_CLASS:
        for item in objects:
            position = _fraction("split", item.id)
            splits[item.id] = "test" if position < 0.1 else "val" if position < 0.2 else "train"
        return splits
    held_out = max(1, round(0.1 * count))
    for rank, item in enumerate(sorted(objects, key=lambda item: _hash("split", item.id))):
        test = count >= 2 and rank < held_out
        validation = count >= 3 and held_out <= rank < 2 * held_out
        splits[item.id] = "test" if test else "val" if validation else "train"
    return splits


def cut_into_shards(objects: Iterable[SelectedObject], shards: int) -> list[list[SelectedObject]]:
    """The objects of each shard: the hash of their id says which."""
    cut: list[list[SelectedObject]] = [[] for _ in range(shards)]
    for item in objects:
        cut[_number("shard", item.listed.id) % shards].append(item)
    return cut


def objects_of_shard(objects: Sequence[SelectedObject], shard: int, shards: int) -> list[SelectedObject]:
    """Those of one shard."""
    return cut_into_shards(objects, shards)[shard]


def fingerprint(
    objects: Sequence[SelectedObject],
    unused: Sequence[UnusedFile] = (),
    tag: Callable[[SourceFile], str] = lambda file: file.etag,
) -> str:
    """A hash over what a shard will bring: ids, splits, axes, terms, the tags of all files of its objects, and what it
    tells of unused files."""
    digest = hashlib.sha256()
    for item in objects:
        parts = ["\0".join((item.listed.id, item.split, item.up_axis, *item.terms, ""))]
        parts += [f"{file.key}\0{file.size}\0{tag(file)}\0" for file in item.listed.own_files]
        digest.update(_encoded("".join(parts)))
    for file in unused:
        digest.update(_encoded(f"{file.key}\0{file.reason}\0"))
    return digest.hexdigest()[:32]


def _hash(salt: str, object_id: str) -> bytes:
    return hashlib.sha256(_encoded(f"shapeyard {salt} {object_id}")).digest()


def _number(salt: str, object_id: str) -> int:
    """0 to 2⁴⁸ − 1."""
    return int.from_bytes(_hash(salt, object_id)[:6], "big")


def _encoded(text: str) -> bytes:
    """UTF-8, also of a folder's file name that is none: `fetch` says so."""
    return text.encode("utf-8", "surrogateescape")


def _fraction(salt: str, object_id: str) -> float:
    return _number(salt, object_id) / 2**48
