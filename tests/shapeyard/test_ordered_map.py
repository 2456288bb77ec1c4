"""Results in order, and never many of them at a time."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from shapeyard.ordered_map import bounded_ordered_map


def test_ordered_whatever_is_done_first() -> None:
    with ThreadPoolExecutor(4) as pool:
        done = list(bounded_ordered_map(pool, lambda n: time.sleep(0.02 * (n % 3 == 0)) or n * n, range(10), ahead=3))
        assert done == [n * n for n in range(10)] and not list(bounded_ordered_map(pool, str, [], ahead=3))


def test_few_wait_and_errors_come_where_they_belong() -> None:
    started: list[int] = []

    def work(number: int) -> int:
        started.append(number)
        return 1 // (number - 5)

    with ThreadPoolExecutor(4) as pool:
        results = bounded_ordered_map(pool, work, range(100), ahead=3)
        for count in range(1, 6):
            next(results)
            assert len(started) <= count + 2
        with pytest.raises(ZeroDivisionError):
            next(results)
