"""CONTRIBUTING.md: every recipe is followed to the letter on a copy of the project, and what it promises holds."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from working_copy import outside_make, working_copy

ROOT = Path(__file__).parents[1]
RECIPES = ROOT / "tests" / "recipes"
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
STAGE = ("components/average_voxels/__init__.py", "components/average_voxels/average_voxels.py")
PIPELINE = ("pipelines/averages.py", "pipelines/presets/averages/small.yaml")
NETWORK = ("shapeyard/networks/completer.py",)
CLASS = ("shapeyard/sources/procedural/bricks.py",)


def shapeyard(code: Path, *words: str) -> str:
    """What the command says in a copy of the project."""
    command = [sys.executable, "-m", "launch.cli", *words]
    done = subprocess.run(command, cwd=code, env=outside_make(), capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def files(code: Path) -> dict[str, bytes]:
    """All files that are no caches and no runs."""
    paths = [path for path in code.rglob("*") if path.is_file() and not path.is_symlink()]
    inside = {str(path.relative_to(code)): path for path in paths}
    return {
        name: path.read_bytes()
        for name, path in inside.items()
        if "__pycache__" not in name and not name.startswith((".venv/", "runs/"))
    }


def add(code: Path, names: tuple[str, ...]) -> None:
    for name in names:
        (code / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(RECIPES / name, code / name)


def replace(path: Path, before: str, after: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count(before) == 1, before
    path.write_text(text.replace(before, after), encoding="utf-8")


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project to which a stage, a pipeline and a class of the catalogue have been added."""
    code = working_copy(tmp_path_factory.mktemp("contributing"))
    shapeyard(code, "compile")  # whatever was not up to date is no part of what is counted below
    return code


@pytest.fixture(scope="module")
def changes(code: Path) -> tuple[set[str], set[str]]:
    """The files that are new, and those that are others, once a stage and a pipeline were added."""
    before = files(code)
    add(code, STAGE + PIPELINE)
    shapeyard(code, "compile")
    after = files(code)
    return after.keys() - before.keys(), {name for name in before if after[name] != before[name]}


def test_every_example_is_shown() -> None:
    examples = {str(path.relative_to(ROOT)) for path in RECIPES.rglob("*") if path.suffix in (".py", ".yaml")}
    assert set(re.findall(r"\]\((tests/recipes/[^)]+)\)", TEXT)) == examples
    assert {name.removeprefix("tests/recipes/") for name in examples} == {*STAGE, *PIPELINE, *NETWORK, *CLASS}


def test_recipes_are_short() -> None:
    recipes = dict(re.findall(r"^## (Add .+)\n((?:(?!^## ).*\n)*)", TEXT, re.MULTILINE))
    assert len(recipes) == 5
    for title, body in recipes.items():
        assert len([line for line in body.splitlines() if line.strip()]) <= 12, title


@pytest.mark.slow
def test_a_stage_and_a_pipeline_are_two_files_each(changes: tuple[set[str], set[str]]) -> None:
    """All else is derived."""
    new, changed = changes
    assert new - {*STAGE, *PIPELINE} == {"components/average_voxels/component.py", "pipelines/compiled/averages.yaml"}
    assert {*STAGE, *PIPELINE} <= new
    assert changed == {"docker/compose.yaml", "docs/reference/stages.md", "docs/reference/pipelines.md"}


@pytest.fixture(scope="module")
def with_bricks(code: Path, changes: tuple[set[str], set[str]]) -> int:
    """A class more in the catalogue; how many lines that took besides the class's own file."""
    add(code, CLASS)
    catalogue = code / "shapeyard" / "sources" / "procedural" / "catalogue.py"
    lines = len(catalogue.read_text(encoding="utf-8").splitlines())
    bed = "from shapeyard.sources.procedural.beds import bed\n"
    replace(catalogue, bed, f"{bed}from shapeyard.sources.procedural.bricks import brick\n")
    replace(catalogue, "        bottle,\n", "        bottle,\n        brick,\n")
    return len(catalogue.read_text(encoding="utf-8").splitlines()) - lines


@pytest.mark.slow
def test_the_pipeline_runs_on_the_new_class(code: Path, with_bricks: int) -> None:
    assert with_bricks == 2
    command = [sys.executable, "-m", "pytest", "-q", "-k", "brick", "tests/shapeyard/sources/test_procedural.py"]
    tested = subprocess.run(command, cwd=code, env=outside_make(), capture_output=True, text=True, timeout=300)
    assert tested.returncode == 0 and " passed" in tested.stdout, tested.stdout
    source = "procedural://?objects=8&seed=0&classes=brick,cup"
    shapeyard(code, "run", "averages", "--param", f"source={source}", "--param", "threshold=0.25")
    latest = code / "runs" / "latest"
    for name in ("brick", "cup"):
        occupied = np.load(latest / "mean_shapes" / f"{name}.npy")
        assert occupied.shape == (32, 32, 32) and occupied.any()
    assert json.loads((latest / "parameters.json").read_text(encoding="utf-8"))["threshold"] == 0.25


@pytest.mark.slow
def test_a_setting_is_a_declaration_and_its_use(code: Path, changes: tuple[set[str], set[str]]) -> None:
    declaration = re.search(r"```python\n( +max_objects.*\n.*\n) +```", TEXT)
    assert declaration
    declared, work = code / STAGE[0], code / STAGE[1]
    threshold = "    threshold: Share = 0.5\n"
    replace(declared, threshold, re.sub(r"^ +", "    ", declaration[1], flags=re.MULTILINE) + threshold)
    replace(declared, "import Artifact, Settings", "import Artifact, NonNegativeInt, Settings")
    averaged = "for sample in samples], axis=0)"
    replace(work, averaged, "for sample in samples[: settings.max_objects or None]], axis=0)")
    shapeyard(code, "compile")
    assert "--max-objects INTEGER" in shapeyard(code, "average-voxels", "--help")
    for derived in ("pipelines/compiled/averages.yaml", "docs/reference/pipelines.md", "docs/reference/stages.md"):
        assert "max_objects" in (code / derived).read_text(encoding="utf-8")
    source = "procedural://?objects=6&seed=0&classes=cup"
    shapeyard(code, "run", "averages", "--param", f"source={source}", "--param", "max_objects=1")
    assert np.load(code / "runs" / "latest" / "mean_shapes" / "cup.npy").any()


@pytest.mark.slow
def test_a_network_is_one_file(code: Path, tmp_path: Path) -> None:
    """A model of it is rebuilt from its directory, and exported."""
    add(code, NETWORK)
    script = f"""
from safetensors.torch import save_file
from shapeyard.contracts.model import finish_model, start_model
from shapeyard.inference.models import title_of
from shapeyard.networks.completer import Completer
model = start_model({str(tmp_path / "model")!r}, {{"network": "completer", "width": 2}})
save_file(Completer(width=2).state_dict(), model / "model.safetensors")
finish_model(model, [], {{}}, [])
assert title_of("completer") == "Completer"
"""
    subprocess.run([sys.executable, "-c", script], cwd=code, check=True, timeout=120)
    shapeyard(code, "export", str(tmp_path / "model"), str(tmp_path / "completer.onnx"))
    assert (tmp_path / "completer.onnx").stat().st_size > 0
