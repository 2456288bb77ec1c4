"""The work of `fetch`."""

from __future__ import annotations

import hashlib
import tempfile
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from components.fetch import FetchSettings
from shapeyard.contracts.dataset import SPLITS, DatasetWriter, Sample, Skipped
from shapeyard.contracts.planned import Planned
from shapeyard.contracts.progress import report, track
from shapeyard.errors import FormatError, MeshError, SourceError
from shapeyard.formats.references import readings_of, referenced_files
from shapeyard.formats.things import read_parts
from shapeyard.geometry.frames import canonical_from_bounds
from shapeyard.local_paths import local_path
from shapeyard.ordered_map import bounded_ordered_map
from shapeyard.sources.schemes import open_source
from shapeyard.sources.selection import Selection
from shapeyard.sources.source import Source, SourceFile
from shapeyard.sources.splits import SelectedObject, choose, fingerprint, with_terms

DOWNLOADS = 8
"""Side by side; a bucket answers in milliseconds and most of them is waiting."""


@dataclass(frozen=True)
class _Limits:
    bytes: int
    triangles: int


def fetch(shard: Mapping[str, str], meshes: str | Path, settings: FetchSettings) -> None:
    """Write the meshes of a shard as a dataset of kind meshes.

    Raises:
        SourceError: if the source cannot be read, or is not any more what `plan` saw.
        TooManySkippedError: if more than `max_skipped` of the objects cannot be used.
    """
    limits = _Limits(settings.max_megabytes * 1_000_000, settings.max_triangles)
    selection = Selection.of_item(shard)
    source = open_source(selection.source)
    chosen = choose(selection, source)
    members, unused = chosen.shards(selection.shards)[int(shard["shard"])]
    files, objects = chosen.files, with_terms(members, chosen.provenance)
    if fingerprint(objects, unused, chosen.tag) != shard["fingerprint"]:
        raise SourceError(f"{selection.source}: changed since it was planned; run again")
    parameters = {"shard": dict(shard), **settings.hyperparameters()}
    with (
        tempfile.TemporaryDirectory(prefix="shapeyard-fetch-") as scratch,
        DatasetWriter(
            meshes,
            "meshes",
            "fetch",
            parameters,
            max_skipped=settings.max_skipped,
            skipped=[Skipped(file.key, file.reason) for file in unused],
            planned=Planned(len(objects), len(chosen.objects)),
        ) as writer,  # fmt: skip
        ThreadPoolExecutor(DOWNLOADS) as pool,
    ):
        splits: Counter[str] = Counter()  # of what can be used: `plan` cannot know
        folders = [Path(scratch) / str(number) for number in range(len(objects))]

        def bring(number: int) -> str | Exception:
            try:
                return _download(source, files, objects[number], folders[number], limits)
            except FormatError as error:
                return error

        brought = bounded_ordered_map(pool, bring, range(len(objects)), 2 * DOWNLOADS)
        for item, folder, main in track(zip(objects, folders, brought, strict=True), len(objects), "objects"):
            try:
                if isinstance(main, Exception):
                    raise main
                sample, broken = _inspect(item, folder / main, selection, limits)
                writer.add_files(sample, folder, main, _told(broken, folder))
                splits[sample.split] += 1
            except FormatError as error:
                writer.skip(item.listed.id, str(error).replace(f"{folder}/", ""))
            _remove(folder)
        told = ", ".join(f"{splits[split]} {split}" for split in SPLITS)
        kept = splits.total()
        if objects:
            report(len(objects), len(objects), f"{kept} of {len(objects)} objects: {told}")


def _download(
    source: Source, files: Mapping[str, SourceFile], item: SelectedObject, folder: Path, limits: _Limits
) -> str:
    """Bring an object's mesh and all it refers to; returns the mesh's path inside `folder`.

    Raises:
        FormatError: for a file that is too large, or that its source does not hand out; for a key or an id that cannot
            be a path, since both become some, here and in later stages.
    """
    main, parts = item.listed.main, item.listed.parts
    local_path(folder, item.listed.id)
    # A folder's tree below the object is kept: materials name their textures by relative paths.
    root = "" if item.listed.images else _root_of(main.key)
    if parts:
        root = "/".join(main.key.split("/")[:2]) + "/"
    waiting = [*([part.key for part in parts] or [main.key]), *(file.key for file in item.listed.images)]
    seen: set[str] = set()
    by_name = {file.key.rpartition("/")[2].lower(): file.key for file in item.listed.own_files}
    size = 0
    while waiting:
        key = waiting.pop()
        if key in seen or key not in files:
            continue  # what is missing (a texture, a material) is drawn in grey later
        seen.add(key)
        size += files[key].size
        if files[key].size > limits.bytes:
            raise MeshError(f"{key}: expected at most {limits.bytes} bytes, got {files[key].size}")
        if size > limits.bytes:
            raise MeshError(f"{main.key}: expected at most {limits.bytes} bytes in all files of an object, got more")
        local_path(folder, key)
        target = local_path(folder, key.removeprefix(root))
        try:
            source.download(files[key], target)
        except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:  # a bucket may have a/b besides a
            raise MeshError(f"{key}: expected a name that is not a folder's as well") from error
        for name in referenced_files(target):
            keys = [_join(key, reading) for reading in readings_of(name)]
            moved = by_name.get(keys[-1].rpartition("/")[2].lower(), "")
            waiting += [next((one for one in keys if one in files), moved)]
    return "." if parts else main.key.removeprefix(root)


def _inspect(item: SelectedObject, path: Path, selection: Selection, limits: _Limits) -> tuple[Sample, list[str]]:
    """Read the mesh once, so that every later stage can trust it; its row, and what is wrong with its parts."""
    broken: list[str] = []
    canonical: tuple[tuple[float, ...], ...] = ()
    # A grid's frame is in its header, and the images' is that of their cameras: later stages read them.
    if path.suffix.lower() != ".binvox" and not item.listed.images:
        meshes, broken = read_parts(path, max_triangles=limits.triangles, max_bytes=limits.bytes)
        corners = np.concatenate([mesh.vertices for mesh in meshes]).T.copy()
        matrix = canonical_from_bounds(corners.min(axis=1), corners.max(axis=1), item.up_axis)
        canonical = tuple(tuple(float(value) for value in row) for row in matrix)
    root = selection.source if selection.source.endswith("://") else f"{selection.source.rstrip('/')}/"
    sample = Sample(
        item.listed.id, item.listed.class_name, item.split, f"{root}{item.listed.main.key}", *item.terms, _sha256(path),
        canonical_from_file=canonical,
    )  # fmt: skip
    return sample, broken


def _told(broken: list[str], folder: Path) -> dict[str, list[str]]:
    return {"broken_parts": [reason.replace(f"{folder}/", "") for reason in broken]} if broken else {}


def _sha256(path: Path) -> str:
    """Of a file, or of all files of a folder in the order of their names."""
    digest = hashlib.sha256()
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if file.is_file():
            with file.open("rb") as content:
                while block := content.read(1 << 20):
                    digest.update(block)
    return digest.hexdigest()


def _root_of(key: str) -> str:
    """The folder that an object's files are stored relative to: two up for ShapeNet's `models/`, else its own."""
    parts = key.split("/")[:-1]
    if parts and parts[-1] == "models":
        parts = parts[:-1]
    return "".join(f"{part}/" for part in parts)


def _join(key: str, name: str) -> str:
    """A relative reference as a key; `..` that leaves the source gives a key that no file has."""
    parts = key.split("/")[:-1]
    for part in name.replace("\\", "/").split("/"):
        if part == "..":
            if not parts:
                return ""
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


def _remove(folder: Path) -> None:
    """Drop an object's files as soon as they are in the shard: a shard may be larger than the scratch disk."""
    import shutil

    shutil.rmtree(folder, ignore_errors=True)
