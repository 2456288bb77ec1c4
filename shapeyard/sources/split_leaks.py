"""Duplicates that stand in more than one split: what is trained on would be measured on."""

from __future__ import annotations

from collections.abc import Mapping

from shapeyard.errors import printable
from shapeyard.sources.duplicate_files import Duplicates
from shapeyard.sources.schemes import open_source
from shapeyard.sources.selection import Selection
from shapeyard.sources.splits import select_objects


def splits_of_files(uri: str) -> dict[str, str]:
    """The split of every mesh of a source: train or test where the source has its own, else those that `plan` gives.

    Raises:
        SourceError: as `select_objects`.
    """
    splits: dict[str, str] = {}
    for item in select_objects(Selection(uri), open_source(uri).list_files()):
        for file in (item.listed.main, *item.listed.parts):
            splits[printable(file.key)] = item.listed.source_split or item.split
    return splits


def leaks(found: Duplicates, splits: Mapping[str, str]) -> Duplicates:
    """The groups alone that stand in more than one split."""
    groups = [group for group in found.groups if len({splits.get(member.file) for member in group} - {None}) > 1]
    return Duplicates(found.source, found.files, groups, {}, found.broken)
