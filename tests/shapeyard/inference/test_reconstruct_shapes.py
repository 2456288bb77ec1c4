"""`shapeyard reconstruct` and `shapeyard interpolate`, with a decoder that was trained on boxes."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import trimesh
from boxes_sdf import train_on_boxes
from click.testing import CliRunner
from PIL import Image
from safetensors.torch import save_file

from launch.cli import shapeyard
from shapeyard.errors import DatasetError, FormatError, ParameterError
from shapeyard.inference.reconstruct_shapes import interpolate_shapes, reconstruct_shape

ROOT = Path(__file__).parents[3]
FILES = {"shape.glb", "shape.obj", "shape.png", "code.npy", "result.json"}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_on_boxes(tmp_path_factory.mktemp("boxes"))


def box() -> trimesh.Trimesh:
    """Of the training's, but larger, elsewhere, and with z up."""
    mesh = trimesh.creation.box((10, 5, 7))
    mesh.apply_translation((100, 0, 3))
    return mesh


def cloud_of(mesh: trimesh.Trimesh, count: int = 2000) -> tuple[np.ndarray, np.ndarray]:
    points, faces = trimesh.sample.sample_surface(mesh, count, seed=0)
    return np.asarray(points), np.asarray(mesh.face_normals[faces])


def test_a_mesh_a_cloud_and_samples_come_back_where_they_were(model: Path, tmp_path: Path) -> None:
    mesh = box()
    mesh.export(tmp_path / "box.stl")
    points, normals = cloud_of(mesh)
    np.savetxt(tmp_path / "box.xyz", np.column_stack([points, normals]))
    np.savez(tmp_path / "box.npz", points=points, normals=normals)
    axes: dict[str, dict[str, Any]] = {"box.stl": {}, "box.xyz": {"up": "z"}, "box.npz": {"up": "z"}}
    for name, axis in axes.items():
        out = tmp_path / f"out-{name}"
        result = reconstruct_shape(tmp_path / name, [model], out, resolution=64, **axis)
        assert result["warning"] is None
        assert {file.name for file in out.iterdir()} == FILES
        assert json.loads((out / "result.json").read_text()) == result and result["error"] < 0.03
        made = trimesh.load_mesh(out / "shape.glb")
        assert made.bounds == pytest.approx(mesh.bounds, abs=1.0) and made.is_watertight
        assert np.load(out / "code.npy").shape == (4,)
        with Image.open(out / "shape.png") as picture:
            assert picture.size == (320, 320)


def test_the_same_file_gives_the_same_shape(model: Path, tmp_path: Path) -> None:
    box().export(tmp_path / "box.ply")
    for name in ("a", "b"):
        reconstruct_shape(tmp_path / "box.ply", [model], tmp_path / name, resolution=64)
    for file in (tmp_path / "a").iterdir():
        assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes(), file.name


def test_half_a_cloud_in_the_unit_sphere(model: Path, tmp_path: Path) -> None:
    mesh = trimesh.creation.box((1, 0.6, 0.5))
    mesh.apply_scale(1 / (1.03 * np.linalg.norm(mesh.extents) / 2))
    points, normals = cloud_of(mesh)
    seen = points[:, 0] > 0
    np.savez(tmp_path / "half.npz", points=points[seen], normals=normals[seen])
    reconstruct_shape(tmp_path / "half.npz", [model], tmp_path / "out", unit_sphere=True, resolution=64)
    made = trimesh.load_mesh(tmp_path / "out" / "shape.obj")
    assert made.bounds == pytest.approx(mesh.bounds, abs=0.15)


def test_half_a_cloud_in_its_own_frame(model: Path, tmp_path: Path) -> None:
    """Its own bounds make a wrong shape of it, and that is said; the whole shape's make it right, wherever it lies."""
    mesh = box()
    points, normals = cloud_of(mesh)
    seen = points[:, 0] > 100
    path = tmp_path / "half.npz"
    np.savez(path, points=points[seen], normals=normals[seen])
    whole = {"centre": (100.0, 0.0, 3.0), "radius": float(np.linalg.norm(mesh.extents)) / 2}
    result = reconstruct_shape(path, [model], tmp_path / "out", up="z", resolution=64, **whole)
    assert result["warning"] is None
    assert trimesh.load_mesh(tmp_path / "out" / "shape.obj").bounds == pytest.approx(mesh.bounds, abs=1.0)
    wrong = reconstruct_shape(path, [model], tmp_path / "wrong", up="z", resolution=64)
    assert wrong["warning"].startswith(f"{path}: no shape was found that fits it well, the error is 0.")
    assert wrong["warning"].endswith("; if it shows a part of a shape, say where the whole lies")


def test_an_animation_from_one_to_another(model: Path, tmp_path: Path) -> None:
    for name, height in (("a", 0.4), ("b", 0.9)):
        trimesh.creation.box((1, height, 0.5)).export(tmp_path / f"{name}.obj")
    interpolate_shapes((tmp_path / "a.obj", tmp_path / "b.obj"), [model], tmp_path / "out", frames=4, resolution=64)
    with Image.open(tmp_path / "out" / "animation.gif") as animation:
        assert animation.n_frames == 6 and animation.info["loop"] == 0
    heights = [trimesh.load_mesh(tmp_path / "out" / f"{name}.glb").extents[1] for name in ("start", "middle", "end")]
    assert heights == sorted(heights) and heights[2] > 1.3 * heights[0]


def test_what_says_too_little_is_one_line(model: Path, tmp_path: Path) -> None:
    points, normals = cloud_of(box())
    bad: dict[str, dict[str, Any]] = {
        "three": {"points": points[:3], "normals": normals[:3]},
        "nan": {"points": np.where(np.arange(2000)[:, None] == 5, np.nan, points), "normals": normals},
        "zero": {"points": np.ones((50, 3)), "normals": normals[:50]},
        "flat": {"points": points, "normals": 0 * normals},
        "empty": {"pos": np.zeros((0, 4)), "neg": np.zeros((0, 4))},
        "outside": {"pos": np.ones((9, 4)), "neg": np.zeros((0, 4))},
        "large": {"pos": 2 * np.ones((9, 4)), "neg": -np.ones((9, 4))},
        "huge": {"points": 1e300 * points, "normals": normals},
        "tiny": {"points": 1e-300 * points, "normals": normals},
    }
    said = {
        "three": "expected at least 16 points", "nan": "expected finite points and normals",
        "zero": "expected a mesh with an extent, got a bounding box of side 0.0",
        "flat": "expected normals with a length above 0", "empty": "positive: expected samples",
        "outside": "negative: expected samples",
        "large": "expected samples in the unit sphere, got a coordinate of 2$",
        "huge": r"expected coordinates up to 1e\+30 and an extent of 1e-30 or more, got coordinates up to 1.05e\+302$",
        "tiny": r"expected coordinates up to 1e\+30 and an extent of 1e-30 or more, got coordinates up to 1.05e-298$",
    }  # fmt: skip
    for name, arrays in bad.items():
        path = tmp_path / f"{name}.npz"
        np.savez(path, **arrays)
        with pytest.raises(FormatError, match=f"{path}: {said[name]}") as caught:
            reconstruct_shape(path, [model], tmp_path / "out")
        assert "\n" not in str(caught.value)
    np.savez(tmp_path / "far.npz", points=points / 100, normals=normals)
    with pytest.raises(
        FormatError, match=r"far.npz: expected points in the unit sphere of the whole shape, got one 1."
    ):
        reconstruct_shape(tmp_path / "far.npz", [model], tmp_path / "out", unit_sphere=True)
    places: list[dict[str, Any]] = [{"radius": 1.0}, {"centre": (0, 0, 0), "radius": 0.0}]
    for place, expected in zip(places, ("both centre and radius", "a finite centre and a radius above 0"), strict=True):
        with pytest.raises(ParameterError, match=f"^expected {expected}"):
            reconstruct_shape(tmp_path / "far.npz", [model], tmp_path / "out", **place)
    half = trimesh.creation.box()
    half.update_faces(np.arange(12) > 1)
    half.export(tmp_path / "open.stl")
    with pytest.raises(FormatError, match=r"open.stl: an open mesh: \d+% of its visible surface"):
        reconstruct_shape(tmp_path / "open.stl", [model], tmp_path / "out")
    with pytest.raises(ParameterError, match="elevation: expected −90 to 90, got 91"):
        reconstruct_shape(tmp_path / "three.npz", [model], tmp_path / "out", elevation_degrees=91)
    Image.new("RGB", (64, 64), "white").save(tmp_path / "a.png")
    with pytest.raises(DatasetError, match=r"a.png: expected the model of a U-Net for an image"):
        reconstruct_shape(tmp_path / "a.png", [model], tmp_path / "out")
    (tmp_path / "a.doc").touch()
    with pytest.raises(FormatError, match=r"a.doc: expected a mesh, a cloud .* or an image, got \.doc"):
        reconstruct_shape(tmp_path / "a.doc", [model], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_codes_of_another_length(model: Path, tmp_path: Path) -> None:
    shutil.copytree(model, tmp_path / "model")
    save_file({"codes": torch.zeros(6, 5)}, tmp_path / "model" / "codes.safetensors")
    box().export(tmp_path / "box.stl")
    with pytest.raises(DatasetError, match=r"codes.safetensors: expected \d+ bytes, found \d+"):
        reconstruct_shape(tmp_path / "box.stl", [tmp_path / "model"], tmp_path / "out")


def test_the_commands(model: Path, tmp_path: Path) -> None:
    trimesh.creation.box((1, 0.6, 0.5)).export(tmp_path / "a.obj")
    words = ["--models", str(model), "--out", str(tmp_path / "out")]
    command = [sys.executable, "-m", "launch.cli", "reconstruct", str(tmp_path / "a.obj"), "--resolution", "64", *words]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"{tmp_path / 'out' / 'shape.glb'}: error 0.0")


def test_the_command_warns_of_samples_that_no_shape_fits(model: Path, tmp_path: Path) -> None:
    points = np.random.default_rng(0).uniform(-0.6, 0.6, (4000, 3))
    sides = np.split(np.column_stack([points, np.where(np.arange(4000) < 2000, 0.1, -0.1)]), 2)
    np.savez(tmp_path / "noise.npz", pos=sides[0], neg=sides[1])
    words = ["--models", str(model), "--out", str(tmp_path / "out"), "--resolution", "64"]
    done = CliRunner().invoke(shapeyard, ["reconstruct", str(tmp_path / "noise.npz"), *words])
    assert done.exit_code == 0, done.output
    expected = f"shapeyard: warning: {tmp_path / 'noise.npz'}: no shape was found that fits it well, the error is 0."
    assert done.stderr.splitlines()[-1].startswith(expected)
