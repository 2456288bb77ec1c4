"""Documents that are derived: as committed, complete, and without a figure that nobody measured."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from components import stages
from launch.benchmark_results import BenchmarkResult, read_results
from launch.docs import FIGURE, ROOT, derived_documents, front_page, stage_reference, with_figures
from launch.parameters import load_pipeline, pipeline_names
from shapeyard.contracts.stage import settings_of
from shapeyard.errors import FormatError

RESULT = BenchmarkResult(
    group="voxels", figure_of="IoU of A | B", measured="0.9", compared_with="C 0.8", details="3 s", target="0.95",
    met=False, command="python benchmarks/x.py DATA", date="2026-01-02", commit="0123456", processor="2 cores",
)  # fmt: skip
DOCUMENTS = derived_documents()


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_committed_documents_are_what_is_derived(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == DOCUMENTS[path], "run `shapeyard compile`"


def test_every_stage_and_setting_is_in_the_reference() -> None:
    text = stage_reference()
    for name, stage in stages().items():
        assert f"\n## {name}\n" in text
        part = text.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
        for setting in settings_of(stage.settings).values():
            assert f"| `{setting.name}` | {setting.type.__name__} |" in part
            assert setting.text, f"{name}.{setting.name}: expected a line of text below the declaration"


def test_every_parameter_is_in_the_reference() -> None:
    text = DOCUMENTS[ROOT / "docs" / "reference" / "pipelines.md"]
    for name in pipeline_names():
        part = text.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
        assert [f"| `{parameter}` |" in part for parameter in load_pipeline(name).parameters()].count(False) == 0


def test_every_figure_is_on_the_page_of_benchmarks() -> None:
    page = DOCUMENTS[ROOT / "docs" / "benchmarks.md"]
    results = read_results()
    assert len(results) > 50
    for name, result in results.items():
        assert result.figure_of.replace("|", "\\|") in page, name
        assert re.fullmatch(r"\d{4}-\d\d-\d\d", result.date) and re.fullmatch(r"[0-9a-f]{7}\+?", result.commit), name
        assert result.command and result.measured, name


def test_a_figure_says_of_what_it_is_and_what_it_missed() -> None:
    text = "before <!-- figure: x -->old<!-- /figure --> after"
    filled = with_figures(text, {"x": RESULT}, "README.md")
    assert filled == (
        "before <!-- figure: x -->IoU of A \\| B: 0.9 (C 0.8), **target missed** (0.95)<!-- /figure --> after"
    )
    assert with_figures(filled, {"x": RESULT}, "README.md") == filled
    met = replace(RESULT, met=True, compared_with="")
    assert "-->IoU of A \\| B: 0.9<!--" in with_figures(text, {"x": met}, "README.md")


def test_a_figure_that_nobody_measured_is_refused() -> None:
    with pytest.raises(FormatError, match=r"^docs/a\.md: expected a figure of benchmarks/results, got y$"):
        with_figures("<!-- figure: y --><!-- /figure -->", {"x": RESULT}, "docs/a.md")


def test_links_of_the_front_page() -> None:
    page = front_page("[a](docs/a.md) ![b](docs/b.png) [c](LICENSE) [d](https://example.org) [e](#start)")
    assert "[a](a.md) ![b](b.png) [c](https://github.com/" in page and "/blob/main/LICENSE)" in page
    assert "[d](https://example.org) [e](#start)" in page


def test_figures_in_documents_are_markers() -> None:
    """The README has no measured number of its own: what is left without its figures names no measure."""
    text = FIGURE.sub("", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert not re.findall(r"\b0\.\d+\b|\d ?%|minutes", text)


@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", tmp_path / "site"],
        cwd=ROOT, capture_output=True, text=True, env={"PATH": "", "NO_MKDOCS_2_WARNING": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert not done.stderr.strip()
    assert (tmp_path / "site" / "reference" / "stages.html").is_file()
    assert "https://fonts" not in (tmp_path / "site" / "index.html").read_text(encoding="utf-8")
