"""From what a shape of a dataset of kind sdf is reconstructed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shapeyard.contracts.dataset import Dataset
from shapeyard.geometry.cameras import generator_for
from shapeyard.geometry.sdf_observations import SdfObservation, observe_cloud, observe_depth, observe_samples

KNOWN = "code"
"""From nothing but the code of the training."""
INPUTS = ("samples", "half_cloud", "view")
OBSERVED_SAMPLES = 65_536
"""Of an object, from which each step of a search draws."""


def input_generator(sample_id: str, name: str, seed: int) -> np.random.Generator:
    """What an input of an object is drawn from, the half of its cloud first."""
    return generator_for(seed, f"{sample_id} {name}")


def observe(data: Dataset, sample_id: str, name: str, seed: int) -> SdfObservation:
    """What one of `INPUTS` tells of an object: the same for the same seed."""
    rng = input_generator(sample_id, name, seed)
    if name == "samples":
        return observe_samples(
            data.read(sample_id, "positive"), data.read(sample_id, "negative"), OBSERVED_SAMPLES, rng
        )
    if name == "half_cloud":
        half = half_of_cloud(data.read(sample_id, "surface"), rng)
        return observe_cloud(half[:, :3], half[:, 3:], OBSERVED_SAMPLES, rng)
    depth, camera = (data.read(sample_id, part, 0) for part in ("depth", "sdf_from_camera"))
    return observe_depth(depth, data.read(sample_id, "intrinsics"), camera, OBSERVED_SAMPLES, rng)


def half_of_cloud(surface: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """The points (S,6) of a cloud on one side of a plane of random direction, half of them."""
    along = surface[:, :3] @ rng.normal(size=3)
    return surface[along > np.median(along)]
