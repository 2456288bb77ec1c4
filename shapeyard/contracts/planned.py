"""How many samples of a run may be skipped: a rule over all shards, kept by what one shard knows.

A shard alone fails only if it skipped more than the whole run may. Whoever opens all shards together counts them all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from shapeyard.errors import TooManySkippedError


class SkippedSample(Protocol):
    """A sample that could not be used, and why."""

    @property
    def id(self) -> str:
        """class/name"""

    @property
    def reason(self) -> str:
        """one line"""


class Planned(NamedTuple):
    """What `plan` gave to a shard, and to the run that it is a part of."""

    shard: int
    """objects"""
    run: int
    """objects of all shards"""
    max_skipped: float = 1.0
    """share of the run's objects that may be skipped, 0 to 1"""


def require_enough(
    kept: int, skipped: Sequence[SkippedSample], max_skipped: float, planned: Planned | None = None
) -> None:
    """Check one stage's work on one shard, or on a dataset that is no shard.

    Raises:
        TooManySkippedError: if it skipped more than the share of the run's samples that may be, or the run is left
            without any.
    """
    total = kept + len(skipped)
    of = max(planned.run, total) if planned else total
    if skipped and (len(skipped) > max_skipped * of or (not kept and total >= of)):
        _refuse(len(skipped), of, max_skipped, skipped)


def require_enough_of_run(kept: int, skipped: Sequence[SkippedSample], shards: Sequence[Planned]) -> None:
    """Check what is left in the shards of a run together, whichever stage skipped the others.

    Raises:
        TooManySkippedError: as `require_enough`.
    """
    total = sum(shard.shard for shard in shards)
    max_skipped = max(shard.max_skipped for shard in shards)
    if skipped and (total - kept > max_skipped * total or not kept):
        _refuse(total - kept, total, max_skipped, skipped)


def _refuse(count: int, total: int, max_skipped: float, skipped: Sequence[SkippedSample]) -> None:
    first = skipped[-1 if count < len(skipped) else 0]
    raise TooManySkippedError(
        f"{count} of {total} samples skipped, at most {max_skipped:.0%} allowed; first: {first.id}: {first.reason}"
    )
