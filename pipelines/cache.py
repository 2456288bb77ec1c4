"""What KFP's local cache may answer for.

The cache asks only whether an output's path exists, and it also keeps a success that left nothing behind. So before and
after every run the entries are dropped whose outputs are missing or not whole, and then the folders that no entry
needs.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from shapeyard.contracts.dataset import read_info
from shapeyard.contracts.model import check_model
from shapeyard.errors import DatasetError


def drop_broken_entries(cache_root: Path) -> int:
    """Remove the entries whose outputs are not all whole; returns how many."""
    dropped = 0
    for entry in sorted(cache_root.glob("*.json")):
        try:
            paths = list(_artifact_paths(json.loads(entry.read_text(encoding="utf-8"))))
            whole = bool(paths) and all(_is_whole(path) for path in paths)
        except ValueError:
            whole = False
        if not whole:
            entry.unlink()
            dropped += 1
    return dropped


def drop_unused_folders(pipeline_root: Path, cache_root: Path) -> None:
    """Remove the task folders below the pipeline root that no cache entry points into."""
    used = {
        path.parent for entry in cache_root.glob("*.json") for path in _artifact_paths(json.loads(entry.read_text()))
    }
    _remove_unused(pipeline_root, used)


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


def _artifact_paths(value: Any) -> Iterator[Path]:
    """All artifact URIs of a cache entry."""
    if isinstance(value, dict):
        if "uri" in value:
            yield Path(value["uri"])
        else:
            for part in value.values():
                yield from _artifact_paths(part)
    elif isinstance(value, list):
        for part in value:
            yield from _artifact_paths(part)


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
