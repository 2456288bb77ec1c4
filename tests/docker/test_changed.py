"""What a pull request has to build."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from working_copy import working_copy

from components import stages

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project as a repository with one commit."""
    code = working_copy(tmp_path_factory.mktemp("changed"))
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org"]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "all"]):
        subprocess.run([*git, *command], cwd=code, check=True)
    return code


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("README.md", []),
        ("components/report/page.html.jinja", ["report"]),
        ("components/render/render.py", ["render"]),
        ("shapeyard/geometry/lifting.py", None),
        ("requirements/torch.txt", [name for name, stage in stages().items() if stage.stack == "torch"]),
        ("docker/blender.Dockerfile", ["render"]),
        ("docker/bin/entrypoint", list(stages())),
    ],
)
def test_what_a_change_concerns(path: str, expected: list[str] | None, code: Path) -> None:
    before = (code / path).read_bytes()
    (code / path).write_bytes(before + b"\n")
    done = subprocess.run([sys.executable, "docker/changed.py", "HEAD"], cwd=code, capture_output=True, text=True)
    (code / path).write_bytes(before)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    if expected is None:
        assert "train_recgan" in found
        assert "fetch" not in found
    else:
        assert found == expected


def test_the_workflow_is_yaml_with_all_jobs() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yaml").read_text(encoding="utf-8"))
    assert set(workflow["jobs"]) == {"test", "changed", "image", "release"}
    assert "fromJSON" in workflow["jobs"]["image"]["strategy"]["matrix"]["stage"]
