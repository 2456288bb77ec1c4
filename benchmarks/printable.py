"""STL files to measure speed with, as many and about as large as asked for: bumpy rings, vases, plates of pegs.

No two are the same: sizes, proportions, bumps and the number of triangles are drawn anew for each.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shapeyard.formats.stl import STL_HEADER_BYTES, STL_RECORD

SPREAD = 0.3
"""The largest file is so much larger than the one asked for, the smallest so much smaller."""
PEG_TRIANGLES = 12
PEG = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], np.float64)
PEG_SQUARES = np.array([[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]])


def write_printable(folder: Path, count: int, megabytes: float, seed: int = 0) -> int:
    """Write `count` binary STL files, numbered, into `folder`; returns their bytes together."""
    folder.mkdir(parents=True, exist_ok=True)
    total = 0
    for number in range(count):
        rng = np.random.default_rng((seed, number))
        size = megabytes * 1e6 * rng.uniform(1 - SPREAD, 1 + SPREAD)
        corners = (_ring, _vase, _pegs)[number % 3](rng, int(size) // STL_RECORD.itemsize)
        records = np.zeros(len(corners), STL_RECORD)
        records["corners"] = corners.reshape(-1, *STL_RECORD["corners"].shape)
        content = bytes(STL_HEADER_BYTES - 4) + len(records).to_bytes(4, "little") + records.tobytes()
        (folder / f"{number:05}.stl").write_bytes(content)
        total += len(content)
    return total


def _ring(rng: np.random.Generator, triangles: int) -> NDArray[np.float64]:
    """A tube that closes to a ring: genus 1."""
    return _wrapped(rng, triangles, closed=True)


def _vase(rng: np.random.Generator, triangles: int) -> NDArray[np.float64]:
    """A surface around an axis, open at both ends."""
    return _wrapped(rng, triangles, closed=False)


def _wrapped(rng: np.random.Generator, triangles: int, *, closed: bool) -> NDArray[np.float64]:
    """A grid of about half as many squares as triangles, wrapped around a line; (M,3,3)."""
    around = int(rng.integers(30, 120))
    along = max(triangles // 2 // around, 3)
    u, v = np.meshgrid(np.arange(along + 1) / along, np.arange(around + 1) / around, indexing="ij")
    radius = rng.uniform(5, 20) * (1 + 0.2 * np.sin(2 * np.pi * (rng.integers(1, 9) * u + rng.integers(0, 9) * v)))
    turn = 2 * np.pi * v
    if closed:
        middle = rng.uniform(30, 60)
        reach = middle + radius * np.cos(turn)
        points = [reach * np.cos(2 * np.pi * u), reach * np.sin(2 * np.pi * u), radius * np.sin(turn)]
    else:
        points = [radius * np.cos(turn), radius * np.sin(turn), rng.uniform(20, 90) * u]
    surface = np.stack(points, axis=-1)
    surface[:, -1] = surface[:, 0]
    if closed:
        surface[-1] = surface[0]
    squares = np.stack([surface[:-1, :-1], surface[1:, :-1], surface[1:, 1:], surface[:-1, 1:]], axis=2)
    return _halved(squares.reshape(-1, 4, 3))


def _pegs(rng: np.random.Generator, triangles: int) -> NDArray[np.float64]:
    """Boxes of any height side by side, each a shell of its own; (M,3,3)."""
    count = max(triangles // PEG_TRIANGLES, 1)
    side = int(np.ceil(np.sqrt(count)))
    places = np.stack((*np.divmod(np.arange(count), side), np.zeros(count)), axis=1) * 2.5
    sizes = rng.uniform(0.5, 2.0, (count, 3)) * (1, 1, rng.uniform(1, 20))
    pegs = PEG * sizes[:, None] + places[:, None]
    return _halved(pegs[:, PEG_SQUARES].reshape(-1, 4, 3))


def _halved(squares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Squares (S,4,3) as triangles (2S,3,3)."""
    return squares[:, [0, 1, 2, 0, 2, 3]].reshape(-1, 3, 3)
