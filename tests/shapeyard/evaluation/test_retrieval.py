"""The retrieval baseline: what is compared of a view or an image, which one is found, whose shape is the answer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from synthetic_run import write_run

from shapeyard.contracts.dataset import Dataset
from shapeyard.contracts.packed_occupancy import pack_occupancy
from shapeyard.evaluation.retrieval import (
    DEPTH_WEIGHTS,
    PIXELS,
    ImageGallery,
    Neighbour,
    RetrievedShapes,
    ViewGallery,
    depth_features,
    image_features,
)
from shapeyard.geometry.lifting import CANONICAL_FROM_UNIT


def picture(top: int, left: int, height: int, width: int, depth: float = 2.0) -> np.ndarray:
    image = np.full((96, 96), np.inf, np.float32)
    image[top : top + height, left : left + width] = depth
    return image


def test_features_by_hand() -> None:
    """A bar half as wide as high, nearer by half the cube's side in its upper half."""
    image = picture(10, 20, 64, 32, depth=2.5)
    image[10:42, 20:52] = 2.0
    outline, nearness = depth_features(image, side=1.0).reshape(2, PIXELS, PIXELS)
    expected = np.zeros((PIXELS, PIXELS))
    expected[:, 4:12] = 1
    np.testing.assert_allclose(outline, expected, atol=1e-6)
    expected[8:] *= 0.5
    np.testing.assert_allclose(nearness, expected, atol=1e-6)


def test_neither_place_nor_distance_nor_size_matter() -> None:
    first = depth_features(picture(0, 0, 64, 32), 1.0)
    np.testing.assert_allclose(depth_features(picture(32, 64, 64, 32, depth=5), 1.0), first, atol=1e-6)
    np.testing.assert_allclose(depth_features(picture(40, 30, 32, 16), 1.0), first, atol=1e-6)
    assert np.abs(depth_features(picture(0, 0, 32, 64), 1.0) - first).max() == 1


@pytest.mark.parametrize(("row", "column"), [(0, 0), (95, 95), (40, 3)])
def test_a_single_pixel(row: int, column: int) -> None:
    np.testing.assert_allclose(depth_features(picture(row, column, 1, 1), 1.0), 1)


def test_the_weight_decides_between_outline_and_depth(tmp_path: Path) -> None:
    square, hollow, bar = picture(0, 0, 32, 32), picture(0, 0, 32, 32), picture(0, 0, 32, 30)
    hollow[8:24, 8:24] = 2.9
    features = np.stack([depth_features(hollow, 1.0), depth_features(bar, 1.0)])
    gallery = ViewGallery(Dataset.__new__(Dataset), features, ["a", "b"], [np.eye(4)] * 2)
    found = dict(zip(DEPTH_WEIGHTS, gallery.nearest(depth_features(square, 1.0)), strict=True))
    assert (found[0.0], found[30.0]) == (0, 1)


def test_a_shape_in_its_own_cube() -> None:
    grid = np.random.default_rng(0).random((8, 8, 8)) < 0.5
    same = Neighbour(pack_occupancy(grid), 8, CANONICAL_FROM_UNIT)
    np.testing.assert_array_equal(same.in_cube(8), grid)
    turned = np.eye(4)[[2, 1, 0, 3]] @ CANONICAL_FROM_UNIT
    np.testing.assert_array_equal(Neighbour(pack_occupancy(grid), 8, turned).in_cube(8), grid.transpose(2, 1, 0))


def test_every_training_view_finds_its_object(tmp_path: Path) -> None:
    run = write_run(tmp_path, views=2)
    renders, voxels = Dataset(run.shards["renders"], "renders"), Dataset(run.shards["voxels"], "voxels")
    depths = Dataset([run.outputs["depths"]], "depths")
    gallery = ViewGallery.of_training(renders, depths, voxels)
    assert gallery is not None
    assert gallery.sample_ids == [s.id for s in renders.of_split("train") for _ in range(2)]
    found = [gallery.nearest(features)[1] for features in gallery.features]
    assert [gallery.sample_ids[index] for index in found] == gallery.sample_ids, "two views of a table may be alike"
    for dataset in (renders, voxels, depths):
        dataset.close()


def test_no_training_split(tmp_path: Path) -> None:
    run = write_run(tmp_path, splits=("val", "test"), views=1)
    renders, voxels = Dataset(run.shards["renders"], "renders"), Dataset(run.shards["voxels"], "voxels")
    depths = Dataset([run.outputs["depths"]], "depths")
    assert ViewGallery.of_training(renders, depths, voxels) is None


def test_shapes_for_each_weight() -> None:
    """Two weights that find the same view have its shape in common; each is measured as it is."""
    grids = [np.zeros((4, 4, 4), bool) for _ in range(2)]
    grids[0][:2], grids[1][:1] = True, True
    first, second = (Neighbour(pack_occupancy(grid), 4, CANONICAL_FROM_UNIT) for grid in grids)
    shapes = RetrievedShapes([first, first, second, second], 4)
    np.testing.assert_array_equal(shapes.at(1), grids[0])
    np.testing.assert_array_equal(shapes.at(2), grids[1])
    assert shapes.overlap(grids[1], 0.0).iou.tolist() == [0.5, 0.5, 1, 1]
    assert shapes.overlap(grids[1], 16.0).iou.tolist() == pytest.approx([1 / 3, 1 / 3, 0.5, 0.5])


def test_an_object_is_its_own_nearest_neighbour(write_shapes: Callable[..., Any]) -> None:
    renders = Dataset([write_shapes(count=6, views=3, splits=["train"]).renders], "renders")
    gallery = ImageGallery(renders, renders.samples)
    for sample in renders.samples:
        rgba = renders.read(sample.id, "rgba")
        assert gallery.nearest(rgba[1:2]) == gallery.nearest(rgba) == sample.id


def test_image_features_by_hand() -> None:
    rgba = np.zeros((1, 32, 32, 4), dtype=np.uint8)
    rgba[0, :2, :2] = [255, 255, 255, 255]
    rgba[0, 0, 2:4] = [255, 0, 0, 255]
    rgba[0, 31, 31] = [255, 255, 255, 0]
    brightness, alpha = image_features(rgba).reshape(2, 16, 16)
    assert (brightness[0, 0], alpha[0, 0]) == (pytest.approx(1), 1)
    assert (brightness[0, 1], alpha[0, 1]) == (pytest.approx(0.299 / 2), 0.5)
    assert brightness[15, 15] == alpha[15, 15] == 0
