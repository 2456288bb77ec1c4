"""What samples, clouds and depth maps tell of a ball."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

from shapeyard.errors import FormatError
from shapeyard.geometry.sdf_observations import observe_cloud, observe_depth, observe_samples, surface_of_depth
from shapeyard.geometry.sdf_samples import depth_views
from shapeyard.geometry.signed_distance import SignedDistance

RADIUS = 0.5


@pytest.fixture(scope="module")
def ball() -> SignedDistance:
    mesh = trimesh.creation.icosphere(5, RADIUS)
    return SignedDistance(np.array(mesh.vertices), np.array(mesh.faces))


def test_oriented_points_lead_outside_whatever_the_triangles_do() -> None:
    mesh = trimesh.creation.icosphere(4, RADIUS)
    faces = np.array(mesh.faces)
    faces[::2] = faces[::2, ::-1]
    points, normals = SignedDistance(np.array(mesh.vertices), faces).oriented_points(500, np.random.default_rng(0))
    assert (np.einsum("nk,nk->n", points, normals) / RADIUS > 0.99).all()
    assert np.linalg.norm(normals, axis=1) == pytest.approx(1)


def test_a_depth_map_shows_the_near_half(ball: SignedDistance) -> None:
    views = depth_views(ball, 2, 96, 10.0)
    assert views.depth.shape == (2, 96, 96) and not (views.depth[0] == views.depth[1]).all()
    for depth, camera in zip(views.depth, views.sdf_from_camera, strict=True):
        points, normals = surface_of_depth(depth, views.intrinsics)
        world = points @ camera[:3, :3].T + camera[:3, 3]
        assert np.linalg.norm(world, axis=1) == pytest.approx(RADIUS, abs=2e-3)
        cosines = np.einsum("nk,nk->n", normals @ camera[:3, :3].T, world / RADIUS)
        assert np.median(cosines) > 0.99 and (cosines > 0.5).all()
        observed = observe_depth(depth, views.intrinsics, camera, 2000, np.random.default_rng(0))
        assert observed.free.sum() == pytest.approx(1000, abs=50)
        true = np.linalg.norm(observed.points, axis=1) - RADIUS
        assert (true[observed.free] > -0.01).all() and (np.linalg.norm(observed.points, axis=1) < 1.01).all()
        assert np.abs(observed.distance - true)[~observed.free].max() < 0.02


def test_no_view_at_all(ball: SignedDistance) -> None:
    assert depth_views(ball, 0, 16, 0.0).depth.shape == (0, 16, 16)


def test_faults_are_one_line() -> None:
    rng = np.random.default_rng(0)
    good = np.ones((20, 3))
    for points, normals, said in [
        (good[:3], good[:3], r"expected at least 16 points \(N,3\), got \(3, 3\)"),
        (good, good[:10], "expected a normal for each of 20 points, got"),
        (good * np.nan, good, "expected finite points and normals"),
        (good, good * 0, "expected normals with a length above 0"),
    ]:
        with pytest.raises(FormatError, match=said):
            observe_cloud(points, normals, 10, rng)
    some, none = np.ones((5, 4), np.float32), np.zeros((0, 4), np.float32)
    with pytest.raises(FormatError, match="negative: expected samples"):
        observe_samples(some, none, 10, rng)
    with pytest.raises(FormatError, match="positive: expected finite samples"):
        observe_samples(some * np.inf, some, 10, rng)
    with pytest.raises(FormatError, match="expected at least 16 points"):
        observe_depth(np.full((8, 8), np.inf, np.float32), np.eye(3), np.eye(4), 10, rng)


@pytest.mark.parametrize("size", [16, 32, 128])
def test_a_plane_is_one_surface_however_few_pixels_show_it(size: int) -> None:
    depth = np.full((size, size), 2.0, np.float32)
    depth[:, size // 2 :] = 3.0
    intrinsics = np.array([[1.1 * size, 0, size / 2], [0, 1.1 * size, size / 2], [0, 0, 1]])
    points, normals = surface_of_depth(depth, intrinsics)
    assert len(points) == (size - 1) * (size - 2)  # all but the last row, the last column and the edge
    np.testing.assert_allclose(normals, np.broadcast_to([0, 0, -1], normals.shape), atol=1e-6)
