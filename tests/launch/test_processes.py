import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from launch.processes import end_group, end_leftovers, group_members, start_group
from shapeyard.contracts.progress import EVENTS_VARIABLE


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 10
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_group_ends_with_its_stubborn_children(tmp_path: Path) -> None:
    script = f"trap '' TERM; (trap '' TERM; touch {tmp_path}/ready; sleep 60) & wait; sleep 60"
    with (tmp_path / "log").open("wb") as log:
        leader = start_group(["sh", "-c", script], env=os.environ, log=log)
    wait_for(tmp_path / "ready")
    assert len(group_members(leader.pid)) >= 2
    started = time.monotonic()
    end_group(leader)
    assert time.monotonic() - started < 5
    assert group_members(leader.pid) == []


def test_a_group_leader_takes_its_group_along_when_its_parent_is_killed(tmp_path: Path) -> None:
    leader = (
        "import subprocess, pathlib; from launch.processes import end_group_on_sigterm; end_group_on_sigterm();"
        f"c = subprocess.Popen(['sleep', '60']); pathlib.Path('{tmp_path}/child').write_text(str(c.pid)); c.wait()"
    )
    parent = (
        "import os, sys, time; from launch.processes import start_group;"
        f"p = start_group([sys.executable, '-c', {leader!r}], env=os.environ, log=open('{tmp_path}/log', 'wb'));"
        "time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", parent])
    wait_for(tmp_path / "child")
    time.sleep(0.2)
    child = int((tmp_path / "child").read_text())
    process.send_signal(signal.SIGKILL)
    process.wait()
    deadline = time.monotonic() + 5
    while alive(child):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_leftovers_are_known_by_their_environment(tmp_path: Path) -> None:
    ours = subprocess.Popen(["sleep", "60"], env={EVENTS_VARIABLE: f"{tmp_path}/events/run-1"})
    other = subprocess.Popen(["sleep", "60"], env={EVENTS_VARIABLE: f"{tmp_path}/events-2/run-1"})
    time.sleep(0.2)
    assert end_leftovers(tmp_path / "events") == 1
    assert ours.wait(5) == -signal.SIGKILL
    assert other.poll() is None
    other.kill()
    other.wait()
