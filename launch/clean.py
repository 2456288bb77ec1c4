"""What old runs leave on the disk, and its removal.

A run's outputs are never removed as long as its folder is there, and what the cache answers with stays as well. So both
grow, until somebody says from which age on they are not needed.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from launch.cache import artifact_paths, outputs_of_runs
from launch.run import locked


class Old(NamedTuple):
    """Something that may go."""

    path: Path
    size: int
    """bytes"""


def clean(out: Path, older_than_s: float, *, remove: bool = False) -> list[Old]:
    """Find what is old, and remove it if that is asked for.

    That is a run's folder whose files were last changed so long ago, and an entry of the cache of that age with its
    outputs. An output that a younger run or entry needs stays, and so does the latest run with its outputs.

    Args:
        out: where runs and the cache live.
        older_than_s: seconds.
        remove: whether to do it.

    Returns:
        What is old; paths below `out`.

    Raises:
        RunError: if another run is using the folder.
    """
    with locked(out) as kfp:
        now, root = time.time(), kfp / "data"
        runs = sorted((run.parent for run in out.glob("*/request.json")), key=lambda folder: folder.stat().st_mtime)
        runs = [folder for folder in runs if not folder.is_symlink()]
        old_runs = [folder for folder in runs[:-1] if now - folder.stat().st_mtime > older_than_s]
        entries = sorted((kfp / "cache").glob("*.json"))
        old_entries = [entry for entry in entries if now - entry.stat().st_mtime > older_than_s]
        others = [folder for folder in out.iterdir() if folder not in old_runs and not folder.is_symlink()]
        kept = [*outputs_of_runs(others, root), *_outputs(set(entries) - set(old_entries))]
        needless = {path.parent for path in (*outputs_of_runs(old_runs, root), *_outputs(old_entries))}
        tasks = sorted(
            task
            for task in needless
            if task != root and task.is_relative_to(root) and task.is_dir()
            and not any(path.is_relative_to(task) for path in kept)
        )  # fmt: skip
        found = [Old(path, _size(path)) for path in (*old_runs, *tasks)]
        if remove:
            # An entry whose outputs stay goes on answering.
            gone = [entry for entry in old_entries if not {path.parent for path in _outputs([entry])}.isdisjoint(tasks)]
            for entry in gone:
                entry.unlink()
                (kfp / "digests" / entry.name).unlink(missing_ok=True)
            for path in (*tasks, *old_runs):
                shutil.rmtree(path)
        return found


def _outputs(entries: Iterable[Path]) -> Iterator[Path]:
    for entry in entries:
        try:
            yield from artifact_paths(json.loads(entry.read_text(encoding="utf-8")))
        except ValueError:
            continue  # the next run drops it


def _size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*"))
