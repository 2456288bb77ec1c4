"""What is measured of printed things: by hand on simple solids, and what a turn about the upright axis leaves alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import trimesh

from shapeyard.formats.things import read_thing
from shapeyard.geometry.solids import describe_solid
from shapeyard.geometry.triangle_mesh import Mesh


def soup(mesh: trimesh.Trimesh) -> Mesh:
    """As an STL file has it: three corners a triangle."""
    return Mesh(
        np.asarray(mesh.triangles).reshape(-1, 3).astype(np.float64), np.arange(3 * len(mesh.faces)).reshape(-1, 3)
    )


def test_a_box_by_hand() -> None:
    solid = describe_solid([soup(trimesh.creation.box((10, 20, 5)))], 32)
    m = solid.measures
    assert (m["log_length"], m["log_width"], m["log_height"]) == pytest.approx(np.log([20, 10, 5]))
    assert (m["length_share"], m["width_share"], m["height_share"]) == pytest.approx((1, 0.5, 0.25))
    assert m["log_volume"] == pytest.approx(np.log(1000)) and m["log_area"] == pytest.approx(np.log(700))
    assert m["fill"] == pytest.approx(1) and m["log_thickness"] == pytest.approx(np.log(2000 / 700))
    assert m["compactness"] == pytest.approx((36 * np.pi) ** (1 / 3) * 100 / 700)
    assert (m["log_shells"], m["log_genus"], m["closed_share"], m["log_parts"]) == pytest.approx((0, 0, 1, 0))
    assert m["up_share"] == m["down_share"] == pytest.approx(200 / 700)
    assert m["wall_share"] == m["square_wall_share"] == pytest.approx(300 / 700)
    assert m["base"] == pytest.approx(1) and m["hollow_edges"] == 0
    straight = 4 * (10 + 20 + 5)
    diagonals = 2 * (np.hypot(10, 20) + np.hypot(10, 5) + np.hypot(20, 5))
    assert m["square_edges"] == pytest.approx(straight / (straight + diagonals))
    assert m["flat_edges"] == pytest.approx(diagonals / (straight + diagonals))
    assert solid.occupancy.shape == (32, 32, 32) and solid.occupancy.mean() == pytest.approx(0.125, abs=0.03)
    assert all(m[f"symmetry_{name}"] > 0.9 for name in ("x", "y", "z", "half_turn"))
    assert solid.occupancy.any(axis=(1, 2)).sum() == 32  # the longer side lies along x, upright is y
    assert solid.occupancy.any(axis=(0, 2)).sum() in (8, 9, 10) and solid.occupancy.any(axis=(0, 1)).sum() in (
        16,
        17,
        18,
    )


def test_shells_and_genus() -> None:
    ring = trimesh.creation.torus(10, 2)
    ball = trimesh.creation.icosphere(radius=3)
    ball.apply_translation((30, 0, 0))
    measures = describe_solid([soup(trimesh.util.concatenate([ring, ball]))], 16).measures
    assert np.exp(measures["log_shells"]) == pytest.approx(2) and measures["log_genus"] == pytest.approx(np.log(2))
    assert measures["hollow_edges"] > 0.02 and measures["square_edges"] == 0  # the ring's inner side is a saddle
    two = describe_solid([soup(ring), soup(ball)], 16).measures
    assert np.exp(two["log_parts"]) == pytest.approx(2) and two["log_volume"] == pytest.approx(measures["log_volume"])
    assert two["log_length"] == pytest.approx(np.log(24), rel=1e-2)  # of the ring, which is larger


@pytest.mark.parametrize("degrees", [17, 90, 143, 180])
def test_a_turn_about_the_upright_axis_changes_little(degrees: float) -> None:
    mesh = trimesh.util.concatenate(
        [
            trimesh.creation.box((30, 12, 4)),
            trimesh.creation.cylinder(3, 20, transform=trimesh.transformations.translation_matrix((6, 0, 8))),
        ]
    )
    first = describe_solid([soup(mesh)], 32).measures
    mesh.apply_transform(trimesh.transformations.rotation_matrix(np.radians(degrees), (0, 0, 1)))
    mesh.apply_translation((5, -70, 300))
    again = describe_solid([soup(mesh)], 32).measures
    assert list(again) == list(first)
    for name, value in first.items():
        tolerance = 0.12 if name.startswith(("layer", "symmetry")) or name.endswith("outline") else 0.02
        assert again[name] == pytest.approx(value, abs=tolerance), name


def test_flat_and_open_surfaces_stay_finite() -> None:
    sheet = Mesh(np.array([[0, 0, 0], [10, 0, 0], [0, 10, 0.0]]), np.array([[0, 1, 2]]))
    needle = Mesh(np.array([[0, 0, 0], [10, 0, 0], [20, 0, 0.0]]), np.array([[0, 1, 2]]))
    upright = Mesh(np.array([[0, 0, 0], [0, 0, 5], [0, 0, 10.0]]), np.array([[0, 1, 2]]))
    for mesh in (sheet, needle, upright):
        assert np.isfinite(list(describe_solid([mesh], 16).measures.values())).all()


@pytest.mark.realdata
def test_real_things_are_described(realdata: Path) -> None:
    files = sorted((realdata / "stl").glob("*/*.stl"))[::16]
    for file in files:
        solid = describe_solid(read_thing(file), 32)
        assert np.isfinite(list(solid.measures.values())).all() and solid.occupancy.any()
        assert np.log(0.5) < solid.measures["log_length"] < np.log(1000)


def test_the_order_of_triangles_decides_nothing() -> None:
    """Not even where four turns fit as well as each other; and of those the thing is turned least."""
    rng = np.random.default_rng(0)
    knob = trimesh.creation.box((4, 4, 10), transform=trimesh.transformations.translation_matrix((6, 7, 0)))
    plate = soup(trimesh.util.concatenate([trimesh.creation.box((20, 20, 3)), knob]))
    first = describe_solid([plate], 32).occupancy
    for _ in range(4):
        triangles = rng.permutation(plate.vertices.reshape(-1, 3, 3)).reshape(-1, 3)
        assert (describe_solid([Mesh(triangles, plate.faces)], 32).occupancy == first).all()
    assert first[20:, 20:, :12].any() and not first[20:, 20:, 20:].any()  # x stays x, y becomes −z
