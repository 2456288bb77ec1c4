"""What the benchmarks measured: a file of `benchmarks/results` each, and the only place where a figure is written."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from shapeyard.errors import FormatError

RESULTS = Path(__file__).resolve().parents[1] / "benchmarks" / "results"
GROUPS = {
    "run": "The main job, `make run`",
    "voxels": "Voxels",
    "duplicates": "Duplicates",
    "rendering": "Rendering, lifting, sampling",
    "training": "A training step",
    "depth": "Depth from one image",
    "single": "Shape from one image",
    "multiview": "Shape from several images",
    "implicit": "Shapes from codes",
    "classification": "Classification",
    "ablations": "Classification of printable objects: what else was tried",
    "overfitting": "Overfitting sanity checks",
    "data": "Getting the data",
    "images": "Container images",
}
"""The parts of docs/benchmarks.md in their order, each with its heading."""


@dataclass(frozen=True)
class BenchmarkResult:
    """One figure, all in words as it is shown."""

    group: str
    """a key of `GROUPS`"""
    figure_of: str
    """exactly of what: the measure, the network or stage, the data"""
    measured: str
    compared_with: str
    """the same of references or baselines, or empty"""
    details: str
    """what docs/benchmarks.md says besides, such as intervals and times, or empty"""
    target: str
    """what was aimed at, or empty"""
    met: bool | None
    """whether the target was met; None without one"""
    command: str
    """what measures it again; data of the user's in capitals"""
    date: str
    """YYYY-MM-DD"""
    commit: str
    processor: str

    def __post_init__(self) -> None:
        if self.group not in GROUPS:
            raise FormatError(f"group: expected one of {', '.join(GROUPS)}, got {self.group}")
        if (self.met is None) == bool(self.target):
            raise FormatError(f"met: expected true or false with a target and null without, got {self.met}")

    def text(self) -> str:
        """The figure in one phrase: of what it is, and whether it missed its target."""
        compared = f" ({self.compared_with})" if self.compared_with else ""
        missed = f", **target missed** ({self.target})" if self.met is False else ""
        return f"{self.figure_of}: {self.measured}{compared}{missed}"


def read_results(folder: Path = RESULTS) -> dict[str, BenchmarkResult]:
    """All figures by the names of their files, sorted.

    Raises:
        FormatError: for a file that is none; names it.
    """
    found = {}
    for path in sorted(folder.glob("*.json")):
        try:
            found[path.stem] = BenchmarkResult(**json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, TypeError, FormatError) as error:
            raise FormatError(f"{path}: {error}") from error
    return found


def write_result(name: str, result: BenchmarkResult, folder: Path = RESULTS) -> Path:
    """Write a figure to NAME.json; returns where it is."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    path.write_text(json.dumps(asdict(result), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path
