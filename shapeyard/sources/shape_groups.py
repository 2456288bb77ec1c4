"""Shapes that are the same, in groups: neighbours by their invariants, compared one with another."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from scipy.spatial import cKDTree

from shapeyard.contracts.progress import track
from shapeyard.errors import FormatError
from shapeyard.geometry.shape_relation import ALIKE, SAME, Relation
from shapeyard.geometry.shape_signature import Signature
from shapeyard.processes import ordered_process_map

NEIGHBOURS, CLOSE_NEIGHBOURS = 8, 4
"""So many of the nearest shapes are compared with each one, by their moments and then by their surfaces, for which
files are read again."""
SAME_SIZE = 1e-3
"""A part that lies on a plate among others counts only if it is as large as the file that is found there."""
EXACT_COPY = Relation(1.0, False, False, False, False, 0.0)
Pair = tuple[int, int]
Comparing = Callable[[], Callable[[tuple[Pair, bool]], Relation | None]]


class Shape(NamedTuple):
    """A file, or a part of it that lies apart from others."""

    file: int
    signature: Signature
    copies: int
    """of the part in the file; 0 for all of a file"""
    alone: bool
    """whether the file holds nothing else"""


def grouped(shapes: Sequence[Shape], start: Comparing, processes: int) -> list[dict[int, Relation]]:
    """Groups of shapes by their places, each with its relation to the first, which has the identity."""
    parent = list(range(len(shapes)))
    known: dict[Pair, Relation | None] = {}

    def compare(pairs: Sequence[Pair], closely: bool, note: str) -> list[Pair]:
        asked = [(pair, closely) for pair in pairs]
        answers = ordered_process_map(start, asked, processes) if asked else iter(())
        for pair, answer in zip(pairs, track(answers, len(pairs), note), strict=True):
            known[pair] = None if isinstance(answer, FormatError) else answer
        return [pair for pair in pairs if known[pair]]

    while True:  # each round joins some, and others become neighbours of what is left
        heads = [number for number in range(len(shapes)) if parent[number] == number]
        pairs = [pair for pair in _neighbours(shapes, heads, SAME, NEIGHBOURS) if pair not in known]
        same = compare(pairs, False, "shapes compared")
        for low, high in same:
            one, other = sorted((_root(parent, low), _root(parent, high)))
            parent[other] = one
        if not same:
            break
    heads = [number for number in range(len(shapes)) if parent[number] == number and not shapes[number].copies]
    alike = compare(list(_neighbours(shapes, heads, ALIKE, CLOSE_NEIGHBOURS)), True, "surfaces compared")
    for head, others in _stars(alike):
        for other in others:
            parent[other] = head
    groups: dict[int, list[int]] = defaultdict(list)
    for number in range(len(shapes)):
        groups[_root(parent, number)].append(number)
    groups = {head: members for head, members in groups.items() if len(members) > 1}
    missing = [
        (head, number)
        for head, members in groups.items()
        for number in members
        if number != head and (head, number) not in known
    ]
    compare(missing, True, "copies described")
    return [
        {head: EXACT_COPY}
        | {number: known[head, number] or EXACT_COPY._replace(remeshed=True) for number in members if number != head}
        for head, members in groups.items()
    ]


def _root(parent: list[int], number: int) -> int:
    while parent[number] != number:
        parent[number] = parent[parent[number]]
        number = parent[number]
    return number


def _neighbours(shapes: Sequence[Shape], heads: Sequence[int], reach: float, most: int) -> Iterator[Pair]:
    """Pairs of `heads`, the lower place first, that may be the same shape."""
    if len(heads) < 2:
        return
    points = np.array([shapes[number].signature.invariants for number in heads])
    count = min(most + 1, len(heads))
    distances, places = cKDTree(points).query(points, count, p=np.inf, distance_upper_bound=reach)
    seen: set[Pair] = set()
    for row, column in zip(*np.nonzero(np.isfinite(distances)), strict=True):
        low, high = sorted((heads[row], heads[places[row, column]]))
        if low != high and (low, high) not in seen and _may_be_same(shapes[low], shapes[high]):
            seen.add((low, high))
            yield low, high


def _may_be_same(first: Shape, second: Shape) -> bool:
    """Parts are compared with files, and with each other where there is nothing else in their files."""
    if first.file == second.file:
        return False
    if first.alone and second.alone:
        return True
    same_size = abs(first.signature.size / second.signature.size - 1) < SAME_SIZE
    return same_size and 0 in (first.copies, second.copies)


def _stars(pairs: Sequence[Pair]) -> Iterator[tuple[int, list[int]]]:
    """Each with those that are like it, the one with the most of them first: no chain of likenesses leads far away."""
    partners: dict[int, set[int]] = defaultdict(set)
    for low, high in pairs:
        partners[low].add(high)
        partners[high].add(low)
    taken: set[int] = set()
    for head in sorted(partners, key=lambda number: (-len(partners[number]), number)):
        if head not in taken:
            others = sorted(partners[head] - taken)
            taken |= {head, *others}
            if others:
                yield head, others
