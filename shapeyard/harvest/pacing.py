"""When a request may be sent: evenly spaced, and never while a service has asked for silence."""

from __future__ import annotations

import threading
import time
from collections import deque

from shapeyard.errors import SourceError

MARGIN = 1.01
"""Requests are spaced wider than the limit asks, since a network delivers some sooner than others."""
MADE_UP = 5
"""Requests that may follow at once where earlier ones were late."""


class StoppedError(SourceError):
    """A wait that was ended because all work is to end."""


class Clock:
    """The machine's clock, or one that runs faster than it: hours of waiting are measured in seconds."""

    def __init__(self, speed: float = 1.0) -> None:
        """`speed`: of its seconds in one second."""
        self.speed = speed
        self._stopped = threading.Event()

    def now(self) -> float:
        """Its seconds since some moment."""
        return time.monotonic() * self.speed

    def sleep(self, seconds: float) -> None:
        """Wait so many of its seconds; raises `StoppedError` as soon as it is stopped."""
        if self._stopped.wait(max(0.0, seconds) / self.speed):
            raise StoppedError("stopped")

    def stop(self) -> None:
        """End all waits, now and later."""
        self._stopped.set()


class Pacer:
    """Gives out the moments at which requests may be sent, to any number of threads.

    They are evenly spaced, and not as many as possible at once and then none: so what was sent before a harvest was
    killed counts for next to nothing that the next one has to know, and seldom is a request on its way when silence is
    asked for. What was sent late is made up for, a few requests at a time.
    """

    def __init__(self, requests: int, window_s: float, clock: Clock) -> None:
        """At most `requests` in any `window_s` seconds."""
        self.clock = clock
        self._window_s = window_s * MARGIN
        self._interval = self._window_s / requests
        self._sent: deque[float] = deque(maxlen=requests)
        self._turn = threading.Lock()
        self._next = self._silent_until = clock.now()

    def wait(self) -> None:
        """Return when the caller may send one request; raises `StoppedError` if the clock is stopped."""
        with self._turn:  # one waits for the time, the others for their turn
            if len(self._sent) == self._sent.maxlen:
                self._next = max(self._next, self._sent[0] + self._window_s)
            self.clock.sleep(0)  # raises if all work is to end
            while (left := max(self._next, self._silent_until) - self.clock.now()) > 0:
                self.clock.sleep(left)
            now = self.clock.now()
            self._sent.append(now)
            self._next = max(self._next, now - MADE_UP * self._interval) + self._interval

    def be_silent(self, seconds: float) -> None:
        """Send nothing for so long from now on, also what waits already."""
        self._silent_until = max(self._silent_until, self.clock.now() + seconds)
