"""Cameras: axes by hand, recipes, and that each object's are its own."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shapeyard.errors import ParameterError
from shapeyard.geometry.cameras import (
    DEFAULT_DISTANCE,
    RECIPES,
    UNIT_CUBE_RADIUS,
    cameras_for,
    check_cameras,
    generator_for,
    intrinsics,
    look_at,
    orbit,
    r2n2,
    sphere,
)


def _pixel(world_from_camera, point, image_size=100):
    x, y, z = world_from_camera[:3, :3].T @ (np.asarray(point, float) - world_from_camera[:3, 3])
    u, v, _ = intrinsics(image_size) @ [x / z, y / z, 1]
    return u, v, z


def test_intrinsics_are_those_of_35_on_32_mm():
    matrix = intrinsics(96)
    assert matrix.tolist() == [[105, 0, 48], [0, 105, 48], [0, 0, 1]]
    assert np.degrees(2 * np.arctan(48 / matrix[0, 0])) == pytest.approx(49.134, abs=1e-3)


def test_a_camera_on_the_z_axis_sees_x_to_the_right_and_y_above():
    camera = look_at([0, 0, 2])
    assert camera.tolist() == [[1, 0, 0, 0], [0, -1, 0, 0], [0, 0, -1, 2], [0, 0, 0, 1]]
    assert _pixel(camera, [0, 0, 0]) == pytest.approx((50, 50, 2))
    assert _pixel(camera, [0.2, 0, 0])[0] > 50
    assert _pixel(camera, [0, 0.2, 0])[1] < 50
    assert _pixel(camera, [0, 0, 0.5])[2] == pytest.approx(1.5)


def test_a_camera_on_the_x_axis_sees_z_to_the_left():
    camera = orbit(4, 0, 2.0)[1]
    assert camera[:3, 3] == pytest.approx([2, 0, 0])
    assert _pixel(camera, [0, 0, 0.2])[0] < 50


def test_looking_straight_along_up_or_from_the_target_is_refused():
    for position in ([0, 3, 0], [0, -3, 0], [0, 0, 0]):
        with pytest.raises(ParameterError, match="does not look along"):
            look_at(position)


@settings(max_examples=50, deadline=None)
@given(st.sampled_from(RECIPES), st.integers(1, 40), st.integers(0, 5), st.floats(-89, 89))
def test_every_camera_is_a_rotation_that_looks_at_the_origin(recipe, views, seed, elevation):
    cameras = cameras_for("chair/1", recipe, views, elevation_degrees=elevation, seed=seed)
    assert cameras.shape == (views, 4, 4)
    rotations = cameras[:, :3, :3]
    assert np.allclose(rotations @ rotations.transpose(0, 2, 1), np.eye(3))
    assert np.allclose(np.linalg.det(rotations), 1)
    assert (rotations[:, 1, 1] < 0).all(), "up in the world is up in the image"
    for camera in cameras:
        assert _pixel(camera, [0, 0, 0])[:2] == pytest.approx((50, 50))


def test_an_orbit_is_a_circle_in_equal_steps():
    positions = orbit(8, 30, 2.0, start_degrees=10)[:, :3, 3]
    assert np.allclose(positions[:, 1], 1.0)
    assert np.allclose(np.linalg.norm(positions, axis=1), 2.0)
    azimuth = np.degrees(np.unwrap(np.arctan2(positions[:, 0], positions[:, 2])))
    assert azimuth == pytest.approx(10 + 45 * np.arange(8))


def test_r2n2_keeps_to_the_published_ranges():
    positions = r2n2(2000, generator_for(0, "a/b"), diagonal=1.5)[:, :3, 3]
    distance = np.linalg.norm(positions, axis=1)
    elevation = np.degrees(np.arcsin(positions[:, 1] / distance))
    assert 1.75 * 0.65 * 1.5 <= distance.min() < 1.75 * 0.66 * 1.5
    assert 1.75 * 0.94 * 1.5 < distance.max() <= 1.75 * 0.95 * 1.5
    assert 25 <= elevation.min() < 25.1 < 29.9 < elevation.max() <= 30
    quarters = np.histogram(np.arctan2(positions[:, 0], positions[:, 2]), bins=4, range=(-np.pi, np.pi))[0]
    assert quarters.min() > 400


def test_a_sphere_leaves_no_side_out():
    directions = sphere(200, 3.0)[:, :3, 3] / 3
    assert np.allclose(np.linalg.norm(directions, axis=1), 1)
    assert np.abs(directions.mean(axis=0)).max() < 0.02
    closeness = directions @ directions.T - 2 * np.eye(200)
    nearest = np.degrees(np.arccos(closeness.max(axis=1)))
    assert nearest.min() > 0.6 * nearest.max(), "evenly spread"


@pytest.mark.parametrize("recipe", RECIPES)
def test_cameras_are_an_objects_own(recipe):
    first = cameras_for("chair/1", recipe, 5)
    assert np.array_equal(first, cameras_for("chair/1", recipe, 5))
    assert not np.allclose(first, cameras_for("chair/2", recipe, 5))
    assert not np.allclose(first, cameras_for("chair/1", recipe, 5, seed=1))


def test_the_generator_is_the_same_on_every_machine():
    assert generator_for(0, "stuhl/für-zwei").integers(0, 1000, 3).tolist() == [607, 815, 601]


def test_at_the_default_distance_the_unit_cube_is_inside_every_image():
    corners = np.array(np.meshgrid(*[[-0.5, 0.5]] * 3)).reshape(3, -1).T
    cameras = np.concatenate([sphere(200, DEFAULT_DISTANCE), orbit(90, 30, DEFAULT_DISTANCE)])
    pixels = np.array([_pixel(camera, corner)[:2] for camera in cameras for corner in corners])
    assert pixels.min() >= 0
    assert pixels.max() <= 100
    assert pixels.max() > 97, "and fills it"


def test_bad_parameters_are_refused():
    for recipe, views, elevation, distance in [
        ("spiral", 4, 30, 2), ("orbit", 0, 30, 2), ("orbit", 201, 30, 2), ("orbit", 4, 90, 2),
        ("orbit", 4, float("nan"), 2), ("orbit", 4, 30, UNIT_CUBE_RADIUS), ("sphere", 4, 30, float("inf")),
    ]:  # fmt: skip
        with pytest.raises(ParameterError, match="expected"):
            check_cameras(recipe, views, elevation, distance)
