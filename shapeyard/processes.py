"""Several processes at one kind of work, for libraries that keep Python's threads from working side by side."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from shapeyard.errors import ShapeyardError
from shapeyard.in_order import in_order

ITEMS_AHEAD = 2
"""For each process, how many items may be worked on or wait until they are taken: some megabytes each."""

T = TypeVar("T")
R = TypeVar("R")
_work: Callable[[Any], Any]
"""In a process of the pool: what it does."""


def results_in_order(start: Callable[[], Callable[[T], R]], items: Sequence[T], processes: int) -> Iterator[R]:
    """What the work gives for each item, in their order.

    Args:
        start: called once in each process; returns its work, which may hold what can't be sent to another one.
        items: each is sent to a process, and its result back.
        processes: how many, at most one an item.

    Raises:
        ShapeyardError: if a process was ended from outside. What the work raises is raised here.
    """
    # Forked before any library has threads here; a spawned one would run the caller's main script again.
    context = multiprocessing.get_context("fork")
    try:
        with ProcessPoolExecutor(max(min(processes, len(items)), 1), context, _start_process, (start,)) as pool:
            yield from in_order(pool, _work_on, items, ITEMS_AHEAD * processes)
    except BrokenProcessPool as error:
        raise ShapeyardError("a process that worked on a mesh was ended from outside; was memory short?") from error


def _start_process(start: Callable[[], Callable[[Any], Any]]) -> None:
    global _work
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _work = start()


def _work_on(item: Any) -> Any:
    return _work(item)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
