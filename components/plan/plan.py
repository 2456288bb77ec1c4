"""The work of `plan`."""

from __future__ import annotations

from collections import Counter

from shapeyard.contracts.licenses import count_licenses
from shapeyard.contracts.progress import report
from shapeyard.sources.provenance import Provenance
from shapeyard.sources.schemes import open_source
from shapeyard.sources.selection import Selection
from shapeyard.sources.splits import cut_into_shards, fingerprint, select_objects, with_terms


def plan(selection: Selection) -> list[dict[str, str]]:
    """The items of all shards that are not empty; each says what to list again and its fingerprint.

    Raises:
        SourceError: if the source cannot be listed or holds nothing that the selection takes.
    """
    source = open_source(selection.source)
    files = source.list_files()
    provenance = Provenance(source, files, selection)
    objects = with_terms(select_objects(selection, files, provenance), provenance)
    shards = enumerate(cut_into_shards(objects, selection.shards))
    items = [selection.item(shard, len(members), fingerprint(members)) for shard, members in shards if members]
    splits = Counter(item.split for item in objects)
    classes = len({item.listed.class_name for item in objects})
    parts = ", ".join(f"{splits[split]} {split}" for split in ("train", "val", "test"))
    licenses = count_licenses(item.terms for item in objects)
    told = ", ".join(f"{count} {name}" for name, count in licenses.items())
    report(1, 1, f"{len(objects)} objects, {classes} classes, {len(items)} shards; {parts}; licences: {told}")
    return items
