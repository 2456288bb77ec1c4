"""Pairs of a 2.5D grid and the true shape: lifted from views, and as they were published."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import special_ortho_group

from components.train_recgan.pairs import LiftedViews, Pairs, lift, true_shape
from components.train_recgan.published_pairs import PublishedPairs, published_pairs
from shapeyard.contracts.dataset import Dataset, DatasetWriter, read_occupancy
from shapeyard.errors import DatasetError, FormatError, ParameterError
from shapeyard.formats.recgan_pairs import find_recgan_pairs, in_cube, read_recgan_pair
from shapeyard.geometry.lifting import canonical_grid_from_cube, cube_from_canonical_grid
from shapeyard.inference.view_numbers import views_of
from shapeyard.metrics.occupancy import overlap

Write = Callable[..., Any]


@pytest.fixture
def views(write_shapes: Write) -> tuple[Dataset, Dataset]:
    """Four objects with two views each: renders and voxels."""
    folders = write_shapes(count=4, resolution=32, splits=["train"])
    return Dataset([folders.renders], "renders"), Dataset([folders.voxels], "voxels")


def test_pairs_agree_with_the_shapes(views: tuple[Dataset, Dataset]) -> None:
    renders, voxels = views
    pairs = Pairs(LiftedViews(renders, [renders], voxels, renders.samples, 8))
    assert len(pairs) == 8
    grids, shapes = pairs.batch(np.arange(8), np.zeros(8, bool))
    assert grids.shape == (8, 8, 8, 8) and shapes.shape == (8, 32, 32, 32)
    for index, sample_id in enumerate(pairs.objects):
        one = lift(renders, renders, sample_id, index % 2, 8)
        assert one is not None
        np.testing.assert_array_equal(grids[index].numpy() > 0, one.grid)
        assert one.grid[:, :, 0].any(), "the nearest point is on the front face"
        back = canonical_grid_from_cube(shapes[index].numpy(), one.canonical_from_cube, 32) >= 0.5
        assert overlap(back, read_occupancy(voxels, sample_id)).recall > 0.85
        coarse = shapes[index].numpy().reshape(8, 4, 8, 4, 8, 4).max(axis=(1, 3, 5)) > 0
        assert (coarse & one.grid).sum() > 0.8 * one.grid.sum(), "what is seen is there"
    mirrored, _ = pairs.batch(np.arange(2), np.array([False, True]))
    assert torch.equal(mirrored[0], grids[0]) and torch.equal(mirrored[1], grids[1].flip(0))


def test_what_is_kept_is_what_was_made(views: tuple[Dataset, Dataset]) -> None:
    renders, voxels = views
    source = LiftedViews(renders, [renders], voxels, renders.samples, 8)
    fresh, kept = Pairs(source, 0), Pairs(source, 1)
    whole = np.arange(8), np.zeros(8, bool)
    for _ in range(2):
        assert all(torch.equal(a, b) for a, b in zip(fresh.batch(*whole), kept.batch(*whole), strict=True))
    renders.close()
    for path in (*renders.paths, *voxels.paths):
        (path / "shard-000.h5").unlink()
    kept.batch(*whole)
    voxels.close()
    with pytest.raises(DatasetError, match=r"shard-000\.h5"):
        fresh.batch(*whole)


def test_shapes_are_resampled_as_everywhere_else() -> None:
    rng = np.random.default_rng(0)
    grid = np.zeros((20, 20, 20), bool)
    grid[3:15, 5:18, 2:9] = True
    for seed in range(3):
        matrix = np.eye(4)
        matrix[:3, :3] = special_ortho_group.rvs(3, random_state=seed) * rng.uniform(0.7, 1.4)
        matrix[:3, 3] = -matrix[:3, :3] @ rng.uniform(0.3, 0.7, 3)
        expected = cube_from_canonical_grid(grid, matrix, 24) >= 0.5
        found = true_shape(torch.from_numpy(grid), matrix, 24).numpy() > 0
        assert expected.any() and (found != expected).sum() <= 3, "but for the rounding of single precision"


def test_both_depths_and_few_views(views: tuple[Dataset, Dataset], tmp_path: Path) -> None:
    renders, voxels = views
    with DatasetWriter(tmp_path / "depths", "depths", "train_depth", {}) as writer:
        for sample in renders.samples[:3]:
            writer.add(sample, {"depth": renders.read(sample.id, "depth") + 0.1})
    depths = Dataset([tmp_path / "depths"], "depths")
    objects = [sample.id for sample in renders.samples]
    both = LiftedViews(renders, [renders, depths], voxels, renders.samples, 8)
    assert both.objects == [name for name in objects[:3] for _ in range(4)] + [objects[3]] * 2
    one = LiftedViews(renders, [depths], voxels, renders.samples, 8, views_per_object=1)
    assert one.objects == objects[:3]
    assert views_of(renders, objects[0]) == views_of(renders, objects[0], 5) == [0, 1]


def test_views_that_show_nothing_are_stood_in_for(views: tuple[Dataset, Dataset], tmp_path: Path) -> None:
    renders, voxels = views
    with DatasetWriter(tmp_path / "depths", "depths", "train_depth", {}) as writer:
        for index, sample in enumerate(renders.samples):
            depth = renders.read(sample.id, "depth")
            depth[: 2 - index] = np.inf  # both views of the first object, one of the second
            writer.add(sample, {"depth": depth})
    depths = Dataset([tmp_path / "depths"], "depths")
    pairs = Pairs(LiftedViews(renders, [depths], voxels, renders.samples, 8), 1)
    for _ in range(2):
        assert [pairs[index] is None for index in range(4)] == [True, True, True, False]
    grids, _ = pairs.batch(np.array([0, 3, 4]), np.zeros(3, bool))
    assert torch.equal(grids[0], grids[1]) and not torch.equal(grids[1], grids[2])
    nothing = Pairs(LiftedViews(renders, [depths], voxels, renders.samples[:1], 8))
    with pytest.raises(DatasetError, match="found none in 2"):
        nothing.batch(np.array([1]), np.zeros(1, bool))


def write_published(folder: Path, objects: int, test_objects: int = 1) -> Path:
    """Boxes whose nearest face is what is seen."""
    for split, count in {"train_125": objects, "test_125": test_objects}.items():
        for number in range(count):
            shape = np.ones((256, 100 + 4 * (number % 30), 60, 1), np.int8)
            surface = shape.copy()
            surface[:, :, 1:] = 0
            for kind, grid in {"25d": surface, "3d": shape}.items():
                place = folder / "P1_03001627_chair" / f"{split}_{kind}_vox256"
                place.mkdir(parents=True, exist_ok=True)
                np.savez_compressed(place / f"{split[:2]}{number:03}_0_0_0.npz", grid)
    return folder


def test_published_pairs_are_pooled(tmp_path: Path) -> None:
    splits = published_pairs(write_published(tmp_path, 40), 8)
    counts = {name: len(source.objects) for name, source in splits.items()}
    assert counts == {"train": 36, "val": 4, "test": 1}
    pair = splits["test"].make(0)
    assert pair is not None and pair.grid.shape == (8, 8, 8) and pair.shape.shape == (32, 32, 32)
    # 100 × 60 of 256 in the middle: 78 to 177 and 98 to 157; blocks of 32 and of 8
    assert pair.grid.sum() == 8 * 4 and pair.grid[:, 2:6, 3].all(), "any voxel of a block"
    assert pair.shape.sum() == 32 * 12 * 8 and pair.shape[:, 10:22, 12:20].all(), "half of a block"
    sample = splits["test"].sample(0)
    assert (sample.id, sample.class_name, sample.split) == ("chair/te000_0_0_0", "chair", "test")
    with pytest.raises(ParameterError, match=r"^input_resolution: expected at most 64 for pairs, got 128$"):
        published_pairs(tmp_path, 128)
    with pytest.raises(FormatError, match="found none"):
        published_pairs(tmp_path / "P1_03001627_chair", 8)


@pytest.mark.realdata
def test_real_published_pairs(realdata: Path) -> None:
    files = find_recgan_pairs(realdata / "recgan_pairs")
    full, pooled = PublishedPairs(files[:1], 64), PublishedPairs(files[:1], 16)
    raw, pair, small = read_recgan_pair(files[0]), full.make(0), pooled.make(0)
    assert pair is not None and small is not None
    np.testing.assert_array_equal(pair.shape.numpy() > 0, in_cube(raw.shape))
    seen = in_cube(raw.surface).reshape(64, 4, 64, 4, 64, 4).any(axis=(1, 3, 5))
    np.testing.assert_array_equal(pair.grid.numpy() > 0, seen)
    assert small.grid.shape == (16, 16, 16) and small.shape.shape == (64, 64, 64)
