"""What every training loop needs and no framework has to give: an order of the examples and a learning rate."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


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
