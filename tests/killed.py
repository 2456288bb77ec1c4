"""A training that is killed and started again beside one that is left alone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
RUN = """
import importlib, json, sys, typing
from shapeyard.contracts.progress import stage
module, _, name = sys.argv[1].partition(":")
function, arguments = getattr(importlib.import_module(module), name), json.loads(sys.argv[2])
if "settings" in arguments:
    arguments["settings"] = typing.get_type_hints(function)["settings"](**arguments["settings"])
with stage("training"):
    function(**arguments)
"""
START_S = 240


def start(function: str, arguments: dict[str, Any], **environment: str) -> subprocess.Popen[str]:
    """Call "module:function" with keyword arguments (JSON values) in a process of its own, inside a stage.

    `settings` are those of the function's dataclass, by name.
    """
    path = os.pathsep.join([*sys.path, str(ROOT / "tests")])
    return subprocess.Popen(
        [sys.executable, "-c", RUN, function, json.dumps(arguments)], cwd=ROOT, text=True, stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": path, **environment},
    )  # fmt: skip


def run(function: str, arguments: dict[str, Any], **environment: str) -> None:
    """Call it and wait until it has ended well."""
    process = start(function, arguments, **environment)
    _, said = process.communicate()
    assert process.returncode == 0, said


def stop_at_checkpoint(
    function: str, arguments: dict[str, Any], folder: Path, number: int, later_s: float = 0.0,
    by: signal.Signals = signal.SIGKILL, **environment: str,
) -> str:  # fmt: skip
    """Call it, and send a signal some time after the `number`-th checkpoint was written to `folder`.

    Returns what it said on standard error; fails if it ended before.
    """
    process = start(function, arguments, **environment)
    seen: set[tuple[int, int]] = set()
    deadline = time.monotonic() + START_S
    while len(seen) < number:
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()[1]
        for path in folder.glob("*.safetensors"):
            try:
                status = path.stat()
            except FileNotFoundError:
                continue
            seen.add((status.st_ino, status.st_mtime_ns))
        time.sleep(0.001)
    time.sleep(later_s)
    process.send_signal(by)
    _, said = process.communicate()
    assert process.returncode != 0
    return said
