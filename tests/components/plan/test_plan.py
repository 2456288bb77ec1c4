from pathlib import Path

import pytest

from components.plan.plan import plan_shards
from shapeyard.errors import SourceError
from shapeyard.sources.selection import Selection


def test_plan_of_the_catalogue() -> None:
    items = plan_shards(Selection("procedural://?objects=100", shards=4))
    assert sum(int(item["objects"]) for item in items) == 100
    assert len(items) == 4
    assert plan_shards(Selection("procedural://?objects=100", shards=4)) == items
    assert all(len(str(item)) < 1000 for item in items)


def test_empty_shards_are_left_out() -> None:
    items = plan_shards(Selection("procedural://?objects=2&classes=chair", shards=64))
    assert 1 <= len(items) <= 2


def test_a_folder_without_meshes(tmp_path: Path) -> None:
    (tmp_path / "note.txt").touch()
    with pytest.raises(SourceError, match="expected meshes"):
        plan_shards(Selection(str(tmp_path)))
