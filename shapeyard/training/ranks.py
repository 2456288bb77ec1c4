"""Several GPUs: a process, a rank, for each.

Under `torchrun` the ranks are there already. A stage that was started as one process, as KFP does, starts one for each
GPU that it sees; the variable `SHAPEYARD_RANKS` says how many instead, and without GPUs they talk through gloo.
"""

from __future__ import annotations

import functools
import os
import signal
import socket
from collections.abc import Callable
from contextlib import nullcontext
from datetime import timedelta
from typing import Any, NamedTuple, ParamSpec, TypeVar

import torch
from torch import distributed
from torch.multiprocessing.spawn import ProcessExitedException, ProcessRaisedException, spawn

from shapeyard.contracts.progress import Reporting, reporting, reporting_on
from shapeyard.errors import ShapeyardError, TrainingError

P = ParamSpec("P")
R = TypeVar("R")
RANKS_VARIABLE = "SHAPEYARD_RANKS"
COLLECTIVE_TIMEOUT = timedelta(days=1)
"""How long a rank waits for the others: one of them validates and writes."""
SHUTDOWN_GRACE_S = 5
"""How long the other ranks may take to end when one has failed."""


class Rank(NamedTuple):
    """Which of how many processes this is, and its device."""

    number: int
    total: int
    device: torch.device


def join() -> Rank:
    """Meet the other ranks, if there are any: nccl with GPUs, gloo without."""
    count, number = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0"))) if torch.cuda.is_available() else None
    if device:
        torch.cuda.set_device(device)
    if count > 1 and not distributed.is_initialized():
        distributed.init_process_group("nccl" if device else "gloo", timeout=COLLECTIVE_TIMEOUT)
    return Rank(number, count, device or torch.device("cpu"))


def on_every_gpu(train: Callable[P, R]) -> Callable[P, R]:
    """Let a training function run in as many ranks as there are GPUs; its arguments must be plain values.

    Every caller gets what rank 0 returns. A `ShapeyardError` of a rank arrives as itself. SIGTERM reaches all ranks.
    """

    @functools.wraps(train)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        if "WORLD_SIZE" in os.environ:
            return _with_the_others(functools.partial(train, *args, **kwargs))
        count = int(os.environ.get(RANKS_VARIABLE, "0")) or torch.cuda.device_count()
        if count <= 1:
            return train(*args, **kwargs)
        result: R = _start(count, functools.partial(run, *args, **kwargs))
        return result

    return run


def _with_the_others(work: Callable[[], R]) -> R:
    results = [work()]
    if distributed.is_initialized():
        distributed.broadcast_object_list(results, src=0)
        distributed.destroy_process_group()
    return results[0]


def _start(count: int, work: Callable[[], Any]) -> Any:
    answers = torch.multiprocessing.get_context("spawn").SimpleQueue()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    children: Any = spawn(  # type: ignore[no-untyped-call]
        _rank, (count, port, reporting_on(), answers, work), nprocs=count, join=False
    )
    before = signal.signal(signal.SIGTERM, lambda *_: [child.terminate() for child in children.processes])
    try:
        while not children.join(grace_period=SHUTDOWN_GRACE_S):
            pass
    except ProcessRaisedException:
        if not answers.empty():
            raise answers.get() from None
        raise
    except ProcessExitedException as error:
        raise TrainingError(f"one of {count} ranks ended: {error}") from error
    finally:
        signal.signal(signal.SIGTERM, before)
    return answers.get()


def _rank(number: int, count: int, port: int, stage: Reporting | None, answers: Any, work: Callable[[], Any]) -> None:
    os.environ |= {"RANK": str(number), "LOCAL_RANK": str(number), "WORLD_SIZE": str(count),
                   "LOCAL_WORLD_SIZE": str(count), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}  # fmt: skip
    with reporting(stage) if stage and number == 0 else nullcontext():
        try:
            result = work()
        except ShapeyardError as error:
            answers.put(error)
            raise
    if number == 0:
        answers.put(result)
