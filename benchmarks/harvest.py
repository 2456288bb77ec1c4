"""How near a harvest of Thingiverse comes to what the API's limit allows, and what happens to one that is killed.

python benchmarks/harvest.py [--things 2000] [--latency-ms 50] [--speed 40] [--kills 10] [--failing 0.2] [--record]

The API is a stand-in on this machine (tests/thingiverse_server.py), which answers after the given time and refuses more
than 300 requests in 5 minutes. Both count time by clocks that run `--speed` times as fast as the machine's.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
from record import record

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from thingiverse_server import TOKEN, StandIn, box, running  # noqa: E402

REQUESTS, WINDOW_S = 300, 300.0
CATEGORIES = {"household__pets": 103, "models__people": 112, "household__kitchen_dining": 100, "toys__dice": 122}
MAX_OVER_LIMIT = 1.1
IN_FLIGHT = 8
"""Objects that a harvest fetches side by side."""
CHILD = """
import sys
from pathlib import Path
from shapeyard.harvest.pacing import Clock
from shapeyard.harvest.target import Target
from shapeyard.harvest.thingiverse_harvest import ThingsRequest, harvest_thingiverse
categories, api, token, folder, speed = sys.argv[1:]
clock = Clock(float(speed))
begun = clock.now()
outcome = harvest_thingiverse(ThingsRequest(categories), Target(folder + "/set", Path(folder)), token, api, clock)
print(clock.now() - begun)
sys.exit(bool(outcome.missing))
"""


@click.command()
@click.option("--things", default=2000, show_default=True)
@click.option("--latency-ms", default=50.0, show_default=True, help="Of the API.")
@click.option("--speed", default=40.0, show_default=True, help="Of the clock that the limit is measured by.")
@click.option("--kills", default=10, show_default=True)
@click.option("--killed-things", default=200, show_default=True, help="Things of the harvest that is killed.")
@click.option("--failing", default=0.2, show_default=True, help="Share of requests that fail in the last harvest.")
@click.option("--record", "recorded", is_flag=True, help="Write the figures to benchmarks/results.")
def main(
    things: int, latency_ms: float, speed: float, kills: int, killed_things: int, failing: float, recorded: bool
) -> None:
    """Print the figures with their targets."""
    rate = measure_rate(things, latency_ms / 1000, speed)
    killed = measure_kills(killed_things, kills, 20 * speed)
    failed = measure_failures(killed_things, failing, 20 * speed)
    if not recorded:
        return
    service = f"a stand-in for Thingiverse's API ({latency_ms:.0f} ms a request, 300 requests in 5 minutes)"
    for name, (measured, target, met), figure_of in (
        ("harvest-rate", rate, f"Harvest of {things} things from {service}"),
        ("harvest-killed", killed, f"Harvest of {killed_things} things, killed {kills} times and started again"),
        ("harvest-failures", failed, f"Harvest of {killed_things} things, {100 * failing:.0f} % of requests failing"),
    ):
        record(
            name, "data", figure_of, measured, target=target, met=met, command="python benchmarks/harvest.py --record"
        )


def measure_rate(things: int, latency_s: float, speed: float) -> tuple[str, str, bool]:
    """Time of a whole harvest by the fast clock, against what the limit allows for as many requests."""
    with running(StandIn(speed, latency_s, (REQUESTS, WINDOW_S))) as server, tempfile.TemporaryDirectory() as folder:
        fill(server, things)
        said, _ = (child := start(server, folder, speed)).communicate()
        assert child.returncode == 0
        seconds = float(said)
        require_whole(server, Path(folder))
        requests = sum(count for path, count in server.asked.items() if not path.startswith("/zip"))
        allowed = (requests - 1) // REQUESTS * WINDOW_S
        over = seconds / allowed if allowed else float("inf")
        measured = (
            f"{over:.3f} times what the limit allows ({requests} requests in {seconds:.0f} s of {allowed:.0f} s), "
            f"{server.refused} requests over the limit, {server.too_early} against `Retry-After`"
        )
        target = f"at most {MAX_OVER_LIMIT} times, none against `Retry-After`"
        met = over <= MAX_OVER_LIMIT and server.too_early == 0
        return shown("rate", measured, target, met)


def measure_kills(things: int, kills: int, speed: float) -> tuple[str, str, bool]:
    """A harvest that is killed at random moments, and what it fetched more than once."""
    chance = random.Random(0)
    with running(StandIn(speed, 0.05)) as server, tempfile.TemporaryDirectory() as folder:
        fill(server, things)
        for number in range(kills):
            child, moment = start(server, folder, speed), (number + chance.random()) * things / kills
            while child.poll() is None and downloads(server) < moment:
                time.sleep(0.001)
            time.sleep(chance.random() * 0.05)
            os.kill(child.pid, signal.SIGKILL)
            child.wait()
        assert start(server, folder, speed).wait() == 0
        require_whole(server, Path(folder))
        twice = downloads(server) - things
        measured = f"whole, byte for byte; {twice} of {things} ZIPs fetched twice, all in flight at a kill"
        target = f"whole, at most {IN_FLIGHT} ZIPs a kill fetched twice"
        return shown("killed", measured, target, twice <= kills * IN_FLIGHT)


def measure_failures(things: int, failing: float, speed: float) -> tuple[str, str, bool]:
    """A harvest where requests fail by chance: whole, or what is missing is listed and the exit status is 1."""
    with running(StandIn(speed, 0.05)) as server, tempfile.TemporaryDirectory() as folder:
        fill(server, things)
        server.failing = failing
        status = start(server, folder, speed).wait()
        summary = json.loads(Path(folder, "set", "harvest.json").read_text())
        objects, missing = summary["counts"]["objects"], len(summary["missing"])
        server.failing = 0.0
        assert start(server, folder, speed).wait() == 0
        require_whole(server, Path(folder))
        measured = f"{objects} things, {missing} listed as missing, exit status {status}; the second run whole"
        met = objects + missing == things and status == bool(missing)
        return shown("failing", measured, "all or listed, exit status 1 if listed", met)


def fill(server: StandIn, things: int) -> None:
    each = things // len(CATEGORIES)
    for number, category in enumerate(CATEGORIES.values()):
        server.add(category, each, first=100_000 * (number + 1))


def start(server: StandIn, folder: str, speed: float) -> subprocess.Popen[bytes]:
    arguments = [",".join(CATEGORIES), server.api, TOKEN, folder, str(speed)]
    return subprocess.Popen([sys.executable, "-c", CHILD, *arguments], cwd=ROOT, stdout=subprocess.PIPE)


def downloads(server: StandIn) -> int:
    return sum(count for path, count in list(server.asked.items()) if path.startswith("/zip"))


def require_whole(server: StandIn, folder: Path) -> None:
    """Every thing's mesh is there as the server has it, and nothing else."""
    there = {path.relative_to(folder / "set").as_posix(): path.read_bytes() for path in folder.rglob("*.stl")}
    expected = {
        f"{name}/{number}/files/part {number}.stl": box(number)
        for name, category in CATEGORIES.items()
        for number in server.categories[category]
    }
    assert there == expected, "the set differs from what the server has"


def shown(name: str, measured: str, target: str, met: bool) -> tuple[str, str, bool]:
    print(f"{name}: {measured}\n    target: {target}: {'met' if met else 'MISSED'}", flush=True)
    return measured, target, met


if __name__ == "__main__":
    main()
