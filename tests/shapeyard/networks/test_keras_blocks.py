"""What networks of Keras are made of."""

from __future__ import annotations

import numpy as np

from shapeyard.networks.backend import tf
from shapeyard.networks.keras_blocks import depth_maps


def test_maps_of_a_single_voxel() -> None:
    grid = np.zeros((1, 8, 8, 8, 1), np.float32)
    grid[0, 2, 3, 4] = 1
    for axis, place, seen_at in ((1, 2, (3, 4)), (2, 3, (2, 4)), (3, 4, (2, 3))):
        maps = np.asarray(depth_maps(tf.constant(grid), axis))[0]
        assert maps.shape == (8, 8, 3) and np.count_nonzero(maps.any(axis=-1)) == 1
        np.testing.assert_allclose(maps[seen_at], [(8 - place) / 8, (place + 1) / 8, 1 / 8])
