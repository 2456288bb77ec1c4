import itertools
from collections import Counter

import pytest

from shapeyard.errors import SourceError
from shapeyard.sources.layouts import group_objects
from shapeyard.sources.selection import Selection
from shapeyard.sources.source import SourceFile
from shapeyard.sources.splits import fingerprint, objects_of_shard, select_objects, split_class


def listing(count: int, classes: tuple[str, ...] = ("chair",)) -> list[SourceFile]:
    return [SourceFile(f"{c}/{c}-{n:04d}.stl", 100 + n, f"tag{n}") for c in classes for n in range(count)]


def test_splits_are_about_80_10_10_and_stay_when_the_source_grows() -> None:
    small = {i.listed.id: i.split for i in select_objects(Selection("x"), listing(500))}
    large = {i.listed.id: i.split for i in select_objects(Selection("x"), listing(1000))}
    assert all(large[name] == split for name, split in small.items())
    shares = Counter(large.values())
    assert 740 <= shares["train"] <= 860
    assert 60 <= shares["val"] <= 140
    assert 60 <= shares["test"] <= 140


@pytest.mark.parametrize(("count", "expected"), [(1, (1, 0, 0)), (2, (1, 0, 1)), (3, (1, 1, 1)), (19, (15, 2, 2))])
def test_small_classes_have_no_empty_split(count: int, expected: tuple[int, int, int]) -> None:
    splits = Counter(split_class(group_objects(listing(count), "classes")).values())
    assert (splits["train"], splits["val"], splits["test"]) == expected


def test_a_sources_own_split_is_kept() -> None:
    files = [SourceFile(f"bed/{'test' if n % 2 else 'train'}/bed_{n:04d}.off", 1, "t") for n in range(200)]
    chosen = select_objects(Selection("x"), files)
    assert all(item.split == "test" for item in chosen if "/test/" in item.listed.main.key)
    assert {item.split for item in chosen if "/train/" in item.listed.main.key} == {"train", "val"}


def test_a_new_object_changes_one_shard_alone() -> None:
    def fingerprints(files: list[SourceFile]) -> list[str]:
        objects = select_objects(Selection("x", shards=8), files)
        return [fingerprint(objects_of_shard(objects, shard, 8)) for shard in range(8)]

    before, after = fingerprints(listing(200)), fingerprints(listing(201))
    assert sum(a != b for a, b in zip(before, after, strict=True)) == 1


def test_every_object_is_in_one_shard() -> None:
    objects = select_objects(Selection("x", shards=7), listing(100))
    shards = [objects_of_shard(objects, shard, 7) for shard in range(7)]
    ids = [item.listed.id for item in itertools.chain(*shards)]
    assert sorted(ids) == [item.listed.id for item in objects]


def test_a_changed_file_changes_the_fingerprint() -> None:
    files = listing(3)
    changed = [*files[:2], SourceFile(files[2].key, files[2].size, "other")]
    one, two = (select_objects(Selection("x"), f) for f in (files, changed))
    assert fingerprint(one) != fingerprint(two)


def test_max_per_class_and_classes() -> None:
    chosen = select_objects(Selection("x", classes="cup", max_per_class=4), listing(50, ("cup", "bed")))
    assert len(chosen) == 4
    assert {item.listed.class_name for item in chosen} == {"cup"}


def test_a_class_that_is_not_there() -> None:
    with pytest.raises(SourceError, match="no objects of class sofa"):
        select_objects(Selection("x", classes="sofa"), listing(3))
