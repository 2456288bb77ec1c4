"""`shapeyard predict` and the export of networks: photographs in, shapes out, by networks that were trained."""

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
from PIL import Image
from synthetic_run import write_run

from components.train_classifier import TrainClassifierSettings
from components.train_classifier.train_classifier import train_classifier
from components.train_depth import TrainDepthSettings
from components.train_depth.train_depth import train_depth
from components.train_multiview import TrainMultiviewSettings
from components.train_multiview.train_multiview import train_multiview
from components.train_occupancy import TrainOccupancySettings
from components.train_occupancy.train_occupancy import train_occupancy
from components.train_recgan import TrainRecganSettings
from components.train_recgan.train_recgan import train_recgan
from shapeyard.contracts.dataset import Dataset, read_occupancy
from shapeyard.errors import DatasetError, FormatError, ParameterError
from shapeyard.formats.binvox import read_binvox
from shapeyard.geometry.lifting import canonical_grid_from_cube, unproject
from shapeyard.inference.models import find_models, load_torch, network_module
from shapeyard.inference.onnx_export import export_onnx
from shapeyard.inference.photograph import estimate_depth, shape_from_image
from shapeyard.inference.reconstruct_images import reconstruct_images, smooth_mesh
from shapeyard.inference.reconstruct_shapes import reconstruct_shape
from shapeyard.inference.upright import upright_cubes
from shapeyard.networks.onnx_interface import OccupancyProbability
from shapeyard.pages.photograph_page import FRAMES, turntable

ROOT = Path(__file__).parents[3]
FILES = {"shape.binvox", "shape.glb", "shape.obj", "result.json", "index.html"}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run's folder: every network is trained for a moment on furniture of boxes."""
    folder = tmp_path_factory.mktemp("run")
    data = write_run(folder / "data", resolution=32)
    renders, voxels = data.shards["renders"], data.shards["voxels"]
    depth = TrainDepthSettings(width=4, steps=40, validate_every=40, workers=1)
    train_depth(renders, folder / "depth_model", folder / "depths", depth)
    recgan = TrainRecganSettings(
        input_resolution=8, width=8, bottleneck=32, steps=40, batch_size=4, learning_rate=2e-3, adversarial=0.0,
        validate_every=40, workers=1,
    )  # fmt: skip
    train_recgan(renders, folder / "depths", voxels, folder / "recgan_model", folder / "r", recgan)
    occupancy = TrainOccupancySettings(
        width=4, hidden=16, points=128, resolution=32, steps=40, learning_rate=5e-3, ema_decay=0.8, validate_every=40,
        workers=1,
    )  # fmt: skip
    train_occupancy(renders, voxels, folder / "depths", folder / "occupancy_model", folder / "o", occupancy)
    classifier = TrainClassifierSettings(network="xu2016", resolution=32, padding=2, epochs=2, batch_size=4, workers=1)
    train_classifier(voxels, folder / "classifier", folder / "p", classifier)
    multiview = TrainMultiviewSettings(
        crop_size=28, width=12, max_views=2, steps=12, batch_size=4, learning_rate=2e-3, validate_every=12, workers=1
    )
    train_multiview(renders, voxels, folder / "multiview_model", folder / "m", multiview)
    return folder


@pytest.fixture(scope="module")
def photographs(run: Path) -> list[Path]:
    """Views of a test object as files: the first on white, larger and off the middle, the others transparent."""
    renders = Dataset([run / "data" / "renders"], "renders")
    rgba = renders.read("chair/0003", "rgba")
    renders.close()
    view = Image.fromarray(rgba[0]).resize((240, 240), Image.Resampling.NEAREST)
    on_white = Image.new("RGB", (420, 300), "white")
    on_white.paste(view, (120, 10), view)
    paths = [run / "photograph.jpg", run / "view.png"]
    on_white.save(paths[0], quality=95)
    Image.fromarray(rgba[1]).save(paths[1])
    return paths


@pytest.mark.parametrize(
    ("models", "networks"),
    [(["."], ["pixel_aligned"]), (["depth_model", "recgan_model", "classifier"], ["unet", "recgan"])],
)
def test_one_photograph(
    run: Path, photographs: list[Path], tmp_path: Path, models: list[str], networks: list[str]
) -> None:
    folders = [run / name for name in models]
    result = reconstruct_images(photographs[:1], folders, tmp_path / "out", elevation_degrees=25)
    out = tmp_path / "out"
    assert {file.name for file in out.iterdir()} == FILES | {"depth.npy"}
    assert json.loads((out / "result.json").read_text()) == result
    assert result["networks"] == [*networks, "classifier"] and result["resolution"] == 32
    assert {one["class"] for one in result["classes"]} == {"chair", "table", "shelf"}
    assert sum(one["probability"] for one in result["classes"]) == pytest.approx(1, abs=1e-3)

    stored = read_binvox(out / "shape.binvox")
    assert stored.occupancy.sum() == result["occupied_voxels"] > 0
    assert stored.translate.tolist() == [-0.5] * 3 and stored.scale == 1
    centres = (np.argwhere(stored.occupancy) + 0.5) / 32 - 0.5
    glb, obj = (trimesh.load_mesh(out / f"shape.{suffix}", process=True) for suffix in ("glb", "obj"))
    assert glb.bounds == pytest.approx(obj.bounds, abs=1e-5) and glb.is_watertight
    assert glb.bounds == pytest.approx(np.stack([centres.min(axis=0), centres.max(axis=0)]), abs=0.06)
    depth = np.load(out / "depth.npy")
    assert depth.dtype == np.float32 and depth.shape == (40, 40) and 1 < depth[np.isfinite(depth)].mean() < 3
    page = (out / "index.html").read_text()
    assert "http" not in page.replace("http-equiv", "") and page.count("data:image") >= 26


def test_the_same_photograph_gives_the_same_files(run: Path, photographs: list[Path], tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "shape.glb").write_text("an earlier one")
    (tmp_path / "b" / "notes.txt").write_text("mine")
    for name in ("a", "b"):
        reconstruct_images(photographs[:1], [run / "depth_model", run / "recgan_model"], tmp_path / name)
    for file in (tmp_path / "a").iterdir():
        assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes(), file.name
    assert (tmp_path / "b" / "notes.txt").read_text() == "mine"
    assert json.loads((tmp_path / "a" / "result.json").read_text())["classes"] == []


def test_several_photographs_go_through_r2n2(run: Path, photographs: list[Path], tmp_path: Path) -> None:
    result = reconstruct_images(photographs, [run], tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == FILES
    assert result["networks"] == ["r2n2", "classifier"] and result["azimuth_degrees"] is None
    assert len(read_binvox(tmp_path / "shape.binvox").occupancy) == 32
    alone = reconstruct_images(photographs[:1], [run / "multiview_model"], tmp_path)
    assert alone["networks"] == ["r2n2"] and not (tmp_path / "depth.npy").exists()


def test_an_upright_cube_is_the_object_s_own(run: Path) -> None:
    """Perfect reconstructions, seen from 25° above: at one of the azimuths they are the true grid, in its own frame.

    Chairs and shelves alone: a table of boxes does not fill the canonical frame from top to bottom.
    """
    data = run / "data"
    reconstructions, voxels = (
        Dataset([data / "reconstructions"], "reconstructions"),
        Dataset([data / "voxels"], "voxels"),
    )
    for name in ("chair/0003", "shelf/0003", "shelf/0004"):
        probability, true = reconstructions.read(name, "probability", 0), read_occupancy(voxels, name)
        iou = []
        for cube in upright_cubes(probability > 127, 25):
            made = canonical_grid_from_cube(probability, cube, 32) > 127
            iou.append((made & true).sum() / (made | true).sum())
        assert max(iou) > max(0.5, 1.8 * np.median(iou)), name  # azimuths are 15° apart, legs are thin
    reconstructions.close()
    voxels.close()


def test_a_photograph_by_the_code_of_its_depth(run: Path, photographs: list[Path], tmp_path: Path) -> None:
    decoder = train_on_boxes(tmp_path)
    result = reconstruct_shape(photographs[0], [run, decoder], tmp_path / "out", resolution=64)
    assert result["azimuth_degrees"] % 15 == 0 and result["code_length"] == 4 and result["error"] < 0.1
    made = trimesh.load_mesh(tmp_path / "out" / "shape.glb")
    assert 0.3 < made.extents.max() < 3 and made.is_watertight


def test_a_longer_lens_stands_farther_away(run: Path, photographs: list[Path]) -> None:
    """What is as large in the picture is as large in space, and as deep, for any lens."""
    unet = load_torch(run / "depth_model")
    rgba = np.asarray(Image.open(photographs[1]))
    usual = estimate_depth(unet, rgba)
    assert usual.intrinsics[0, 0] == pytest.approx(35 / 32 * 40) and usual.rgba.shape == (40, 40, 4)
    longer = estimate_depth(unet, rgba, fov_degrees=10)
    points, farther = (unproject(seen.depth, seen.intrinsics) for seen in (usual, longer))
    assert farther[:, 2].mean() > 3 * points[:, 2].mean()
    assert np.ptp(farther[:, 2]) == pytest.approx(np.ptp(points[:, 2]), rel=1e-4)
    assert np.ptp(farther[:, 0]) == pytest.approx(np.ptp(points[:, 0]), rel=0.2)


def test_the_occupancy_network_sees_the_same_through_another_lens(run: Path, photographs: list[Path]) -> None:
    """The same picture through a longer lens: the same pixels, farther away, and a shape of nearly as many voxels."""
    occupancy = load_torch(run / "occupancy_model")
    rgba = np.asarray(Image.open(photographs[1]))
    usual, shape = shape_from_image(occupancy, rgba)
    longer, long_shape = shape_from_image(occupancy, rgba, fov_degrees=15)
    assert usual.rgba.shape == (40, 40, 4) and usual.intrinsics[0, 0] == pytest.approx(35 / 32 * 40)
    assert shape.shape == long_shape.shape == (32, 32, 32)
    points, farther = (unproject(seen.depth, seen.intrinsics) for seen in (usual, longer))
    assert farther[:, 2].mean() > 2 * points[:, 2].mean()
    assert np.ptp(farther[:, 2]) == pytest.approx(np.ptp(points[:, 2]), rel=1e-3)
    threshold = np.quantile(shape, 0.8)
    assert (long_shape >= threshold).mean() == pytest.approx((shape >= threshold).mean(), abs=0.1)


def test_smoothing_keeps_the_volume() -> None:
    axis = (np.arange(32) + 0.5) / 32 - 0.5
    x, y, z = np.meshgrid(axis, axis, axis, indexing="ij")
    ball = (x**2 + y**2 + z**2 < 0.4**2).astype(np.float32)
    mesh = smooth_mesh(ball, 0.5)
    assert mesh.is_watertight and mesh.volume == pytest.approx(4 / 3 * np.pi * 0.4**3, rel=0.03)
    radii = np.linalg.norm(mesh.vertices, axis=1)
    assert radii.std() < 0.008 and radii.mean() == pytest.approx(0.4, abs=0.01)


def test_a_turntable_shows_all_of_a_shape() -> None:
    frames = turntable(np.ones((16, 16, 16), bool), size=64)
    assert len(frames) == FRAMES and frames[0].shape == (64, 64, 3)
    background = frames[0][0, 0]
    for frame in frames:
        assert (frame[[0, -1]] == background).all() and (frame[:, [0, -1]] == background).all()
    assert np.abs(frames[0].astype(int) - frames[6]).mean() < 2 < np.abs(frames[0].astype(int) - frames[3]).mean()


def cli(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "launch.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT)


def test_the_command(run: Path, photographs: list[Path], tmp_path: Path) -> None:
    done = cli("predict", photographs[0], "--models", run, "--out", tmp_path / "out")
    assert done.returncode == 0 and done.stderr == ""
    assert done.stdout.startswith(f"{tmp_path / 'out' / 'index.html'}: ")
    Image.new("RGB", (64, 64), "white").save(tmp_path / "empty.png")
    done = cli("predict", tmp_path / "empty.png", "--models", run, "--out", tmp_path / "nothing")
    assert done.returncode == 1 and done.stdout == "" and not (tmp_path / "nothing").exists()
    assert done.stderr == f"shapeyard: {tmp_path / 'empty.png'}: expected an object of at least 64 pixels, found 0\n"


def test_what_cannot_be_reconstructed(run: Path, photographs: list[Path], tmp_path: Path) -> None:
    one, out = photographs[:1], tmp_path / "out"
    with pytest.raises(DatasetError, match=r"expected a model or a run's folder with models, found no config.json"):
        reconstruct_images(one, [tmp_path], out)
    with pytest.raises(DatasetError, match=r"expected models of a pixel-aligned .*, or of 3D-R2N2, found a class"):
        reconstruct_images(one, [run / "classifier"], out)
    with pytest.raises(DatasetError, match="expected models of 3D-R2N2 for several images, found 3D-RecGAN"):
        reconstruct_images(photographs, [run / "recgan_model", run / "depth_model"], out)
    (tmp_path / "text.png").write_text("no image")
    with pytest.raises(FormatError, match=r"text.png: expected a PNG or .* image"):
        reconstruct_images([tmp_path / "text.png"], [run], out)
    for wrong, message in (
        ({"fov_degrees": 180.0}, "fov: expected above 0 and below 180, got 180.0"),
        ({"elevation_degrees": 91.0}, "elevation: expected −90 to 90, got 91.0"),
        ({"tolerance": 256}, "tolerance: expected 0 to 255, got 256"),
    ):
        with pytest.raises(ParameterError, match=rf"^{message}$"):
            reconstruct_images(one, [run], out, **wrong)  # type: ignore[arg-type]
    (tmp_path / "file").touch()
    with pytest.raises(DatasetError, match="expected a folder to write into, found a file"):
        reconstruct_images(one, [run], tmp_path / "file")
    assert not out.exists()


def changed(model: Path, target: Path, **config: Any) -> Path:
    shutil.copytree(model, target)
    read = json.loads((target / "config.json").read_text())
    (target / "config.json").write_text(json.dumps(read | config))
    metrics = json.loads((target / "metrics.json").read_text())
    del metrics["files"]
    (target / "metrics.json").write_text(json.dumps(metrics))
    return target


def test_models_that_are_not_what_they_say(run: Path, photographs: list[Path], tmp_path: Path) -> None:
    wider = changed(run / "depth_model", tmp_path / "wider", width=8)
    with pytest.raises(DatasetError, match=r"wider: expected weights that fit config.json: "):
        reconstruct_images(photographs[:1], [wider, run / "recgan_model"], tmp_path / "out")
    pairs = changed(run / "recgan_model", tmp_path / "pairs", framing="whole object's box")
    with pytest.raises(
        DatasetError, match=r"pairs: expected a 3D-RecGAN\+\+ trained on visible extent, got one on whole"
    ):
        reconstruct_images(photographs[:1], [pairs, run / "depth_model"], tmp_path / "out")
    cut = tmp_path / "cut"
    shutil.copytree(run / "depth_model", cut)
    (cut / "model.safetensors").write_bytes((cut / "model.safetensors").read_bytes()[:100])
    with pytest.raises(DatasetError, match=r"model.safetensors: expected \d+ bytes, found 100"):
        load_torch(cut)
    with pytest.raises(
        DatasetError, match=r"classifier: expected a model of DeepSDF, .*, 3D-R2N2, .*, U-Net, got xu2016$"
    ):
        load_torch(run / "classifier")
    assert not (tmp_path / "out").exists()
    assert find_models([run]) == {
        "unet": run / "depth_model", "recgan": run / "recgan_model", "classifier": run / "classifier",
        "pixel_aligned": run / "occupancy_model", "r2n2": run / "multiview_model",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("model", "shapes"),
    [
        ("depth_model", [(1, 4, 40, 40), (3, 4, 24, 32)]),
        ("recgan_model", [(1, 8, 8, 8), (3, 8, 8, 8)]),
        ("occupancy_model", [(1, 4, 40, 40), (3, 4, 40, 40)]),
        ("multiview_model", [(1, 2, 3, 28, 28)]),
    ],
)
def test_onnx_says_the_same(run: Path, tmp_path: Path, model: str, shapes: list[tuple[int, ...]]) -> None:
    """Other sizes than those the network was traced with, in another runtime."""
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    export_onnx(run / model, tmp_path / "network.onnx", views=2)
    assert [file.name for file in tmp_path.iterdir()] == ["network.onnx"]
    session = runtime.InferenceSession(str(tmp_path / "network.onnx"), providers=["CPUExecutionProvider"])
    network, config = load_torch(run / model)
    for shape in shapes:
        seen = torch.rand(shape, generator=torch.Generator().manual_seed(0))
        with torch.inference_mode():
            if model == "depth_model":
                expected = network(seen)[:, 0] * config["depth_std"] + config["depth_mean"]
            elif model == "occupancy_model":
                expected = network_module(run / model).onnx_interface(network, config, 1).network(seen)
            else:
                expected = OccupancyProbability(network)(seen)
        (answer,) = session.run(None, {session.get_inputs()[0].name: seen.numpy()})
        assert answer.shape == expected.shape and np.abs(answer - expected.numpy()).max() < 1e-4


def test_what_cannot_be_exported(run: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="expected a model of DeepSDF, "):
        export_onnx(run / "classifier", tmp_path / "network.onnx")
    with pytest.raises(ParameterError, match="views: expected 1 or more, got 0"):
        export_onnx(run / "multiview_model", tmp_path / "network.onnx", views=0)
    assert list(tmp_path.iterdir()) == []
