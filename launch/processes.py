"""Child processes that never outlive what they were started for."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from shapeyard.contracts.progress import EVENTS_VARIABLE

PR_SET_PDEATHSIG = 1  # linux/prctl.h
SHUTDOWN_GRACE_S = 2.0
"""How long a group may take to end by itself; Ctrl-C has to be through within 5 seconds."""


def start_group(
    command: Sequence[str], *, env: Mapping[str, str], log: IO[bytes], with_parent: signal.Signals = signal.SIGTERM
) -> subprocess.Popen[bytes]:
    """Start a command as the leader of a session of its own; it gets the signal `with_parent` when its parent dies."""
    return subprocess.Popen(
        command, env=dict(env), stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
        start_new_session=True, preexec_fn=lambda: signal_with_parent(with_parent),
    )  # fmt: skip


def end_group_on_sigterm() -> None:
    """Make SIGTERM end this process and all others of its group at once: for the leader of a group."""
    signal.signal(signal.SIGTERM, lambda *_: os.killpg(os.getpgrp(), signal.SIGKILL))


def signal_with_parent(number: signal.Signals) -> None:
    """Ask the kernel to send this process a signal when its parent ends, however that happens (Linux)."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, number)


def end_group(leader: subprocess.Popen[bytes]) -> None:
    """End a session: SIGTERM to all of its processes, after `SHUTDOWN_GRACE_S` SIGKILL to those that are left."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(leader.pid, number)
        except ProcessLookupError:
            break
        deadline = time.monotonic() + SHUTDOWN_GRACE_S
        while time.monotonic() < deadline and group_members(leader.pid):
            leader.poll()  # reaps the leader, which would count as alive for ever
            time.sleep(0.05)
    leader.wait()


def end_leftovers(folder: Path) -> int:
    """End what a killed run left behind: all processes that report into `folder`; returns how many.

    They are known by their environment, so nothing else can be hit.
    """
    marker = f"{EVENTS_VARIABLE}={folder}/".encode()
    ended = 0
    for environ in Path("/proc").glob("[0-9]*/environ"):
        try:
            if any(value.startswith(marker) for value in environ.read_bytes().split(b"\0")):
                os.kill(int(environ.parent.name), signal.SIGKILL)
                ended += 1
        except (OSError, ValueError):  # ended in the meantime, or somebody else's
            continue
    return ended


def group_members(group: int) -> list[int]:
    """The living processes of a process group (zombies do not count)."""
    members = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # ended in the meantime
            continue
        if int(fields[2]) == group and fields[0] != "Z":
            members.append(int(stat.parent.name))
    return members
