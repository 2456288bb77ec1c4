"""When requests are sent."""

from __future__ import annotations

import itertools
import random
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from shapeyard.harvest.pacing import Clock, Pacer, StoppedError


class SteppedClock(Clock):
    """Passes while one waits for it, and no faster."""

    time_s = 0.0

    def now(self) -> float:
        return self.time_s

    def sleep(self, seconds: float) -> None:
        self.time_s += seconds


def test_no_window_has_more_than_the_limit_however_late_requests_are() -> None:
    clock, chance = SteppedClock(), random.Random(0)
    pacer = Pacer(300, 300.0, clock)
    moments = []
    for number in range(1500):
        pacer.wait()
        moments.append(clock.now())
        if number % 50 == 0:
            clock.sleep(20 * chance.random())
    assert all(later - earlier > 300 for earlier, later in zip(moments, moments[300:], strict=False))
    assert moments[-1] < 1.03 * 1500 + 30 * 10
    assert max(later - earlier for earlier, later in itertools.pairwise(moments)) < 21


def test_late_requests_are_made_up_for() -> None:
    clock = SteppedClock()
    pacer = Pacer(300, 300.0, clock)
    for _ in range(1000):
        pacer.wait()
        clock.sleep(0.3)
    assert clock.now() < 1.02 * 1000


def test_many_threads_share_the_limit() -> None:
    clock = Clock(speed=2000)
    pacer = Pacer(300, 300.0, clock)
    moments: list[float] = []

    def send(_: int) -> None:
        pacer.wait()
        moments.append(clock.now())

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(send, range(400)))
    assert 300 <= max(moments) - min(moments) < 4000


def test_silence_holds_what_waits_already() -> None:
    clock = Clock(speed=100)
    pacer = Pacer(1, 100.0, clock)
    pacer.wait()
    sent: list[float] = []
    thread = threading.Thread(target=lambda: (pacer.wait(), sent.append(clock.now())))
    thread.start()
    asked = clock.now()
    pacer.be_silent(150)
    thread.join()
    assert sent[0] >= asked + 150


def test_a_stopped_clock_ends_all_waiting() -> None:
    clock = Clock()
    pacer = Pacer(1, 1000.0, clock)
    pacer.wait()
    threading.Timer(0.05, clock.stop).start()
    with pytest.raises(StoppedError):
        pacer.wait()
