"""How many cores a process may keep busy."""

from __future__ import annotations

import math
import os
from pathlib import Path

from shapeyard.errors import require

CPU_LIMIT = Path("/sys/fs/cgroup/cpu.max")


def cores(workers: int) -> int:
    """`workers`, or for 0 as many as the process may use; raises `ParameterError` below 0."""
    require(workers >= 0, f"workers: expected 0 or more, got {workers}")
    return workers or min(len(os.sched_getaffinity(0)), _cores_of_container(CPU_LIMIT))


def _cores_of_container(limit: Path) -> int:
    """The cores that a container may keep busy, rounded up: a CPU limit hides none of the machine's from a process.

    `limit`: "200000 100000" for two cores, "max 100000" for all; Linux' control group v2, `cpu.max`.
    """
    try:
        quota, period = limit.read_text(encoding="ascii").split()
        return max(math.ceil(int(quota) / int(period)), 1)
    except (OSError, ValueError):  # no such control group, or no limit
        return os.cpu_count() or 1
