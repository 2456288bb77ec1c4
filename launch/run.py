"""Run a pipeline on this machine."""

from __future__ import annotations

import fcntl
import hashlib
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from rich.console import Console
from rich.markup import escape

from launch import containers
from launch.cache import drop_broken_entries, drop_unused_folders, relocate_entries
from launch.follow import Follower, Screen
from launch.images import local_image
from launch.ir import (
    IR,
    compile_pipeline,
    dump,
    stages_behind,
    stages_in_loops,
    stages_of,
    with_images,
    without_retries,
)
from launch.parameters import arguments as checked_arguments
from launch.processes import end_group, end_leftovers, start_group
from shapeyard.contracts.files import write_json
from shapeyard.contracts.progress import EVENTS_VARIABLE
from shapeyard.errors import RunError, one_line

POLL_S = 0.1
MAX_SCRATCH_BYTES = 64
"""Of the path: with the names that Python gives to sockets in there it must not have more than 107."""


def run_pipeline(
    name: str,
    preset_name: str,
    given: Mapping[str, str],
    out: Path,
    console: Console,
    *,
    runner: str = "process",
    network: str = "",
) -> Path:
    """Run a pipeline on this machine; returns the run's folder.

    `given`: parameters as text, on top of the preset's. Everything lasting lies in `out`: `out/.kfp` holds what the
    stages made and KFP's cache, `out/<name>` the log, the parameters, the report and links to the models. `runner`:
    process, or docker for a container a stage, which then joins the engine's network `network`.

    Raises:
        RunError: if a stage fails; says which one, why, and where the log is.
        KeyboardInterrupt: after everything of the run has been ended.
    """
    arguments = checked_arguments(name, preset_name, given)
    ir = compile_pipeline(name)
    if arguments.get("source") and "://" not in arguments["source"]:
        arguments["source"] = str(Path(arguments["source"]).expanduser().resolve())  # it stands in every sample's row
    out = out.resolve()
    with _only_run(out) as kfp:
        folder = _new_folder(out, f"{name}-{preset_name}-{datetime.now():%Y%m%d-%H%M%S}")
        events = kfp / "events" / folder.name
        settings = _container_settings(ir, arguments, out, events, network) if runner == "docker" else None
        request = _write_request(ir, arguments, folder, kfp, settings)
        console.print(f"[bold]{name}[/] preset {preset_name}   log {escape(_short(folder / 'log.txt'))}")
        started = time.monotonic()
        try:
            seconds = _follow(ir, request, folder, events, console, in_containers=settings is not None)
        finally:
            drop_broken_entries(kfp / "cache")
            shutil.rmtree(events, ignore_errors=True)
            shutil.rmtree(_scratch(kfp), ignore_errors=True)
        total = round(time.monotonic() - started, 1)
        write_json(
            folder / "run.json",
            {"pipeline": name, "preset": preset_name, "runner": runner, "seconds": total, "stages": seconds},
        )
        _link_outputs(folder)
        _link_latest(folder)
    console.print(f"[green]done[/] in {total:.0f} s")
    return folder


def _new_folder(out: Path, name: str) -> Path:
    """A new folder of this name; with a number behind it where a clock that was set back gave the name before."""
    for number in itertools.count(2):
        try:
            (out / name).mkdir()
            return out / name
        except FileExistsError:
            name = f"{name.partition('.')[0]}.{number}"
    raise AssertionError


@contextmanager
def _only_run(out: Path) -> Iterator[Path]:
    """Hold the folder for one run at a time, cleared of what a killed run left behind."""
    with locked(out) as kfp:
        end_leftovers(kfp / "events")
        shutil.rmtree(_scratch(kfp), ignore_errors=True)
        relocate_entries(kfp / "data", kfp / "cache")
        drop_broken_entries(kfp / "cache")
        drop_unused_folders(kfp / "data", kfp / "cache", out)
        yield kfp


@contextmanager
def locked(out: Path) -> Iterator[Path]:
    """Hold the folder against all others; gives `out/.kfp`.

    Raises:
        RunError: if another process holds it, or it can't be written to.
    """
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
        yield kfp


def _scratch(kfp: Path) -> Path:
    """Where the stages of a run put what they need for a while: it goes with the run, however that ends."""
    inside = kfp / "scratch"
    if len(os.fsencode(inside)) <= MAX_SCRATCH_BYTES:
        return inside
    return Path(tempfile.gettempdir(), f"shapeyard-{hashlib.sha256(os.fsencode(kfp)).hexdigest()[:16]}")


def _container_settings(ir: IR, arguments: Mapping[str, Any], out: Path, events: Path, network: str) -> dict[str, Any]:
    """What every container gets, once it is sure that there is an engine, and an image for each stage."""
    client = containers.engine()
    containers.remove_containers(client, containers.OUT_LABEL, str(out))  # of a run that was killed
    containers.check_images(client, {stage: local_image(stage) for stage in stages_of(ir)})
    return containers.run_settings(client, out, events, arguments, network)


def _write_request(
    ir: IR, arguments: Mapping[str, Any], folder: Path, kfp: Path, settings: Mapping[str, Any] | None
) -> Path:
    ir = without_retries(with_images(ir, local_image))
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
    if settings is not None:
        (folder / "workspace").mkdir()  # Docker would make it, as root
        request["settings"] = {**settings, "environment": sorted(settings["environment"])}  # no secret into a file
    write_json(folder / "request.json", request)
    return folder / "request.json"


def _follow(
    ir: IR, request: Path, folder: Path, events: Path, console: Console, *, in_containers: bool
) -> dict[str, float]:
    """Start the child and draw it until it ends; end it when we are told to. Returns each stage's seconds."""
    events.mkdir()
    scratch = _scratch(events.parents[1])
    scratch.mkdir(mode=0o700)  # fails where somebody else made one of this name
    follower = Follower(events, stages_behind(ir), stages_in_loops(ir))
    environment = {**os.environ, EVENTS_VARIABLE: str(events), "PYTHONUNBUFFERED": "1", "TMPDIR": str(scratch)}
    command = [sys.executable, "-m", "launch.execute", str(request)]
    client = containers.engine() if in_containers else None
    watching = containers.Watch(client, events, follower.stages) if client else nullcontext()
    with (folder / "log.txt").open("ab") as log, _sigterm_as_interrupt(), watching as watch:
        child = start_group(command, env=environment, log=log)
        try:
            with Screen(follower, console) as screen:
                status = _wait(child, follower, screen, watch)
                follower.update()
                screen.draw(over=True, succeeded=status == 0)
        finally:
            end_group(child)
            died = watch.failures if watch else {}
            if client:
                containers.remove_containers(client, containers.RUN_LABEL, str(events))
    failure = follower.failure({stage: _death(died[stage], folder / "log.txt") for stage in died})
    if failure or status != 0 or not (folder / "outputs.json").is_file():
        stage, reason = failure or ("kfp", _last_words(folder / "log.txt"))
        reason = without_inner_paths(reason, folder.parent / ".kfp" / "data")
        raise RunError(f"{stage} failed: {reason} (log: {_short(folder / 'log.txt')})")
    return {name: round(stage.seconds(), 1) for name, stage in follower.stages.items()}


def _wait(child: subprocess.Popen[bytes], follower: Follower, screen: Screen, watch: containers.Watch | None) -> int:
    """Until the child ends, or a stage has failed: kfp.local would still run the shards that wait."""
    while (status := child.poll()) is None:
        follower.update()
        screen.draw()
        failed = any(task.error for stage in follower.stages.values() for task in stage.tasks.values())
        if failed or (watch and watch.failures):
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
    """Put the outputs into the run's folder: the page as a file of its own, the rest as links, of shards in folders."""
    outputs: dict[str, str | dict[str, str]] = json.loads((folder / "outputs.json").read_text(encoding="utf-8"))
    for name, path in outputs.items():
        if isinstance(path, dict):
            (folder / name).mkdir()
            for shard, inside in path.items():
                (folder / name / f"shard-{shard}").symlink_to(Path("..") / inside)
        elif (folder / path).is_file():
            shutil.copyfile(folder / path, folder / f"{name}.html")
        else:
            (folder / name).symlink_to(path)


def _link_latest(folder: Path) -> None:
    latest = folder.parent / "latest"
    latest.unlink(missing_ok=True)
    latest.symlink_to(folder.name)


def without_inner_paths(text: str, pipeline_root: Path) -> str:
    """A message with `stage/artifact` where it names a path of KFP's, which says nothing to a person.

    Args:
        text: what a stage said, or the log.
        pipeline_root: where KFP keeps what the stages made: ROOT/run/task/artifact, with the loop's iteration before
            the task.
    """
    place = rf"{re.escape(str(pipeline_root))}/[^/\s]+/(?:for-loop-[^/\s]+/)*(?P<task>[^/\s]+)(?=/)"
    return re.sub(place, lambda found: found["task"].replace("-", "_"), text)


def _death(status: int, log: Path) -> str:
    """Why a container ended that said nothing itself."""
    if status == containers.KILLED:
        return f"the container was killed, or out of memory (status {status})"
    # KFP indents what a container said; its own exceptions begin the line.
    said = re.findall(r"^ {4}([\w.]+(?:Error|Exception)\b.*)$", log.read_text("utf-8", "replace"), re.MULTILINE)
    return f"the container ended with status {status}" + (f": {said[-1].strip()}" if said else "")


def _last_words(log: Path) -> str:
    """The last line of the log that says something."""
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines()]
    return next((line for line in reversed(lines) if line and not line.startswith("---")), "the log is empty")


def _short(path: Path) -> str:
    """A path as one would type it from here."""
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)
