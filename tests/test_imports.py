"""What may import what: launch → pipelines → components → shapeyard, never back, never in a circle."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Set
from functools import cache
from pathlib import Path

import pytest

from components import stages

ROOT = Path(__file__).parents[1]
LAYERS = ("shapeyard", "components", "pipelines", "launch")
"""Each may import itself and those before it."""
HEAVY = {"kfp", "torch", "tensorflow", "keras", "bpy"}
HEAVY_PARTS = ("networks", "training", "inference")
"""Of the library: what needs one of the heavy packages stands in one of these."""


def files(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_of(path): path for layer in LAYERS for path in files(layer)}


@cache
def imports(path: Path, top_level_only: bool = False) -> frozenset[str]:
    """The modules that a file imports: `from a import b` is a.b where that is a module, else a."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names: set[str] = set()
    for node in tree.body if top_level_only else ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            source = node.module or ""
            inside = {f"{source}.{alias.name}" for alias in node.names}
            names |= (inside & MODULES.keys()) | ({source} if inside - MODULES.keys() else set())
    return frozenset(names)


def circles(graph: Mapping[str, Set[str]]) -> set[str]:
    """The nodes that lead back to themselves."""
    found = set()
    for start in graph:
        seen: set[str] = set()
        waiting = list(graph[start])
        while waiting:
            node = waiting.pop()
            if node not in seen:
                seen.add(node)
                waiting += graph.get(node, ())
        if start in seen:
            found.add(start)
    return found


def python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_circle_is_found() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}) == {"b", "c"}


@pytest.mark.parametrize("layer", LAYERS)
def test_layers_import_only_those_below(layer: str) -> None:
    paths = files(layer)
    assert paths
    for path in paths:
        above = {name for name in imports(path) if name.partition(".")[0] in LAYERS[LAYERS.index(layer) + 1 :]}
        assert not above, f"{path.relative_to(ROOT)}: imports {', '.join(sorted(above))}"


@pytest.mark.parametrize("stage", stages())
def test_stages_do_not_know_each_other(stage: str) -> None:
    for path in files(f"components/{stage}"):
        others = {name for name in imports(path) if name.startswith("components.")} - {f"components.{stage}"}
        assert all(name.startswith(f"components.{stage}.") for name in others), path.relative_to(ROOT)


@pytest.mark.parametrize("stage", stages())
def test_a_typed_spec_imports_kfp_alone(stage: str) -> None:
    assert imports(ROOT / "components" / stage / "component.py", top_level_only=True) <= {"typing", "kfp"}


def test_every_folder_is_a_stage() -> None:
    folders = {path.name for path in (ROOT / "components").iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders == set(stages())
    for name in folders:
        assert (ROOT / "components" / name / f"{name}.py").is_file()


def test_no_module_imports_itself_in_a_circle() -> None:
    assert not circles({name: imports(path) & MODULES.keys() for name, path in MODULES.items()})


def test_formats_and_geometry_and_what_is_below_them_stand_in_order() -> None:
    """Packages of the library that no other leads back to."""
    graph: dict[str, set[str]] = defaultdict(set)
    for name, path in MODULES.items():
        own = ".".join(name.split(".")[:2])
        graph[own] |= {".".join(other.split(".")[:2]) for other in imports(path) if other in MODULES} - {own}
    ordered = ("contracts", "geometry", "formats", "metrics", "sources", "networks", "training")
    assert not circles(graph) & {f"shapeyard.{name}" for name in ordered}


def loaded_by(code: str, names: Iterable[str]) -> set[str]:
    """Which of these packages a new interpreter has loaded after some code."""
    return set(python(f"import sys\n{code}\nprint(*({set(names)!r} & set(sys.modules)))").split())


def third_party_after(code: str) -> set[str]:
    """All packages that are neither Python's nor the project's."""
    return set(
        python(
            f"import sys\nbefore = set(sys.modules)\n{code}\n"
            "roots = {name.partition('.')[0] for name in set(sys.modules) - before}\n"
            f"print(*sorted(roots - set(sys.stdlib_module_names) - set({LAYERS!r})))"
        ).split()
    )


def test_the_library_imports_nothing_heavy() -> None:
    modules = [name for name in MODULES if name.startswith("shapeyard.") and name.split(".")[1] not in HEAVY_PARTS]
    assert len(modules) > 50
    assert not loaded_by(f"import importlib\nfor name in {modules!r}: importlib.import_module(name)", HEAVY)


def test_the_library_itself_needs_numpy_at_the_most() -> None:
    assert third_party_after("import shapeyard, shapeyard.errors") <= {"numpy"}


@pytest.mark.parametrize(("given", "expected"), [({}, "PASSIVE"), ({"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE")])
def test_threads_sleep_while_they_wait_unless_they_are_told_otherwise(given: dict[str, str], expected: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    code = "import shapeyard, os; print(os.environ['OMP_WAIT_POLICY'])"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment | given, cwd=ROOT, capture_output=True, text=True
    )
    assert done.stdout.strip() == expected, done.stderr


def test_what_stages_declare_needs_no_package_at_all() -> None:
    """The command line lists the stages, so their declarations have to be cheap."""
    assert not third_party_after("import components; components.stages()")
    assert not third_party_after("import pipelines.parts")
    assert not third_party_after("import launch.images"), "CI asks for tags before it installs anything"
