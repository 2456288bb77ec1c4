"""How the C library keeps and gives back memory."""

from __future__ import annotations

import subprocess
import sys

MEMORY = """
import numpy as np
from shapeyard.allocator import keep_memory, release_memory

def megabytes():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096 / 1e6

keep_memory()
before = megabytes()
np.ones(200_000_000, np.uint8)
kept = megabytes() - before
release_memory()
np.ones(200_000_000, np.uint8)
print(kept, megabytes() - before)
"""


def test_memory_is_kept_and_given_back() -> None:
    found = subprocess.run([sys.executable, "-c", MEMORY], capture_output=True, text=True, check=True)
    kept, held = map(float, found.stdout.split())
    assert kept > 190 and held < 20
