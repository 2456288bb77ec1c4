"""The layers: pipelines → components → shapeyard, never back and never sideways between stages."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from components.images import STACK_OF_STAGE

ROOT = Path(__file__).parents[1]
HEAVY = {"kfp", "torch", "tensorflow", "keras", "bpy"}
SHARED = {"images": set(STACK_OF_STAGE.values()), "training": {"torch"}, "checkpoints": {"torch"}, "ranks": {"torch"}}
"""The modules beside the stages, and the stacks whose stages may import them."""


def imports(path: Path, top_level_only: bool = False) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = tree.body if top_level_only else list(ast.walk(tree))
    names: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names.add(node.module or "")
    return names


def files(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


@pytest.mark.parametrize("path", files("shapeyard"), ids=lambda p: str(p.relative_to(ROOT)))
def test_the_library_stands_alone(path: Path) -> None:
    roots = {name.split(".")[0] for name in imports(path)}
    assert not roots & {"components", "pipelines", *HEAVY}


@pytest.mark.parametrize("path", files("components"), ids=lambda p: str(p.relative_to(ROOT)))
def test_stages_do_not_know_each_other(path: Path) -> None:
    own = path.relative_to(ROOT / "components").parts[0]
    for name in imports(path):
        parts = name.split(".")
        assert parts[0] != "pipelines"
        if parts[0] == "components" and len(parts) > 1 and own in STACK_OF_STAGE:
            assert parts[1] == own or STACK_OF_STAGE[own] in SHARED[parts[1]]


@pytest.mark.parametrize("stage", STACK_OF_STAGE)
def test_a_typed_spec_imports_kfp_alone(stage: str) -> None:
    names = imports(ROOT / "components" / stage / "component.py", top_level_only=True)
    assert names <= {"typing", "kfp", "components.images"}


def test_every_folder_is_a_stage() -> None:
    folders = {path.parent.name for path in (ROOT / "components").glob("*/component.py")}
    assert folders == set(STACK_OF_STAGE)


def test_the_library_imports_nothing_heavy() -> None:
    modules = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in files("shapeyard")]
    load = f"for module in {modules!r}: importlib.import_module(module)"
    code = f"import sys, importlib\n{load}\nprint({HEAVY!r} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert found.stdout.strip() == "set()"
