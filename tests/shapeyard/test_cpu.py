"""How many cores a process may keep busy."""

import os
from pathlib import Path

import pytest

from shapeyard import cpu
from shapeyard.cpu import cores
from shapeyard.errors import ParameterError


@pytest.mark.parametrize(
    ("limit", "expected"),
    [("100000 100000", 1), ("50000 100000", 1), ("150000 100000", 2), ("max 100000", None), ("", None)],
)
def test_a_container_uses_the_cores_of_its_limit(
    limit: str, expected: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cpu.max").write_text(limit)
    monkeypatch.setattr(cpu, "CPU_LIMIT", tmp_path / "cpu.max")
    here = len(os.sched_getaffinity(0))
    assert cores(0) == min(here, expected or here)
    assert cores(3) == 3


def test_cores_without_a_control_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu, "CPU_LIMIT", tmp_path / "missing")
    assert cores(0) == len(os.sched_getaffinity(0))
    with pytest.raises(ParameterError, match=r"^workers: expected 0 or more, got -1$"):
        cores(-1)
