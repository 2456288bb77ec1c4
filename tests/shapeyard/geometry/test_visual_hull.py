"""The visual hull: by hand, of a ball, and what cannot be seen."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shapeyard.geometry.cameras import intrinsics, look_at
from shapeyard.geometry.frames import transform
from shapeyard.geometry.visual_hull import visual_hull

SIZE, RESOLUTION = 64, 16
AXIS = (np.arange(RESOLUTION) + 0.5) / RESOLUTION - 0.5
CENTRES = np.stack(np.meshgrid(AXIS, AXIS, AXIS, indexing="ij"), axis=-1)


def ball_silhouette(camera: NDArray[np.float64], centre: NDArray[np.float64], radius: float) -> NDArray[np.bool_]:
    """Where the ray of a pixel meets a ball."""
    pixel = np.arange(SIZE) + 0.5
    columns, rows = np.meshgrid(pixel, pixel)
    rays = np.stack([columns, rows, np.ones_like(rows)], axis=-1) @ np.linalg.inv(intrinsics(SIZE)).T
    rays /= np.linalg.norm(rays, axis=-1, keepdims=True)
    middle = transform(np.linalg.inv(camera), centre[None])[0]
    off_ray = np.linalg.norm(middle - (rays @ middle)[..., None] * rays, axis=-1)
    return np.asarray(off_ray <= radius)


def test_a_ball_from_all_sides() -> None:
    centre, radius = np.array([0.1, -0.05, 0.0]), 0.3
    along = [[2, 0, 0], [-2, 0, 0], [0, 0.3, 2], [0, 0, -2], [0.1, 2, 0], [0.1, -2, 0]]
    directions = [*along, [1, 1, 1], [-1, 1, 1], [1, -1, 1]]
    cameras = np.stack([look_at(2.2 * np.array(d) / np.linalg.norm(d)) for d in directions])
    shapes = np.stack([ball_silhouette(camera, centre, radius) for camera in cameras])
    hull = visual_hull(shapes, intrinsics(SIZE), cameras, RESOLUTION) >= 0.5
    true = np.linalg.norm(CENTRES - centre, axis=-1) <= radius
    assert hull[true].all(), "it holds the object"
    assert (hull & ~true).sum() < 0.9 * true.sum()
    one = visual_hull(shapes[:1], intrinsics(SIZE), cameras[:1], RESOLUTION) >= 0.5
    assert (hull & one).sum() == hull.sum() < 0.8 * one.sum(), "more views leave less room"


def test_a_small_silhouette_is_a_ray() -> None:
    camera = look_at([0.0, 0.0, 2.0])
    silhouette = np.zeros((1, SIZE, SIZE), dtype=bool)
    silhouette[0, SIZE // 2 - 4 : SIZE // 2 + 4, SIZE // 2 - 4 : SIZE // 2 + 4] = True
    hull = visual_hull(silhouette, intrinsics(SIZE), camera[None], 4) >= 0.5
    expected = np.zeros((4, 4, 4), dtype=bool)
    expected[1:3, 1:3] = True  # the four columns around the axis, all along it
    np.testing.assert_array_equal(hull & expected, hull)
    assert hull.any(axis=(0, 1)).all()


def test_nothing_seen_and_no_view() -> None:
    camera = look_at([0.0, 0.0, 2.0])[None]
    assert not visual_hull(np.zeros((1, 8, 8), bool), intrinsics(8), camera, 4).any()
    assert visual_hull(np.zeros((0, 8, 8), bool), intrinsics(8), camera[:0], 4).min() == 1


def test_what_is_behind_the_camera_is_not_seen() -> None:
    inside = look_at([0.0, 0.0, 0.1], target=[0.0, 0.0, 1.0])[None]
    hull = visual_hull(np.ones((1, SIZE, SIZE), bool), intrinsics(SIZE), inside, 8)
    assert not hull[:, :, :4].any() and hull[3:5, 3:5, 6:].all()
