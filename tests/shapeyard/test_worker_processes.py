"""Work in several processes: results in order, and what happens when one of them fails."""

from __future__ import annotations

import faulthandler
import functools
import os
import re
import signal
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from shapeyard.errors import MeshError, ShapeyardError
from shapeyard.processes import Limits, ordered_process_map


def start() -> Callable[[int], tuple[int, int]]:
    """Work that can't be sent to another process: it was made in this one."""
    here = os.getpid()
    return lambda number: (number * number, here)


def end(how: str) -> None:
    faulthandler.disable()  # pytest's
    if how.startswith("SIG"):
        os.kill(os.getpid(), signal.Signals[how])
    os._exit(int(how))


def fail(number: int) -> int:
    if number == 1:
        raise MeshError("number 1")
    return number


def test_results_are_in_order_and_made_elsewhere() -> None:
    results = list(ordered_process_map(start, range(20), 2))
    assert [square for square, _ in results] == [number * number for number in range(20)]
    made_by = {process for _, process in results}
    assert len(made_by) in (1, 2)
    assert os.getpid() not in made_by
    assert list(ordered_process_map(start, [], 2)) == []


def test_arrays_come_as_they_were_and_can_be_written_to() -> None:
    arrays = [np.arange(size, dtype=np.float32) for size in (0, 1, 300_000)]
    work = lambda number: {"array": arrays[number], "column": np.eye(4)[:, 1], "reason": "none"}  # noqa: E731
    for number, result in enumerate(ordered_process_map(lambda: work, range(3), 2)):
        assert np.array_equal(result["array"], arrays[number]) and np.array_equal(result["column"], [0, 1, 0, 0])
        assert result["array"].dtype == np.float32 and result["array"].flags.writeable


def test_few_wait() -> None:
    """No more than were asked for are begun before the first is taken."""
    with tempfile.TemporaryDirectory() as folder:
        results = ordered_process_map(lambda: lambda number: Path(folder, str(number)).touch(), range(20), 2, ahead=3)
        next(results)
        time.sleep(0.5)
        assert sorted(path.name for path in Path(folder).iterdir()) == ["0", "1", "2"]
        results.close()


def test_what_the_work_raises_is_raised() -> None:
    with pytest.raises(MeshError, match="number 1") as raised:
        list(ordered_process_map(lambda: fail, [0, 1], 2))
    assert "in fail" in raised.value.__notes__[0], "where it was raised"
    unsendable = type("Unsendable", (Exception,), {})
    for error in (KeyError("key"), unsendable("words")):
        work = functools.partial(_raise, error)
        with pytest.raises((KeyError, ShapeyardError), match=r"key|Unsendable: words"):
            list(ordered_process_map(lambda work=work: work, [0], 1))
        with pytest.raises((KeyError, ShapeyardError), match=r"key|Unsendable: words"):
            list(ordered_process_map(functools.partial(_raise, error, 0), [0], 1))


def _raise(error: Exception, _: int) -> None:
    raise error


@pytest.mark.parametrize("processes", [1, 2, 5])
@pytest.mark.parametrize("how", ["SIGSEGV", "SIGABRT", "SIGKILL", "3"])
def test_an_item_that_ends_its_process_is_named_and_costs_no_other(how: str, processes: int) -> None:
    culprits = {0, 6, 7, 8, 19}
    work = lambda number: end(how) if number in culprits else number * number  # noqa: E731
    results = list(ordered_process_map(lambda: work, range(20), processes))
    expected = f"signal {int(signal.Signals[how])}" if how.startswith("SIG") else "status 3"
    assert [result for result in results if isinstance(result, int)] == [n * n for n in range(20) if n not in culprits]
    for number in culprits:
        assert isinstance(results[number], MeshError)
        assert str(results[number]).startswith(f"the process that worked on it ended ({expected}")
        assert ("memory" in str(results[number])) == (how == "SIGKILL")


@pytest.mark.parametrize("processes", [1, 2])
def test_an_item_whose_process_was_ended_by_another_is_worked_on_again_in_a_fresh_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, processes: int
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))

    def begin() -> Callable[[int], tuple[int, int]]:
        done = []

        def work(number: int) -> tuple[int, int]:
            done.append(number)
            with tempfile.NamedTemporaryFile(delete=False) as left:
                left.write(b"left by what was killed")
            if number % 4 == 2 and not (tmp_path / str(number)).exists():
                (tmp_path / str(number)).touch()
                end("SIGKILL")
            return number, len(done)

        return work

    results = list(ordered_process_map(begin, range(12), processes))
    assert [number for number, _ in results] == list(range(12))
    assert [results[number][1] for number in (2, 6, 10)] == [1, 1, 1]
    assert not list(scratch.iterdir()), "nothing is left of any process"


def test_a_process_that_is_ended_as_it_begins_is_replaced(tmp_path: Path) -> None:
    def begin() -> Callable[[int], int]:
        if not (tmp_path / "begun").exists():
            (tmp_path / "begun").touch()
            end("SIGKILL")
        return lambda number: number

    assert list(ordered_process_map(begin, range(5), 1)) == list(range(5))


def test_processes_that_cannot_begin_end_the_run() -> None:
    with pytest.raises(ShapeyardError, match=r"two processes ended before they could begin to work \(signal 11\)"):
        list(ordered_process_map(functools.partial(end, "SIGSEGV"), range(1000), 2))
    with pytest.raises(ImportError, match="no library"):
        list(ordered_process_map(functools.partial(_raise, ImportError("no library"), 0), range(1000), 2))


def test_no_process_outlives_who_stops_early() -> None:
    threads = threading.active_count()
    results = ordered_process_map(start, range(20), 2)
    _, process = next(results)
    results.close()
    assert threading.active_count() == threads
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


def too_slow(number: int) -> int:
    if number % 3 == 1:
        time.sleep(60)
    return number


def too_large(number: int) -> int:
    if number % 3 == 1:
        held = [np.ones(1 << 20) for _ in range(100)]  # 0.8 GB, and then it waits
        time.sleep(60)
        del held
    return number


@pytest.mark.parametrize(
    ("work", "limits", "reason"),
    [
        (too_slow, Limits(seconds=0.5), r"expected to be done in 0\.5 s, took longer"),
        (too_large, Limits(gigabytes=0.6), r"expected to need at most 0\.6 GB of memory, took more"),
    ],
)
def test_an_item_that_reaches_a_limit_is_not_tried_again(
    work: Callable[[int], int], limits: Limits, reason: str
) -> None:
    begun = time.monotonic()
    results = list(ordered_process_map(lambda: work, range(6), 2, limits=limits))
    assert time.monotonic() - begun < 20
    assert [result for result in results if isinstance(result, int)] == [0, 2, 3, 5]
    for number in (1, 4):
        assert isinstance(results[number], MeshError) and re.fullmatch(reason, str(results[number]))
