"""Renders against geometry worked out by hand: depth, projection, axes, colours, and what is skipped."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh
from kfp import dsl
from PIL import Image
from scenes import (
    BLUE,
    GREEN,
    IDENTITY,
    RED,
    box_at,
    depth_of_box,
    depth_of_triangles,
    edges,
    exported,
    mean_color,
    painted,
    rays,
    textured_square,
    write_meshes,
)

from components.render import RenderSettings
from components.render.component import render as component
from components.render.render import render
from shapeyard.contracts.dataset import Dataset
from shapeyard.errors import DatasetError, FormatError, ParameterError, TooManySkippedError
from shapeyard.geometry.frames import Y_UP_FROM_Z_UP, canonical_from_bounds


def test_depth_of_a_box_is_exact_at_every_pixel(draw):
    box = trimesh.creation.box((1.0, 0.5, 0.3))
    renders = draw({"box/1": ("b.stl", {"b.stl": exported(box, "stl")}, IDENTITY)}, views=4, samples=2)
    for view in range(4):
        depth = renders.read("box/1", "depth", view)
        expected = depth_of_box(*rays(renders, "box/1", view), [0.5, 0.25, 0.15])
        assert depth.dtype == np.float32
        both = np.isfinite(depth) & np.isfinite(expected)
        assert both.sum() > 200
        assert np.abs(depth[both] - expected[both]).max() < 1e-3
        differ = np.isfinite(depth) != np.isfinite(expected)
        assert not (differ & ~edges(np.isfinite(expected))).any()
        assert differ.sum() <= 2


def test_depth_of_a_sphere_is_that_of_its_triangles(draw):
    ball = trimesh.creation.icosphere(subdivisions=2, radius=0.5)
    renders = draw({"ball/1": ("b.off", {"b.off": exported(ball, "off")}, IDENTITY)}, cameras="sphere", views=3)
    for view in range(3):
        depth = renders.read("ball/1", "depth", view)
        origin, directions = rays(renders, "ball/1", view)
        expected = depth_of_triangles(origin, directions, ball.triangles)
        both = np.isfinite(depth) & np.isfinite(expected)
        assert np.abs(depth[both] - expected[both]).max() < 1e-3
        assert (np.isfinite(depth) != np.isfinite(expected)).sum() <= 2
        centre = depth[31:33, 31:33].mean()
        assert centre == pytest.approx(2.1 - 0.5, abs=0.015)


@pytest.mark.parametrize("cameras", ["orbit", "r2n2", "sphere"])
def test_the_mask_is_where_the_vertices_are_projected_to(draw, cameras):
    prism = trimesh.creation.cylinder(0.2, 0.7, sections=6)
    lower, upper = prism.bounds
    canonical_from_file = canonical_from_bounds(lower, upper, "z")
    files = {"c.ply": exported(prism, "ply")}
    renders = draw({"prism/1": ("c.ply", files, canonical_from_file)}, cameras=cameras, views=4, image_size=128)
    vertices = trimesh.transform_points(prism.vertices, canonical_from_file)
    assert np.ptp(vertices, axis=0).argmax() == 1, "its axis stands upright"
    intrinsics = renders.read("prism/1", "intrinsics")
    for view, camera in enumerate(renders.read("prism/1", "world_from_camera")):
        points = (vertices - camera[:3, 3]) @ camera[:3, :3]
        pixels = (points / points[:, 2:]) @ intrinsics.T
        row, column = np.nonzero(np.isfinite(renders.read("prism/1", "depth", view)))
        assert pixels[:, 0].min() == pytest.approx(column.min() + 0.5, abs=1.3)
        assert pixels[:, 0].max() == pytest.approx(column.max() + 0.5, abs=1.3)
        assert pixels[:, 1].min() == pytest.approx(row.min() + 0.5, abs=1.3)
        assert pixels[:, 1].max() == pytest.approx(row.max() + 0.5, abs=1.3)


@pytest.mark.parametrize("ending", ["obj", "glb"])
def test_each_axis_points_where_the_camera_says(draw, ending):
    """Red at +x, green at +y, blue at +z: each colour's pixels lie where the box's centre is projected to."""
    centers = {"red": (0.4, 0, 0), "green": (0, 0.4, 0), "blue": (0, 0, 0.4)}
    parts = [(box_at(center), color) for center, color in zip(centers.values(), (RED, GREEN, BLUE), strict=True)]
    if ending == "obj":
        main, files = "part.obj", painted(parts)
    else:
        scene = trimesh.Scene()
        for number, (mesh, color) in enumerate(parts):
            mesh.visual = trimesh.visual.TextureVisuals(
                material=trimesh.visual.material.PBRMaterial(baseColorFactor=(*color, 1.0), metallicFactor=0.9)
            )
            place = trimesh.transformations.translation_matrix(mesh.centroid)
            mesh.apply_translation(-mesh.centroid)
            scene.add_geometry(mesh, node_name=f"part{number}", transform=place)
        main, files = "part.glb", {"part.glb": scene.export(file_type="glb")}
    renders = draw({"axes/1": (main, files, IDENTITY)}, views=5, image_size=96, samples=4)
    intrinsics = renders.read("axes/1", "intrinsics")
    seen = [0, 0, 0]
    for view, camera in enumerate(renders.read("axes/1", "world_from_camera")):
        rgba = renders.read("axes/1", "rgba", view).astype(float)
        solid = rgba[..., 3] == 255
        for channel, center in enumerate(centers.values()):
            others = [c for c in range(3) if c != channel]
            mine = solid & (rgba[..., channel] > 2 * rgba[..., others].max(axis=-1))
            if mine.sum() < 30:
                continue  # hidden by the others
            point = camera[:3, :3].T @ (np.array(center) - camera[:3, 3])
            u, v, _ = intrinsics @ (point / point[2])
            row, column = np.nonzero(mine)
            assert (column.mean() + 0.5, row.mean() + 0.5) == pytest.approx((u, v), abs=4)
            seen[channel] += 1
    assert min(seen) >= 2, "each box is looked at in several views"


def test_z_up_files_stand_upright(draw):
    files = painted([(box_at((0, 0, 0.4)), (0, 1, 0)), (box_at((0, 0, -0.4)), (1, 0, 0))])
    renders = draw({"a/1": ("part.obj", files, Y_UP_FROM_Z_UP)}, views=1, elevation_degrees=0)
    rgba = renders.read("a/1", "rgba", 0)
    assert rgba[:32, :, 1].sum() > 3 * rgba[:32, :, 0].sum(), "the top of the image is green"
    assert rgba[32:, :, 0].sum() > 3 * rgba[32:, :, 1].sum()


def test_a_texture_is_seen_the_right_way_round_and_kept_apart_from_a_missing_one(draw):
    whole, lost = textured_square(), textured_square("gone.png")
    unlisted = {name: content for name, content in textured_square().items() if name != "square.mtl"}
    broken = {**textured_square(), "tex.png": b"\x89PNG\r\n\x1a\nnot really"}
    renders = draw(
        {f"square/{name}": ("square.obj", files, IDENTITY)
         for name, files in [("whole", whole), ("lost", lost), ("unlisted", unlisted), ("broken", broken)]},
        views=8, elevation_degrees=0, samples=4,
    )  # fmt: skip
    cameras = renders.read("square/whole", "world_from_camera")
    facing = [(view, camera) for view, camera in enumerate(cameras) if abs(camera[2, 3]) >= 1]
    assert {camera[2, 3] > 0 for _, camera in facing} == {True, False}, "from before and from behind"
    for view, camera in facing:
        left = mean_color(renders, "square/whole", view, slice(0, 30))
        right = mean_color(renders, "square/whole", view, slice(34, 64))
        if camera[2, 3] < 0:
            left, right = right, left  # from behind
        assert left[0] > 3 * left[2]
        assert right[2] > 3 * right[0]
    for name in ("lost", "unlisted", "broken"):
        color = mean_color(renders, f"square/{name}", 0)
        assert np.ptp(color) < 3, "grey, not Blender's magenta"
        assert 40 < color.mean() < 250


def test_a_texture_inside_a_glb_is_seen(draw):
    square = trimesh.Trimesh([[-0.5, -0.5, 0], [0.5, -0.5, 0], [0.5, 0.5, 0], [-0.5, 0.5, 0]], [[0, 1, 2], [0, 2, 3]])
    picture = Image.new("RGB", (8, 8), (20, 200, 20))
    square.visual = trimesh.visual.TextureVisuals([[0, 0], [1, 0], [1, 1], [0, 1]], image=picture)
    renders = draw({"square/1": ("s.glb", {"s.glb": exported(square, "glb")}, IDENTITY)})
    red, green, blue = mean_color(renders, "square/1", 0)
    assert green > 2 * max(red, blue)


def test_names_that_are_not_ascii(draw):
    square = textured_square("текстура é 1.png", mtl="матеріал ü.mtl")
    files = {
        "модель/стілець ß.obj": square["square.obj"], "модель/матеріал ü.mtl": square["square.mtl"],
        "модель/текстура é 1.png": square["tex.png"],
    }  # fmt: skip
    renders = draw(
        {"стілець/椅子 1": ("модель/стілець ß.obj", files, IDENTITY)}, views=4, elevation_degrees=0, samples=4
    )
    colors = np.array([mean_color(renders, "стілець/椅子 1", view) for view in range(4)])
    assert (colors[:, [0, 2]].max(axis=1) > 1.5 * colors[:, 1]).all()


def test_a_sheet_with_two_materials_shows_each_on_its_own_side(draw):
    """As ShapeNet's: every face twice, once in either direction."""
    square = trimesh.Trimesh([[-0.5, -0.5, 0], [0.5, -0.5, 0], [0.5, 0.5, 0], [-0.5, 0.5, 0]], [[0, 1, 2], [0, 2, 3]])
    back = square.copy()
    back.invert()
    files = painted([(square, RED), (back, BLUE)])
    welded = {**files, "part.obj": files["part.obj"].replace("f 7 6 5", "f 3 2 1").replace("f 8 7 5", "f 4 3 1")}
    assert welded != files
    renders = draw(
        {"sheet/separate": ("part.obj", files, IDENTITY), "sheet/welded": ("part.obj", welded, IDENTITY)},
        views=8, elevation_degrees=0,
    )  # fmt: skip
    for name in ("sheet/separate", "sheet/welded"):
        cameras = renders.read(name, "world_from_camera")
        facing = [(view, camera) for view, camera in enumerate(cameras) if abs(camera[2, 3]) >= 0.5]
        assert {camera[2, 3] > 0 for _, camera in facing} == {True, False}, "from before and from behind"
        for view, camera in facing:
            rgba, depth = renders.read(name, "rgba", view), renders.read(name, "depth", view)
            seen = rgba[np.isfinite(depth) & (rgba[..., 3] == 255)].astype(int)
            front, behind = (0, 2) if camera[2, 3] > 0 else (2, 0)
            assert (seen[:, front] > 3 * seen[:, behind]).all(), "no speckles of the other side"
            origin, directions = rays(renders, name, view)
            seen = np.isfinite(depth)
            assert np.abs(depth[seen] + (origin[2] / directions[..., 2])[seen]).max() < 1e-3


def test_flipped_normals_look_the_same(draw):
    ball = trimesh.creation.icosphere(subdivisions=3, radius=0.5)
    inside_out = ball.copy()
    inside_out.invert()
    renders = draw({
        "ball/out": ("b.ply", {"b.ply": exported(ball, "ply")}, IDENTITY),
        "ball/in": ("b.ply", {"b.ply": exported(inside_out, "ply")}, IDENTITY),
    }, samples=16)  # fmt: skip
    for view in range(2):
        assert np.isfinite(renders.read("ball/in", "depth", view)).sum() > 500
        colors = [mean_color(renders, name, view) for name in ("ball/out", "ball/in")]
        assert colors[0] == pytest.approx(colors[1], abs=4)


def test_neither_white_nor_black_loses_its_shape(draw):
    ball = trimesh.creation.icosphere(subdivisions=3, radius=0.5)
    renders = draw({
        "ball/white": ("part.obj", painted([(ball, (1, 1, 1))]), IDENTITY),
        "ball/black": ("part.obj", painted([(ball, (0, 0, 0))]), IDENTITY),
    }, samples=16)  # fmt: skip
    for name, least, most, contrast in [("white", 90, 254, 80), ("black", 5, 60, 15)]:
        rgba, depth = renders.read(f"ball/{name}", "rgba", 0), renders.read(f"ball/{name}", "depth", 0)
        gray = rgba[np.isfinite(depth)][:, 0].astype(int)
        assert least < gray.min() < gray.max() <= most
        assert np.ptp(gray) > contrast


def test_alpha_is_straight_and_the_background_is_empty(draw):
    ball = trimesh.creation.icosphere(subdivisions=3, radius=0.5)
    renders = draw({"ball/1": ("part.obj", painted([(ball, (1, 1, 1))]), IDENTITY)}, samples=64)
    rgba, depth = renders.read("ball/1", "rgba", 0), renders.read("ball/1", "depth", 0)
    half = (rgba[..., 3] > 60) & (rgba[..., 3] < 200)
    assert half.sum() > 20
    assert rgba[half][:, 0].min() > 80, "edges are as bright as what is beside them"
    far = ~np.isfinite(depth) & ~edges(np.isfinite(depth))
    assert (rgba[far & (rgba[..., 3] == 0)] == 0).all()
    assert (rgba[far][:, 3] == 0).mean() > 0.95
    assert np.isposinf(depth[far]).all()


def test_vertex_colors_are_used_where_there_is_no_material(draw):
    ball = trimesh.creation.icosphere(subdivisions=2, radius=0.5)
    ball.visual.vertex_colors = (20, 200, 20, 255)
    renders = draw({"ball/1": ("b.ply", {"b.ply": exported(ball, "ply")}, IDENTITY)})
    red, green, blue = mean_color(renders, "ball/1", 0)
    assert green > 2 * max(red, blue)


def test_the_same_seed_gives_the_same_images_in_any_company(draw):
    box = {"b.obj": exported(trimesh.creation.box((1.0, 0.6, 0.3)), "obj")}
    ball = {"b.obj": exported(trimesh.creation.icosphere(radius=0.5), "obj")}
    first = draw({"box/1": ("b.obj", box, IDENTITY), "ball/1": ("b.obj", ball, IDENTITY)}, samples=4)
    again = draw({"ball/1": ("b.obj", ball, IDENTITY), "box/1": ("b.obj", box, IDENTITY)}, "again", samples=4)
    other = draw({"box/1": ("b.obj", box, IDENTITY)}, "other", samples=4, seed=1)
    for array in ("rgba", "depth", "world_from_camera"):
        assert np.array_equal(first.read("box/1", array), again.read("box/1", array))
    assert not np.allclose(first.read("box/1", "world_from_camera"), other.read("box/1", "world_from_camera"))
    assert [sample.id for sample in again.samples] == ["ball/1", "box/1"]
    assert first["box/1"].split == "train"
    assert (first.paths[0] / "preview.png").is_file()


def test_what_cannot_be_rendered_is_skipped_with_its_reason(draw):
    renders = draw({
        "a/good": ("b.obj", {"b.obj": exported(trimesh.creation.box(), "obj")}, IDENTITY),
        "a/voxels": ("a.binvox", {"a.binvox": "#binvox 1"}, IDENTITY),
        "a/ply": ("a.ply", {"a.ply": "no header"}, IDENTITY),
        "a/glb": ("a.glb", {"a.glb": "no header"}, IDENTITY),
        "a/off": ("a.off", {"a.off": "no header"}, IDENTITY),
        "a/points": ("a.obj", {"a.obj": "v 0 0 0\nv 1 0 0\nv 0 1 0\n"}, IDENTITY),
        "a/nan": ("a.obj", {"a.obj": "v 0 0 0\nv nan 0 0\nv 0 1 0\nf 1 2 3\n"}, IDENTITY),
        "a/line": ("a.obj", {"a.obj": "v 0 0 0\nv .1 0 0\nv .2 0 0\nf 1 2 3\n"}, IDENTITY),
        "a/away": ("a.obj", {"a.obj": "v 0 0 9\nv 1 0 9\nv 0 1 9\nf 1 2 3\n"}, np.diag([1.0, 1.0, -90.0, 1.0])),
        "a/fbx": ("a.fbx", {"a.fbx": "Kaydara"}, IDENTITY),
    }, max_skipped=1.0)  # fmt: skip
    reasons = {skipped.id: skipped.reason for skipped in renders.skipped}
    assert [sample.id for sample in renders.samples] == ["a/good"]
    assert reasons["a/voxels"] == "a voxel grid cannot be rendered"
    assert reasons["a/ply"] == "a.ply: not readable as PLY: expected a PLY file with a header"
    assert reasons["a/glb"] == "a.glb: expected a GLB file, which starts with glTF"
    assert reasons["a/off"].startswith("a.off: ")
    assert reasons["a/points"] == "a.obj: no faces in it"
    assert reasons["a/nan"].startswith("a.obj: coordinates that are not finite")
    assert reasons["a/line"] == reasons["a/away"] == "nothing of it can be seen in any view"
    assert reasons["a/fbx"].startswith("a.fbx: expected one of .obj, ")


def test_too_many_skipped_fails(draw):
    with pytest.raises(TooManySkippedError, match="a voxel grid cannot be rendered"):
        draw({"a/voxels": ("a.binvox", {"a.binvox": "#binvox 1"}, IDENTITY)})


def test_bad_parameters_are_refused_before_anything_is_written(tmp_path):
    meshes = write_meshes(tmp_path / "meshes", {"a/1": ("b.obj", {"b.obj": "v 0 0 0"}, IDENTITY)})
    for settings in [
        {"image_size": 15}, {"image_size": 1025}, {"samples": 0}, {"samples": 4097}, {"workers": -1}, {"views": 0},
        {"cameras": "spiral"}, {"distance": 0.5}, {"max_skipped": 1.5}, {"elevation_degrees": 90.0}, {"lens_mm": 4.0},
        {"passes": "normals,depth"}, {"light": "moon"}, {"background": "beach"},
    ]:  # fmt: skip
        with pytest.raises(ParameterError, match=f"^{next(iter(settings))}: expected"):
            RenderSettings(**settings)
    with pytest.raises(FormatError, match="expected a camera file"):
        render(meshes, tmp_path / "renders", RenderSettings(cameras="nowhere.json"))
    with pytest.raises(DatasetError, match=r"nowhere: .*no dataset\.json"):
        render(tmp_path / "nowhere", tmp_path / "renders", RenderSettings())
    assert not (tmp_path / "renders").exists()


def test_the_spec_calls_the_stage(tmp_path):
    meshes = write_meshes(
        tmp_path / "meshes", {"a/1": ("b.obj", {"b.obj": exported(box_at((0, 0, 0)), "obj")}, IDENTITY)}
    )
    component.python_func(
        dsl.Dataset(uri=str(meshes)), dsl.Dataset(uri=str(tmp_path / "renders")), views=1, image_size=16, samples=1
    )
    assert Dataset([tmp_path / "renders"], "renders").read("a/1", "rgba").shape == (1, 16, 16, 4)


@pytest.mark.realdata
def test_shapenet_is_rendered_in_its_colors(draw, realdata):
    folders = [sorted((realdata / "shapenet_v2" / name).iterdir())[0] for name in ("bottle", "chair", "piano")]
    samples = {}
    for folder in folders:
        files = {
            f.relative_to(folder).as_posix(): f.read_bytes() for f in folder.rglob("*") if f.suffix in (".obj", ".mtl")
        }
        scene = trimesh.load_scene(folder / "models" / "model_normalized.obj", skip_materials=True)
        canonical = canonical_from_bounds(*scene.bounds, "y")
        samples[f"{folder.parent.name}/{folder.name}"] = ("models/model_normalized.obj", files, canonical)
    renders = draw(samples, image_size=96, samples=4)
    assert not renders.skipped and len(renders.samples) == 3
    for sample in renders.samples:
        for view in range(2):
            depth = renders.read(sample.id, "depth", view)
            assert np.isfinite(depth).mean() > 0.02
            assert 1.2 < np.nanmin(depth) < 2.1 < depth[np.isfinite(depth)].max() + 0.6
    piano = mean_color(renders, folders[2].parent.name + "/" + folders[2].name, 0)
    assert piano.mean() < 110, "black, though the inner sides of its faces are white"


def test_a_gpu_that_is_not_there_is_an_error(draw):
    box = exported(trimesh.creation.box((1.0, 0.5, 0.3)), "stl")
    import bpy

    preferences = bpy.context.preferences.addons["cycles"].preferences
    if any(preferences.get_devices_for_type(kind) for kind in ("OPTIX", "CUDA")):
        pytest.skip("there is a GPU")
    with pytest.raises(ParameterError, match="device: expected a GPU that Blender can use"):
        draw({"box/1": ("b.stl", {"b.stl": box}, IDENTITY)}, views=1, device="gpu")
