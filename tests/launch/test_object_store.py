import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from launch.object_store import object_store
from launch.processes import group_members


def test_two_stores_side_by_side(running_store: dict[str, str], tmp_path: Path) -> None:
    with object_store(tmp_path) as other:
        assert other["AWS_ENDPOINT_URL"] != running_store["AWS_ENDPOINT_URL"]
        assert other["AWS_SECRET_ACCESS_KEY"] != running_store["AWS_SECRET_ACCESS_KEY"]


def test_a_store_that_is_killed_takes_everything_along(tmp_path: Path) -> None:
    command = ["sh", "-c", f"echo $$ > {tmp_path}/command; exec sleep 60"]
    store = subprocess.Popen([sys.executable, "-m", "launch.cli", "store", "--data", str(tmp_path / "store"), *command])
    deadline = time.monotonic() + 60
    while not (tmp_path / "command").is_file() or not (tmp_path / "command").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    children = [int(pid) for pid in Path(f"/proc/{store.pid}/task/{store.pid}/children").read_text().split()]
    assert len(children) == 2
    store.send_signal(signal.SIGKILL)
    store.wait()
    deadline = time.monotonic() + 5
    while any(_alive(pid) for pid in children):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert group_members(children[0]) == []


def test_the_status_of_the_command_is_passed_on(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "launch.cli", "store", "--data", str(tmp_path), "sh", "-c", "exit 7"]
    assert subprocess.run(command, env=os.environ).returncode == 7


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
