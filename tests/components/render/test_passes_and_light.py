"""Normals, albedo, lenses, camera files, random light and background: what each is, and that a seed decides it all."""

from __future__ import annotations

import json

import numpy as np
import pytest
import trimesh
from scenes import (
    BLUE,
    GREEN,
    IDENTITY,
    RED,
    box_at,
    depth_of_box,
    edges,
    exported,
    mean_color,
    painted,
    rays,
    textured_square,
)

from components.render.lighting import random_background, random_light
from shapeyard.errors import TooManySkippedError
from shapeyard.geometry.cameras import look_at, orbit

BOX = {"b.stl": exported(trimesh.creation.box((1.0, 0.5, 0.3)), "stl")}
WHITE = painted([(trimesh.creation.icosphere(subdivisions=3, radius=0.5), (1, 1, 1))])


def srgb(linear: float) -> float:
    return 255 * (1.055 * linear ** (1 / 2.4) - 0.055)


def test_normals_of_a_box_are_those_of_the_side_that_is_seen(draw):
    renders = draw({"box/1": ("b.stl", BOX, IDENTITY)}, views=5, cameras="sphere", samples=4, passes="normals")
    sides = set()
    for view in range(5):
        normals, depth = renders.read("box/1", "normals", view), renders.read("box/1", "depth", view)
        assert (normals.dtype, normals.shape) == (np.float16, (64, 64, 3))
        mask = np.isfinite(depth)
        assert not normals[~mask].any()
        assert np.abs(np.linalg.norm(normals[mask].astype(float), axis=1) - 1).max() < 2e-3
        origin, directions = rays(renders, "box/1", view)
        points = origin + directions * np.where(mask, depth, 0)[..., None]
        side = np.abs(np.abs(points) / [0.5, 0.25, 0.15] - 1).argmin(axis=-1)
        expected = np.take_along_axis(np.sign(points), side[..., None], -1) * np.eye(3)[side]
        inside = mask & ~edges(mask) & ~np.any([edges(side == axis) for axis in range(3)], axis=0)
        assert np.abs(normals[inside] - expected[inside]).max() < 1e-2
        assert ((normals * directions).sum(axis=-1)[inside] < 0).all(), "towards the camera"
        sides |= set(side[inside].tolist())
    assert sides == {0, 1, 2}
    assert not renders.has("box/1", "albedo")


def test_albedo_is_the_colour_without_light(draw):
    parts = [(box_at((-0.3, 0, 0)), RED), (box_at((0.3, 0, 0)), (0.5, 0.5, 0.5))]
    renders = draw(
        {"a/1": ("part.obj", painted(parts), IDENTITY), "a/2": ("square.obj", textured_square(), IDENTITY)},
        views=3, samples=4, passes=" albedo, normals ",
    )  # fmt: skip
    for view in range(3):
        albedo, mask = renders.read("a/1", "albedo", view), np.isfinite(renders.read("a/1", "depth", view))
        assert (albedo.dtype, albedo.shape) == (np.uint8, (64, 64, 3))
        assert not albedo[~mask].any()
        colors, counts = np.unique(albedo[mask], axis=0, return_counts=True)
        common = colors[counts > 20]
        assert len(common)
        for color in common:
            red = [srgb(0.8), srgb(0.03), srgb(0.03)]  # nothing is darker than 0.03
            assert any(np.abs(color - np.array(wanted)).max() <= 1 for wanted in (red, [srgb(0.5)] * 3))
    assert renders.has("a/2", "normals")
    seen = renders.read("a/2", "albedo").reshape(-1, 3)
    assert {(220, 48, 48), (48, 48, 220)} <= {tuple(color) for color in seen.tolist()}, "the texture's own"


@pytest.mark.parametrize("shape", [trimesh.creation.box(), trimesh.creation.icosphere(subdivisions=2, radius=0.5)])
def test_nothing_of_the_inner_side_shines_through(draw, shape):
    """As ShapeNet's meshes: every face twice, once in either direction, with a material for either side."""
    inner = shape.copy()
    inner.invert()
    files = painted([(shape, (0.5, 0.5, 0.5)), (inner, RED)])
    renders = draw({"a/1": ("part.obj", files, IDENTITY)}, views=6, samples=16, image_size=96, passes="albedo")
    for view in range(6):
        mask = np.isfinite(renders.read("a/1", "depth", view))
        albedo = renders.read("a/1", "albedo", view)[mask]
        assert len(albedo) > 200
        assert np.abs(albedo - srgb(0.5)).max() <= 1


def test_a_longer_lens_sees_less_and_its_intrinsics_say_so(draw):
    objects = {"box/1": ("b.stl", BOX, IDENTITY)}
    for lens in (20.0, 50.0):
        renders = draw(objects, f"lens-{lens:.0f}", lens_mm=lens, distance=3.0)
        assert renders.read("box/1", "intrinsics")[0, 0] == pytest.approx(lens / 32 * 64)
        depth = renders.read("box/1", "depth", 0)
        expected = depth_of_box(*rays(renders, "box/1", 0), [0.5, 0.25, 0.15])
        both = np.isfinite(depth) & np.isfinite(expected)
        assert np.abs(depth[both] - expected[both]).max() < 1e-3
        assert (np.isfinite(depth) != np.isfinite(expected)).sum() <= 3


@pytest.mark.parametrize("inline", [False, True])
def test_cameras_of_a_file_are_taken_as_they_are(draw, tmp_path, inline):
    """Off the centre of the image, from inside the orbit, looking past the object; the lens is the file's."""
    cameras = [look_at([0.3, 0.2, 2.5], target=[0.4, 0.1, 0]), *orbit(2, 10, 1.5)]
    content = json.dumps({
        "world_from_camera": [np.asarray(camera).tolist() for camera in cameras],
        "intrinsics": [[150, 0, 50], [0, 150, 90], [0, 0, 1]], "image_size": 128,
    })  # fmt: skip
    path = tmp_path / "cameras.json"
    path.write_text(content)
    renders = draw({"box/1": ("b.stl", BOX, IDENTITY)}, cameras=content if inline else str(path), views=1, samples=2)
    assert np.allclose(renders.read("box/1", "world_from_camera"), cameras)
    assert np.allclose(renders.read("box/1", "intrinsics"), [[75, 0, 25], [0, 75, 45], [0, 0, 1]])
    for view in range(3):
        depth = renders.read("box/1", "depth", view)
        expected = depth_of_box(*rays(renders, "box/1", view), [0.5, 0.25, 0.15])
        both = np.isfinite(depth) & np.isfinite(expected)
        assert both.sum() > 100
        assert np.abs(depth[both] - expected[both]).max() < 1e-3
        assert (np.isfinite(depth) != np.isfinite(expected)).sum() <= 3


def test_an_object_beside_the_image_is_skipped(draw):
    past = json.dumps({"world_from_camera": [look_at([0, 0, 3], target=[3, 0, 0.5]).tolist()], "fov_degrees": 40})
    seen = json.dumps({"world_from_camera": [look_at([0, 0, 3], target=[0.5, 0, 0]).tolist()], "fov_degrees": 40})
    renders = draw({"a/1": ("b.stl", BOX, IDENTITY)}, cameras=seen)
    assert np.isfinite(renders.read("a/1", "depth")).any()
    with pytest.raises(TooManySkippedError, match="nothing of it can be seen in any view"):
        draw({"a/1": ("b.stl", BOX, IDENTITY)}, "past", cameras=past)


def test_white_is_not_burnt_out(draw):
    box = painted([(trimesh.creation.box((1.0, 0.6, 0.8)), (1, 1, 1))])
    objects = {"white/ball": ("part.obj", WHITE, IDENTITY), "white/box": ("part.obj", box, IDENTITY)}
    for light in ("studio", "random"):
        renders = draw(objects, light, views=12, samples=8, light=light, cameras="sphere")
        assert len(renders.samples) == 2
        for sample in renders.samples:
            mask = np.isfinite(renders.read(sample.id, "depth"))
            pixels = renders.read(sample.id, "rgba")[mask][:, :3]
            assert (pixels == 255).any(axis=1).mean() < 0.001
            if light == "studio":
                assert pixels.max() > 235, "yet white is white"


def test_random_light_differs_from_view_to_view_and_leaves_the_shape_alone(draw):
    objects = {"white/1": ("part.obj", WHITE, IDENTITY)}
    studio, random = draw(objects, "studio", views=6), draw(objects, "random", views=6, light="random")
    for array in ("depth", "world_from_camera", "intrinsics"):
        assert np.array_equal(studio.read("white/1", array), random.read("white/1", array))
    brightness = [mean_color(random, "white/1", view).mean() for view in range(6)]
    assert np.ptp(brightness) > 15
    assert np.ptp([mean_color(studio, "white/1", view).mean() for view in range(6)]) < 3
    left = [mean_color(random, "white/1", view, slice(0, 32)).mean() for view in range(6)]
    right = [mean_color(random, "white/1", view, slice(32, 64)).mean() for view in range(6)]
    assert min(np.subtract(left, right)) < -10 < 10 < max(np.subtract(left, right)), "from either side"


def test_a_random_background_is_behind_the_object_alone(draw):
    objects = {"white/1": ("part.obj", WHITE, IDENTITY)}
    studio, random = draw(objects, "studio", views=3), draw(objects, "random", views=3, background="random")
    for view in range(3):
        image, plain = random.read("white/1", "rgba", view), studio.read("white/1", "rgba", view)
        solid = plain[..., 3] == 255
        assert np.array_equal(image[solid], plain[solid])
        assert (image[..., 3] == 255).all()
        assert np.array_equal(random.read("white/1", "depth", view), studio.read("white/1", "depth", view))
    corners = random.read("white/1", "rgba")[:, 0, 0].astype(int)
    assert np.ptp(corners, axis=0).max() > 20, "each view has its own"


def test_a_seed_decides_everything_whatever_else_is_drawn_and_with_how_many_threads(draw):
    box, ball = ("b.stl", BOX, IDENTITY), ("part.obj", WHITE, IDENTITY)
    chosen = {"samples": 4, "light": "random", "background": "random", "passes": "normals,albedo", "cameras": "r2n2"}
    first = draw({"box/1": box, "ball/1": ball}, "first", **chosen)
    again = draw({"ball/1": ball, "ball/2": ball, "box/1": box}, "again", workers=2, **chosen)
    other = draw({"box/1": box}, "other", seed=1, **chosen)
    for array in ("rgba", "depth", "normals", "albedo", "world_from_camera"):
        for name in ("box/1", "ball/1"):
            assert np.array_equal(first.read(name, array), again.read(name, array)), array
        assert not np.array_equal(first.read("box/1", array), other.read("box/1", array))
    assert not np.array_equal(again.read("ball/1", "rgba"), again.read("ball/2", "rgba")), "an object's own"


def test_random_lights_and_backgrounds_stay_in_range():
    rng = np.random.default_rng(0)
    for _ in range(200):
        light = random_light(rng)
        assert np.linalg.norm(light.direction) == pytest.approx(1)
        assert light.direction[1] > 0
        brightest = (0.4 + light.watts / np.pi * np.array(light.color)) * light.exposure
        assert 0.3 < brightest.max() <= 0.98 + 1e-9
    for size in (16, 137):
        picture = random_background(rng, size)
        assert (picture.shape, picture.dtype) == ((size, size, 3), np.float32)
        assert 0 <= picture.min() < picture.max() <= 1


def test_colours_stay_apart_in_any_light(draw):
    parts = [(box_at((-0.3, 0, 0)), RED), (box_at((0.3, 0, 0)), GREEN), (box_at((0, 0.3, 0)), BLUE)]
    renders = draw({"a/1": ("part.obj", painted(parts), IDENTITY)}, views=4, samples=4, light="random")
    for view in range(4):
        pixels = renders.read("a/1", "rgba", view)[np.isfinite(renders.read("a/1", "depth", view))][:, :3].astype(int)
        assert (pixels.max(axis=1) > 1.5 * pixels.min(axis=1)).mean() > 0.9
