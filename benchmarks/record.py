"""Writes down what a benchmark measured, for docs/benchmarks.md: `shapeyard compile` makes that page of it."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from launch.benchmark_results import RESULTS, BenchmarkResult, write_result

ROOT = Path(__file__).resolve().parents[1]


def record(
    name: str,
    group: str,
    figure_of: str,
    measured: str,
    *,
    command: str,
    compared_with: str = "",
    details: str = "",
    target: str = "",
    met: bool | None = None,
    folder: Path = RESULTS,
) -> Path:
    """Write one figure to benchmarks/results/NAME.json, with today's date, the commit and the processor.

    Args:
        name: of the file: small letters, digits and hyphens; the same figure always has the same.
        group: a key of `launch.benchmark_results.GROUPS`.
        figure_of: exactly of what: the measure, the network or stage, the data.
        measured: the value with its unit.
        command: what measures it again, with the user's data in capitals: `python benchmarks/sdf.py DATA`.
        compared_with: the same of references or baselines.
        details: what docs/benchmarks.md says besides, such as intervals and times.
        target: what was aimed at; empty for none.
        met: whether the target was met; None without one.
        folder: where the files are.

    Raises:
        ValueError: for a name of other letters.
        FormatError: for an unknown group, or a target without an answer.
    """
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name):
        raise ValueError(f"name: expected small letters, digits and hyphens, got {name}")
    return write_result(
        name,
        BenchmarkResult(
            group=group, figure_of=figure_of, measured=measured, compared_with=compared_with, details=details,
            target=target, met=met, command=command,
            date=datetime.now(UTC).date().isoformat(), commit=commit(), processor=processor(),
        ),
        folder,
    )  # fmt: skip


def record_figures(
    figures: Sequence[tuple[str, str, str, bool]],
    names: Mapping[str, str],
    group: str,
    command: str,
    folder: Path = RESULTS,
) -> list[Path]:
    """Write those rows of `tables.print_figures` that have a name here; returns the files.

    Args:
        figures: name, measured, target (- for none) and whether it was met.
        names: a pattern of a row's name, as `fnmatch` has them, → the name of its file; the last that fits counts.
        group: see `record`.
        command: see `record`.
        folder: see `record`.
    """
    written = []
    for figure_of, measured, target, met in figures:
        fitting = [name for pattern, name in names.items() if fnmatchcase(figure_of, pattern)]
        aim: dict[str, Any] = {} if target == "-" else {"target": target, "met": met}
        if fitting:
            written.append(record(fitting[-1], group, figure_of, measured, command=command, folder=folder, **aim))
    return written


def commit() -> str:
    """The commit that is checked out, with a + where files were changed since; "unknown" outside a repository."""
    git = ["git", "-C", str(ROOT)]
    head = subprocess.run([*git, "rev-parse", "--short=7", "HEAD"], capture_output=True, text=True)
    if head.returncode:
        return "unknown"
    changed = subprocess.run([*git, "status", "--porcelain", "--untracked-files=no"], capture_output=True, text=True)
    return head.stdout.strip() + "+" * bool(changed.stdout.strip())


def processor() -> str:
    """The processor's name and how many of its cores this process may use."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{cores} cores of {names[0] if names else platform.machine()}"
