"""Batches of training examples: grids moved, stretched, rotated, and corrupted as reconstructions are.

A classifier may be shown reconstructed shapes: soft where they should be sharp, without their thin parts, with blobs
where nothing is, and never exactly in the middle.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shapeyard.networks.backend import tf

NOISE_CELLS = 6  # along each side: a blob is about a sixth of the cube
NOISE_AMPLITUDE = 0.35  # of the smoothed occupancy, which is 0 to 1
LEVELS = (0.06, 0.7)  # where the smoothed occupancy is cut: a plate of one voxel has 1/3, a rod 1/9


@dataclass(frozen=True)
class GridAugmentation:
    """How training examples are changed, anew each time that they are shown."""

    shift: int = 0
    """voxels by which a grid is moved along each axis, at the most"""
    stretch: float = 0.0
    """share by which a grid is stretched or squeezed along each axis, at the most"""
    corruption_probability: float = 0.0
    """share of the grids that is corrupted, 0 to 1"""
    rotation: bool = False
    """rotate grids by right angles about the axis that points up, and flip them"""
    noise: float = 0.0
    """what is added to measures, in deviations of the training split"""


def training_batches(
    inputs: Mapping[str, NDArray[Any]],
    labels: NDArray[np.int64],
    batch_size: int,
    epochs: int,
    changes: GridAugmentation,
    *,
    seed: int,
    steps_made: int = 0,
) -> tf.data.Dataset:
    """All batches after the first `steps_made`: each epoch in a new order, every example changed anew.

    Args:
        inputs: occupancy (N,R,R,R), measures (N,F), points (N,256,256,3), or some of them.
        labels: (N,) classes.
        batch_size: examples in a batch; the last one of an epoch holds what is left.
        epochs: passes over the examples.
        changes: how they are changed.
        seed: of the order and of the changes.
        steps_made: batches to leave out, those of an interrupted training.

    Returns:
        Batches of the inputs as float32, occupancy (B,R,R,R,1), 0 or 1; and (B,) int64.
    """
    deviation = inputs["measures"].std(axis=0) if "measures" in inputs else 0.0

    def change(
        number: tf.Tensor, batch: tuple[dict[str, tf.Tensor], tf.Tensor]
    ) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        changed = {name: tf.cast(values, tf.float32) for name, values in batch[0].items()}
        moved_by, corrupted_by = tf.unstack(tf.random.split(tf.stack([tf.constant(seed, tf.int64), number])))
        if "occupancy" in changed:
            grids = rotate(changed["occupancy"], moved_by) if changes.rotation else changed["occupancy"]
            grids = move(grids, changes.shift, changes.stretch, moved_by) if changes.shift or changes.stretch else grids
            grids = (
                corrupt(grids, changes.corruption_probability, corrupted_by)
                if changes.corruption_probability
                else grids
            )
            changed["occupancy"] = grids[..., tf.newaxis]
        if "measures" in changed and changes.noise:
            noise = tf.random.stateless_normal(tf.shape(changed["measures"]), corrupted_by)
            changed["measures"] += changes.noise * tf.constant(deviation, tf.float32) * noise
        return changed, batch[1]

    batches = tf.data.Dataset.from_tensor_slices((dict(inputs), labels))
    batches = batches.shuffle(len(labels), seed=seed).batch(batch_size).repeat(epochs)
    numbered = tf.data.Dataset.zip((tf.data.Dataset.counter(), batches)).skip(steps_made)
    return numbered.map(change, num_parallel_calls=2, deterministic=True).prefetch(2)


def rotate(grids: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Rotate each grid (B,R,R,R) by right angles about y, and flip it, each of the eight ways as often as any other."""
    flipped_x, flipped_z, swapped = tf.unstack(
        tf.random.stateless_uniform((3, tf.shape(grids)[0], 1, 1, 1), seed) < 0.5
    )
    grids = tf.where(flipped_x, grids[:, ::-1], grids)
    grids = tf.where(flipped_z, grids[..., ::-1], grids)
    return tf.where(swapped, tf.transpose(grids, (0, 3, 2, 1)), grids)


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


def corrupt(grids: tf.Tensor, share: float, seed: tf.Tensor) -> tf.Tensor:
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
