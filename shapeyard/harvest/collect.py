"""Bringing objects into a target, so that it can be stopped and go on, and says what is missing."""

from __future__ import annotations

import re
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from shapeyard import __version__
from shapeyard.contracts.files import describe_file
from shapeyard.contracts.progress import report
from shapeyard.errors import FormatError, SourceError, one_line
from shapeyard.harvest.journal import Journal, open_journal
from shapeyard.harvest.pacing import Clock
from shapeyard.harvest.target import Target
from shapeyard.harvest.web import WebError
from shapeyard.ordered_map import bounded_ordered_map
from shapeyard.sources.set_versions import Changes, compare_identities, identities, set_version

WORKERS = 8
"""Objects side by side: of each most is waiting for its turn and for its bytes."""
FAILURES_IN_A_ROW = 25
"""After which a service is taken for one that is down: the next run goes on."""
SAVE_S = 600.0
"""After so long samples.jsonl is written anew, for whoever goes on with a bucket on another machine."""


@dataclass(frozen=True)
class Brought:
    """An object's files as they were fetched, and what is known of it."""

    files: Mapping[str, Path]
    """path below the target → where it lies now"""
    facts: Mapping[str, Any]
    """further fields of its row in samples.jsonl"""
    left_out: Mapping[str, str] = field(default_factory=dict)
    """member of an archive → why it was not taken"""


class NothingToTakeError(FormatError):
    """An object that has no file of a kind that is wanted: no fault, and never asked for again."""


@dataclass(frozen=True)
class Outcome:
    """What a harvest came to."""

    objects: int
    missing: Mapping[str, str]
    """id → why"""
    changes: Changes
    """since the harvest before; all is new in the first"""
    version: str
    """of the set, see `sources.set_versions`"""


class Collection:
    """What is in a target, and what is still to come."""

    def __init__(self, target: Target, journal: Journal, scratch: Path) -> None:
        """Take over what earlier harvests left, as far as its files are there."""
        self.target, self.journal, self.scratch = target, journal, scratch
        self.started = datetime.now(UTC)
        self.missing: dict[str, str] = {}
        self.skipped = {entry["skipped"]: entry["reason"] for entry in journal.entries if "skipped" in entry}
        self._put = {key for entry in journal.entries if "putting" in entry for key in entry["putting"]}
        rows = {row["id"]: row for row in target.read_samples()}
        self._before = identities(rows.values())
        rows |= {entry["row"]["id"]: entry["row"] for entry in journal.entries if "row" in entry}
        sizes = target.sizes() if rows else {}
        self.rows = {name: row for name, row in rows.items() if _is_there(row, sizes)}

    def bring_all(
        self,
        ids: Sequence[str],
        bring: Callable[[str, Path], Brought],
        clock: Clock,
        is_current: Callable[[Mapping[str, Any]], bool] = lambda _: True,
    ) -> None:
        """Bring what is not there yet, or is not what is offered by now.

        Args:
            ids: class/name of each object, in the order in which they are brought.
            bring: fetches one into the empty folder that it is given; what it raises of `WebError` and `FormatError` is
                why that object is missing.
            clock: stopped, so that all waiting ends, when this ends by an error.
            is_current: whether an object that is there, by its row, is the one that is offered; where nobody can know
                it before it is fetched, it is.

        Raises:
            SourceError: if the service does not take the token, or fails again and again, or the target can't be
                written to; what was brought before is in the journal.
        """
        waiting = [
            name for name in ids
            if name not in self.skipped and (name not in self.rows or not is_current(self.rows[name]))
        ]  # fmt: skip
        self.missing |= dict.fromkeys(waiting, "not reached")
        done, failures, saved = len(ids) - len(waiting), 0, time.monotonic()
        with ThreadPoolExecutor(WORKERS) as pool:
            try:
                results = bounded_ordered_map(pool, lambda name: self._bring(name, bring), waiting, 4 * WORKERS)
                for name, result in zip(waiting, results, strict=True):
                    done += 1
                    report(done, len(ids), name)
                    failures = failures + 1 if isinstance(result, WebError) and result.status != 404 else 0
                    self._note(name, result)
                    if failures == FAILURES_IN_A_ROW:
                        raise SourceError(f"{failures} objects failed one after the other, the last by: {result}")
                    if time.monotonic() - saved > SAVE_S:
                        self.save()
                        saved = time.monotonic()
            except BaseException:
                clock.stop()
                pool.shutdown(wait=True, cancel_futures=True)
                raise

    def save(self) -> None:
        """Write samples.jsonl, sorted by id."""
        rows = self.rows.copy()  # workers add to it
        self.target.write_samples([rows[name] for name in sorted(rows)])

    def finish(self, source: Mapping[str, Any], why: str = "") -> Outcome:
        """Look whether all is there, remove what a killed harvest left of an object, and write the set's two files.

        Args:
            source: where from, for harvest.json.
            why: what ended it before its end, or empty.
        """
        if not why:
            sizes = self.target.sizes()
            for name in [name for name, row in self.rows.items() if not _is_there(row, sizes)]:
                self.missing[name] = "its files were there and are gone"
                del self.rows[name]
            named = {file["key"] for row in self.rows.values() for file in row["files"]}
            for key in sorted((sizes.keys() & self._put) - named):
                self.target.remove(key)
        self.save()
        found = identities(self.rows.values())
        changes, version = compare_identities(self._before, found), set_version(found)
        files = [file for row in self.rows.values() for file in row["files"]]
        self.target.write_summary(
            {
                "source": dict(source),
                "version": version,
                "changes": {
                    "since": set_version(self._before) if self._before else None, "new": len(changes.new),
                    "gone": len(changes.gone), "changed": len(changes.changed), "same": changes.same,
                },
                "shapeyard": __version__,
                "started": self.started.isoformat(timespec="seconds"),
                "finished": datetime.now(UTC).isoformat(timespec="seconds"),
                "complete": not why and not self.missing,
                "stopped_by": why,
                "counts": {
                    "objects": len(self.rows), "files": len(files), "bytes": sum(file["size"] for file in files),
                    "missing": len(self.missing), "skipped": len(self.skipped),
                    "classes": _counted(row["class"] for row in self.rows.values()),
                    "licenses": _counted(row.get("license", "unknown") for row in self.rows.values()),
                },
                "missing": _listed(self.missing),
                "skipped": _listed(self.skipped),
                "left_out": [
                    {"id": name, "file": file, "reason": reason}
                    for name, row in sorted(self.rows.items())
                    for file, reason in row.get("left_out", {}).items()
                ],
            }
        )  # fmt: skip
        return Outcome(len(self.rows), self.missing, changes, version)

    def _bring(self, name: str, bring: Callable[[str, Path], Brought]) -> dict[str, Any] | WebError | FormatError:
        """The row of an object whose files are in the target now, or why there is none."""
        folder = Path(tempfile.mkdtemp(dir=self.scratch))
        try:
            brought = bring(name, folder)
            files = []
            for key, path in sorted(brought.files.items()):
                described = describe_file(path)
                files.append({"key": key, "size": described["bytes"], "sha256": described["sha256"]})
            self._put.update(brought.files, (file["key"] for file in self.rows.get(name, {"files": ()})["files"]))
            self.journal.append({"putting": list(brought.files)}, sync=False)
            for key, path in brought.files.items():
                self.target.put(path, key)
        except (WebError, FormatError) as error:
            if isinstance(error, WebError) and error.status == 401:
                raise
            return error
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        row = {"id": name, "class": name.partition("/")[0], "files": files, **brought.facts}
        if brought.left_out:
            row["left_out"] = dict(brought.left_out)
        self.journal.append({"row": row})
        self.rows[name] = row
        del self.missing[name]
        return row

    def _note(self, name: str, result: dict[str, Any] | WebError | FormatError) -> None:
        if isinstance(result, NothingToTakeError):
            self.skipped[name] = one_line(result)
            self.journal.append({"skipped": name, "reason": one_line(result)})
            del self.missing[name]
        elif isinstance(result, Exception):
            self.missing[name] = re.sub(rf"{re.escape(str(self.scratch))}/[^/]+/", "", one_line(result))


def harvest_into(target: Target, source: Mapping[str, Any], work: Callable[[Collection], None]) -> Outcome:
    """Do some work on what is in a target, and write down what came of it, also where the work ended before its end.

    Args:
        target: which one harvest at a time may write to.
        source: where from, for harvest.json.
        work: what brings objects.

    Raises:
        DatasetError: if another harvest writes there, or what is there is none.
        SourceError: if the target can't be read, and what `work` raises.
    """
    with open_journal(target.journal) as journal, target.scratch() as scratch:
        collection = Collection(target, journal, scratch)
        try:
            work(collection)
        except (SourceError, KeyboardInterrupt) as error:
            collection.finish(source, one_line(error) if isinstance(error, SourceError) else "interrupted")
            raise
        return collection.finish(source)


def _is_there(row: Mapping[str, Any], sizes: Mapping[str, int]) -> bool:
    return all(sizes.get(file["key"]) == file["size"] for file in row["files"])


def _counted(values: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(values).items()))


def _listed(reasons: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"id": name, "reason": reason} for name, reason in sorted(reasons.items())]
