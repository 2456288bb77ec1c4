"""Training grids: moved, stretched, rotated and corrupted."""

from __future__ import annotations

import numpy as np

from components.train_classifier.grid_augmentation import (
    GridAugmentation,
    corrupt,
    linear_interpolation,
    move,
    rotate,
    training_batches,
)
from shapeyard.networks.backend import tf

SEED = tf.constant([3, 4], tf.int64)


def test_a_grid_that_is_not_to_move_stays() -> None:
    grids = tf.constant(np.random.default_rng(0).random((2, 6, 6, 6)) > 0.5, tf.float32)
    np.testing.assert_array_equal(move(grids, 0, 0.0, SEED), grids)
    np.testing.assert_array_equal(corrupt(grids, 0.0, SEED), grids)


def test_moved_grids_are_shifted_copies() -> None:
    grid = np.zeros((9, 9, 9), np.float32)
    grid[3:6, 4, 3:5] = 1
    places = {tuple(offset) for offset in np.ndindex(5, 5, 5)}
    copies = {np.roll(grid, np.subtract(offset, 2), (0, 1, 2)).tobytes() for offset in places}
    moved = move(tf.constant(np.stack([grid] * 40)), 2, 0.0, SEED).numpy()
    assert all(one.tobytes() in copies for one in moved)
    assert len({one.tobytes() for one in moved}) > 20


def test_what_moves_out_does_not_come_back() -> None:
    moved = move(tf.ones((20, 8, 8, 8)), 3, 0.0, SEED).numpy()
    assert moved.min() == 0 and (moved.sum(axis=(1, 2, 3)) >= 5**3).all()


def test_stretched_grids_stay_centred() -> None:
    ball = np.square(np.stack(np.meshgrid(*[np.arange(33) - 16] * 3))).sum(axis=0) <= 100
    stretched = move(tf.constant(np.stack([ball] * 20), tf.float32), 0, 0.3, SEED).numpy() > 0
    np.testing.assert_array_equal(stretched, stretched[:, ::-1, ::-1, ::-1])
    widths = stretched.any(axis=(2, 3)).sum(axis=1)  # of 21 voxels, times 1/1.3 to 1.3
    assert widths.min() < 19 and widths.max() > 23 and widths.min() >= 15 and widths.max() <= 29


def test_corrupted_grids_are_binary_and_still_alike() -> None:
    ball = np.square(np.stack(np.meshgrid(*[np.arange(32) - 15.5] * 3))).sum(axis=0) <= 144
    corrupted = corrupt(tf.constant(np.stack([ball] * 10), tf.float32), 1.0, SEED).numpy()
    assert set(np.unique(corrupted)) == {0.0, 1.0}
    shared, either = (corrupted > 0) & ball, (corrupted > 0) | ball
    ious = shared.sum(axis=(1, 2, 3)) / either.sum(axis=(1, 2, 3))
    assert (ious > 0.4).all() and (ious < 1).all()


def test_linear_interpolation_by_hand() -> None:
    expected = [[1, 0, 0], [0.5, 0.5, 0], [0, 1, 0], [0, 0.5, 0.5], [0, 0, 1]]
    np.testing.assert_allclose(linear_interpolation(5, 3), expected)


def test_batches_hold_every_grid_once_an_epoch() -> None:
    occupancy, labels = np.zeros((5, 4, 4, 4), dtype=bool), np.arange(5)
    batches = list(training_batches({"occupancy": occupancy}, labels, 2, 3, GridAugmentation(), seed=1))
    assert [len(classes) for _, classes in batches] == [2, 2, 1] * 3
    orders = [np.concatenate([c for _, c in batches[i : i + 3]]).tolist() for i in (0, 3, 6)]
    assert all(sorted(order) == [0, 1, 2, 3, 4] for order in orders) and len({tuple(o) for o in orders}) > 1
    assert batches[0][0]["occupancy"].shape == (2, 4, 4, 4, 1)


def test_rotated_grids_are_all_eight_ways() -> None:
    grid = np.random.default_rng(0).random((5, 5, 5)) > 0.5
    ways = set()
    for flipped in (grid, grid[::-1]):
        ways |= {np.rot90(flipped, k, (0, 2)).tobytes() for k in range(4)}
    rotated = rotate(tf.constant(np.stack([grid] * 200), tf.float32), SEED).numpy() > 0.5
    assert {one.tobytes() for one in rotated} == ways and len(ways) == 8
