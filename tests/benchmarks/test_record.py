"""What benchmarks write down: the figure as it was given, with the day, the commit and the processor."""

from __future__ import annotations

import json
import re
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from launch.benchmark_results import RESULTS, read_results
from shapeyard.errors import FormatError

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
sys.path.append(str(BENCHMARKS))
from record import processor, record, record_figures  # noqa: E402


def test_a_figure_comes_back(tmp_path: Path) -> None:
    path = record(
        "sphere-volume", "voxels", "volume of a sphere", "1 %", command="python benchmarks/x.py DATA", details="3 s",
        compared_with="trimesh 2 %", target="2 %", met=True, folder=tmp_path,
    )  # fmt: skip
    assert path == tmp_path / "sphere-volume.json"
    (found,) = read_results(tmp_path).values()
    assert found.text() == "volume of a sphere: 1 % (trimesh 2 %)"
    assert (found.target, found.met, found.command) == ("2 %", True, "python benchmarks/x.py DATA")
    assert found.date == datetime.now(UTC).date().isoformat()
    assert re.fullmatch(r"[0-9a-f]{7}\+?|unknown", found.commit)
    assert found.processor == processor() and re.match(r"\d+ cores of \S", processor())


def test_a_figure_is_replaced_by_a_newer_one(tmp_path: Path) -> None:
    for measured in ("1", "2"):
        record("a", "voxels", "of a", measured, command="c", folder=tmp_path)
    assert [result.measured for result in read_results(tmp_path).values()] == ["2"]


def test_rows_of_a_table_are_recorded_by_their_names(tmp_path: Path) -> None:
    rows = [
        ("IoU, 33 models, solid", "0.9", ">= 0.8", True),
        ("IoU, 33 models, parity", "0.7", "-", True),
        ("speed", "3 ms", "-", True),
    ]
    names = {"IoU, *": "iou", "IoU, *, solid": "iou-solid"}
    written = record_figures(rows, names, "voxels", "c", folder=tmp_path)
    assert [path.stem for path in written] == ["iou-solid", "iou"]
    found = read_results(tmp_path)
    assert (found["iou-solid"].target, found["iou-solid"].met) == (">= 0.8", True)
    assert (found["iou"].target, found["iou"].met) == ("", None)


def test_what_cannot_be_recorded(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^name: expected small letters, digits and hyphens, got A b$"):
        record("A b", "voxels", "of a", "1", command="c", folder=tmp_path)
    with pytest.raises(FormatError, match=r"^group: expected one of run, .*, got nonsense$"):
        record("a", "nonsense", "of a", "1", command="c", folder=tmp_path)
    with pytest.raises(FormatError, match=r"^met: expected true or false with a target and null without, got None$"):
        record("a", "voxels", "of a", "1", command="c", target="2", folder=tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_no_figure_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"group": "voxels"}')
    with pytest.raises(FormatError, match=r"^.*/a\.json: .*missing"):
        read_results(tmp_path)


def test_committed_figures_are_as_they_are_written() -> None:
    paths = sorted(RESULTS.glob("*.json"))
    assert paths
    for path in paths:
        text = path.read_text(encoding="utf-8")
        assert text == json.dumps(json.loads(text), indent=1, ensure_ascii=False) + "\n", path.name
