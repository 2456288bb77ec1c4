"""A function of space on a fine grid, computed only where its surface can be.

A coarse grid is computed whole. Of each grid twice as fine only the corners of those cells are computed that may hold
the surface; the others keep the value in between, which is far from the surface's and so of the right side.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from shapeyard.errors import require


class RefinedGrid(NamedTuple):
    """The part of a grid in which the surface is."""

    values: NDArray[np.float32]
    """(X+1,Y+1,Z+1) at nodes: the corners of cells"""
    origin: NDArray[np.int64]
    """(3,) the first of these nodes in the whole grid of `cells` + 1 a side"""
    cells: int
    """along a side of the whole grid; fewer than asked for where no cell may hold a surface"""


def refined_grid(
    values_at: Callable[[NDArray[np.int64], int], NDArray[np.float32]],
    near_surface: Callable[[NDArray[np.float32], int], NDArray[np.bool_]],
    coarsest: int,
    resolution: int,
) -> RefinedGrid:
    """Compute a function on a grid of `resolution` cells a side.

    Args:
        values_at: nodes (N,3) of a grid, 0 to its number of cells a side, and that number → (N,).
        near_surface: the values (X+1,Y+1,Z+1) at nodes, and the cells along a side of their whole grid → the cells
            (X,Y,Z) that may hold the surface.
        coarsest: cells along a side of the grid that is computed whole.
        resolution: `coarsest` times a power of two.

    Raises:
        ParameterError: for another resolution.
    """
    doublings = (resolution // coarsest).bit_length() - 1
    require(coarsest << max(doublings, 0) == resolution,
            f"resolution: expected {coarsest} times a power of two, got {resolution}")  # fmt: skip
    cells = coarsest
    every = np.argwhere(np.ones((cells + 1,) * 3, np.bool_))
    values = values_at(every, cells).reshape((cells + 1,) * 3)
    origin = np.zeros(3, np.int64)
    for _ in range(doublings):
        places = np.argwhere(near_surface(values, cells))  # (M,3) cells
        if not len(places):
            break
        first, last = places.min(axis=0), places.max(axis=0) + 1
        values = _doubled(values[tuple(slice(start, stop + 1) for start, stop in zip(first, last, strict=True))])
        cells, origin = 2 * cells, 2 * (origin + first)
        nodes = _nodes_of_cells(places - first, values.shape)
        values[tuple(nodes.T)] = values_at(nodes + origin, cells)
    return RefinedGrid(values, origin, cells)


def over_corners(values: NDArray[np.float32], combine: Callable[..., Any]) -> NDArray[np.float32]:
    """Nodes (X+1,Y+1,Z+1) → the least, largest or summed value (X,Y,Z) of each cell's corners."""
    for axis in range(3):
        low, high = (np.take(values, range(start, start + values.shape[axis] - 1), axis) for start in (0, 1))
        values = combine(low, high)
    return values


def _nodes_of_cells(places: NDArray[np.int64], shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Cells (M,3) of a grid → the nodes (N,3) that belong to them in the grid twice as fine, of that shape."""
    first = np.ravel_multi_index(tuple(2 * places.T), shape)
    mask = np.zeros(int(np.prod(shape)), np.bool_)
    for corner in np.ndindex(3, 3, 3):
        mask[first + np.ravel_multi_index(corner, shape)] = True
    return np.stack(np.unravel_index(np.flatnonzero(mask), shape), axis=1)


def _doubled(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """(X+1,Y+1,Z+1) → (2X+1,2Y+1,2Z+1), linear in between."""
    size = [2 * length - 1 for length in values.shape]
    fine = functional.interpolate(
        torch.from_numpy(np.ascontiguousarray(values))[None, None], size, mode="trilinear", align_corners=True
    )
    return np.asarray(fine[0, 0].numpy())
