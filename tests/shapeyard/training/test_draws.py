"""What a step's batch is made from."""

from __future__ import annotations

import numpy as np

from shapeyard.training.draws import draw


def test_a_draw_depends_on_the_seed_and_the_step_alone() -> None:
    passes = np.concatenate([draw(step, 7, range(4), 4, seed=1).indices for step in range(1, 15)]).reshape(-1, 7)
    assert all(sorted(order) == list(range(7)) for order in passes)
    assert len({tuple(order) for order in passes}) > 4
    whole, part = draw(5, 7, range(4), 4, seed=1), draw(5, 7, range(2, 4), 4, seed=1)
    assert part.indices.tolist() == whole.indices[2:].tolist()
    numbers = [rng.random() for rng in whole.rngs]
    assert [rng.random() for rng in part.rngs] == numbers[2:] and len(set(numbers)) == 4
    assert part.rng.random() == whole.rng.random()
    assert draw(5, 7, range(4), 4, seed=2).rng.random() != draw(5, 7, range(4), 4, seed=1).rng.random()
