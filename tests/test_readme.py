"""The README: its commands are run, its tables are what the code says."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import trimesh
from working_copy import outside_make, working_copy

from components.cli import load_stage
from components.images import STACK_OF_STAGE

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)


def stage_table() -> str:
    rows = []
    for stage, stack in STACK_OF_STAGE.items():
        text = (load_stage(stage).description or "").partition("\n")[0]
        rows.append(f"| `{stage}` | {stack} | {text} |")
    return "\n".join(rows)


def test_the_stage_table_is_derived() -> None:
    assert stage_table() in README


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)]+)\)", README):
        if not target.startswith("http"):
            assert (ROOT / target).exists(), target


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_command(tmp_path: Path) -> None:
    """All but `make test`, which is what runs this, in their order; fewer objects, the smallest preset."""
    code = working_copy(tmp_path)
    for class_name in ("box", "ball", "rod"):
        for number in range(6):
            path = code / "meshes" / class_name / f"{number}.stl"
            path.parent.mkdir(parents=True, exist_ok=True)
            size = 1 + number / 5
            made = {"box": trimesh.creation.box((size, 1, 1)), "ball": trimesh.creation.icosphere(radius=size),
                    "rod": trimesh.creation.cylinder(0.2, size)}[class_name]  # fmt: skip
            made.export(path)
    script = "\n".join(
        block for block in BLOCKS if block != "make test\n" and (has_engine() or not needs_engine(block))
    )
    assert len(script.splitlines()) > 10
    environment = {**outside_make(), "PRESET": "tiny", "OBJECTS": "40", "PS1": ""}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=code,
        env=environment,
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    reports = [line for line in done.stdout.splitlines() if line.endswith("report.html")]
    assert len(reports) == (4 if has_engine() else 2)
    assert all((code / report).is_file() for report in reports)
    assert (code / "data" / "binvox").is_dir()
    assert "voxels" in done.stdout


def needs_engine(block: str) -> bool:
    return "docker" in block or "local-run" in block


def has_engine() -> bool:
    return subprocess.run(["docker", "info"], capture_output=True).returncode == 0


def test_another_python_is_one_clear_line(tmp_path: Path) -> None:
    code = working_copy(tmp_path)
    (code / ".venv" / "python").unlink()
    done = subprocess.run(
        ["make", "run", "PYTHON=python2.7"], cwd=code, env=outside_make(), capture_output=True, text=True
    )
    assert done.returncode != 0
    assert done.stderr.startswith("expected Python 3.11 as python2.7, got: ")
    assert done.stderr.splitlines()[0].endswith("; say where it is: make PYTHON=…")
    assert done.stdout == ""
