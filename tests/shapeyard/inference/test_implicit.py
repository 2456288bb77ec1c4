"""Codes found and surfaces extracted, of a decoder whose code is a ball's radius."""

from __future__ import annotations

import time

import numpy as np
import pytest
import torch
from torch import Tensor

from shapeyard.errors import FormatError, ParameterError
from shapeyard.geometry.isosurface import points_on_surface
from shapeyard.geometry.sdf_observations import observe_cloud, observe_samples
from shapeyard.inference.implicit import CodeSearch, extract_surface, find_codes
from shapeyard.networks.code_decoder import CodeDecoder

SEARCH = CodeSearch(steps=200, samples=256, learning_rate=0.02, regularization=0.0)


class Balls(CodeDecoder):
    """The signed distance of a ball around the origin; counts the points that it was asked for."""

    code_length = 1

    def __init__(self) -> None:
        super().__init__()
        self.nothing = torch.nn.Parameter(torch.zeros(()))
        self.asked = 0

    def condition(self, codes: Tensor) -> Tensor:
        return codes

    def distance(self, condition: Tensor, points: Tensor) -> Tensor:
        self.asked += points.shape[0] * points.shape[1]
        return points.norm(dim=2) - condition + self.nothing


def samples_of(radius: float, seed: int = 0) -> np.ndarray:
    points = np.random.default_rng(seed).uniform(-1, 1, (4000, 3))
    return np.column_stack([points, np.linalg.norm(points, axis=1) - radius]).astype(np.float32)


def observed(radius: float):
    found = samples_of(radius)
    return observe_samples(found[found[:, 3] >= 0], found[found[:, 3] < 0], 2000, np.random.default_rng(1))


def test_codes_are_found_in_a_batch_as_alone() -> None:
    decoder, starts = Balls(), torch.tensor([[0.5], [0.2]])
    together = find_codes(decoder, [observed(0.3), observed(0.6)], starts, SEARCH)
    assert together[:, 0].tolist() == pytest.approx([0.3, 0.6], abs=5e-3)
    alone = find_codes(decoder, [observed(0.6)], starts, SEARCH)
    assert alone[0, 0] == pytest.approx(together[1, 0].item(), abs=1e-5)
    assert decoder.nothing.grad is None and decoder.nothing.requires_grad


def test_half_a_cloud_gives_the_radius() -> None:
    rng = np.random.default_rng(0)
    normals = rng.normal(size=(500, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    half = normals[normals[:, 0] > 0]
    observation = observe_cloud(0.45 * half, half, 1000, rng)
    (code,) = find_codes(Balls(), [observation], torch.tensor([[0.5]]), SEARCH)
    assert code.item() == pytest.approx(0.45, abs=5e-3)


def test_a_surface_is_that_of_the_whole_grid_and_asks_for_a_tenth_of_its_points() -> None:
    decoder = Balls()
    mesh = extract_surface(decoder, torch.tensor([0.5]), 256)
    assert np.abs(np.linalg.norm(mesh.vertices, axis=1) - 0.5).max() < 1e-3
    assert decoder.asked < 257**3 / 10
    a, b, c = (mesh.vertices[mesh.faces[:, corner]] for corner in range(3))
    assert np.einsum("nk,nk->n", np.cross(b - a, c - a), a + b + c).min() > 0  # outwards
    points = points_on_surface(mesh, 1000, np.random.default_rng(0))
    assert np.abs(points.mean(axis=0)).max() < 0.05


def test_what_has_no_surface_is_an_empty_mesh() -> None:
    assert len(extract_surface(Balls(), torch.tensor([-1.0]), 64).faces) == 0


def test_faults_are_one_line() -> None:
    with pytest.raises(ParameterError, match="code: expected length 1, got 2"):
        find_codes(Balls(), [observed(0.3)], torch.zeros(1, 2), SEARCH)
    with pytest.raises(FormatError, match="expected observations of one size"):
        find_codes(
            Balls(), [observed(0.3), observe_samples(*_both(), 10, np.random.default_rng(0))], torch.zeros(1, 1), SEARCH
        )
    with pytest.raises(ParameterError, match="resolution: expected 64 times a power of two, got 100"):
        extract_surface(Balls(), torch.tensor([0.5]), 100)


def _both() -> tuple[np.ndarray, np.ndarray]:
    found = samples_of(0.3)
    return found[found[:, 3] >= 0], found[found[:, 3] < 0]


def test_many_are_not_slower_than_one_after_the_other() -> None:
    observations = [observed(0.3 + 0.02 * number) for number in range(8)]
    starts = torch.tensor([[0.5]])
    find_codes(Balls(), observations[:1], starts, SEARCH)

    def seconds(groups: list[list]) -> float:  # type: ignore[type-arg]
        started = time.process_time()
        for group in groups:
            find_codes(Balls(), group, starts, SEARCH)
        return time.process_time() - started

    assert seconds([observations]) < seconds([[one] for one in observations])
