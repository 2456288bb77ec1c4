"""Baselines without a network: by hand, against the obvious version, and at the edges."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shapeyard.contracts.dataset import Dataset, DatasetWriter, Sample, read_occupancy
from shapeyard.contracts.packed_occupancy import pack_occupancy
from shapeyard.errors import DatasetError
from shapeyard.evaluation.baselines import extruded_shapes, mean_shape, silhouettes, true_grid
from shapeyard.geometry.lifting import extrude
from shapeyard.geometry.pooling import pool_grid


def test_the_mean_shape_is_a_mean(write_shapes: Callable[..., Any]) -> None:
    voxels = Dataset([write_shapes(count=2, resolution=32, splits=["train"]).voxels], "voxels")
    one, other = (read_occupancy(voxels, sample.id) for sample in voxels.samples)
    expected = (one.astype(float) + other) / 2
    np.testing.assert_allclose(mean_shape(voxels, voxels.samples), expected)
    np.testing.assert_allclose(mean_shape(voxels, voxels.samples, 32), expected)
    pooled = (pool_grid(one, 16).astype(float) + pool_grid(other, 16)) / 2
    np.testing.assert_allclose(mean_shape(voxels, voxels.samples, 16), pooled)
    np.testing.assert_array_equal(true_grid(voxels, voxels.samples[0].id, 16), pool_grid(one, 16))
    assert mean_shape(voxels, []) is None


def test_grids_of_two_resolutions_have_no_mean(tmp_path: Path) -> None:
    with DatasetWriter(tmp_path / "v", "voxels", "voxelize", {}) as writer:
        for size in (4, 8):
            sample = Sample(f"a/{size}", "a", "train", "")
            writer.add(sample, {"occupancy": pack_occupancy(np.ones((size,) * 3, bool))}, {"resolution": size})
    voxels = Dataset([tmp_path / "v"], "voxels")
    with pytest.raises(DatasetError, match=r"sample a/8: expected \(4, 4, 4\), got \(8, 8, 8\)"):
        mean_shape(voxels, voxels.samples)
    assert mean_shape(voxels, voxels.samples, 4) is not None


@pytest.mark.parametrize("thickness", [1, 2, 5, 9])
def test_extruded_shapes_against_extruding(thickness: int) -> None:
    surface = np.random.default_rng(0).random((9, 9, 9)) < 0.1
    np.testing.assert_array_equal(extruded_shapes(surface).at(thickness - 1), extrude(surface, thickness))


def test_silhouettes_of_external_renderings(tmp_path: Path) -> None:
    rgba = np.zeros((1, 4, 4, 4), dtype=np.uint8)
    rgba[0, 1, 1, 3], rgba[0, 2, 2, 3] = 128, 127
    with DatasetWriter(tmp_path / "r", "renders", "render", {}) as writer:
        writer.add(Sample("a/0", "a", "test", ""), {"rgba": rgba})
    found = silhouettes(Dataset([tmp_path / "r"], "renders"), "a/0")
    assert found.sum() == 1 and found[0, 1, 1]


def test_silhouettes_where_depth_is_known(write_shapes: Callable[..., Any]) -> None:
    renders = Dataset([write_shapes(count=1, views=3, splits=["train"]).renders], "renders")
    name = renders.samples[0].id
    np.testing.assert_array_equal(silhouettes(renders, name), np.isfinite(renders.read(name, "depth")))
