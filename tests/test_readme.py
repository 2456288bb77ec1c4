"""The README: its commands are run, and a run leaves what it says."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import trimesh
from working_copy import outside_make, working_copy

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize(
    "document", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docker/README.md", "k8s/README.md"]
)
def test_links_lead_somewhere(document: str) -> None:
    """Those of docs/ are looked at when the site is built."""
    path = ROOT / document
    for target in re.findall(r"\]\(([^)]+)\)", path.read_text(encoding="utf-8")):
        if not target.startswith(("http", "#")):
            assert (path.parent / target.partition("#")[0]).exists(), target


@pytest.mark.slow
@pytest.mark.timeout(2400)
def test_every_command(tmp_path: Path) -> None:
    """In their order; `make test` runs this, and the other two of make have tests of their own."""
    code = working_copy(tmp_path)
    for class_name in ("box", "ball", "rod"):
        for number in range(6):
            path = code / "meshes" / class_name / f"{number}.stl"
            path.parent.mkdir(parents=True, exist_ok=True)
            size = 1 + number / 5
            made = {"box": trimesh.creation.box((size, 1, 1)), "ball": trimesh.creation.icosphere(radius=size),
                    "rod": trimesh.creation.cylinder(0.2, size)}[class_name]  # fmt: skip
            made.export(path)
    assert {"make run\n", "make local-run\n", "make test\n"} < set(BLOCKS)
    script = "\n".join(block for block in BLOCKS if not block.startswith("make "))
    assert len([line for line in script.splitlines() if line]) >= 8
    environment = {**outside_make(), "PS1": ""}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=code,
        env=environment,
        capture_output=True,
        text=True,
        timeout=2000,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    reports = [line for line in done.stdout.splitlines() if line.endswith("report.html")]
    assert len(reports) == 1
    assert all((code / report).is_file() for report in reports)
    assert (code / "data" / "binvox").is_dir() and (code / "data" / "chair" / "index.html").is_file()
    assert "voxels" in done.stdout
    latest = code / "runs" / "latest"
    assert all((latest / name).exists() for name in what_a_run_leaves())


def what_a_run_leaves() -> list[str]:
    """The files and folders of runs/latest that the README shows."""
    tree = README.partition("runs/latest/\n")[2].partition("```")[0]
    inside = [line.partition("  ")[0] for line in re.sub("[├└]── ", "", tree).splitlines()]
    names = [name.strip(" /") for line in inside for name in line.split(",")]
    assert len(names) > 8
    return names


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
