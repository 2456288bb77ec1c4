"""The pixel-aligned occupancy network: its sizes, and that a point has the features of its pixel."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from shapeyard.networks.pixel_aligned import Features, LogitsInCube, PixelAligned, onnx_interface, read_pixels

INTRINSICS = torch.tensor([[35.0, 0, 16], [0, 35.0, 16], [0, 0, 1]])


def test_parameters_of_the_default_size_part_by_part() -> None:
    """A level, c_in → c: two 3×3 convolutions without biases, each with the two vectors of a batch normalization."""
    network = PixelAligned()

    def count(*modules: nn.Module) -> int:
        return sum(p.numel() for module in modules for p in module.parameters())

    def level(c_in: int, c: int) -> int:
        return 9 * c_in * c + 9 * c * c + 4 * c

    assert count(network.stem) == 25 * 4 * 16 + 2 * 16
    assert count(network.down) == level(16, 16) + level(16, 32) + level(32, 64) + level(64, 128) + level(128, 128)
    assert count(network.up) == level(256, 128) + level(192, 64) + level(96, 32) + level(48, 16)
    assert count(network.pixel) == (128 + 64 + 32 + 16) * 160
    assert count(network.whole) == 129 * 160 and count(network.point) == 40 * 160 and count(network.depth) == 17
    assert count(network.blocks, network.out) == 2 * 2 * 161 * 160 + 161
    assert count(network) == 1_398_450


def test_a_point_has_the_features_of_the_pixel_that_it_projects_to() -> None:
    """Of an image of 32² in features of 16²: all 0 but a column and a row, which only points that project there see."""
    torch.manual_seed(0)
    network = PixelAligned(width=4, hidden=8).eval()
    nothing = torch.zeros(1, 8, 16, 16)
    marked = nothing.clone()
    marked[0, :, 5, 12] = 3.0  # pixels of rows 10 and 11, columns 24 and 25
    depth = torch.tensor([1.5, 2.5])
    u, v = torch.tensor([25.0, 25.0]), torch.tensor([11.0, 11.0])
    there = torch.stack([(u - 16) / 35 * depth, (v - 16) / 35 * depth, depth], dim=1)
    elsewhere = torch.stack([(v - 16) / 35 * depth, (u - 16) / 35 * depth, depth], dim=1)  # rows and columns exchanged
    points = torch.cat([there, elsewhere])[None]
    with torch.inference_mode():
        plain, seen = (
            network.occupancy(Features(pixels, nothing[:, 0], (32, 32)), points, INTRINSICS[None])
            for pixels in (nothing, marked)
        )
    changed = (plain - seen).abs()[0]
    assert changed[:2].min() > 1e-3 and changed[2:].max() == 0


def test_pixels_are_read_as_grid_sample_does() -> None:
    features = torch.rand(2, 5, 6, 9).to(memory_format=torch.channels_last)
    u, v = 11 * torch.rand(2, 40) - 1, 8 * torch.rand(2, 40) - 1  # some outside
    places = torch.stack([2 * u / 9 - 1, 2 * v / 6 - 1], dim=-1)[:, :, None]
    expected = nn.functional.grid_sample(features, places, padding_mode="border", align_corners=False)[..., 0]
    torch.testing.assert_close(read_pixels(features, u, v), expected.transpose(1, 2))


@pytest.mark.parametrize("size", [(32, 32), (40, 72), (64, 33)])
def test_any_size_of_image(size: tuple[int, int]) -> None:
    """Padding on the right and below moves nothing: the same object in a larger image has nearly the same answer."""
    network = PixelAligned(width=4, hidden=8).eval()
    rgba = torch.rand(2, 4, *size)
    with torch.inference_mode():
        logits, depth = network(rgba, torch.randn(2, 7, 3) + torch.tensor([0, 0, 4.0]), INTRINSICS.expand(2, 3, 3))
    assert logits.shape == (2, 7) and depth.shape == (2, *size)


def test_the_exported_cube_is_around_the_mean_depth() -> None:
    network = PixelAligned(width=4, hidden=8, depth_mean=1.9).eval()
    interface = onnx_interface(network, {"image_size": 32, "focal_length": 35 / 32}, 1)
    assert interface.input_shape == (2, 4, 32, 32) and interface.output_name == "probability"
    cube = LogitsInCube(network, INTRINSICS, 4)
    assert cube.points.mean(dim=1)[0].tolist() == pytest.approx([0, 0, 1.9], abs=1e-6)
    assert (cube.points.amax(dim=1) - cube.points.amin(dim=1))[0].tolist() == pytest.approx([1.25 * 0.75] * 3)
    rgba = torch.rand(1, 4, 32, 32)
    with torch.inference_mode():
        logits = cube(rgba)
        (alone,) = network(rgba, cube.points[:, 4 * 4 * 1 + 4 * 2 + 3][:, None], INTRINSICS[None])[0]
    assert logits.shape == (1, 4, 4, 4) and logits[0, 1, 2, 3] == pytest.approx(alone.item(), abs=1e-5)
