"""Drawing from an object's own random numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

Option = TypeVar("Option")


def pick(rng: np.random.Generator, options: Sequence[Option]) -> Option:
    """One of the options, all alike likely (one listed twice is twice as likely)."""
    return options[int(rng.integers(len(options)))]
