"""Popular things of Thingiverse's categories, as a set that `plan` and `fetch` read.

A thing's meshes come from the files that its description lists, else from its ZIPs, else one by one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shapeyard.contracts.progress import report
from shapeyard.errors import FormatError, one_line
from shapeyard.formats.archives import Archive, is_of_macos, open_archive
from shapeyard.harvest.collect import Brought, Collection, NothingToTakeError, Outcome, harvest_into
from shapeyard.harvest.pacing import Clock, Pacer
from shapeyard.harvest.target import Target
from shapeyard.harvest.thingiverse_api import (
    API,
    MAX_PAGES,
    PER_PAGE,
    REQUESTS,
    WINDOW_S,
    OfferedFile,
    ThingiverseApi,
)
from shapeyard.harvest.web import Web, WebError, without_secrets
from shapeyard.local_paths import local_path
from shapeyard.sources.thingiverse import find_categories, with_version

MESH_SUFFIXES = (".stl", ".obj", ".3mf")
"""What is kept; `fetch` reads STL, or OBJ where a thing has no STL."""
MAX_ARCHIVES = 20
MAX_FILES = 1000
LICENSE_FILES = ("license.txt", "readme.txt")
MAX_LICENSE_BYTES = 100_000
NO_PACKAGE = (403, 404, 410)
"""What the API answers of a thing that has no ZIP."""


@dataclass(frozen=True)
class ThingsRequest:
    """Which things are wanted."""

    categories: str
    """as `find_categories` reads them"""
    per_category: int = 500
    """things of a category, most popular first"""
    max_megabytes: int = 1000
    """of a thing: its archives, and the meshes in them"""
    per_page: int = PER_PAGE
    """things in one answer to a search"""


def harvest_thingiverse(
    request: ThingsRequest, target: Target, token: str, api: str = API, clock: Clock | None = None
) -> Outcome:
    """Bring things that are not in a target yet, and write down what is missing.

    Args:
        request: which.
        target: where to; things that are there already are not asked for again.
        token: of an app or a person, for `api` alone.
        api: Thingiverse's, or something that speaks like it.
        clock: what the rate limit is measured by.

    Raises:
        ParameterError: for an unknown category.
        SourceError: if the token is not accepted or the API fails again and again; what was brought stays, and the same
            call goes on from there.
    """
    categories = find_categories(request.categories)
    clock = clock or Clock()
    things = ThingiverseApi(Web(api, token, Pacer(REQUESTS, WINDOW_S, clock)))
    source = {
        "name": "thingiverse", "api": without_secrets(api), "categories": list(categories),
        "per_category": request.per_category,
    }  # fmt: skip

    def work(collection: Collection) -> None:
        ids = list(_list_things(things, collection, categories, request))
        max_bytes = request.max_megabytes * 1_000_000
        collection.bring_all(ids, lambda name, folder: _bring(things, name, folder, max_bytes), clock)

    return harvest_into(target, source, work)


def _list_things(
    things: ThingiverseApi, collection: Collection, categories: dict[str, int], request: ThingsRequest
) -> Iterator[str]:
    """class/id of the things that are wanted; a thing of several categories is of the first.

    Pages are written down, so that a harvest goes on with the list that it began with.
    """
    pages = {tuple(entry["page"]): entry["ids"] for entry in collection.journal.entries if "page" in entry}
    class_of_thing = {int(row["id"].partition("/")[2]): row["class"] for row in collection.rows.values()
                      if row["id"].partition("/")[2].isdecimal()}  # fmt: skip
    for done, (class_name, category) in enumerate(categories.items()):
        report(done, len(categories), f"listing {class_name}")
        found: list[int] = []
        seen: set[int] = set()
        for page in range(1, MAX_PAGES):
            ids = pages.get((category, request.per_page, page))
            if ids is None:
                try:
                    ids = things.list_popular(category, page, request.per_page)
                except WebError as error:
                    if error.status == 401:
                        raise
                    collection.missing[f"{class_name}/page-{page}-and-later"] = one_line(error)
                    break
                collection.journal.append({"page": [category, request.per_page, page], "ids": ids})
            new = [thing for thing in dict.fromkeys(ids) if thing not in seen]
            seen.update(new)
            found += [thing for thing in new if class_of_thing.setdefault(thing, class_name) == class_name]
            if len(found) >= request.per_category or not new:
                break
        yield from (f"{class_name}/{thing}" for thing in found[: request.per_category])


def _bring(things: ThingiverseApi, name: str, folder: Path, max_bytes: int) -> Brought:
    """Fetch one thing."""
    number = int(name.partition("/")[2])
    thing = things.describe(number)
    wanted = _Wanted(name, folder, max_bytes)
    if offered := _meshes(thing.files):
        wanted.download_files(things, offered)
    else:
        try:
            urls = things.find_packages(number)
        except WebError as error:
            if error.status not in NO_PACKAGE:
                raise
            wanted.download_files(things, _meshes(things.list_files(number)))
        else:
            wanted.download_archives(things, urls)
    return wanted.brought({**thing.facts, "license": with_version(thing.facts["license"], wanted.license_text)})


class _Wanted:
    """What is taken of one thing. On this disk files are numbered: their names were chosen by others."""

    def __init__(self, name: str, folder: Path, max_bytes: int) -> None:
        self.name, self.folder, self.left = name, folder, max_bytes
        self.files: dict[str, Path] = {}
        self.left_out: dict[str, str] = {}
        self.license_text = ""

    def download_files(self, things: ThingiverseApi, offered: list[OfferedFile]) -> None:
        """Fetch files that are offered one by one."""
        for file in offered:
            if f"{self.name}/{file.name}" in self.files:
                raise FormatError(f"{self.name}: expected names that differ, got {file.name!r} twice")
            local_path(self.folder, file.name)
            path = self._next_path()
            things.download(file.url, path, self.left)
            self._take(file.name, path)

    def download_archives(self, things: ThingiverseApi, urls: list[str]) -> None:
        """Fetch ZIPs and unpack their meshes; those of several go into numbered folders."""
        if len(urls) > MAX_ARCHIVES:
            raise FormatError(f"{self.name}: expected at most {MAX_ARCHIVES} ZIPs, got {len(urls)}")
        for position, url in enumerate(urls, start=1):
            below = f"{position}/" if len(urls) > 1 else ""
            packed = self.folder / f"{position}.zip"
            things.download(url, packed, self.left)
            with open_archive(packed) as archive:
                self._unpack(archive, below)
            packed.unlink()

    def brought(self, facts: dict[str, Any]) -> Brought:
        """All of it.

        Raises:
            NothingToTakeError: if no mesh was offered.
            FormatError: if none of those that were offered can be used.
        """
        if not self.files and self.left_out:
            raise FormatError(f"{self.name}: {next(iter(self.left_out.values()))}")
        if not self.files:
            raise NothingToTakeError(f"{self.name}: expected {', '.join(MESH_SUFFIXES)} files, got none")
        return Brought(self.files, facts, self.left_out)

    def _unpack(self, archive: Archive, below: str) -> None:
        members = [member for member in archive.members if _is_mesh(member.name)]
        size = sum(member.size for member in members)
        if size > self.left:
            raise FormatError(f"{self.name}: expected at most {self.left} bytes of meshes, got {size}")
        for member in archive.members:
            if member.name.lower().rpartition("/")[2] in LICENSE_FILES and member.size <= MAX_LICENSE_BYTES:
                self.license_text += archive.read(member).decode("utf-8", "replace")
        for member in members:
            path = self._next_path()
            try:
                archive.extract(member, path)
            except FormatError as error:
                self.left_out[below + member.name] = str(error).removeprefix(f"{archive.path}: ")
            else:
                self._take(below + member.name, path)

    def _take(self, name: str, path: Path) -> None:
        self.files[f"{self.name}/{name}"] = path
        self.left -= path.stat().st_size

    def _next_path(self) -> Path:
        number = len(self.files) + len(self.left_out)
        if number == MAX_FILES:
            raise FormatError(f"{self.name}: expected at most {MAX_FILES} meshes, got more")
        return self.folder / str(number)


def _meshes(offered: list[OfferedFile]) -> list[OfferedFile]:
    return [file for file in offered if _is_mesh(file.name)]


def _is_mesh(name: str) -> bool:
    return name.lower().endswith(MESH_SUFFIXES) and not is_of_macos(name)
