"""Batches of training grids, some of them moved, stretched and spoiled as reconstructions are.

The classifier is shown reconstructed shapes too: soft where they should be sharp, without their thin parts, with blobs
where nothing is, and never exactly in the middle.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

NOISE_CELLS = 6  # along each side: a blob is about a sixth of the cube
NOISE_AMPLITUDE = 0.35  # of the smoothed occupancy, which is 0 to 1
LEVELS = (0.06, 0.7)  # where the smoothed occupancy is cut: a plate of one voxel has 1/3, a rod 1/9


def training_batches(
    occupancy: NDArray[np.bool_],
    labels: NDArray[np.int64],
    batch_size: int,
    epochs: int,
    *,
    shift: int,
    stretch: float,
    spoiled: float,
    seed: int,
) -> tf.data.Dataset:
    """All batches of all epochs: each epoch in a new order, every grid changed anew.

    Args:
        occupancy: (N,R,R,R).
        labels: (N,) classes.
        batch_size: grids in a batch; the last one of an epoch holds what is left.
        epochs: passes over the grids.
        shift: by how many voxels a grid is moved along each axis, at the most.
        stretch: by which share a grid is stretched or squeezed along each axis, at the most.
        spoiled: the share of the grids that is spoiled, 0 to 1.
        seed: of the order and of the changes.

    Returns:
        Batches of (B,R,R,R,1) float32, 0 or 1, and (B,) int64.
    """

    def change(number: tf.Tensor, batch: tuple[tf.Tensor, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        moved_by, spoiled_by = tf.unstack(tf.random.split(tf.stack([tf.constant(seed, tf.int64), number])))
        grids = move(tf.cast(batch[0], tf.float32), shift, stretch, moved_by)
        return spoil(grids, spoiled, spoiled_by)[..., tf.newaxis], batch[1]

    batches = tf.data.Dataset.from_tensor_slices((occupancy, labels))
    batches = batches.shuffle(len(labels), seed=seed).batch(batch_size).repeat(epochs)
    numbered = tf.data.Dataset.zip((tf.data.Dataset.counter(), batches))
    return numbered.map(change, num_parallel_calls=2, deterministic=True).prefetch(2)


def move(grids: tf.Tensor, shift: int, stretch: float, seed: tf.Tensor) -> tf.Tensor:
    """Move and stretch each grid (B,R,R,R) along each axis by its own amounts; nearest voxels, nothing wraps round."""
    shift_seed, stretch_seed = tf.unstack(tf.random.split(seed))
    count, side = tf.shape(grids)[0], grids.shape[1]
    offset = tf.random.stateless_uniform((count, 3, 1), shift_seed, -shift, shift)
    factor = (1 + stretch) ** tf.random.stateless_uniform((count, 3, 1), stretch_seed, -1, 1)
    centres = tf.range(side, dtype=tf.float32) - (side - 1) / 2
    source = tf.round((centres - offset) * factor + (side - 1) / 2)
    x, y, z = tf.unstack(tf.one_hot(tf.cast(source, tf.int32), side), axis=1)  # (B,R,R); rows of zeros outside
    grids = tf.einsum("bxi,bijk->bxjk", x, grids)
    grids = tf.einsum("byj,bxjk->bxyk", y, grids)
    return tf.einsum("bzk,bxyk->bxyz", z, grids)


def spoil(grids: tf.Tensor, share: float, seed: tf.Tensor) -> tf.Tensor:
    """Smooth some grids (B,R,R,R), add blobs, and cut each at its own level: a low one grows, a high one erodes."""
    which_seed, noise_seed, amplitude_seed, level_seed = tf.unstack(tf.random.split(seed, 4))
    count, side = tf.shape(grids)[0], grids.shape[1]
    smooth = tf.nn.avg_pool3d(grids[..., tf.newaxis], 3, 1, "SAME")[..., 0]
    cells = (NOISE_CELLS,) * 3
    noise = tf.random.stateless_normal((count, *cells), noise_seed)
    spread = tf.constant(linear_interpolation(side, NOISE_CELLS))
    for equation in ("xi,bijk->bxjk", "yj,bxjk->bxyk", "zk,bxyk->bxyz"):
        noise = tf.einsum(equation, spread, noise)
    amplitude = tf.random.stateless_uniform((count, 1, 1, 1), amplitude_seed, 0, NOISE_AMPLITUDE)
    level = tf.random.stateless_uniform((count, 1, 1, 1), level_seed, *LEVELS)
    rough = tf.cast(smooth + amplitude * noise > level, tf.float32)
    return tf.where(tf.random.stateless_uniform((count, 1, 1, 1), which_seed) < share, rough, grids)


def linear_interpolation(fine: int, coarse: int) -> NDArray[np.float32]:
    """(fine, coarse) weights that spread `coarse` values evenly over `fine` places, ends on ends; rows sum to 1."""
    places = np.linspace(0, coarse - 1, fine)
    return np.maximum(0, 1 - np.abs(places[:, None] - np.arange(coarse))).astype(np.float32)
