"""The networks that name classes: found by name, of the published sizes."""

from __future__ import annotations

import pytest

from shapeyard.errors import ParameterError
from shapeyard.networks.classifiers import build_network, network_names


def grid_of(resolution: int) -> dict[str, tuple[int, ...]]:
    return {"occupancy": (resolution, resolution, resolution, 1)}


def test_a_network_is_a_module() -> None:
    assert network_names() == ["measures_net", "points256", "projection_cnn", "xu2016"]


def test_parameters_of_the_paper() -> None:
    convolutions = (16 * 6**3 + 16) + (64 * 16 * 5**3 + 64) + (64 * 64 * 5**3 + 64)
    for resolution in (30, 32):  # 30 → 13 → 5 → 1 and 32 → 14 → 5 → 1 voxels
        network = build_network("xu2016", grid_of(resolution), 10)
        assert network.count_params() == convolutions + (64 * 10 + 10) == 644_250
    assert build_network("xu2016", grid_of(64), 3).output_shape == (None, 3)


def test_networks_that_cannot_be_built() -> None:
    with pytest.raises(ParameterError, match=r"^network: expected .*, xu2016, got vgg$"):
        build_network("vgg", grid_of(32), 10)
    with pytest.raises(ParameterError, match=r"^resolution: expected 30 or more with the padding, got 29$"):
        build_network("xu2016", grid_of(29), 10)


def test_parameters_of_3d_net() -> None:
    assert build_network("points256", {"points": (256, 256, 3)}, 66).count_params() == 12_980_616
    with pytest.raises(ParameterError, match=r"network points256: expected a dataset with points, got occupancy"):
        build_network("points256", grid_of(32), 66)


def test_the_projection_cnn_takes_the_sizes_that_presets_use() -> None:
    assert build_network("projection_cnn", grid_of(30), 10).count_params() == 1_089_578
    assert build_network("projection_cnn", grid_of(32), 8).output_shape == (None, 8)
