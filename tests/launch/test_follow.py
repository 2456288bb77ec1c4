import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from launch.follow import Follower, Screen


class Events:
    """Writes what stages would say."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = 100.0

    def say(self, task: str, event: str, **values: object) -> None:
        self.clock += 1
        with (self.folder / f"{task}.jsonl").open("a") as file:
            file.write(json.dumps({"event": event, "time": self.clock, **values}) + "\n")


@pytest.fixture
def events(tmp_path: Path) -> Events:
    return Events(tmp_path)


@pytest.fixture
def follower(tmp_path: Path) -> Follower:
    stages = ["plan", "fetch", "render", "train_depth", "report"]
    behind = {stage: set(stages[position + 1 :]) for position, stage in enumerate(stages)}
    return Follower(tmp_path, behind, {"fetch", "render"})


def states(follower: Follower, over: bool = False) -> dict[str, str]:
    follower.update()
    return {name: follower.state(stage, over) for name, stage in follower.stages.items()}


def test_a_run_from_its_beginning(follower: Follower, events: Events) -> None:
    assert set(states(follower).values()) == {"waiting"}
    events.say("plan.1", "start")
    assert states(follower)["plan"] == "running"
    events.say("plan.1", "done")
    events.say("fetch.1", "start")
    events.say("fetch.1", "progress", done=1, total=4, note="objects")
    assert states(follower) == {
        "plan": "done", "fetch": "running", "render": "waiting", "train_depth": "waiting", "report": "waiting",
    }  # fmt: skip
    assert follower.stages["fetch"].tasks["1"].total == 4


def test_a_stages_seconds_are_those_in_which_a_call_ran(follower: Follower, events: Events) -> None:
    for task, event in (("1", "start"), ("2", "start"), ("1", "done"), ("2", "done")):
        events.say(f"fetch.{task}", event)
    events.clock += 50
    events.say("fetch.3", "start")
    events.say("fetch.3", "done")
    follower.update()
    assert follower.stages["fetch"].seconds() == 3 + 1 and follower.stages["report"].seconds() == 0


def test_what_was_passed_over_was_cached(follower: Follower, events: Events) -> None:
    events.say("plan.1", "start")
    events.say("plan.1", "done")
    events.say("train_depth.1", "start")
    found = states(follower)
    assert (found["fetch"], found["render"], found["report"]) == ("cached", "cached", "waiting")


def test_failures(follower: Follower, events: Events) -> None:
    events.say("render.1", "start")
    assert follower.failure() is None
    follower.update()
    assert follower.failure() == ("render", "the process ended without an exit status (killed, or out of memory?)")
    events.say("render.2", "start")
    events.say("render.2", "error", message="bad lens")
    follower.update()
    assert follower.failure() == ("render", "bad lens")


def test_half_a_line_waits_for_its_rest(follower: Follower, tmp_path: Path) -> None:
    path = tmp_path / "plan.1.jsonl"
    path.write_text('{"event": "start", "ti')
    follower.update()
    assert not follower.stages["plan"].tasks["1"].started
    with path.open("a") as file:
        file.write('me": 5.0}\n')
    follower.update()
    assert follower.stages["plan"].tasks["1"].started == 5.0


def test_a_line_a_stage_where_nobody_watches(follower: Follower, events: Events) -> None:
    text = io.StringIO()
    with Screen(follower, Console(file=text, width=100)) as screen:
        for task in ("plan.1", "fetch.1", "fetch.2", "train_depth.1", "report.1"):
            for event in ("start", "done"):
                events.say(task, event)
                follower.update()
                screen.draw()
        screen.draw(over=True, succeeded=True)
    lines = text.getvalue().splitlines()
    assert [line.split()[1] for line in lines] == ["plan", "fetch", "render", "train_depth", "report"]
    assert "2 shards" in lines[1]
    assert "cached" in lines[2]


@pytest.mark.parametrize("terminal", [False, True])
def test_a_log_keeps_whole_lines_and_a_terminal_cuts_them(follower: Follower, events: Events, terminal: bool) -> None:
    text = io.StringIO()
    note = "960 objects, 8 classes, 4 shards; 768 train, 96 val, 96 test, and so on"
    with Screen(follower, Console(file=text, width=60, force_terminal=terminal, color_system=None)) as screen:
        events.say("plan.1", "start")
        events.say("plan.1", "progress", done=1, total=1, note=note)
        events.say("plan.1", "done")
        follower.update()
        screen.draw()
        events.say("fetch.1", "start")
        follower.update()
        screen.draw()
    (line,) = [line for line in text.getvalue().splitlines() if "plan" in line]
    assert (note in line) is not terminal
    assert line.rstrip().endswith("…") is terminal
