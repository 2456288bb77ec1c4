"""The signed distance against analytic shapes, a slow reference, bad meshes and real files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import trimesh
from numpy.typing import NDArray

from shapeyard.errors import MeshError, ParameterError
from shapeyard.formats.binvox import read_binvox
from shapeyard.formats.mesh import read_mesh
from shapeyard.geometry.frames import transform
from shapeyard.geometry.sdf_samples import canonical_from_sphere, draw_points
from shapeyard.geometry.signed_distance import SignedDistance
from shapeyard.geometry.slice_preview import largest_slice, render_slice

Points = NDArray[np.float64]
VARIANCES = (0.005, 0.0005)


def box_distance(p: Points) -> Points:
    beyond = np.abs(p) - (0.7, 0.4, 0.2)
    return np.asarray(np.linalg.norm(np.maximum(beyond, 0), axis=1) + np.minimum(beyond.max(axis=1), 0))


SHAPES: dict[str, tuple[trimesh.Trimesh, Callable[[Points], Points], float]] = {
    "sphere": (trimesh.creation.icosphere(6, 0.9), lambda p: np.linalg.norm(p, axis=1) - 0.9, 3e-4),
    "box": (trimesh.creation.box((1.4, 0.8, 0.4)), box_distance, 0.0),
    "torus": (
        trimesh.creation.torus(0.6, 0.3, 256, 128),
        lambda p: np.hypot(np.hypot(p[:, 0], p[:, 1]) - 0.6, p[:, 2]) - 0.3,
        3e-4,
    ),
}
"""A mesh, the distance to the shape that it stands for, and how far it is off that shape."""


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def damaged(faces: NDArray[np.int64], fault: str) -> NDArray[np.int64]:
    random = np.random.default_rng(1)
    return {
        "flipped": faces[:, ::-1],
        "some flipped": np.where(random.random((len(faces), 1)) < 0.5, faces, faces[:, ::-1]),
        "doubled": np.concatenate([faces, faces[:, [1, 2, 0]]]),
        "both ways": np.concatenate([faces, faces[:, ::-1]]),
        "shuffled": random.permutation(faces),
        "degenerate": np.concatenate([faces, faces[:, [0, 0, 1]], faces[:, [2, 2, 2]]]),
    }[fault]


@pytest.mark.parametrize("name", SHAPES)
def test_analytic_shapes(name: str) -> None:
    mesh, truth, tessellation = SHAPES[name]
    field = SignedDistance(np.array(mesh.vertices), np.array(mesh.faces))
    points = draw_points(field, 20_000, 0.94, VARIANCES, rng())
    distance, true = field(points), truth(points)
    assert np.abs(np.abs(distance) - np.abs(true)).max() < 1e-3
    clear = np.abs(true) > tessellation + 1e-4
    assert (np.sign(distance) == np.sign(true))[clear].all()
    assert 0.1 < (distance < 0).mean() < 0.6
    assert field.two_sided == 0
    assert (field.outside(points) == (distance > 0)).all()


COARSE = {
    "sphere": trimesh.creation.icosphere(4, 0.9), "box": SHAPES["box"][0],
    "torus": trimesh.creation.torus(0.6, 0.3, 64, 32),
}  # fmt: skip


@pytest.mark.parametrize("name", COARSE)
@pytest.mark.parametrize("fault", ["flipped", "some flipped", "doubled", "both ways", "shuffled", "degenerate"])
def test_faults_change_nothing(name: str, fault: str) -> None:
    vertices, faces = np.array(COARSE[name].vertices), np.array(COARSE[name].faces)
    whole, field = SignedDistance(vertices, faces), SignedDistance(vertices, damaged(faces, fault))
    points = draw_points(whole, 20_000, 0.94, VARIANCES, rng())
    np.testing.assert_allclose(field(points), whole(points), rtol=0, atol=1e-9)
    assert field.two_sided == 0
    assert (field.outside(points) == whole.outside(points)).all()


def slow_distance(vertices: Points, faces: NDArray[np.int64], points: Points) -> Points:
    """The nearest of every triangle's inside, edges and corners, for every point."""
    best = np.full(len(points), np.inf)
    for triangle in vertices[faces]:
        for a, b in zip(triangle, np.roll(triangle, 1, axis=0), strict=True):
            along = np.clip((points - a) @ (b - a) / max((b - a) @ (b - a), 1e-300), 0, 1)
            best = np.minimum(best, np.linalg.norm(points - a - along[:, None] * (b - a), axis=1))
        edges = np.stack([triangle[1] - triangle[0], triangle[2] - triangle[0]], axis=1)
        weights = (points - triangle[0]) @ np.linalg.pinv(edges).T
        above = (weights >= 0).all(axis=1) & (weights.sum(axis=1) <= 1)
        height = np.linalg.norm(points - triangle[0] - weights @ edges.T, axis=1)
        best = np.where(above, np.minimum(best, height), best)
    return best


def slow_winding_number(vertices: Points, faces: NDArray[np.int64], points: Points) -> Points:
    """The sum of the triangles' solid angles over 4π (van Oosterom and Strackee 1983)."""
    total = np.zeros(len(points))
    for triangle in vertices[faces]:
        a, b, c = triangle[:, None] - points
        na, nb, nc = (np.linalg.norm(x, axis=1) for x in (a, b, c))
        dot = [np.einsum("nk,nk->n", x, y) for x, y in ((a, b), (b, c), (c, a))]
        volume = np.einsum("nk,nk->n", a, np.cross(b, c))
        total += 2 * np.arctan2(volume, na * nb * nc + dot[0] * nc + dot[1] * na + dot[2] * nb)
    return total / (4 * np.pi)


def test_the_fast_one_against_the_slow_ones() -> None:
    ring = trimesh.creation.annulus(0.3, 0.8, 0.5, sections=9)
    vertices, faces = np.array(ring.vertices), np.array(ring.faces)
    points = rng().uniform(-1, 1, (3000, 3))
    distance = SignedDistance(vertices, faces)(points)
    slow = slow_distance(vertices, faces, points)
    assert np.abs(np.abs(distance) - slow).max() < 1e-9
    assert ((distance < 0) == (np.abs(slow_winding_number(vertices, faces, points)) > 0.5)).all()


def test_sheets_bowls_and_tubes_have_no_inside() -> None:
    ball = trimesh.creation.icosphere(4, 0.9)
    tube = trimesh.creation.cylinder(0.4, 1.4, sections=64)
    square = np.array([[-0.5, -0.5, 0], [0.5, -0.5, 0], [0.5, 0.5, 0], [-0.5, 0.5, 0]])
    for vertices, faces in (
        (ball.vertices, ball.faces[ball.triangles_center[:, 2] < 0.2]),
        (tube.vertices, tube.faces[np.abs(tube.face_normals[:, 2]) < 0.5]),
        (square, np.array([[0, 1, 2], [0, 2, 3]])),
    ):
        field = SignedDistance(np.array(vertices), np.array(faces))
        assert field.two_sided > 0.95
        assert field.outside(draw_points(field, 5000, 0.9, VARIANCES, rng())).mean() > 0.99


def test_a_cup_with_a_wall_is_open_above_and_solid_below() -> None:
    profile = [(0, -0.7), (0.5, -0.7), (0.5, 0.7), (0.45, 0.7), (0.45, -0.6), (0, -0.6)]
    cup = trimesh.creation.revolve(profile, sections=64)
    field = SignedDistance(np.array(cup.vertices), np.array(cup.faces))
    points = np.array([[0, 0, 0.5], [0, 0, -0.55], [0.3, 0.2, -0.5], [0, 0, -0.65], [0.475, 0, 0], [0.6, 0, 0]])
    assert field(points) == pytest.approx([0.45, 0.05, 0.0904, -0.05, -0.025, 0.1], abs=2e-3)
    assert field.two_sided < 0.01


def test_a_crack_lets_nothing_out_and_a_cavity_is_inside() -> None:
    ball = trimesh.creation.icosphere(4, 0.9)
    cracked = np.array(ball.faces)[1:]  # one of 5120 triangles
    inner = trimesh.creation.icosphere(3, 0.3)
    hollow = trimesh.util.concatenate([ball, inner])
    points = 0.7 * draw_points(SignedDistance(inner.vertices, inner.faces), 2000, 0, VARIANCES, rng())
    assert (SignedDistance(ball.vertices, cracked)(points) < 0).mean() > 0.99
    distance = SignedDistance(hollow.vertices, hollow.faces)(points)
    assert distance == pytest.approx(np.linalg.norm(points, axis=1) - 0.9, abs=3e-3)  # nobody sees the inner ball


def test_points_are_distributed_as_deepsdf_draws_them() -> None:
    square = np.array([[-0.5, -0.5, 0], [0.5, -0.5, 0], [0.5, 0.5, 0], [-0.5, 0.5, 0]])
    field = SignedDistance(square, np.array([[0, 1, 2], [0, 2, 3], [1, 1, 2]]))
    near = draw_points(field, 100_000, 1, VARIANCES, rng())
    x, y, z = near.T
    fine = np.exp(-(z**2) / (2 * 0.0005)) / np.sqrt(0.0005)
    coarse = np.exp(-(z**2) / (2 * 0.005)) / np.sqrt(0.005)
    assert z.var() == pytest.approx((0.005 + 0.0005) / 2, rel=0.02)
    assert (fine / (fine + coarse)).mean() == pytest.approx(0.5, abs=0.01)
    assert x.var() == pytest.approx(1 / 12 + 0.00275, rel=0.02) == y.var()
    assert abs(np.corrcoef(x, y)[0, 1]) < 0.01
    uniform = draw_points(field, 100_000, 0, VARIANCES, rng())
    radius = np.linalg.norm(uniform, axis=1)
    assert radius.max() <= 1
    assert (radius**3).mean() == pytest.approx(0.5, abs=0.005)
    mixed = draw_points(field, 10_000, 0.94, VARIANCES, rng())
    away = np.abs(mixed[:, 2]) > 0.35  # five deviations: only uniform ones, 49 % of which are there
    expected = 0.06 * (1 - (3 * 0.35 - 0.35**3) / 2)
    assert away.mean() == pytest.approx(expected, abs=0.005)
    assert away[:5000].mean() == pytest.approx(away[5000:].mean(), abs=0.01)  # in random order
    corner = draw_points(SignedDistance(square * 1.37, np.array([[0, 1, 2]])), 10_000, 1, VARIANCES, rng())
    assert np.linalg.norm(corner, axis=1).max() <= 1


def test_the_unit_sphere_has_its_margin() -> None:
    box = np.array(trimesh.creation.box((2, 4, 6)).vertices) + np.array([5, 6, 7])
    matrix = canonical_from_sphere(box)
    assert matrix[:3, 3] == pytest.approx([5, 6, 7])
    radius = np.linalg.norm(transform(np.linalg.inv(matrix), box), axis=1)
    assert radius.max() == pytest.approx(1 / 1.03)
    with pytest.raises(MeshError, match="radius of 0"):
        canonical_from_sphere(np.ones((3, 3)))


def test_meshes_without_area_and_values_out_of_range() -> None:
    for faces in (np.array([[0, 0, 1]]), np.zeros((0, 3), np.int64)):
        with pytest.raises(MeshError, match="no triangle has an area"):
            SignedDistance(np.eye(3), faces)
    with pytest.raises(ParameterError, match="below 3"):
        SignedDistance(np.eye(3), np.array([[0, 1, 3]]))
    with pytest.raises(ParameterError, match="finite"):
        SignedDistance(np.full((3, 3), np.nan), np.array([[0, 1, 2]]))
    field = SignedDistance(np.eye(3), np.array([[0, 1, 2]]))
    assert field(np.zeros((0, 3))).shape == (0,)
    assert field(np.array([[50.0, 0, 0]])) == pytest.approx([49.0])


def test_a_slice_shows_what_is_inside() -> None:
    mesh, truth, _ = SHAPES["box"]
    field = SignedDistance(np.array(mesh.vertices), np.array(mesh.faces))
    picture = largest_slice(field, np.array([0.1, 0.05, 0.02], np.float32), 40)  # across z: x to the right, y up
    assert (picture < 0).sum() == pytest.approx(28 * 16, abs=1)
    across = (np.arange(40) + 0.5) / 20 - 1
    row = np.column_stack([across, np.full(40, -across[3]), np.full(40, 0.02)])
    assert picture[3] == pytest.approx(truth(row), abs=1e-6)
    colors = render_slice(picture)
    assert colors.shape == (40, 40, 3) and colors.dtype == np.uint8
    inside, outside = colors[20, 20].astype(int), colors[2, 20].astype(int)
    assert inside[2] > inside[0] + 50 and outside[0] > outside[2]


@pytest.mark.realdata
def test_shapenets_own_solids(realdata: Path) -> None:
    """Away from the surface, samples agree with what binvox filled; where not, one sees in, but not along an axis."""
    agreement = []
    for path in sorted(realdata.glob("shapenet_v2/*/*/models/*.obj")):
        truth, minimum, side = read_binvox(path.with_suffix(".solid.binvox"))
        vertices, faces = read_mesh(path)
        frame = canonical_from_sphere(vertices)
        field = SignedDistance(transform(np.linalg.inv(frame), vertices), faces)
        points = draw_points(field, 5000, 0.94, VARIANCES, rng())
        distance = field(points)
        voxel = (transform(frame, points) - minimum) / side * truth.shape[0]
        kept = (np.abs(distance) > 2 * side / truth.shape[0] / frame[0, 0]) & (
            (voxel >= 0) & (voxel < truth.shape[0])
        ).all(axis=1)
        occupied = truth[tuple(voxel[kept].astype(int).T)]
        agreement.append(((distance[kept] < 0) == occupied).mean())
    assert len(agreement) == 33
    assert np.median(agreement) > 0.999 and np.mean(agreement) > 0.95
