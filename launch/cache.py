"""What KFP's local cache may answer for.

The cache asks only whether an output's path exists, and it also keeps a success that left nothing behind. So before and
after every run the entries are dropped whose outputs are missing or not whole, and then the folders that neither an
entry nor a finished run needs. Its entries name absolute paths, which are mended before all that: the folder may have
been moved.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from shapeyard.contracts.dataset import read_info
from shapeyard.contracts.files import describe_file, write_json
from shapeyard.contracts.model import check_model
from shapeyard.errors import DatasetError
from shapeyard.sources.shard_places import Place

SEALS = ("dataset.json", "metrics.json")
"""What is written last into a directory."""


def relocate_entries(pipeline_root: Path, cache_root: Path) -> None:
    """Let the entries point below the pipeline root where it is now; what cannot be read is left as it is."""
    for entry in cache_root.glob("*.json"):
        try:
            old = json.loads(entry.read_text(encoding="utf-8"))
        except ValueError:
            continue  # drop_broken_entries removes it
        new = _relocated(old, pipeline_root)
        if new != old:
            write_json(entry, new)


def _relocated(value: Any, pipeline_root: Path) -> Any:
    if isinstance(value, dict):
        if "uri" in value:
            return {**value, "uri": str(_below(Path(value["uri"]), pipeline_root))}
        return {name: _relocated(part, pipeline_root) for name, part in value.items()}
    if isinstance(value, str):
        try:
            place = Place.parse(value)
        except DatasetError:
            return value
        return str(place._replace(uri=str(_below(Path(place.uri), pipeline_root))))
    return [_relocated(part, pipeline_root) for part in value] if isinstance(value, list) else value


def _below(path: Path, pipeline_root: Path) -> Path:
    """Where an output lies, given where it lay when it was written: the end of the root's path stays, .kfp/data."""
    if path.is_relative_to(pipeline_root):
        return path
    _, end, inside = str(path).rpartition(f"/{pipeline_root.parent.name}/{pipeline_root.name}/")
    return pipeline_root / inside if end else path


def drop_broken_entries(cache_root: Path) -> int:
    """Remove the entries whose outputs are not all whole, or not what they were at first; returns how many."""
    dropped = 0
    digests = cache_root.with_name("digests")
    digests.mkdir(exist_ok=True)
    for entry in sorted(cache_root.glob("*.json")):
        try:
            paths = list(artifact_paths(json.loads(entry.read_text(encoding="utf-8"))))
            whole = (
                bool(paths) and all(_is_whole(path) for path in paths) and _is_as_recorded(paths, digests / entry.name)
            )
        except (ValueError, OSError):
            whole = False
        if not whole:
            entry.unlink()
            (digests / entry.name).unlink(missing_ok=True)
            dropped += 1
    return dropped


def _is_as_recorded(paths: list[Path], record: Path) -> bool:
    """Whether outputs have the hashes that they had when this was asked for the first time.

    Of a directory that is the file with the hashes of all others.
    """
    files = [next((path / name for name in SEALS if (path / name).is_file()), path) for path in paths]
    found = [describe_file(file)["sha256"] for file in files]
    if not record.is_file():
        write_json(record, found)
        return True
    return bool(json.loads(record.read_text(encoding="utf-8")) == found)


def drop_unused_folders(pipeline_root: Path, cache_root: Path, out: Path) -> None:
    """Remove the task folders below the pipeline root that no cache entry and no run's folder in `out` points into."""
    used = {
        path.parent for entry in cache_root.glob("*.json") for path in artifact_paths(json.loads(entry.read_text()))
    }
    for path in outputs_of_runs(out.iterdir(), pipeline_root):
        used |= {path, path.parent}  # a link of the user's may lead to a task, or into an output
    _remove_unused(pipeline_root, used)


def outputs_of_runs(folders: Iterable[Path], pipeline_root: Path) -> Iterator[Path]:
    """What finished runs made, by the outputs.json and the links in their folders."""
    for folder in folders:
        try:
            values = json.loads((folder / "outputs.json").read_text(encoding="utf-8")).values()
        except (OSError, ValueError, AttributeError):
            values = ()  # the links are there as well
        for path in _paths(values):
            yield _below((folder / path).resolve(), pipeline_root)  # absolute in runs of earlier versions
        for link in (*folder.glob("*"), *folder.glob("*/shard-*")):
            if link.is_symlink():
                yield Path(os.path.realpath(link))


def _paths(outputs: Iterable[str | dict[str, str]]) -> Iterator[str]:
    """Of a run's outputs, with those of each shard."""
    for value in outputs:
        yield from value.values() if isinstance(value, dict) else (value,)


def _remove_unused(folder: Path, used: set[Path]) -> None:
    """Remove what lies beside the used task folders: leftovers of stages that never finished, empty folders."""
    for child in sorted(folder.iterdir()) if folder.is_dir() else []:
        if child in used:
            continue
        if any(path.is_relative_to(child) for path in used):
            _remove_unused(child, used)
        elif child.is_dir():
            shutil.rmtree(child)
        else:
            child.unlink()


def artifact_paths(value: Any) -> Iterator[Path]:
    """All artifact URIs of a cache entry."""
    if isinstance(value, dict):
        if "uri" in value:
            yield Path(value["uri"])
        else:
            for part in value.values():
                yield from artifact_paths(part)
    elif isinstance(value, list):
        for part in value:
            yield from artifact_paths(part)


def _is_whole(path: Path) -> bool:
    """Whether an output can be trusted: a file that is not empty, or a directory that says so of itself."""
    if path.is_file():
        return _is_whole_file(path)
    try:
        if (path / "dataset.json").is_file():
            read_info(path, content=True)
        else:
            check_model(path)  # models and evaluations write metrics.json last
    except DatasetError:
        return False
    return True


def _is_whole_file(path: Path) -> bool:
    """Figures are JSON; a page ends as pages do."""
    text = path.read_text(encoding="utf-8", errors="replace").strip()
    if text.startswith("<"):
        return text.endswith("</html>")
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
