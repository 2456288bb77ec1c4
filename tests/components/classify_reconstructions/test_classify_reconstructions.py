"""Classification of reconstructions: rotated back, cut where val is classified best, and what must be refused."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from kfp import dsl
from numpy.typing import NDArray
from PIL import Image
from solid_grids import solid, write_solids

from components.classify_reconstructions import ClassifyReconstructionsSettings
from components.classify_reconstructions.classify_reconstructions import THRESHOLDS, classify_reconstructions
from components.classify_reconstructions.component import classify_reconstructions as component
from components.train_classifier import TrainClassifierSettings
from components.train_classifier.train_classifier import train_classifier
from shapeyard.contracts.dataset import Dataset, DatasetWriter, Sample, read_info
from shapeyard.errors import DatasetError, ParameterError
from shapeyard.geometry.cameras import cameras_for
from shapeyard.geometry.lifting import CANONICAL_FROM_UNIT, Cube, canonical_from_cube, cube_from_canonical_grid
from shapeyard.geometry.pooling import pool_grid
from shapeyard.inference.canonical import canonical_probabilities, occupied, to_canonical_grid
from shapeyard.inference.classifier import load_classifier
from shapeyard.inference.models import find_models
from shapeyard.pages.facts import TrainedModel

AROUND_EVERYTHING = Cube(np.array([-0.9, -0.9, 1.2]), 1.8)  # canonical units, seen from a distance of 2.1


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier of balls, bars and boxes that has learned them."""
    folder = tmp_path_factory.mktemp("classifier")
    voxels = write_solids(folder / "voxels", {"ball": 20, "bar": 20, "box": 20})
    settings = {"epochs": 8, "batch_size": 8, "workers": 1}
    measured = train_classifier([voxels], folder / "model", folder / "predictions", TrainClassifierSettings(**settings))
    assert float(str(measured.figures["val_accuracy"])) > 0.9
    return folder / "model"


def write_reconstructions(
    path: Path, counts: Mapping[str, int], splits: Sequence[str] = ("val", "test"), scale: float = 1.0
) -> Path:
    """Solids that the classifier never saw, from two cameras, 64³; `scale` times their occupancy as probability."""
    with DatasetWriter(path, "reconstructions", "train_recgan", {}) as writer:
        for class_name, count in counts.items():
            for index in range(count):
                sample_id = f"{class_name}/{index:04}"
                cameras = cameras_for(sample_id, "orbit", 2)
                cubes = np.stack([canonical_from_cube(camera, AROUND_EVERYTHING) for camera in cameras])
                truth = solid(class_name, 100 + index, 32)
                views = [np.rint(255 * scale * cube_from_canonical_grid(truth, cube, 64)) for cube in cubes]
                arrays = {"probability": np.stack(views).astype(np.uint8), "canonical_from_cube": cubes}
                split = splits[index % len(splits)]
                sample = Sample(sample_id, class_name, split, f"test://{sample_id}")  # type: ignore[arg-type]
                writer.add(sample, arrays, {"views": [0, 3]})
    return path


def accuracy(predictions: Path, split: str) -> float:
    dataset = Dataset([predictions], "predictions")
    right: list[NDArray[np.bool_]] = []
    for sample in dataset.samples:
        if sample.split == split:
            rows = dataset.read(sample.id, "probabilities")
            assert rows.shape == (2, 3) and rows.dtype == np.float32
            np.testing.assert_allclose(rows.sum(axis=1), 1, rtol=1e-5)
            right.append(rows.argmax(axis=1) == dataset.attributes["classes"].index(sample.class_name))
    return float(np.concatenate(right).mean())


def test_a_canonical_grid_is_only_pooled() -> None:
    probability = np.random.default_rng(0).integers(0, 256, (64, 64, 64)).astype(np.uint8)
    np.testing.assert_array_equal(to_canonical_grid(probability, CANONICAL_FROM_UNIT, 32), pool_grid(probability, 32))
    large = np.repeat(np.repeat(np.repeat(probability, 2, 0), 2, 1), 2, 2)
    np.testing.assert_array_equal(to_canonical_grid(large, CANONICAL_FROM_UNIT, 32), pool_grid(probability, 32))


def test_views_are_rotated_back_upright(tmp_path: Path) -> None:
    reconstructions = Dataset([write_reconstructions(tmp_path / "r", {"box": 2})], "reconstructions")
    with ThreadPoolExecutor(2) as threads:
        for index in range(2):
            views = occupied(canonical_probabilities(reconstructions, f"box/{index:04}", 32, threads), 0.5)
            truth = solid("box", 100 + index, 32)
            for view in views:
                assert (view & truth).sum() / (view | truth).sum() > 0.75  # pooling by the maximum adds half a voxel


def test_occupied_by_hand() -> None:
    values = np.array([0, 50, 51, 52, 255], np.uint8)  # 51/255 is 0.2 exactly
    np.testing.assert_array_equal(occupied(values, 0.2), [False, False, True, True, True])
    np.testing.assert_array_equal(occupied(values, 0.95), [False, False, False, False, True])


def test_the_stage_classifies(model: Path, tmp_path: Path) -> None:
    """All probabilities are 0.3 at the most: only a threshold chosen for them can work."""
    reconstructions = write_reconstructions(tmp_path / "r", {"ball": 4, "bar": 4, "box": 4}, scale=0.3)
    artifacts = [dsl.Model(uri=str(model)), *(dsl.Dataset(uri=str(p)) for p in (reconstructions, tmp_path / "p"))]
    component.python_func(*artifacts, workers=1)
    attributes = read_info(tmp_path / "p")["attributes"]
    assert attributes["classes"] == ["ball", "bar", "box"] and 0.05 <= attributes["threshold"] <= 0.3
    tried = attributes["val_accuracy"]
    assert [float(t) for t in tried] == list(THRESHOLDS)
    best = tried[f"{attributes['threshold']:.2f}"]
    assert best == max(tried.values()) and best == pytest.approx(accuracy(tmp_path / "p", "val"), abs=1e-4)
    assert accuracy(tmp_path / "p", "test") > 0.9
    assert Dataset([tmp_path / "p"], "predictions")["ball/0001"].attributes == {"views": [0, 3]}
    with Image.open(tmp_path / "p" / "preview.png") as sheet:
        assert sheet.width == 6 * 160


def test_the_test_split_is_ignored(model: Path, tmp_path: Path) -> None:
    """Val asks for a low threshold, test would ask for any: val's is used, and none is chosen without val."""
    both = write_reconstructions(tmp_path / "both", {"ball": 2, "box": 2}, scale=0.3)
    with_val = classify_reconstructions(model, both, tmp_path / "p", ClassifyReconstructionsSettings(workers=1))
    only_test = write_reconstructions(tmp_path / "test", {"ball": 2, "box": 2}, ["test"], scale=0.3)
    assert (
        with_val <= 0.3
        and classify_reconstructions(model, only_test, tmp_path / "p", ClassifyReconstructionsSettings(workers=1))
        == 0.5
    )
    assert read_info(tmp_path / "p")["attributes"]["val_accuracy"] == {}
    assert (
        classify_reconstructions(model, both, tmp_path / "p", ClassifyReconstructionsSettings(threshold=0.2, workers=1))
        == 0.2
    )


def test_a_classifier_that_does_not_fit(model: Path, tmp_path: Path) -> None:
    strange = write_reconstructions(tmp_path / "r", {"ball": 1, "pyramid": 1})
    with pytest.raises(DatasetError, match=r"a classifier that knows pyramid, .* knows ball, bar, box$"):
        classify_reconstructions(model, strange, tmp_path / "p", ClassifyReconstructionsSettings())
    assert not (tmp_path / "p").exists()


def test_a_model_that_contradicts_itself(model: Path, tmp_path: Path) -> None:
    broken = tmp_path / "model"
    broken.mkdir()
    for file in model.iterdir():
        (broken / file.name).write_bytes(file.read_bytes())
    config = json.loads((broken / "config.json").read_text())
    metrics = json.loads((broken / "metrics.json").read_text())
    del metrics["files"]  # else the change itself would be found
    (broken / "metrics.json").write_text(json.dumps(metrics))
    for change, message in (
        ({"classes": ["ball", "box"]}, r"32³ voxels and 2 classes as config.json says, got .* and 3 classes"),
        ({"resolution": 30}, r"30³ voxels and 3 classes as config.json says, got .*\(32, 32, 32, 1\)"),
        ({"classes": None}, r"model.keras: expected a classifier with its classes and resolution"),
    ):
        (broken / "config.json").write_text(json.dumps({**config, **change}))
        with pytest.raises(DatasetError, match=message):
            load_classifier(broken)
    (broken / "config.json").write_text(json.dumps(config))
    (broken / "model.keras").write_bytes(b"not a network")
    with pytest.raises(DatasetError, match=r"model\.keras"):
        load_classifier(broken)
    (broken / "metrics.json").unlink()
    with pytest.raises(DatasetError, match=r"no metrics\.json"):
        load_classifier(broken)


@pytest.mark.parametrize("threshold", [-0.1, 1.0, 40])
def test_thresholds_out_of_range(tmp_path: Path, threshold: float) -> None:
    with pytest.raises(ParameterError, match=f"got {threshold}"):
        classify_reconstructions(
            tmp_path, tmp_path, tmp_path / "p", ClassifyReconstructionsSettings(threshold=threshold)
        )


def test_one_class_alone_has_no_classifier_and_all_say_so(tmp_path: Path) -> None:
    voxels = write_solids(tmp_path / "voxels", {"ball": 6})
    model, predictions = tmp_path / "model", tmp_path / "predictions"
    with pytest.raises(DatasetError, match="expected training samples of at least two classes"):
        train_classifier([voxels], model, predictions, TrainClassifierSettings())
    train_classifier([voxels], model, predictions, TrainClassifierSettings(one_class="leave-out"))
    reason = str(Dataset([predictions], "predictions").attributes["left_out"])
    assert reason.startswith("There is no classifier: expected training samples of at least two classes")
    assert TrainedModel.read(model).config["left_out"] == reason
    with pytest.raises(DatasetError, match="There is no classifier"):
        load_classifier(model)
    assert find_models([tmp_path]) == {}
    reconstructions = write_reconstructions(tmp_path / "reconstructions", {"ball": 2})
    settings = ClassifyReconstructionsSettings()
    classify_reconstructions(model, reconstructions, tmp_path / "classified", settings)
    classified = Dataset([tmp_path / "classified"], "predictions")
    assert not classified.samples and classified.attributes == {"classes": ["ball"], "left_out": reason}
