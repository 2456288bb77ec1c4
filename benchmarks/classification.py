"""How well objects are classified, and how fast.

python benchmarks/classification.py modelnet modelnet10.npz      both networks on its test part, several seeds each
python benchmarks/classification.py stl FOLDER --others FOLDER   printed things, cross-validated; what is called unlike
    --dealings 5                                                 again with the things dealt out to the folds otherwise
python benchmarks/classification.py speed                        feature extraction of files that it makes, a second
python benchmarks/classification.py epoch                        xu2016: CPU seconds of an epoch, beside plain Keras
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from printable import write_printable

from components.describe.describe import describe_things
from components.fetch.fetch import fetch_shard
from components.plan.plan import plan_shards
from components.report_classifier.measures import measure
from components.voxelize.voxelize import voxelize_meshes
from pipelines.ir import preset
from shapeyard.contracts.dataset import Dataset, DatasetWriter, read_occupancy
from shapeyard.metrics.calibration import expected_calibration_error, reliability
from shapeyard.sources.selection import Selection

TRAINING = (
    "network", "resolution", "padding", "epochs", "batch_size", "learning_rate", "weight_decay", "label_smoothing",
    "balance", "average", "keep_best", "shift", "stretch", "spoiled", "turned", "noise", "members", "duplicate_iou",
    "unlike_share",
)  # fmt: skip
RESAMPLES = 10_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    modelnet = commands.add_parser("modelnet")
    modelnet.add_argument("file", type=Path)
    modelnet.add_argument("--seeds", type=int, default=3)
    modelnet.set_defaults(run=run_modelnet)
    stl = commands.add_parser("stl")
    stl.add_argument("folder", type=Path)
    stl.add_argument("--others", type=Path, help="meshes of other classes, to be called unlike")
    stl.add_argument("--folds", type=int, default=5)
    stl.add_argument("--dealings", type=int, default=1, help="ways to deal the things out to the folds")
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
        voxelize_meshes(fetched(str(arguments.file), "auto", arguments.work), voxels, resolution=24)
    right: dict[str, list[NDArray[np.bool_]]] = {"xu2016": [], "small": []}
    for seed in range(arguments.seeds):
        for name, found in right.items():
            folder = arguments.work / f"{name}-{seed}"
            figures, answers = trained(voxels, folder, preset("classify_voxels", name), seed, arguments.workers)
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
        values = preset("classify_stl", name)
        features = described(meshes, arguments.work / f"features-{name}", values)
        strange = described(others, arguments.work / f"others-{name}", values) if others else None
        measured = []
        for dealing in range(arguments.dealings):
            dealt = dealt_anew(features, dealing) if dealing else features
            folder = arguments.work / (f"{name}-dealing{dealing}" if dealing else name)
            measured.append(cross_validated(dealt, folder, values, arguments, strange))
        if arguments.dealings > 1:
            accuracies, errors, confidences = np.transpose(measured)
            print(f"{name}: mean accuracy over {len(measured)} dealings {accuracies.mean():.4f}, deviation "
                  f"{accuracies.std(ddof=1):.4f}, mean calibration error {errors.mean():.4f}, "
                  f"mean confidence {confidences.mean():.4f}")  # fmt: skip


def cross_validated(
    features: Path, folder: Path, values: dict[str, Any], arguments: argparse.Namespace, strange: Path | None
) -> tuple[float, float, float]:
    """The accuracy, the calibration error and the mean confidence over the test splits of all folds."""
    answers, unlike = [], []
    for fold in range(arguments.folds):
        path = Path(f"{folder}-fold{fold}")
        figures, found = trained(features, path, values, 0, arguments.workers, folds=arguments.folds, fold=fold)
        answers += found
        say(folder.name, fold, figures)
        if strange:
            unlike.append(share_called_unlike(path / "model", strange))
    accuracy = float(np.mean([a.right for a in answers]))
    error, confidence = calibration(folder, arguments.folds)
    print(f"{folder.name}: accuracy {accuracy:.4f} of {len(answers)}, "
          f"calibration error {error:.4f}, mean confidence {confidence:.4f}, "
          f"called unlike {np.mean([a.unlike for a in answers]):.3f}"
          + (f", of the others {np.mean(unlike):.3f} ({min(unlike):.3f} to {max(unlike):.3f} by fold)"
             if unlike else ""), flush=True)  # fmt: skip
    return accuracy, error, confidence


def dealt_anew(features: Path, dealing: int) -> Path:
    """The same things under other ids, since folds are dealt out by the hashes of ids."""
    path = Path(f"{features}-dealing{dealing}")
    if (path / "dataset.json").is_file():
        return path
    data = Dataset([features], "features")
    arrays = ("occupancy", *data.attributes["arrays"])
    with DatasetWriter(path, "features", "benchmark", {"dealing": dealing}, attributes=data.attributes) as writer:
        for sample in data.samples:
            values = {name: data.read(sample.id, name) for name in arrays}
            writer.add(replace(sample, id=f"{sample.id}-dealing{dealing}"), values, sample.attributes)
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
    features = described(meshes, arguments.work / "described", preset("classify_stl", "small"), arguments.workers)
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
    from components.train_classifier.augmentation import Changes
    from components.train_classifier.examples import Examples
    from components.train_classifier.fitting import Settings, fit
    from components.train_classifier.model import build_network
    from components.train_classifier.train import cores, keras, make_repeatable
    from shapeyard.contracts.dataset import Sample

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
        network.fit(grids[..., None].astype(np.float32), labels, batch_size=256, epochs=epochs, verbose=0)

    def ours(shift: int, epochs: int) -> None:
        settings = Settings(epochs, 256, 1e-3, 0.0, 0.0, 0.0, 0.0, True, Changes(shift=shift))
        fit(build_network("xu2016", shapes, 10), train, train.where(np.zeros(len(grids), bool)), settings, 0)

    for name, run in (("plain Keras", plain), ("the stage", partial(ours, 0)), ("the stage, moved", partial(ours, 2))):
        seconds = []
        for epochs in (1, 4):
            started = time.process_time()
            run(epochs)
            seconds.append(time.process_time() - started)
        print(f"{name:18} {(seconds[1] - seconds[0]) / 3:.2f} s of CPU an epoch of {len(grids)} grids", flush=True)


def fetched(source: str, layout: str, work: Path) -> Path:
    """The meshes of a source, in one shard."""
    (item,) = plan_shards(Selection(source, layout=layout, shards=1))
    fetch_shard(item, work / "meshes", 256, 2_000_000, 0.5)
    return work / "meshes"


def described(meshes: Path, features: Path, values: dict[str, Any], workers: int = 0) -> Path:
    describe_things(
        meshes, features, feature_set=values["feature_set"], resolution=values["resolution"], workers=workers
    )
    return features


def trained(
    dataset: Path, folder: Path, values: dict[str, Any], seed: int, workers: int, **folds: int
) -> tuple[dict[str, Any], Sequence[Any]]:
    """The training's and the test split's figures, and its answers; what is there already is not trained again."""
    if (folder / "figures.json").is_file():
        known = json.loads((folder / "figures.json").read_text(encoding="utf-8"))
        return known, measure(Dataset([folder / "predictions"], "predictions"), "test").answers
    from components.train_classifier.train import train_classifier  # TensorFlow is not for the processes of `describe`

    settings = {name: values[name] for name in TRAINING if name in values}
    started, cpu = time.perf_counter(), time.process_time()
    figures = train_classifier(
        [dataset], folder / "model", folder / "predictions", seed=seed, workers=workers, **settings, **folds
    )
    figures["wall"], figures["cpu"] = time.perf_counter() - started, time.process_time() - cpu
    measured = measure(Dataset([folder / "predictions"], "predictions"), "test")
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


def share_called_unlike(model: Path, features: Path) -> float:
    from components.recognize.classifier import load_classifier

    classifier, data = load_classifier(model), Dataset([features], "features")
    inputs = {"occupancy": np.stack([read_occupancy(data, sample.id) for sample in data.samples])}
    for name in data.attributes["arrays"]:
        inputs[name] = np.stack([data.read(sample.id, name) for sample in data.samples])
    return float((classifier.answer(inputs).unlikeness > classifier.unlike_above).mean())


def paired_interval(differences: NDArray[np.float64]) -> tuple[float, float]:
    """The middle 95 % of the mean, objects drawn anew with replacement."""
    rng = np.random.default_rng(0)
    means = [differences[rng.integers(0, len(differences), len(differences))].mean() for _ in range(RESAMPLES)]
    return float(np.quantile(means, 0.025)), float(np.quantile(means, 0.975))


if __name__ == "__main__":
    sys.exit(main())
