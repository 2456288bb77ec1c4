"""Names that nobody confuses, and files that one can read at a sitting."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("shapeyard", "components", "pipelines", "launch")
SCRIPTS = ("benchmarks", "docs", "docker")
PATHS = [path for folder in (*PACKAGES, *SCRIPTS) for path in sorted((ROOT / folder).rglob("*.py"))]
MAX_LINES = 400
SAY_NOTHING = {
    "base", "common", "core", "functions", "helper", "helpers", "lib", "manager", "misc", "shared", "stuff",
    "tools", "types", "util", "utilities", "utils",
}  # fmt: skip
"""Words that say nothing of what is in a module."""


def test_there_is_something_to_look_at() -> None:
    assert len(PATHS) > 150


def test_no_class_name_three_times() -> None:
    names = Counter(
        node.name
        for path in PATHS
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef)
    )
    assert not {name: count for name, count in names.items() if count > 2}


def test_no_module_name_three_times() -> None:
    """Of the packages: a benchmark may have the name of what it measures."""
    names = Counter(path.stem for path in PATHS if path.relative_to(ROOT).parts[0] in PACKAGES)
    assert not {name: count for name, count in names.items() if count > 2 and name not in ("__init__", "component")}


@pytest.mark.parametrize("folder", [*PACKAGES, *SCRIPTS, "tests"])
def test_names_of_modules_and_folders_say_what_is_in_them(folder: str) -> None:
    for path in (ROOT / folder).rglob("*.py"):
        words = {word for part in path.relative_to(ROOT).with_suffix("").parts for word in part.split("_")}
        assert not words & SAY_NOTHING, path.relative_to(ROOT)


@pytest.mark.parametrize("folder", [*PACKAGES, *SCRIPTS, "tests"])
def test_no_module_is_long(folder: str) -> None:
    for path in (ROOT / folder).rglob("*.py"):
        lines = len(path.read_text(encoding="utf-8").splitlines())
        assert lines <= MAX_LINES, f"{path.relative_to(ROOT)}: {lines} lines"
