"""What a person sees of a run: one line a stage, and a bar for what is running.

Everything is read from the files in which the stages say what they do (`shapeyard.contracts.progress`).
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table


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

    def state(self, over: bool) -> str:
        """waiting, running, done, cached or failed; `over`: the run has ended or a later stage has begun."""
        tasks = self.tasks.values()
        if any(task.error for task in tasks):
            return "failed"
        if any(task.running for task in tasks):
            return "failed" if over else "running"
        if tasks:
            return "done"
        return "cached" if over else "waiting"

    def seconds(self) -> float:
        """From the first start to the last end."""
        tasks = self.tasks.values()
        return max((t.ended or time.time()) for t in tasks) - min(t.started for t in tasks) if tasks else 0.0


class Follower:
    """Reads the event files of a run, again and again."""

    def __init__(self, events: Path, stages: Sequence[str], shard_stages: Sequence[str]) -> None:
        """`stages` in the order in which they run; `shard_stages`: those that are called once a shard."""
        self.events = events
        self.stages = {name: Stage(name) for name in stages}
        self.shard_stages = set(shard_stages)
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
        """The stage's state, knowing the others: what later stages have begun without was answered by the cache."""
        names = list(self.stages)
        later = [self.stages[name] for name in names[names.index(stage.name) + 1 :] if name not in self.shard_stages]
        begun = any(other.tasks for other in later)
        if begun and not stage.tasks:
            return "cached"
        return stage.state(over)

    def failure(self) -> tuple[str, str] | None:
        """The first stage that failed, and why; None if no stage said so."""
        failed = [(t.ended, s.name, t.error) for s in self.stages.values() for t in s.tasks.values() if t.error]
        if failed:
            _, name, error = min(failed)
            return name, error
        silent = [s.name for s in self.stages.values() for t in s.tasks.values() if t.running]
        return (silent[0], "the process ended without a word (killed, or out of memory?)") if silent else None


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

    def draw(self, over: bool = False) -> None:
        """Show the present state; with `over`, the final one."""
        names = list(self.follower.stages)
        lines: list[RenderableType] = []
        for position, name in enumerate(names):
            stage = self.follower.stages[name]
            state = self.follower.state(stage, over)
            # Stages of a loop come and go with each shard; their line is final only when what follows has begun.
            settled = over or any(self.follower.stages[n].tasks for n in self._after(position))
            if state in ("cached", "failed") or (
                state == "done" and (settled or name not in self.follower.shard_stages)
            ):
                self._print_once(stage, state, over)
            elif not over:
                lines.append(self._line(stage, state))
        if self.live:
            self.live.update(Group(*lines), refresh=True)

    def _after(self, position: int) -> list[str]:
        names = list(self.follower.stages)[position + 1 :]
        return [name for name in names if name not in self.follower.shard_stages]

    def _print_once(self, stage: Stage, state: str, over: bool) -> None:
        earlier = list(self.follower.stages)[: list(self.follower.stages).index(stage.name)]
        if stage.name in self.printed or (not over and not set(earlier) <= self.printed):
            return
        self.printed.add(stage.name)
        self.console.print(self._line(stage, state))

    def _line(self, stage: Stage, state: str) -> RenderableType:
        grid = Table.grid(padding=(0, 1))
        for width in (1, self.width, 9, 24):
            grid.add_column(width=width, no_wrap=True)
        grid.add_column(no_wrap=True, overflow="ellipsis")
        bar: RenderableType = ""
        running = [task for task in stage.tasks.values() if task.running]
        if state == "running" and any(task.total for task in running):
            bar = ProgressBar(sum(t.total for t in running), sum(t.done for t in running), width=24)
        elif len(stage.tasks) > 1:
            bar = f"[dim]{sum(not t.running for t in stage.tasks.values())} shards[/]"
        note = next((task.note for task in reversed(stage.tasks.values()) if task.note), "")
        took = f"{stage.seconds():7.1f} s" if stage.tasks else "  cached" if state == "cached" else ""
        grid.add_row(self.MARKS[state], f"[bold]{stage.name}[/]", took, bar, f"[dim]{note}[/]")
        return grid
