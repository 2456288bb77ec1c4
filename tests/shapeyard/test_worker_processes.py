"""Work in several processes: results in order, and what happens when one of them fails."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from shapeyard.errors import MeshError, ShapeyardError
from shapeyard.processes import results_in_order


def start() -> Callable[[int], tuple[int, int]]:
    """Work that can't be sent to another process: it was made in this one."""
    here = os.getpid()
    return lambda number: (number * number, here)


def fail(number: int) -> int:
    if number == 1:
        raise MeshError("number 1")
    if number == 2:
        os._exit(1)
    return number


def test_results_are_in_order_and_made_elsewhere() -> None:
    results = list(results_in_order(start, range(20), 2))
    assert [square for square, _ in results] == [number * number for number in range(20)]
    made_by = {process for _, process in results}
    assert len(made_by) in (1, 2)
    assert os.getpid() not in made_by
    assert list(results_in_order(start, [], 2)) == []


def test_what_the_work_raises_is_raised_and_a_lost_process_is_an_error() -> None:
    with pytest.raises(MeshError, match="number 1"):
        list(results_in_order(lambda: fail, [0, 1], 2))
    with pytest.raises(ShapeyardError, match="ended from outside"):
        list(results_in_order(lambda: fail, [0, 2], 1))
