"""What a person sees of a run: one line a stage, and a bar for what is running.

Everything is read from the files in which the stages say what they do (`shapeyard.contracts.progress`).
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from rich.console import Console, Group, OverflowMethod
from rich.live import Live
from rich.text import Text

BAR_WIDTH = 24


@dataclass
class Task:
    """One call of a stage: a shard's, or the only one."""

    started: float = 0.0
    ended: float = 0.0
    done: int = 0
    total: int = 0
    note: str = ""
    error: str = ""

    @property
    def running(self) -> bool:
        """Has begun and has not said how it ended."""
        return bool(self.started) and not self.ended


@dataclass
class Stage:
    """All calls of a stage."""

    name: str
    tasks: dict[str, Task] = field(default_factory=dict)

    def seconds(self) -> float:
        """While at least one of them ran: those of the loop overlap, and those of `gather` lie far apart."""
        total = until = 0.0
        for started, ended in sorted((t.started, t.ended or time.time()) for t in self.tasks.values() if t.started):
            total += max(ended - max(started, until), 0.0)
            until = max(until, ended)
        return total


class Follower:
    """Reads the event files of a run, again and again."""

    def __init__(self, events: Path, behind: Mapping[str, set[str]], shard_stages: set[str]) -> None:
        """`behind`: for each stage those that wait for it; `shard_stages`: those that are called once a shard."""
        self.events = events
        self.stages = {name: Stage(name) for name in behind}
        self.behind = behind
        self.shard_stages = shard_stages
        self._offsets: dict[Path, int] = {}

    def update(self) -> None:
        """Take in what was written since the last call."""
        for path in sorted(self.events.glob("*.jsonl")):
            stage, key, _ = path.name.split(".")
            task = self.stages[stage].tasks.setdefault(key, Task())
            with path.open("rb") as file:
                file.seek(self._offsets.get(path, 0))
                for line in file:
                    if not line.endswith(b"\n"):
                        break  # half a line: the rest comes next time
                    self._offsets[path] = self._offsets.get(path, 0) + len(line)
                    _apply(task, json.loads(line))

    def state(self, stage: Stage, over: bool) -> str:
        """waiting, running, done, cached or failed; `over`: the run has ended.

        What has not begun though something behind it has was answered by the cache. A shard's stage comes and goes; it
        is done when something outside the loop has begun.
        """
        tasks = stage.tasks.values()
        followed = any(self.stages[name].tasks for name in self.behind[stage.name] - self.shard_stages)
        if any(task.error for task in tasks) or (over and any(task.running for task in tasks)):
            return "failed"
        if tasks:
            settled = over or followed or stage.name not in self.shard_stages
            return "done" if settled and not any(task.running for task in tasks) else "running"
        return "cached" if followed else "waiting"

    def failure(self, died: Mapping[str, str] | None = None) -> tuple[str, str] | None:
        """The first stage that failed, and why; None if there is none.

        What a stage says of itself counts first, then what is known of it from outside (`died`: stage → reason).
        """
        failed = [(t.ended, s.name, t.error) for s in self.stages.values() for t in s.tasks.values() if t.error]
        if failed:
            _, name, error = min(failed)
            return name, error
        if died:
            return next(iter(died.items()))
        silent = [s.name for s in self.stages.values() for t in s.tasks.values() if t.running]
        return (silent[0], "the process ended without an exit status (killed, or out of memory?)") if silent else None


def _apply(task: Task, event: Mapping[str, Any]) -> None:
    if event["event"] == "start":
        task.started = event["time"]
    elif event["event"] == "progress":
        task.done, task.total, task.note = event["done"], event["total"], event["note"]
    else:
        task.ended = event["time"]
        task.error = event.get("message", "")


class Screen:
    """Draws a follower: live on a terminal, else a line whenever a stage's state changes."""

    MARKS: ClassVar = {"waiting": "[dim]·[/]", "running": "[cyan]▶[/]", "done": "[green]✓[/]", "cached": "[green]≡[/]",
             "failed": "[red]✗[/]"}  # fmt: skip

    def __init__(self, follower: Follower, console: Console) -> None:
        self.follower = follower
        self.console = console
        self.width = max(len(name) for name in follower.stages)
        self.printed: set[str] = set()
        self.live = Live(console=console, auto_refresh=False, transient=True) if console.is_terminal else None

    def __enter__(self) -> Screen:
        if self.live:
            self.live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.live:
            self.live.stop()

    def draw(self, over: bool = False, succeeded: bool = False) -> None:
        """Show the present state; `over` when the run has ended, `succeeded` if it did all that it should."""
        open_lines = []
        for stage in self.follower.stages.values():
            state = self.follower.state(stage, over)
            if state == "waiting" and succeeded:
                state = "cached"
            if state in ("done", "cached", "failed"):
                if stage.name not in self.printed:
                    self.printed.add(stage.name)
                    # a log keeps the whole line; a terminal's would be broken into several
                    overflow: OverflowMethod = "ellipsis" if self.live else "ignore"
                    line = self._line(stage, state)
                    line.overflow = overflow
                    self.console.print(line, no_wrap=True, overflow=overflow, crop=self.live is not None)
            elif not over:
                open_lines.append(self._line(stage, state))
        if self.live:
            self.live.update(Group(*open_lines), refresh=True)

    def _line(self, stage: Stage, state: str) -> Text:
        tasks = stage.tasks.values()
        took = f"{stage.seconds():.1f} s" if tasks else "cached" if state == "cached" else ""
        line = Text.from_markup(
            f"{self.MARKS[state]} [bold]{stage.name:<{self.width}}[/] {took:>9}  ", overflow="ellipsis"
        )
        line.no_wrap = True
        running = [task for task in tasks if task.running and task.total]
        if running:
            filled = round(BAR_WIDTH * sum(t.done for t in running) / sum(t.total for t in running))
            line.append("━" * filled, "cyan").append("━" * (BAR_WIDTH - filled), "bright_black").append("  ")
        if len(tasks) > 1 or (tasks and stage.name in self.follower.shard_stages):
            ready = sum(not task.running for task in tasks)
            line.append(f"{ready} shard{'s' if ready != 1 else ''}  ")
        note = next((task.note for task in reversed(tasks) if task.note), "")
        return line.append(note, "dim")
