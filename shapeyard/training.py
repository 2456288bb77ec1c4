"""What every training loop needs and no framework has to give: an order of the examples, a learning rate, cores."""

from __future__ import annotations

import ctypes
import math
import os
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from shapeyard.errors import require

CPU_LIMIT = Path("/sys/fs/cgroup/cpu.max")
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_MMAP_MAX = -1, -3, -4  # malloc.h


class Draw(NamedTuple):
    """What a step's batch, or a part of it, is made from: a function of the seed and the step alone."""

    step: int
    indices: NDArray[np.int64]
    """(b,) examples"""
    rng: np.random.Generator
    """for what all examples of the batch have in common"""
    rngs: list[np.random.Generator]
    """one for each of the b examples"""


def draw(step: int, count: int, places: range, batch_size: int, seed: int) -> Draw:
    """The examples of step 1, 2, … at some places of its batch, and the generators for what is random in it.

    Each pass over the examples has an order of its own and leaves none out; a batch may reach over into the next pass.
    A part of a batch is drawn as it would be in the whole one.

    Args:
        step: from 1 on.
        count: of all examples.
        places: within the batch, 0 to `batch_size`.
        batch_size: examples in the whole batch.
        seed: of everything.
    """
    absolute = [(step - 1) * batch_size + place for place in places]
    return Draw(
        step,
        np.array([_order(count, seed, number // count)[number % count] for number in absolute]),
        np.random.default_rng([seed, 1, step, 0]),
        [np.random.default_rng([seed, 2, step, place]) for place in places],
    )


def seed_of_step(step: int, rank: int, seed: int) -> int:
    """A seed, 0 to 2³²−1, for generators that are not ours."""
    return int(np.random.SeedSequence([seed, 3, step, rank]).generate_state(1)[0])


@lru_cache(maxsize=4)
def _order(count: int, seed: int, number: int) -> NDArray[np.int64]:
    """The order of the examples in a pass."""
    return np.random.default_rng([seed, 0, number, 0]).permutation(count)


def cosine_rate(step: int, steps: int, warmup: int = 0) -> float:
    """The share of the peak learning rate at a step, 0 to `steps`: a linear rise, then half a cosine down to 0.

    Loshchilov, Hutter: SGDR, 2017, arXiv 1608.03983, without restarts.
    """
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(steps - warmup, 1)))


def keep_memory() -> None:
    """Have this process keep the memory that it frees, until `release_memory`, where the C library is glibc.

    Otherwise every large tensor is mapped anew and filled with zeros by the kernel, a tenth of a step's time in some
    networks. malloc(3), mallopt(3).
    """
    _set_malloc({M_MMAP_MAX: 0, M_TRIM_THRESHOLD: 2**31 - 1})


def release_memory() -> None:
    """Give back what `keep_memory` held, and map large tensors one by one from now on.

    What reads and writes between its networks' answers, as a prediction of a whole dataset does, would otherwise leave
    ever more holes: 6 GB after 1,500 objects, with 0.1 in use.
    """
    _set_malloc({M_MMAP_MAX: 65536, M_MMAP_THRESHOLD: 2**20, M_TRIM_THRESHOLD: 2**17})
    with suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def _set_malloc(values: Mapping[int, int]) -> None:
    with suppress(AttributeError):  # another C library
        mallopt = ctypes.CDLL(None).mallopt
        for parameter, value in values.items():
            mallopt(parameter, value)


def cores(workers: int) -> int:
    """`workers`, or for 0 as many as the process may use; raises `ParameterError` below 0."""
    require(workers >= 0, f"expected workers of at least 0, got {workers}")
    return workers or min(len(os.sched_getaffinity(0)), _cores_of_container(CPU_LIMIT))


def _cores_of_container(limit: Path) -> int:
    """The cores that a container may keep busy, rounded up: a CPU limit hides none of the machine's from a process.

    `limit`: "200000 100000" for two cores, "max 100000" for all; Linux' control group v2, `cpu.max`.
    """
    try:
        quota, period = limit.read_text(encoding="ascii").split()
        return max(math.ceil(int(quota) / int(period)), 1)
    except (OSError, ValueError):  # no such control group, or no limit
        return os.cpu_count() or 1
