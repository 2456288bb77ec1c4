"""Which version of a set its rows are, and what differs between two.

What makes an object another one when it differs: its files' paths and hashes, its licence. All else that a row of
samples.jsonl may say, such as tags, does not.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

VERSION_DIGITS = 16


@dataclass(frozen=True)
class Changes:
    """Ids of objects, sorted."""

    new: list[str]
    gone: list[str]
    changed: list[str]
    """whose files, or the licence, differ"""
    same: int

    @property
    def counts(self) -> str:
        """In words."""
        return f"{len(self.new)} new, {len(self.gone)} gone, {len(self.changed)} changed, {self.same} the same"


def identities(rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Id → what makes the object another one when it differs; raises `KeyError` or `TypeError` for what is no row."""
    return {
        str(row["id"]): [
            sorted([str(one["key"]), str(one["sha256"])] for one in row.get("files", ())),
            row.get("sha256"), row.get("license"),
        ]
        for row in rows
    }  # fmt: skip


def compare_identities(before: Mapping[str, Any], after: Mapping[str, Any]) -> Changes:
    """What differs between two sets, each as `identities` gives it."""
    both = before.keys() & after.keys()
    changed = sorted(name for name in both if before[name] != after[name])
    return Changes(sorted(after.keys() - both), sorted(before.keys() - both), changed, len(both) - len(changed))


def set_version(found: Mapping[str, Any]) -> str:
    """A hash of a set as `identities` gives it: 16 hexadecimal digits, the same for the same objects in any order."""
    digest = hashlib.sha256()
    for name in sorted(found):
        digest.update(json.dumps([name, found[name]], ensure_ascii=True).encode() + b"\n")
    return digest.hexdigest()[:VERSION_DIGITS]
