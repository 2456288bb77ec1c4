"""`shapeyard duplicates` as it is called: table, JSON, page, exit status."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import trimesh
from click.testing import CliRunner

from launch.cli import shapeyard


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for place, size in {"train/a": 1, "train/[b]<i>": 2, "test/c": 3, "test/d": 1}.items():
        path = tmp_path / "in/box" / f"{place}.off"
        path.parent.mkdir(parents=True, exist_ok=True)
        trimesh.creation.box((1, 2, 2 + size)).export(path)
    (tmp_path / "in/box/train/broken.off").write_text("OFF")
    return tmp_path / "in"


def test_a_table_and_what_was_not_compared(folder: Path) -> None:
    done = CliRunner().invoke(shapeyard, ["duplicates", str(folder), "--workers", "1"])
    assert done.exit_code == 0, done.output
    assert "box/train/a.off" in done.stdout and "exact copy" in done.stdout
    assert "4 files compared: 1 groups" in done.stdout
    assert done.stderr.startswith("not compared: box/train/broken.off: ")


def test_leaks_are_an_exit_status(folder: Path) -> None:
    done = CliRunner().invoke(shapeyard, ["duplicates", str(folder), "--leaks", "--json", "--workers", "1"])
    assert done.exit_code == 1, done.output
    (group,) = json.loads(done.stdout)["groups"]
    assert [(row["file"], row["split"]) for row in group] == [("box/test/d.off", "test"), ("box/train/a.off", "train")]
    (folder / "box/test/d.off").unlink()
    assert CliRunner().invoke(shapeyard, ["duplicates", str(folder), "--leaks", "--workers", "1"]).exit_code == 0


def test_the_page_shows_each_shape_and_trusts_no_name(folder: Path, tmp_path: Path) -> None:
    trimesh.creation.box((2, 4, 8)).export(folder / "box/test/e.off")
    page = tmp_path / "page.html"
    done = CliRunner().invoke(shapeyard, ["duplicates", str(folder), "--page", str(page), "--workers", "1"])
    assert done.exit_code == 0 and str(page) in done.stdout, done.output
    text = page.read_text(encoding="utf-8")
    assert "[b]&lt;i&gt;.off" in text and "<i>.off" not in text
    assert text.count("data:image/webp") == 3, "of an exact copy there is no second picture"
    assert "scaled ×" in text and "broken.off" in text
