from pathlib import Path

import pytest

from components.images import STACK_OF_STAGE
from pipelines import images
from pipelines.images import content_tag


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of two stages: fetch uses the library's `a`, which uses `b`, and `shared`; report uses nothing."""
    for name, text in {
        "shapeyard/__init__.py": "", "shapeyard/a/__init__.py": "", "shapeyard/a/one.py": "from shapeyard.b import two",
        "shapeyard/b.py": "two = 2", "shapeyard/c.py": "", "requirements/base.txt": "numpy==1",
        "components/fetch/component.py": "def f():\n    from shapeyard.a.one import x",
        "components/fetch/work.py": "from components import images, shared",
        "components/shared.py": "import shapeyard.d",
        "components/images.py": "", "shapeyard/d.py": "", "components/__init__.py": "",
        "components/report/component.py": "", "components/report/page.html.jinja": "<html>",
    }.items():  # fmt: skip
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.setattr(images, "ROOT", tmp_path)
    images._imported_modules.cache_clear()
    return tmp_path


@pytest.mark.parametrize(
    ("changed", "stages"),
    [
        ("components/fetch/component.py", {"fetch"}),
        ("components/report/page.html.jinja", {"report"}),
        ("shapeyard/b.py", {"fetch"}),
        ("shapeyard/a/__init__.py", {"fetch"}),
        ("shapeyard/c.py", set()),
        ("components/shared.py", {"fetch"}),
        ("shapeyard/d.py", {"fetch"}),
        ("components/images.py", set()),
        ("requirements/base.txt", {"fetch", "report"}),
    ],
)
def test_a_tag_changes_with_what_its_stage_depends_on(project: Path, changed: str, stages: set[str]) -> None:
    before = {stage: content_tag(stage) for stage in ("fetch", "report")}
    path = project / changed
    path.write_text(path.read_text() + "\n# changed")
    images._imported_modules.cache_clear()
    assert {stage for stage in before if content_tag(stage) != before[stage]} == stages


def test_every_stage_has_a_tag_of_its_own() -> None:
    assert len({content_tag(stage) for stage in STACK_OF_STAGE}) == len(STACK_OF_STAGE)
