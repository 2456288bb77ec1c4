"""The multi-view reconstructor: what it is shown, and the whole stage on analytic shapes."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import killed
import numpy as np
import pytest
import torch
from kfp import dsl
from safetensors.torch import load_file

from components.fetch import FetchSettings
from components.render import RenderSettings
from components.train_multiview import TrainMultiviewSettings
from components.train_multiview import view_sequences as views_module
from components.train_multiview.component import train_multiview as component
from components.train_multiview.shapes_by_views import numbers_up_to
from components.train_multiview.train_multiview import train_multiview
from components.train_multiview.view_sequences import ViewSampling, ViewSequences, view_order
from components.voxelize import VoxelizeSettings
from shapeyard.contracts.dataset import Dataset, DatasetWriter, read_occupancy
from shapeyard.contracts.model import read_history, read_metrics
from shapeyard.errors import DatasetError, ParameterError
from shapeyard.inference.models import load_torch
from shapeyard.inference.multiview import composite
from shapeyard.training.draws import draw

TINY: dict[str, Any] = {
    "crop_size": 28, "width": 12, "max_views": 3, "steps": 12, "batch_size": 4, "learning_rate": 2e-3,
    "validate_every": 4, "workers": 1,
}  # fmt: skip
AS_IT_IS = ViewSampling(1, 3, False, "white")
Write = Callable[..., Any]


def objects_of(folders: Any, crop_size: int = 28) -> ViewSequences:
    renders, voxels = Dataset([folders.renders], "renders"), Dataset([folders.voxels], "voxels")
    return ViewSequences(renders, voxels, renders.samples, crop_size)


def test_images_are_composited_on_a_colour() -> None:
    rgba = np.array([[[[[100, 200, 50, 255], [100, 200, 50, 0], [100, 200, 50, 51]]]]], dtype=np.uint8)
    made = composite(rgba, np.array([[[1.0, 0.5, 0.0]]], dtype=np.float32))
    assert made.shape == (1, 1, 3, 1, 3)
    expected = np.array([[100, 200, 50], [255, 127.5, 0], [0.2 * 100 + 0.8 * 255, 0.2 * 200 + 0.8 * 127.5, 10]]) / 255
    np.testing.assert_allclose(made[0, 0, :, 0].T.numpy(), expected, rtol=1e-6)


def test_what_is_shown(write_shapes: Write) -> None:
    """A whole image, mirrored or not, is the render; the shape is the grid, mirrored in x."""
    folders = write_shapes(count=3, views=3, resolution=32, splits=["train"])
    objects = objects_of(folders, crop_size=32)
    renders, voxels = Dataset([folders.renders], "renders"), Dataset([folders.voxels], "voxels")
    sampled = objects.eval_views([0, 2], 2)._replace(mirrored=np.array([False, True]))
    images, shapes = objects.batch(sampled)
    assert images.shape == (2, 2, 3, 32, 32) and shapes.shape == (2, 32, 32, 32)
    for place, index in enumerate([0, 2]):
        name = objects.ids[index]
        order = view_order(name, 3)
        rgba = renders.read(name, "rgba")[order[:2]]
        grid = read_occupancy(voxels, name)
        if place:
            rgba, grid = rgba[:, :, ::-1], grid[::-1]
        expected = composite(rgba[None].copy(), sampled.backgrounds[:1])[0]
        np.testing.assert_array_equal(images[place].numpy(), expected.numpy())
        np.testing.assert_array_equal(shapes[place].numpy() > 0, grid)


def test_a_mirrored_object_is_seen_in_mirrored_images(write_shapes: Write) -> None:
    """The shape in a mirrored batch, seen by the mirrored camera, has the silhouette of the mirrored image."""
    from shapeyard.geometry.visual_hull import visual_hull

    folders = write_shapes(count=1, views=2, resolution=32, image_size=64, splits=["train"])
    objects, renders = objects_of(folders, crop_size=64), Dataset([folders.renders], "renders")
    sampled = objects.eval_views([0], 2)._replace(mirrored=np.array([True]))
    images, shapes = objects.batch(sampled)
    mirror = np.diag([-1.0, 1, 1, 1])
    cameras = mirror @ renders.read(objects.ids[0], "world_from_camera")[sampled.views[0]] @ mirror
    silhouettes = (images[0] < 1).any(dim=1).numpy()
    hull = visual_hull(silhouettes, renders.read(objects.ids[0], "intrinsics"), cameras, 32)
    assert (hull[shapes[0].numpy() > 0] >= 0.05).mean() > 0.99


def test_finer_grids_are_pooled_and_others_refused(write_shapes: Write) -> None:
    objects = objects_of(write_shapes(count=1, resolution=64, splits=["train"], folder="fine"))
    voxels = Dataset([objects.renders.paths[0].parent / "voxels"], "voxels")
    grid = read_occupancy(voxels, objects.ids[0]).reshape(32, 2, 32, 2, 32, 2).max(axis=(1, 3, 5))
    np.testing.assert_array_equal(objects.batch(objects.eval_views([0], 1))[1][0].numpy() > 0, grid)
    with pytest.raises(ParameterError, match=r"sample ball/0000: .*multiple of 32.* got 48; voxelize"):
        objects_of(write_shapes(count=1, resolution=48, splits=["train"], folder="odd"))


def test_sampled_views_depend_on_seed_and_step_alone(write_shapes: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = write_shapes(count=5, views=4, resolution=32, splits=["train"])
    objects = objects_of(folders)
    sampling = ViewSampling(1, 6, True, "random")
    seen = {len(objects.sample_views(draw(s, 5, range(2), 2, seed=0), sampling).views[0]) for s in range(1, 40)}
    assert seen == {1, 2, 3, 4, 5, 6}
    whole, part = (objects.sample_views(draw(7, 5, places, 4, seed=1), sampling) for places in (range(4), range(2, 4)))
    for one, other in zip(whole, part, strict=True):
        np.testing.assert_array_equal(one[2:], other)
    again = objects.sample_views(draw(3, 5, range(4), 4, seed=2), ViewSampling(6, 6, True, "white"))
    assert all(set(row) == set(range(4)) for row in again.views)
    assert whole.corners.max() <= objects.margin == 4 and len({*whole.corners.ravel().tolist()}) > 2
    monkeypatch.setattr(views_module, "MEMORY_BYTES", 1000)
    for one, other in zip(objects_of(folders).batch(whole), objects.batch(whole), strict=True):
        assert torch.equal(one, other)


def test_without_augmentation_the_middle_is_shown(write_shapes: Write) -> None:
    objects = objects_of(write_shapes(count=2, resolution=32, splits=["train"]))
    sampled = objects.sample_views(draw(1, 2, range(2), 2, seed=0), AS_IT_IS)
    assert (sampled.corners == 2).all() and not sampled.mirrored.any() and (sampled.backgrounds == 1).all()


@pytest.mark.parametrize(
    "changed", [{}, {"encoder": "plain", "recurrent_unit": "lstm", "decoder": "plain", "crop_size": 64}]
)
def test_stage(write_shapes: Write, tmp_path: Path, changed: dict[str, Any]) -> None:
    settings = TINY | changed
    folders = write_shapes(views=4, resolution=32, image_size=settings["crop_size"] + 4)
    artifacts = [dsl.Dataset(uri=str(folders.renders))], [dsl.Dataset(uri=str(folders.voxels))]
    model, made = dsl.Model(uri=str(tmp_path / "m")), dsl.Dataset(uri=str(tmp_path / "r"))
    metrics = dsl.Metrics(uri=str(tmp_path / "f"))
    component.python_func(*artifacts, model, made, metrics, **settings)
    figures, history = read_metrics(model.path), read_history(model.path)
    assert [row["step"] for row in history] == [4, 8, 12]
    assert history[-1]["train_loss"] < history[0]["train_loss"]
    assert figures["val_iou"] == pytest.approx(max(row["val_iou"] for row in history))
    assert figures["val_iou"] == pytest.approx(np.mean([figures[f"val_iou_{n}"] for n in (1, 2, 3)]))
    assert metrics.metadata["val_iou_3"] == figures["val_iou_3"]
    network = load_torch(Path(model.path)).network
    reconstructions = Dataset([made.path], "reconstructions")
    assert [s.id for s in reconstructions.samples] == ["box/0003", "ball/0004", "ball/0008", "box/0009"]
    assert reconstructions.attributes == {"threshold": figures["threshold"]}
    name = "ball/0004"
    attributes = reconstructions[name].attributes
    assert attributes["views_used"] == [1, 2, 3] and attributes["view_order"] == view_order(name, 4).tolist()
    probability = reconstructions.read(name, "probability")
    assert probability.shape == (3, 32, 32, 32) and probability.dtype == np.uint8
    rgba = Dataset([folders.renders], "renders").read(name, "rgba")[attributes["view_order"][:2], 2:-2, 2:-2]
    shown = composite(rgba[None], np.ones((1, 2, 3), np.float32))
    again = network(shown).sigmoid()[0].detach().numpy() * 255
    assert np.abs(again - probability[1]).mean() < 2  # of 255; it may have been computed in bfloat16
    corner = reconstructions.read(name, "canonical_from_cube")[0] @ [0, 0, 0, 1]
    np.testing.assert_array_equal(corner, [-0.5, -0.5, -0.5, 1])


def test_killed_and_resumed_it_ends_with_the_same_weights(write_shapes: Write, tmp_path: Path) -> None:
    folders = write_shapes(count=5, views=3, resolution=32)
    settings = {**TINY, "steps": 10, "seed": 3, "background": "random"}
    places = {"renders": [str(folders.renders)], "voxels": [str(folders.voxels)]}
    made = {"model": tmp_path / "alone", "reconstructions": tmp_path / "r"}
    train_multiview(**places, **made, settings=TrainMultiviewSettings(**settings))
    again = {**places, "model": str(tmp_path / "again"), "reconstructions": str(tmp_path / "r2")}
    resumable = {**settings, "checkpoints": str(tmp_path / "state"), "checkpoint_minutes": 0}
    function = "components.train_multiview.train_multiview:train_multiview"
    moment, arguments = random.Random(0), {**again, "settings": resumable}
    killed.stop_at_checkpoint(function, arguments, tmp_path / "state", moment.randint(1, 6), moment.random() / 20)
    assert not (tmp_path / "again" / "metrics.json").exists()
    for left in (1, 0):  # the second time from the checkpoint of the last step
        train_multiview(**again, settings=TrainMultiviewSettings(**resumable))
        one, other = (load_file(tmp_path / name / "model.safetensors") for name in ("alone", "again"))
        assert all(torch.equal(one[name], other[name]) for name in one)
        assert read_history(tmp_path / "alone") == read_history(tmp_path / "again")
        made = [Dataset([tmp_path / name], "reconstructions") for name in ("r", "r2")]
        assert made[0].fingerprint == made[1].fingerprint
        assert len(list((tmp_path / "state").iterdir())) == left


def test_without_val_the_last_weights_are_kept(write_shapes: Write, tmp_path: Path) -> None:
    folders = write_shapes(count=3, resolution=32, splits=["train"])
    places = [folders.renders], [folders.voxels], tmp_path / "m", tmp_path / "r"
    figures = train_multiview(*places, TrainMultiviewSettings(**{**TINY, "steps": 2})).figures
    assert "val_iou" not in figures
    assert (figures["validated_on"], figures["kept_step"], figures["threshold"]) == (0, 2, 0.4)
    assert Dataset([tmp_path / "r"], "reconstructions").samples == []


def test_objects_without_a_grid_are_left_out(write_shapes: Write, tmp_path: Path) -> None:
    folders = write_shapes(count=4, resolution=32, splits=["train"])
    grids = Dataset([folders.voxels], "voxels")
    with DatasetWriter(tmp_path / "some", "voxels", "voxelize", {}) as writer:
        for sample in grids.samples[1:]:
            writer.add(sample, {"occupancy": grids.read(sample.id, "occupancy")}, sample.attributes)
    renders = Dataset([folders.renders], "renders")
    objects = ViewSequences(renders, Dataset([tmp_path / "some"], "voxels"), renders.samples, 28)
    assert objects.ids == ["box/0001", "ball/0002", "box/0003"]


def test_what_cannot_be_trained_on(write_shapes: Write, tmp_path: Path) -> None:
    folders = write_shapes(count=2, resolution=32, splits=["val"])
    places = [folders.renders], [folders.voxels], tmp_path / "m", tmp_path / "r"
    with pytest.raises(DatasetError, match="expected objects with images and grids to train on"):
        train_multiview(*places, TrainMultiviewSettings(**TINY))
    with pytest.raises(ParameterError, match="expected images of at least 40 pixels a side, got 32"):
        train_multiview(*places, TrainMultiviewSettings(**{**TINY, "crop_size": 40}))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"width": 10}, "width: expected a multiple of 12, got 10"),
        ({"batch_size": 0}, "batch_size: expected 1 or more, got 0"),
        ({"min_views": 4}, "max_views: expected at least min_views, 4, got 3"),
        ({"background": "black"}, "background: expected white or random, got black"),
        ({"learning_rate": 0.0}, "learning_rate: expected above 0, got 0.0"),
        ({"encoder": "plain"}, "crop_size: expected at least 64 for the plain encoder, got 28"),
    ],
)
def test_settings_out_of_range(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError, match=rf"^{message}$"):
        TrainMultiviewSettings(**(TINY | changed))


def test_numbers_of_views() -> None:
    assert [numbers_up_to(n) for n in (1, 4, 24)] == [[1], [1, 2, 3], [1, 2, 3, 5, 12]]


@pytest.mark.realdata
def test_the_data_of_the_paper_as_they_are_distributed(realdata: Path, tmp_path: Path) -> None:
    from components.fetch.fetch import fetch
    from components.plan.plan import plan
    from components.render.render import render
    from components.voxelize.voxelize import voxelize
    from shapeyard.sources.selection import Selection

    (item,) = plan(Selection(str(realdata / "r2n2"), shards=1))
    fetch(item, tmp_path / "meshes", FetchSettings(max_skipped=0.0))
    render(tmp_path / "meshes", tmp_path / "renders", RenderSettings())
    voxelize(tmp_path / "meshes", tmp_path / "voxels", VoxelizeSettings(resolution=32))
    places = [tmp_path / "renders"], [tmp_path / "voxels"], tmp_path / "m", tmp_path / "r"
    changed = {"crop_size": 127, "steps": 2, "batch_size": 2}
    figures = train_multiview(*places, TrainMultiviewSettings(**(TINY | changed))).figures
    assert figures["objects"] == 6
