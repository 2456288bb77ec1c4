"""How well objects are classified, and how fast.

python benchmarks/classification.py modelnet modelnet10.npz      both networks on its test part, several seeds each
python benchmarks/classification.py stl FOLDER --others FOLDER   printable objects, k-fold; what is out-of-distribution
    --repetitions 5                                              repeated k-fold
python benchmarks/classification.py speed                        feature extraction of files that it makes, a second
python benchmarks/classification.py epoch                        xu2016: CPU seconds of an epoch, and of plain Keras
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from preparation import Clock, PresetSettings
from printable import write_printable

from components.extract_features import ExtractFeaturesSettings
from components.extract_features.extract_features import extract_features
from components.fetch import FetchSettings
from components.fetch.fetch import fetch
from components.plan.plan import plan
from components.train_classifier import TrainClassifierSettings
from components.voxelize import VoxelizeSettings
from components.voxelize.voxelize import voxelize
from shapeyard.contracts.dataset import Dataset, DatasetWriter, read_occupancy
from shapeyard.evaluation.classification import ClassAnswer, measure_classifier
from shapeyard.metrics.calibration import expected_calibration_error, reliability
from shapeyard.sources.selection import Selection

RESAMPLES = 10_000
REPETITION = "-dealing{}"
"""What a repetition adds to ids, whose hashes decide the folds: other letters would be other folds than those of the
recorded figures."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    modelnet = commands.add_parser("modelnet")
    modelnet.add_argument("file", type=Path)
    modelnet.add_argument("--seeds", type=int, default=3)
    modelnet.set_defaults(run=run_modelnet)
    stl = commands.add_parser("stl")
    stl.add_argument("folder", type=Path)
    stl.add_argument("--others", type=Path, help="meshes of other classes, which are out-of-distribution")
    stl.add_argument("--folds", type=int, default=5)
    stl.add_argument("--repetitions", type=int, default=1, help="of the k-fold, each with other folds")
    stl.add_argument("--presets", nargs="+", default=["points256", "small"])
    stl.set_defaults(run=run_stl)
    speed = commands.add_parser("speed")
    speed.add_argument("--files", type=int, default=10_000, help="takes twice their size in --work")
    speed.add_argument("--megabytes", type=float, default=1.0)
    speed.add_argument("--prepare", action="store_true", help="make and fetch the files only; with --work")
    speed.set_defaults(run=run_speed)
    epoch = commands.add_parser("epoch")
    epoch.add_argument("--grids", type=int, default=1024)
    epoch.set_defaults(run=run_epoch)
    for command in (modelnet, stl, speed, epoch):
        command.add_argument(
            "--work", type=Path, help="where datasets and models stay; a temporary folder if not given"
        )
        command.add_argument("--workers", type=int, default=0, help="threads; 0 for all cores")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="shapeyard-benchmark-") as scratch:
        arguments.work = arguments.work or Path(scratch)
        arguments.run(arguments)


def run_modelnet(arguments: argparse.Namespace) -> None:
    voxels = arguments.work / "voxels"
    if not (voxels / "dataset.json").is_file():
        voxelize(fetched(str(arguments.file), "auto", arguments.work), voxels, VoxelizeSettings(resolution=24))
    right: dict[str, list[NDArray[np.bool_]]] = {"xu2016": [], "small": []}
    for seed in range(arguments.seeds):
        for name, found in right.items():
            folder = arguments.work / f"{name}-{seed}"
            preset = PresetSettings("classify_voxels", name)
            figures, answers = trained(voxels, folder, preset, seed, arguments.workers)
            found.append(np.array([answer.right for answer in answers]))
            say(name, seed, figures)
    for name, found in right.items():
        print(f"{name}: mean accuracy over {len(found)} seeds {np.mean(found):.4f}")
    difference = np.mean(right["small"], axis=0) - np.mean(right["xu2016"], axis=0)
    low, high = paired_interval(difference)
    print(f"small − xu2016: {difference.mean():+.4f}, 95 % interval over test objects {low:+.4f} to {high:+.4f}")


def run_stl(arguments: argparse.Namespace) -> None:
    meshes = fetched(str(arguments.folder), "things", arguments.work)
    others = fetched(str(arguments.others), "classes", arguments.work / "others") if arguments.others else None
    for name in arguments.presets:
        preset = PresetSettings("classify_stl", name)
        features = extracted(meshes, arguments.work / f"features-{name}", preset)
        of_others = extracted(others, arguments.work / f"others-{name}", preset) if others else None
        measured = []
        for repetition in range(arguments.repetitions):
            repeated = with_other_folds(features, repetition) if repetition else features
            folder = arguments.work / (f"{name}-repetition{repetition}" if repetition else name)
            measured.append(cross_validated(repeated, folder, preset, arguments, of_others))
        if arguments.repetitions > 1:
            accuracies, errors, confidences = np.transpose(measured)
            print(f"{name}: mean accuracy over {len(measured)} repetitions {accuracies.mean():.4f}, deviation "
                  f"{accuracies.std(ddof=1):.4f}, mean calibration error {errors.mean():.4f}, "
                  f"mean confidence {confidences.mean():.4f}")  # fmt: skip


def cross_validated(
    features: Path, folder: Path, preset: PresetSettings, arguments: argparse.Namespace, of_others: Path | None
) -> tuple[float, float, float]:
    """The accuracy, the calibration error and the mean confidence over the test splits of all folds."""
    answers: list[ClassAnswer] = []
    rejected = []
    for fold in range(arguments.folds):
        path = Path(f"{folder}-fold{fold}")
        figures, found = trained(features, path, preset, 0, arguments.workers, folds=arguments.folds, fold=fold)
        answers += found
        say(folder.name, fold, figures)
        if of_others:
            rejected.append(ood_rate(path / "model", of_others))
    accuracy = float(np.mean([a.right for a in answers]))
    error, confidence = calibration(folder, arguments.folds)
    print(f"{folder.name}: accuracy {accuracy:.4f} of {len(answers)}, "
          f"calibration error {error:.4f}, mean confidence {confidence:.4f}, "
          f"out-of-distribution {np.mean([a.ood for a in answers]):.3f}"
          + (f", of the others {np.mean(rejected):.3f} ({min(rejected):.3f} to {max(rejected):.3f} by fold)"
             if rejected else ""), flush=True)  # fmt: skip
    return accuracy, error, confidence


def with_other_folds(features: Path, repetition: int) -> Path:
    """The same objects under other ids, since the hashes of ids decide the folds."""
    path = Path(f"{features}-repetition{repetition}")
    if (path / "dataset.json").is_file():
        return path
    data = Dataset([features], "features")
    arrays = ("occupancy", *data.attributes["arrays"])
    with DatasetWriter(path, "features", "benchmark", {"repetition": repetition}, attributes=data.attributes) as writer:
        for sample in data.samples:
            values = {name: data.read(sample.id, name) for name in arrays}
            writer.add(replace(sample, id=sample.id + REPETITION.format(repetition)), values, sample.attributes)
    return path


def run_speed(arguments: argparse.Namespace) -> None:
    """Files made for it, a broken one among them; what is made already is used again."""
    meshes, source = arguments.work / "meshes", arguments.work / "printable"
    if not (meshes / "dataset.json").is_file():
        write_printable(source / "thing", arguments.files, arguments.megabytes)
        (source / "thing" / "broken.stl").write_bytes((source / "thing" / "00000.stl").read_bytes()[:5000])
        started = time.perf_counter()
        fetched(str(source), "things", arguments.work)
        print(f"fetched: {arguments.files / (time.perf_counter() - started):.1f} files a second", flush=True)
        shutil.rmtree(source)
    if arguments.prepare:
        return
    started, cpu = time.perf_counter(), sum(os.times()[:4])
    preset = PresetSettings("classify_stl", "small")
    features = extracted(meshes, arguments.work / "features", preset, arguments.workers)
    seconds, cpu = time.perf_counter() - started, sum(os.times()[:4]) - cpu
    found = Dataset([features], "features")
    own, others = (resource.getrusage(who).ru_maxrss / 1e3 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    print(
        f"{len(found.samples)} files, {len(found.skipped)} skipped ({found.skipped[0].reason}): "
        f"{len(found.samples) / seconds:.1f} files a second, {1000 * cpu / len(found.samples):.1f} ms of CPU a file, "
        f"at most {own:.0f} MB in the writing process and {others:.0f} MB in each other"
    )


def run_epoch(arguments: argparse.Namespace) -> None:
    """The same network on the same grids, in batches of 256: `fit` of Keras alone, and the training of the stage."""
    from components.train_classifier.examples import Examples
    from components.train_classifier.fitting import fit
    from components.train_classifier.train_classifier import make_repeatable
    from shapeyard.contracts.dataset import Sample
    from shapeyard.cpu import cores
    from shapeyard.networks.backend import keras
    from shapeyard.networks.classifiers import build_network

    make_repeatable(0, cores(arguments.workers))
    rng = np.random.default_rng(0)
    grids, labels = rng.random((arguments.grids, 30, 30, 30)) < 0.1, rng.integers(0, 10, arguments.grids)
    samples = [Sample(f"x/{i}", "x", "train", "") for i in range(len(grids))]
    train = Examples(samples, {"occupancy": grids}, labels, [])
    shapes = {"occupancy": (30, 30, 30, 1)}

    def plain(epochs: int) -> None:
        network = build_network("xu2016", shapes, 10)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        network.compile(keras.optimizers.Adam(1e-3), loss, metrics=["accuracy"])
        network.fit(
            {"occupancy": grids[..., None].astype(np.float32)}, labels, batch_size=256, epochs=epochs, verbose=0
        )

    def ours(shift: int, epochs: int) -> None:
        settings = TrainClassifierSettings(
            network="xu2016", resolution=30, epochs=epochs, batch_size=256, label_smoothing=0.0, shift=shift,
            stretch=0.0, corruption_probability=0.0,
        )  # fmt: skip
        fit(build_network("xu2016", shapes, 10), train, train.where(np.zeros(len(grids), bool)), settings, 0)

    for name, run in (
        ("plain Keras", plain),
        ("the stage", partial(ours, 0)),
        ("the stage, shifted", partial(ours, 2)),
    ):
        seconds = []
        for epochs in (1, 4):
            started = time.process_time()
            run(epochs)
            seconds.append(time.process_time() - started)
        print(f"{name:19} {(seconds[1] - seconds[0]) / 3:.2f} s of CPU an epoch of {len(grids)} grids", flush=True)


def fetched(source: str, layout: str, work: Path) -> Path:
    """The meshes of a source, in one shard."""
    (item,) = plan(Selection(source, layout=layout, shards=1))
    fetch(item, work / "meshes", FetchSettings())
    return work / "meshes"


def extracted(meshes: Path, features: Path, preset: PresetSettings, workers: int = 0) -> Path:
    extract_features(meshes, features, preset.of(ExtractFeaturesSettings, workers=workers))
    return features


def trained(
    dataset: Path, folder: Path, preset: PresetSettings, seed: int, workers: int, **folds: int
) -> tuple[dict[str, Any], Sequence[Any]]:
    """The training's and the test split's figures, and its answers; what is there already is not trained again."""
    if (folder / "figures.json").is_file():
        known = json.loads((folder / "figures.json").read_text(encoding="utf-8"))
        return known, measure_classifier(Dataset([folder / "predictions"], "predictions"), "test").answers
    from components.train_classifier.train_classifier import (
        train_classifier,  # TensorFlow is not for the processes of `extract_features`
    )

    settings = preset.of(TrainClassifierSettings, seed=seed, workers=workers, **folds)
    clock = Clock()
    figures: dict[str, Any] = dict(
        train_classifier([dataset], folder / "model", folder / "predictions", settings).figures
    )
    figures["wall"], figures["cpu"] = clock.seconds(), clock.cpu_seconds()
    measured = measure_classifier(Dataset([folder / "predictions"], "predictions"), "test")
    result = {**figures, **measured.figures()}
    (folder / "figures.json").write_text(json.dumps({k: v for k, v in result.items() if k != "files"}, indent=1))
    return result, measured.answers


def say(name: str, number: int, figures: dict[str, Any]) -> None:
    print(f"{name:10} {number}: accuracy {figures['accuracy']:.4f}, mean class {figures['mean_class_accuracy']:.4f}, "
          f"calibration error {figures['calibration_error']:.4f}, {figures['left_out_copies']:.0f} copies left out, "
          f"{figures['wall']:.0f} s, {figures['cpu']:.0f} s of CPU", flush=True)  # fmt: skip


def calibration(folder: Path, folds: int) -> tuple[float, float]:
    """The calibration error over the test samples of all folds, and the mean of the highest probabilities."""
    probabilities, labels = [], []
    for fold in range(folds):
        predictions = Dataset([Path(f"{folder}-fold{fold}") / "predictions"], "predictions")
        for sample in predictions.of_split("test"):
            probabilities.append(predictions.read(sample.id, "probabilities")[0])
            labels.append(predictions.attributes["classes"].index(sample.class_name))
    shown = np.array(probabilities)
    return expected_calibration_error(reliability(shown, np.array(labels))), float(shown.max(axis=1).mean())


def ood_rate(model: Path, features: Path) -> float:
    from shapeyard.inference.classifier import load_classifier

    classifier, data = load_classifier(model), Dataset([features], "features")
    inputs = {"occupancy": np.stack([read_occupancy(data, sample.id) for sample in data.samples])}
    for name in data.attributes["arrays"]:
        inputs[name] = np.stack([data.read(sample.id, name) for sample in data.samples])
    assert classifier.ood_threshold is not None
    return float((classifier.answer(inputs).ood_scores > classifier.ood_threshold).mean())


def paired_interval(differences: NDArray[np.float64]) -> tuple[float, float]:
    """The middle 95 % of the mean, objects drawn anew with replacement."""
    rng = np.random.default_rng(0)
    means = [differences[rng.integers(0, len(differences), len(differences))].mean() for _ in range(RESAMPLES)]
    return float(np.quantile(means, 0.025)), float(np.quantile(means, 0.975))


if __name__ == "__main__":
    main()
