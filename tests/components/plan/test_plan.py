from pathlib import Path

import pytest

from components.plan.plan import plan
from shapeyard.errors import SourceError
from shapeyard.sources.selection import Selection


def test_plan_of_the_catalogue() -> None:
    items = plan(Selection("procedural://?objects=100", shards=4))
    assert sum(int(item["objects"]) for item in items) == 100
    assert len(items) == 4
    assert plan(Selection("procedural://?objects=100", shards=4)) == items
    assert all(len(str(item)) < 1000 for item in items)


def test_empty_shards_are_left_out() -> None:
    items = plan(Selection("procedural://?objects=2&classes=chair", shards=64))
    assert 1 <= len(items) <= 2


def test_a_folder_without_meshes(tmp_path: Path) -> None:
    for number in range(2):
        with pytest.raises(SourceError, match=rf"^{tmp_path}: expected meshes \(.*\), found none in {number} files$"):
            plan(Selection(str(tmp_path)))
        (tmp_path / "note.txt").touch()


def test_two_objects_of_one_name(tmp_path: Path) -> None:
    for name in ("train", "test"):
        path = tmp_path / "cup" / name / "a.off"
        path.parent.mkdir(parents=True)
        path.touch()
    with pytest.raises(SourceError, match=rf"^{tmp_path}: expected ids that differ, got cup/a for both "):
        plan(Selection(str(tmp_path)))


def test_what_a_late_stage_would_refuse_is_refused_at_once() -> None:
    chairs = "procedural://?objects=4&classes=chair"
    assert plan(Selection(chairs, min_classes=1)) == plan(Selection(chairs))
    message = r"expected at least 2 classes with objects to train on, got 1 \(chair\) in 4 objects$"
    with pytest.raises(SourceError, match=message):
        plan(Selection(chairs, min_classes=2))
    alone = "procedural://?objects=1&classes=chair"
    assert len(plan(Selection(alone))) == 1
    with pytest.raises(SourceError, match=r"expected objects to test on, of a class of two or more, got 1 objects$"):
        plan(Selection(alone, min_classes=1))
