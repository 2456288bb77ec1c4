import json
from pathlib import Path

import pytest

from shapeyard.contracts.progress import EVENTS_VARIABLE, report, stage, track
from shapeyard.errors import SourceError


@pytest.fixture
def events(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(EVENTS_VARIABLE, str(tmp_path))
    return tmp_path


def read(folder: Path) -> list[dict[str, object]]:
    (path,) = folder.glob("fetch.*.jsonl")
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_what_a_stage_says(events: Path) -> None:
    with stage("fetch"):
        for _ in track(range(3), 3, "objects"):
            pass
    start, *progress, done = read(events)
    assert (start["event"], start["stage"], done["event"]) == ("start", "fetch", "done")
    assert progress[-1] == {"event": "progress", "done": 3, "total": 3, "note": "objects"}


def test_an_expected_error_is_one_line(events: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught, stage("fetch"):
        raise SourceError("no such\nbucket")
    assert caught.value.code == 1
    assert capsys.readouterr().err == "fetch: no such bucket\n"
    assert read(events)[-1]["message"] == "no such bucket"


def test_a_full_disk_is_one_line(events: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit), stage("fetch"), Path("/dev/full").open("w") as file:
        file.write("x" * 100_000)
    assert "No space left on device" in capsys.readouterr().err


def test_a_fault_of_ours_keeps_its_traceback(events: Path) -> None:
    with pytest.raises(ZeroDivisionError), stage("fetch"):
        1 / 0  # noqa: B018
    assert read(events)[-1]["message"] == "ZeroDivisionError: division by zero"


def test_outside_a_stage_nothing_happens() -> None:
    report(1, 2)
    assert list(track("ab", 2)) == ["a", "b"]
