"""What a stage says while it works.

A stage writes JSON lines — `start`, `progress`, `done`, `error` — into a file of its own in the folder that the
environment variable `SHAPEYARD_EVENTS` names; `shapeyard run` follows these files. Without the variable (a stage
called by hand) the same progress is drawn as a bar on the terminal.

    {"event": "start", "stage": "render", "time": 1764000000.0, "pid": 4711}
    {"event": "progress", "done": 12, "total": 96, "note": "chair/0012"}
    {"event": "done", "time": 1764000060.0}          or          {"event": "error", "message": "…"}
"""

from __future__ import annotations

import json
import os
import sys
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple, TypeVar

from shapeyard.errors import ShapeyardError, one_line, printable

T = TypeVar("T")
EVENTS_VARIABLE = "SHAPEYARD_EVENTS"
UPDATE_INTERVAL_S = 0.2  # a person sees no more, and the file stays small


class Reporting(NamedTuple):
    """Where a stage says what it does."""

    stage: str
    file: Path | None
    """of events; None: a bar on the terminal"""


class _Reporter:
    """Writes one stage's events to its file, or draws them as a bar."""

    def __init__(self, to: Reporting) -> None:
        self.to = to
        self.last_update = 0.0
        self.file: IO[str] | None = to.file.open("a", encoding="utf-8", buffering=1) if to.file else None
        self.bar: Any = None

    def event(self, event: str, **values: Any) -> None:
        if self.file:
            self.file.write(json.dumps({"event": event, **values}) + "\n")

    def progress(self, done: int, total: int, note: str) -> None:
        note = printable(note)
        now = time.monotonic()
        if done < total and now - self.last_update < UPDATE_INTERVAL_S:
            return
        self.last_update = now
        self.event("progress", done=done, total=total, note=note)
        if not self.file and sys.stderr.isatty():
            self._draw(done, total, note)

    def _draw(self, done: int, total: int, note: str) -> None:
        from rich.console import Console
        from rich.markup import escape
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        note = escape(note)  # square brackets would be taken for markup
        if self.bar is None:
            self.bar = Progress(
                TextColumn(f"[bold]{self.to.stage}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
                TextColumn("{task.description}"), console=Console(stderr=True), transient=True,
            )  # fmt: skip
            self.bar.start()
            self.bar.add_task(note, total=total)
        self.bar.update(self.bar.task_ids[0], completed=done, total=total, description=note)

    def close(self) -> None:
        if self.bar is not None:
            self.bar.stop()
        if self.file:
            self.file.close()


_reporter: _Reporter | None = None


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Surround a stage's work: says when it starts, when it is done, and in one line why it failed.

    A `ShapeyardError` (or a full disk, or an interrupt) leaves as `SystemExit(1)` with its one line on standard
    error; anything else is a fault of ours and keeps its traceback.
    """
    global _reporter
    folder = os.environ.get(EVENTS_VARIABLE)
    _reporter = _Reporter(Reporting(name, Path(folder) / f"{name}.{uuid.uuid4().hex[:12]}.jsonl" if folder else None))
    _reporter.event("start", stage=name, time=time.time(), pid=os.getpid())
    try:
        yield
    except (ShapeyardError, OSError) as error:
        _reporter.event("error", message=one_line(error), time=time.time())
        print(f"{name}: {one_line(error)}", file=sys.stderr)  # noqa: T201
        raise SystemExit(1) from error
    except BaseException as error:
        _reporter.event("error", message=one_line(error), time=time.time())
        raise
    else:
        _reporter.event("done", time=time.time())
    finally:
        _reporter.close()
        _reporter = None


def reporting_on() -> Reporting | None:
    """Where the stage that is running reports to, for a process that it starts; None outside a stage."""
    return _reporter.to if _reporter else None


@contextmanager
def reporting(to: Reporting) -> Iterator[None]:
    """Report the progress of another process's stage, which itself says when it starts and how it ends."""
    global _reporter
    _reporter = _Reporter(to)
    try:
        yield
    finally:
        _reporter.close()
        _reporter = None


def report(done: int, total: int, note: str = "") -> None:
    """Say that `done` of `total` steps are behind us; `note` is a few words ("epoch 3, loss 0.12")."""
    if _reporter:
        _reporter.progress(done, total, note)


def track(items: Iterable[T], total: int, note: str = "") -> Iterator[T]:
    """Yield `items`, reporting after each."""
    for done, item in enumerate(items, start=1):
        yield item
        report(done, total, note)
