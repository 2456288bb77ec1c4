"""A shape at the voxels of a cube, computed near its surface alone, of a network that knows a ball."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from shapeyard.errors import ParameterError
from shapeyard.geometry.lifting import Cube
from shapeyard.inference.occupancy_field import OccupancyEstimator, probability_in_cube, see
from shapeyard.inference.refinement import refined_grid
from shapeyard.networks.pixel_aligned import Features, PixelAligned

STEEPNESS = 120.0
INTRINSICS = np.array([[35.0, 0, 12], [0, 35.0, 16], [0, 0, 1]])


class Ball(PixelAligned):
    """Occupied within a radius of (0.1, 0, 2) of the image, of (−0.1, 0, 2) of its mirror image; counts points."""

    def __init__(self, radius: float) -> None:
        super().__init__(width=4, hidden=8)
        self.radius, self.asked = radius, 0

    def occupancy(self, features: Features, points: Tensor, intrinsics: Tensor) -> Tensor:
        self.asked += points.shape[1]
        centres = torch.tensor([[0.1, 0, 2], [-0.1, 0, 2]])
        return STEEPNESS * (self.radius - (points - centres[:, None]).norm(dim=2))


def ball_in_cube(radius: float, cube: Cube, resolution: int) -> tuple[np.ndarray, int]:
    network = Ball(radius)
    estimator = OccupancyEstimator(network, 0.2, half=False)
    seen = see(estimator, np.zeros((32, 32, 4), np.uint8), INTRINSICS)
    assert seen.depth.shape == (32, 32)
    assert seen.intrinsics[:, 0, 2].tolist() == [12, 20], "the mirror image's middle is on the other side"
    return probability_in_cube(estimator, seen, cube, resolution), network.asked


def test_it_is_the_whole_grid_near_the_surface_and_asks_for_a_fifth_of_its_points() -> None:
    cube = Cube(np.array([-0.6, -0.7, 1.3]), 1.4)
    found, asked = ball_in_cube(0.4, cube, 64)
    centres = cube.minimum + cube.side * (np.stack(np.meshgrid(*3 * [np.arange(64)], indexing="ij"), -1) + 0.5) / 64
    expected = 1 / (1 + np.exp(-STEEPNESS * (0.4 - np.linalg.norm(centres - [0.1, 0, 2], axis=-1))))
    near = np.abs(expected - 0.5) < 0.4
    assert near.sum() > 5000 and asked < 64**3 / 5
    assert np.abs(found[near] / 255 - expected[near]).max() < 0.003
    assert ((found >= 128) == (expected >= 0.5)).all()


@pytest.mark.parametrize(("radius", "expected"), [(-1.0, 0), (5.0, 255)])
def test_nothing_and_everything(radius: float, expected: int) -> None:
    found, asked = ball_in_cube(radius, Cube(np.array([-0.5, -0.5, 1.5]), 1.0), 32)
    assert found.shape == (32, 32, 32) and (found == expected).all() and asked == 17**3


def test_what_reaches_the_border_is_whole() -> None:
    """A cube that the ball fills from somewhere in z on, from side to side."""
    cube = Cube(np.array([-0.4, -0.5, 0.0]), 1.0)
    found, _ = ball_in_cube(1.5, cube, 32)
    centres = cube.minimum + (np.stack(np.meshgrid(*3 * [np.arange(32)], indexing="ij"), -1) + 0.5) / 32
    inside = np.linalg.norm(centres - [0.1, 0, 2], axis=-1) < 1.5
    assert inside[:, :, -1].all() and not inside[:, :, 0].any()
    np.testing.assert_array_equal(found >= 128, inside)


def test_a_resolution_that_cannot_be_reached() -> None:
    with pytest.raises(ParameterError, match="resolution: expected 16 times a power of two, got 48"):
        refined_grid(lambda nodes, _: np.zeros(len(nodes), np.float32), lambda v, _: v[1:, 1:, 1:] > 0, 16, 48)
