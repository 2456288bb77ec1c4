"""A whole pipeline on a copy of the project, run the way a person runs it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from working_copy import outside_make, working_copy

from launch.parameters import load_pipeline
from shapeyard.contracts.progress import EVENTS_VARIABLE

SOURCE = "procedural://?objects=40&classes=chair,table,lamp,bottle"
VARIABLES = {"PRESET": "tiny", "OBJECTS": "40", "CLASSES": "chair,table,lamp,bottle"}


class Project:
    """A copy of the code that a test may change, with a folder for its runs."""

    def __init__(self, folder: Path, source: str, *options: str, pipeline: str = "reconstruct") -> None:
        self.code = working_copy(folder)
        self.pipeline = pipeline
        self.stages = set(load_pipeline(pipeline).prefixes)
        self.options = options
        self.out = self.code / "runs"
        self.source = source

    def command(self, *params: str) -> list[str]:
        given = [f"source={self.source}", *params]
        return [sys.executable, "-m", "launch.cli", "run", self.pipeline, "--preset", "tiny", *self.options,
                *(word for text in given for word in ("--param", text))]  # fmt: skip

    def run(self, *params: str, **settings: Any) -> Finished:
        """Run to the end; `settings` go to `subprocess.run`."""
        done = subprocess.run(
            self.command(*params), cwd=self.code, capture_output=True, text=True, timeout=500, **settings
        )
        return Finished(done, self)

    def start(self, *command: str) -> subprocess.Popen[str]:
        """Start, as a shell would: in a process group of its own."""
        return subprocess.Popen(
            command or self.command(), cwd=self.code, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            start_new_session=True, env={**outside_make(), **VARIABLES},
        )  # fmt: skip

    def to_the_end(self, *command: str) -> Finished:
        """The same, and wait."""
        run = self.start(*command)
        out, said = run.communicate(timeout=500)
        return Finished(subprocess.CompletedProcess(command, run.returncode, out, said), self)

    def processes(self) -> list[int]:
        """All that still runs for this project."""
        marker = f"{EVENTS_VARIABLE}={self.out}/".encode()
        found = []
        for environ in Path("/proc").glob("[0-9]*/environ"):
            try:
                if marker in environ.read_bytes():
                    found.append(int(environ.parent.name))
            except OSError:
                continue
        return found


class Finished:
    """A run that has ended: what it said, and what it left."""

    def __init__(self, process: subprocess.CompletedProcess[str], project: Project) -> None:
        self.stages = project.stages
        self.status = process.returncode
        self.said = process.stderr
        last = process.stdout.strip().splitlines()[-1:]
        self.page = project.code / last[0] if last else None

    def states(self) -> dict[str, str]:
        """cached or done for each stage."""
        lines = [line.split() for line in self.said.splitlines()]
        named = [words for words in lines if words[1:2] and words[1] in self.stages]
        return {words[1]: "cached" if "cached" in words else "done" for words in named}

    def rerun(self) -> set[str]:
        return {stage for stage, state in self.states().items() if state == "done"} - {"plan"}

    def metrics(self) -> dict[str, object]:
        assert self.page, self.said
        metrics: dict[str, object] = json.loads((self.page.parent / "evaluation" / "metrics.json").read_text())
        metrics.pop("seconds")
        return metrics


def wait_for_stage(project: Project, stage: str) -> None:
    """Until a stage has begun in the present run."""
    deadline = time.monotonic() + 300
    while not list((project.out / ".kfp" / "events").glob(f"*/{stage}.*.jsonl")):
        assert time.monotonic() < deadline, f"{stage} did not begin"
        time.sleep(0.02)
