"""What a release and its readers rely on: one version everywhere, and files that their tools can read."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml

from launch.images import release_image
from shapeyard import __version__

ROOT = Path(__file__).parents[1]


def test_the_version_is_the_same_everywhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == __version__
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == __version__ and citation["license"] == project["license"]
    for path in ("k8s/overlays/gpu/check.yaml", "k8s/README.md"):
        images = re.findall(r"shapeyard/train-depth:[\w.]+", (ROOT / path).read_text(encoding="utf-8"))
        assert set(images) <= {release_image("train_depth")}, path


def test_the_newest_heading_of_the_changelog_is_this_version() -> None:
    headings = re.findall(r"^## \[?(\d+\.\d+\.\d+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert headings[0] == __version__
    assert headings == sorted(headings, key=lambda text: [int(part) for part in text.split(".")], reverse=True)


@pytest.mark.parametrize(
    "path", sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yaml")), ids=lambda path: path.stem
)
def test_issue_forms(path: Path) -> None:
    form = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert {"name", "description", "body"} <= form.keys()
    ids = [part["id"] for part in form["body"]]
    assert len(set(ids)) == len(ids) and all(part["attributes"]["label"] for part in form["body"])


def test_hooks_use_tools_of_the_virtual_environment() -> None:
    (local,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    assert local["repo"] == "local"
    tools = {tool for hook in local["hooks"] for tool in re.findall(r"\.venv/bin/(\w+)", hook["entry"])}
    assert tools == {"ruff", "mypy", "shapeyard"}
    assert all(hook["language"] == "system" for hook in local["hooks"])
