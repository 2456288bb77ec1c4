"""Run a pipeline on this machine."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from rich.console import Console
from rich.markup import escape

from pipelines.cache import drop_broken_entries, drop_unused_folders
from pipelines.follow import Follower, Screen
from pipelines.images import content_tag
from pipelines.ir import (
    IR,
    compile_pipeline,
    dump,
    parse_parameters,
    preset,
    stages_behind,
    stages_in_loops,
    with_images,
    without_retries,
)
from pipelines.processes import end_group, end_leftovers, start_group
from shapeyard.contracts.dataset import write_json
from shapeyard.contracts.progress import EVENTS_VARIABLE
from shapeyard.errors import RunError, one_line

POLL_S = 0.1


def run_pipeline(name: str, preset_name: str, given: Mapping[str, str], out: Path, console: Console) -> Path:
    """Run a pipeline in this machine's processes; returns the run's folder.

    `given`: parameters as text, on top of the preset's. Everything lasting lies in `out`: `out/.kfp` holds what the
    stages made and KFP's cache, `out/<name>` the log, the parameters, the report and links to the models.

    Raises:
        RunError: if a stage fails; says which one, why, and where the log is.
        KeyboardInterrupt: after everything of the run has been ended.
    """
    ir = compile_pipeline(name)
    arguments = {**preset(name, preset_name), **parse_parameters(ir, given)}
    if arguments.get("source") and "://" not in arguments["source"]:
        arguments["source"] = str(Path(arguments["source"]).expanduser().resolve())  # it stands in every sample's row
    out = out.resolve()
    folder = out / f"{name}-{preset_name}-{datetime.now():%Y%m%d-%H%M%S}"
    with _only_run(out) as kfp:
        folder.mkdir()
        request = _write_request(ir, arguments, folder, kfp)
        console.print(f"[bold]{name}[/] preset {preset_name}   log {escape(_short(folder / 'log.txt'))}")
        started = time.monotonic()
        try:
            seconds = _follow(ir, request, folder, kfp, console)
        finally:
            drop_broken_entries(kfp / "cache")
            shutil.rmtree(kfp / "events" / folder.name, ignore_errors=True)
        total = round(time.monotonic() - started, 1)
        write_json(folder / "run.json", {"pipeline": name, "preset": preset_name, "seconds": total, "stages": seconds})
        _link_outputs(folder)
        _link_latest(folder)
    console.print(f"[green]done[/] in {total:.0f} s")
    return folder


@contextmanager
def _only_run(out: Path) -> Iterator[Path]:
    """Hold the folder for one run at a time, cleared of what a killed run left behind."""
    kfp = out / ".kfp"
    try:
        for part in ("cache", "data", "events"):
            (kfp / part).mkdir(parents=True, exist_ok=True)
        lock: IO[str] = (kfp / "lock").open("w")
    except OSError as error:
        raise RunError(f"{out}: cannot be written to: {one_line(error)}") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RunError(
                f"{out}: another run is using this folder; wait for it or choose another with --out"
            ) from error
        end_leftovers(kfp / "events")
        drop_broken_entries(kfp / "cache")
        drop_unused_folders(kfp / "data", kfp / "cache")
        yield kfp


def _write_request(ir: IR, arguments: Mapping[str, Any], folder: Path, kfp: Path) -> Path:
    ir = without_retries(with_images(ir, lambda stage: f"shapeyard/{stage.replace('_', '-')}:{content_tag(stage)}"))
    (folder / "pipeline.yaml").write_text(dump(ir), encoding="utf-8")
    write_json(folder / "parameters.json", dict(arguments))
    request = {
        "ir": str(folder / "pipeline.yaml"),
        "arguments": dict(arguments),
        "pipeline_root": str(kfp / "data"),
        "cache_root": str(kfp / "cache"),
        "workspace": str(folder / "workspace"),
        "outcome": str(folder / "outputs.json"),
    }
    write_json(folder / "request.json", request)
    return folder / "request.json"


def _follow(ir: IR, request: Path, folder: Path, kfp: Path, console: Console) -> dict[str, float]:
    """Start the child and draw it until it ends; end it when we are told to. Returns each stage's seconds."""
    events = kfp / "events" / folder.name
    events.mkdir()
    follower = Follower(events, stages_behind(ir), stages_in_loops(ir))
    environment = {**os.environ, EVENTS_VARIABLE: str(events), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "pipelines.execute", str(request)]
    with (folder / "log.txt").open("ab") as log, _sigterm_as_interrupt():
        child = start_group(command, env=environment, log=log)
        try:
            with Screen(follower, console) as screen:
                status = _wait(child, follower, screen)
                follower.update()
                screen.draw(over=True, succeeded=status == 0)
        finally:
            end_group(child)
    if status != 0 or not (folder / "outputs.json").is_file():
        stage, reason = follower.failure() or ("kfp", _last_words(folder / "log.txt"))
        raise RunError(f"{stage} failed: {reason} (log: {_short(folder / 'log.txt')})")
    return {name: round(stage.seconds(), 1) for name, stage in follower.stages.items()}


def _wait(child: subprocess.Popen[bytes], follower: Follower, screen: Screen) -> int:
    """Until the child ends, or a stage has failed: kfp.local would still run the shards that wait."""
    while (status := child.poll()) is None:
        follower.update()
        screen.draw()
        failed = any(task.error for stage in follower.stages.values() for task in stage.tasks.values())
        if failed:
            return 1
        time.sleep(POLL_S)
    return status


@contextmanager
def _sigterm_as_interrupt() -> Iterator[None]:
    """SIGTERM ends a run the way Ctrl-C does."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def _link_outputs(folder: Path) -> None:
    """Put the pipeline's outputs into the run's folder: the page as a file of its own, the rest as links."""
    outputs: dict[str, str] = json.loads((folder / "outputs.json").read_text(encoding="utf-8"))
    for name, path in outputs.items():
        if Path(path).is_file():
            shutil.copyfile(path, folder / f"{name}.html")
        else:
            (folder / name).symlink_to(os.path.relpath(path, folder))


def _link_latest(folder: Path) -> None:
    latest = folder.parent / "latest"
    latest.unlink(missing_ok=True)
    latest.symlink_to(folder.name)


def _last_words(log: Path) -> str:
    """The last line of the log that says something."""
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines()]
    return next((line for line in reversed(lines) if line and not line.startswith("---")), "the log is empty")


def _short(path: Path) -> str:
    """A path as one would type it from here."""
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)
