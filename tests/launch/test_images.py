"""An image's tag changes with what its stage's result depends on, and with nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from components import stages
from launch import images
from launch.images import content_tag

TRAININGS = {"train_deepsdf", "train_depth", "train_multiview", "train_occupancy", "train_recgan"}
PAGES = {"evaluate_implicit", "evaluate_multiview", "report", "report_classifier"}
ALL = set(stages())


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of two stages: fetch uses the library's `a`, which uses `b`, and report a package of pages."""
    for name, text in {
        "shapeyard/__init__.py": "", "shapeyard/a/__init__.py": "", "shapeyard/a/one.py": "from shapeyard.b import two",
        "shapeyard/a/two.py": "", "shapeyard/b.py": "two = 2", "shapeyard/c.py": "", "requirements/base.txt": "numpy",
        "shapeyard/plugins/__init__.py": "import importlib\ndef f(x): importlib.import_module(x)",
        "shapeyard/plugins/first.py": "import shapeyard.d", "shapeyard/d.py": "",
        "shapeyard/pages/__init__.py": "", "shapeyard/pages/page.py": "", "shapeyard/pages/page.css": "",
        "components/fetch/__init__.py": "", "components/fetch/fetch.py": "def f():\n    from shapeyard.a.one import x",
        "components/fetch/second.py": "from shapeyard import plugins", "components/__init__.py": "import shapeyard.c",
        "components/report/report.py": "from shapeyard.pages.page import x", "components/report/page.jinja": "<html>",
    }.items():  # fmt: skip
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.setattr(images, "ROOT", tmp_path)
    return tmp_path


def changed_by(project: Path, path: str, stages: set[str]) -> set[str]:
    """The stages whose tag is another once a file is."""
    before = {stage: content_tag(stage) for stage in stages}
    content = (project / path).read_bytes()
    (project / path).write_bytes(content + b"\n# changed")
    found = {stage for stage in stages if content_tag(stage) != before[stage]}
    (project / path).write_bytes(content)
    return found


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("components/fetch/fetch.py", {"fetch"}),
        ("components/report/page.jinja", {"report"}),
        ("components/__init__.py", set()),
        ("shapeyard/__init__.py", {"fetch", "report"}),
        ("shapeyard/a/__init__.py", {"fetch"}),
        ("shapeyard/a/one.py", {"fetch"}),
        ("shapeyard/a/two.py", set()),
        ("shapeyard/b.py", {"fetch"}),
        ("shapeyard/c.py", set()),
        ("shapeyard/plugins/first.py", {"fetch"}),
        ("shapeyard/d.py", {"fetch"}),
        ("shapeyard/pages/page.css", {"report"}),
        ("requirements/base.txt", {"fetch", "report"}),
    ],
)
def test_a_tag_changes_with_what_its_stage_depends_on(project: Path, path: str, expected: set[str]) -> None:
    assert changed_by(project, path, {"fetch", "report"}) == expected


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    for name in ("shapeyard", "components", "requirements"):
        shutil.copytree(images.ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("shapeyard/pages/base.html.jinja", PAGES),
        ("shapeyard/pages/page.css", PAGES),
        ("components/report/page.html.jinja", {"report"}),
        ("components/report/report.py", {"report"}),
        ("components/train_depth/__init__.py", {"train_depth"}),
        ("shapeyard/networks/unet.py", {"train_depth", "train_occupancy"}),
        ("shapeyard/networks/r2n2.py", {"train_multiview"}),
        ("shapeyard/networks/classifiers/xu2016.py", {"train_classifier"}),
        ("shapeyard/training/loop.py", TRAININGS),
        ("shapeyard/training/checkpoints.py", TRAININGS | {"train_classifier"}),
        ("shapeyard/sources/procedural/chairs.py", {"fetch", "plan"}),
        ("shapeyard/contracts/dataset.py", ALL),
        ("requirements/blender.txt", {"render"}),
        ("requirements/torch-cuda.txt", TRAININGS | {"reconstruct_surfaces"}),
        ("components/__init__.py", set()),
    ],
)
def test_of_this_project(copied: Path, monkeypatch: pytest.MonkeyPatch, path: str, expected: set[str]) -> None:
    monkeypatch.setattr(images, "ROOT", copied)
    assert changed_by(copied, path, ALL) == expected


@pytest.mark.parametrize("stage", stages())
def test_what_is_loaded_by_name_is_seen(stage: str) -> None:
    """Only a package may load its own modules so: then they belong to it."""
    library: set[Path] = set()
    for path in (images.ROOT / "components" / stage).glob("*.py"):
        images._collect_library(path, library)
    assert library
    for path in library:
        if "import_module" in path.read_text(encoding="utf-8"):
            assert path.name == "__init__.py", path
            assert set(path.parent.glob("*.py")) <= library


def test_every_stage_has_a_tag_of_its_own() -> None:
    assert len({content_tag(stage) for stage in stages()}) == len(stages())
