"""Paired intervals: known answers, the obvious loop, and what has no answer."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest

from shapeyard.metrics import paired
from shapeyard.metrics.paired import paired_difference


def test_views_then_objects_then_classes() -> None:
    """Class a: objects of (1 + 0)/2 and 1 → 0.75; class b: 0.25; mean 0.5, however many views there are."""
    first = [1.0, 0.0, 1.0, 0.25]
    found = paired_difference(first, np.zeros(4), ["a/1", "a/1", "a/2", "b/1"], ["a", "a", "a", "b"])
    assert found.difference == 0.5 and found.objects == 3


def test_a_constant_difference_has_no_width() -> None:
    second = np.random.default_rng(0).random(40)
    found = paired_difference(second + 0.125, second, [f"o{i}" for i in range(40)], ["a", "b"] * 20)
    assert found.low == pytest.approx(0.125) and found.high == pytest.approx(0.125) and found.clear


def test_against_all_draws_there_are() -> None:
    """Three objects: 27 draws with replacement, each equally likely; their quantiles are the interval's ends."""
    values = np.array([0.0, 1.0, 5.0])
    every = [np.mean([values[i] for i in draw]) for draw in product(range(3), repeat=3)]
    found = paired_difference(values, np.zeros(3), ["x", "y", "z"], ["c"] * 3, confidence=0.7, resamples=100_000)
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(every * 1000, [0.15, 0.85])))
    assert found.difference == pytest.approx(2)


def test_against_the_normal_law() -> None:
    """200 objects of standard deviation s: the mean's interval is ±1.96 s/√200."""
    values = np.random.default_rng(1).normal(0.1, 1, 200)
    found = paired_difference(values, np.zeros(200), [str(i) for i in range(200)], ["c"] * 200)
    half = 1.96 * values.std() / math.sqrt(200)
    assert found.high - found.difference == pytest.approx(half, rel=0.05)
    assert found.difference - found.low == pytest.approx(half, rel=0.05)


def test_views_of_one_object_are_no_independent_trials() -> None:
    values, names = np.random.default_rng(2).normal(size=30), [str(i) for i in range(30)]
    once = paired_difference(values, np.zeros(30), names, ["c"] * 30)
    repeated = paired_difference(np.repeat(values, 9), np.zeros(270), np.repeat(names, 9).tolist(), ["c"] * 270)
    assert repeated == pytest.approx(once) and not once.clear


def test_what_is_hard_for_both_cancels_out() -> None:
    rng = np.random.default_rng(3)
    hard = rng.normal(0, 10, 100)
    found = paired_difference(hard + rng.normal(0.2, 0.1, 100), hard, [str(i) for i in range(100)], ["c"] * 100)
    assert found.clear and found.high - found.low < 0.1


def test_a_seed_gives_the_same_interval_in_any_order_and_portion(monkeypatch: pytest.MonkeyPatch) -> None:
    values, names, classes = np.random.default_rng(4).normal(size=20), [f"{i:02}" for i in range(20)], ["a", "b"] * 10
    found = paired_difference(values, np.zeros(20), names, classes, seed=5)
    order = np.random.default_rng(6).permutation(20)
    shuffled = [[list(of)[i] for i in order] for of in (values, names, classes)]
    assert paired_difference(shuffled[0], np.zeros(20), shuffled[1], shuffled[2], seed=5) == found
    assert paired_difference(values, np.zeros(20), names, classes, seed=6) != found
    monkeypatch.setattr(paired, "DRAWN_AT_ONCE", 35)
    assert paired_difference(values, np.zeros(20), names, classes, seed=5) == found


def test_nothing_to_compare_and_values_that_are_missing() -> None:
    nothing = paired_difference([], [], [], [])
    assert math.isnan(nothing.difference) and math.isnan(nothing.low) and nothing.objects == 0 and not nothing.clear
    found = paired_difference([1, np.nan, 3], [0, 0, np.nan], ["x", "y", "z"], ["c"] * 3)
    assert found == (1, 1, 1, 1)


@pytest.mark.parametrize(("objects", "confidence"), [(["x"], 0.95), (["x", "y"], 1.0)])
def test_bad_input(objects: list[str], confidence: float) -> None:
    with pytest.raises(ValueError, match="expected a"):
        paired_difference([0.0, 1.0], [0.0, 1.0], objects, ["c", "c"], confidence=confidence)
