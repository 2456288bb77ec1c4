"""Several processes at one kind of work, for libraries that keep Python's threads from working side by side, or that
end the process that they run in."""

from __future__ import annotations

import multiprocessing
import os
import pickle  # noqa: TID251 between processes of one run, never into a file
import signal
import tempfile
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

from shapeyard.errors import MeshError, ShapeyardError, one_line

ITEMS_AHEAD = 2
"""For each process, how many items may be worked on or wait until they are taken: some megabytes each."""
WATCH_S = 0.2
"""How often it is looked at what a process takes: in this time it gets some hundred megabytes more at the most."""

T = TypeVar("T")
R = TypeVar("R")
# Forked, before any library has threads here; a spawned one would run the caller's main script again.
_context = multiprocessing.get_context("fork")


@dataclass(frozen=True)
class Limits:
    """What one item may take; whatever takes more is ended with its process, and not tried again."""

    seconds: float = 120.0
    gigabytes: float = 4.0
    """of resident memory, what the process had before with it"""


def ordered_process_map(
    start: Callable[[], Callable[[T], R]],
    items: Sequence[T],
    processes: int,
    ahead: int = 0,
    limits: Limits = Limits(),
) -> Iterator[R | MeshError]:
    """What the work gives for each item, in their order.

    When a process ends (a library crashed, or memory was short), the item that it worked on is tried once more in a
    fresh one. If that ends too, the item gives an error in place of its result; all others go on.

    Args:
        start: called once in each process; returns its work, which may hold what can't be sent to another one.
        items: each is sent to a process, and its result back.
        processes: how many, at most one an item.
        ahead: how many items may be worked on or wait until they are taken; 0 for `ITEMS_AHEAD` a process.
        limits: what an item may take.

    Yields:
        A result, or a `MeshError` that says how the process ended, or which limit the item reached.

    Raises:
        ShapeyardError: if a process ends before it has begun to work, and a fresh one, too. What the work raises is
            raised here.
    """
    processes = min(processes, len(items))
    waiting: deque[tuple[T, Future[R]]] = deque()
    with _Pool(start, processes, limits) as pool:
        for item in items:
            waiting.append((item, pool.submit(item)))
            if len(waiting) >= (ahead or ITEMS_AHEAD * processes):
                yield pool.result(*waiting.popleft())
        while waiting:
            yield pool.result(*waiting.popleft())


class _ProcessEndedError(Exception):
    """How a process ended that should have answered."""


class _LimitReachedError(_ProcessEndedError):
    """Which limit the item reached that a process worked on."""


class _Process(Generic[T, R]):
    """A process that works on one item after the other."""

    def __init__(self, start: Callable[[], Callable[[T], R]], scratch: str, limits: Limits) -> None:
        self._limits = limits
        self._pipe, theirs = _context.Pipe()
        self._process = _context.Process(target=_serve, args=(theirs, start, scratch), daemon=True)
        self._process.start()
        theirs.close()  # so that its end can be seen here
        self.has_begun = False

    def ask(self, item: T) -> R:
        """The result for an item; raises what the work raises, `_ProcessEndedError` if there is no answer."""
        if not self.has_begun:
            self._answer()
            self.has_begun = True
        try:
            self._pipe.send(item)
        except OSError as error:
            raise self._ended() from error
        self._watch()
        answer: R = self._answer()
        return answer

    def is_alive(self) -> bool:
        return self._process.is_alive()

    def kill(self) -> None:
        self._process.kill()
        self._process.join()

    def _watch(self) -> None:
        """Wait until there is an answer, or the process has ended; raises `_LimitReachedError` after ending it."""
        begun = time.monotonic()
        while not self._pipe.poll(WATCH_S):
            if time.monotonic() - begun > self._limits.seconds:
                self.kill()
                raise _LimitReachedError(f"expected to be done in {self._limits.seconds:g} s, took longer")
            if _resident_bytes(self._process.pid) > self._limits.gigabytes * 1e9:
                self.kill()
                raise _LimitReachedError(f"expected to need at most {self._limits.gigabytes:g} GB of memory, took more")

    def _answer(self) -> Any:
        try:
            is_error, answer = _receive(self._pipe)
        except (EOFError, OSError) as error:
            raise self._ended() from error
        if is_error:
            raise answer
        return answer

    def _ended(self) -> _ProcessEndedError:
        self.kill()
        status = self._process.exitcode or 0
        how = f"status {status}" if status >= 0 else f"signal {-status}"
        return _ProcessEndedError(how + ("; was memory short?" if status == -signal.SIGKILL else ""))


class _Pool(Generic[T, R]):
    """Processes with a thread each that waits for its answers. A crash ends both, and no other."""

    def __init__(self, start: Callable[[], Callable[[T], R]], processes: int, limits: Limits) -> None:
        self._start, self._limits = start, limits
        self._folder = tempfile.TemporaryDirectory(prefix="shapeyard-", ignore_cleanup_errors=True)
        self._tasks: SimpleQueue[tuple[T, Future[R]] | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._processes: list[_Process[T, R]] = []
        self._is_one_short = False
        for process in [self._new_process() for _ in range(processes)]:
            self._employ(process)

    def __enter__(self) -> _Pool[T, R]:
        return self

    def __exit__(self, *_error: object) -> None:
        for process in self._processes:
            process.kill()
        for _ in self._threads:
            self._tasks.put(None)
        for thread in self._threads:
            thread.join()
        self._folder.cleanup()

    def submit(self, item: T) -> Future[R]:
        future: Future[R] = Future()
        self._tasks.put((item, future))
        return future

    def result(self, item: T, future: Future[R]) -> R | MeshError:
        """What became of the earliest item that still waits. Only here, in the caller's thread, is a process replaced:
        a fork takes along the locks that another thread holds just then."""
        if self._is_one_short:
            self._employ(self._new_process())
            self._is_one_short = False
        try:
            return future.result()
        except _LimitReachedError as error:
            self._is_one_short = True
            return MeshError(str(error))
        except _ProcessEndedError:
            process = self._new_process()
        try:
            result = process.ask(item)
        except _ProcessEndedError as error:
            if not process.has_begun:
                raise ShapeyardError(f"two processes ended before they could begin to work ({error})") from error
            self._is_one_short = True
            limit = isinstance(error, _LimitReachedError)
            return MeshError(str(error) if limit else f"the process that worked on it ended ({error})")
        self._employ(process)
        return result

    def _new_process(self) -> _Process[T, R]:
        process = _Process(self._start, self._folder.name, self._limits)
        self._processes = [*filter(_Process.is_alive, self._processes), process]
        return process

    def _employ(self, process: _Process[T, R]) -> None:
        self._threads.append(threading.Thread(target=self._work, args=(process,), daemon=True))
        self._threads[-1].start()

    def _work(self, process: _Process[T, R]) -> None:
        while (task := self._tasks.get()) is not None:
            item, future = task
            try:
                future.set_result(process.ask(item))
            except BaseException as error:  # noqa: BLE001 `result` raises it
                future.set_exception(error)
                if isinstance(error, _ProcessEndedError):
                    return


def _resident_bytes(pid: int | None) -> int:
    """The physical memory of a process, by Linux's procfs(5); 0 for one that has just ended."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0


def _serve(pipe: Connection, start: Callable[[], Callable[[Any], Any]], scratch: str) -> None:
    """What a process of the pool does: it says that it has begun, then answers each item."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.environ["TMPDIR"] = tempfile.tempdir = scratch  # what a crash leaves there is removed by the parent
    try:
        work = start()
    except Exception as error:  # noqa: BLE001 the parent raises it
        _send_error(pipe, error)
        return
    _send(pipe, False, None)
    while True:
        item = pipe.recv()
        try:
            _send(pipe, False, work(item))
        except Exception as error:  # noqa: BLE001 the parent raises it
            _send_error(pipe, error)


def _send(pipe: Connection, is_error: bool, answer: Any) -> None:
    """Arrays are sent as they are: to pickle them would take their memory several times."""
    buffers: list[pickle.PickleBuffer] = []
    content = pickle.dumps((is_error, answer), 5, buffer_callback=buffers.append)
    views = [buffer.raw() for buffer in buffers]
    pipe.send((content, [view.nbytes for view in views]))
    for view in views:
        pipe.send_bytes(view)


def _send_error(pipe: Connection, error: Exception) -> None:
    error.add_note(traceback.format_exc())  # where it was raised: a traceback itself cannot be sent
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 what this process wrote itself
    except Exception:  # noqa: BLE001 an exception of any library
        error = ShapeyardError(one_line(error))
    _send(pipe, True, error)


def _receive(pipe: Connection) -> tuple[bool, Any]:
    content, sizes = pipe.recv()
    buffers = [bytearray(size) for size in sizes]
    for buffer in buffers:
        pipe.recv_bytes_into(buffer)
    is_error, answer = pickle.loads(content, buffers=buffers)  # noqa: S301 from a process of ours
    return is_error, answer


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
