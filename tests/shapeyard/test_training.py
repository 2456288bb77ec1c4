"""What the training loops share."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from shapeyard import training
from shapeyard.errors import ParameterError
from shapeyard.training import cores


@pytest.mark.parametrize(
    ("limit", "expected"),
    [("100000 100000", 1), ("50000 100000", 1), ("150000 100000", 2), ("max 100000", None), ("", None)],
)
def test_a_container_uses_the_cores_of_its_limit(
    limit: str, expected: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cpu.max").write_text(limit)
    monkeypatch.setattr(training, "CPU_LIMIT", tmp_path / "cpu.max")
    here = len(os.sched_getaffinity(0))
    assert cores(0) == min(here, expected or here)
    assert cores(3) == 3


def test_cores_without_a_control_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "CPU_LIMIT", tmp_path / "missing")
    assert cores(0) == len(os.sched_getaffinity(0))
    with pytest.raises(ParameterError, match="expected workers of at least 0, got -1"):
        cores(-1)


MEMORY = """
import numpy as np
from shapeyard.training import keep_memory, release_memory

def megabytes():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096 / 1e6

keep_memory()
before = megabytes()
np.ones(200_000_000, np.uint8)
kept = megabytes() - before
release_memory()
np.ones(200_000_000, np.uint8)
print(kept, megabytes() - before)
"""


def test_memory_is_kept_and_given_back() -> None:
    found = subprocess.run([sys.executable, "-c", MEMORY], capture_output=True, text=True, check=True)
    kept, held = map(float, found.stdout.split())
    assert kept > 190 and held < 20
