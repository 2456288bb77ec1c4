"""The work of `plan`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from shapeyard.contracts.licenses import count_licenses
from shapeyard.contracts.progress import report, track
from shapeyard.errors import SourceError
from shapeyard.sources.schemes import open_source
from shapeyard.sources.selection import Selection
from shapeyard.sources.splits import SelectedObject, choose, fingerprint, with_terms


def plan(selection: Selection) -> list[dict[str, str]]:
    """The items of all shards that are not empty; each says what to list again and its fingerprint.

    Raises:
        SourceError: if the source cannot be listed or holds nothing that the selection takes.
    """
    chosen = choose(selection, open_source(selection.source))
    objects = with_terms(chosen.objects, chosen.provenance)
    _require_classes(selection, objects)
    shards = enumerate(replace(chosen, objects=objects).shards(selection.shards))
    items = [
        selection.item(shard, len(members), fingerprint(members, unused, chosen.tag))
        for shard, (members, unused) in track(shards, selection.shards, "shards")
        if members
    ]
    splits = Counter(item.split for item in objects)
    classes = len({item.listed.class_name for item in objects})
    parts = ", ".join(f"{splits[split]} {split}" for split in ("train", "val", "test"))
    licenses = count_licenses(item.terms for item in objects)
    told = ", ".join(f"{count} {name}" for name, count in licenses.items())
    unused = f"; not used: {len(chosen.unused)} files" if chosen.unused else ""
    report(1, 1, f"{len(objects)} objects, {classes} classes, {len(items)} shards; {parts}; licences: {told}{unused}")
    return items


def _require_classes(selection: Selection, objects: Sequence[SelectedObject]) -> None:
    """Refuse now what a late stage would refuse after hours; raises `SourceError`."""
    if not selection.min_classes:
        return
    trained = sorted({item.listed.class_name for item in objects if item.split == "train"})
    if len(trained) < selection.min_classes:
        raise SourceError(
            f"{selection.source}: expected at least {selection.min_classes} classes with objects to train on, got "
            f"{len(trained)} ({', '.join(trained) or 'none'}) in {len(objects)} objects"
        )
    if not any(item.split == "test" for item in objects):
        raise SourceError(
            f"{selection.source}: expected objects to test on, of a class of two or more, got {len(objects)} objects"
        )
