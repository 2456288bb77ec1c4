"""How well 3D-RecGAN++ learns; with its discriminator in `paper` alone.

python benchmarks/recgan.py overfit PAIRS     overfitting sanity check: four published pairs, one of each category
python benchmarks/recgan.py paper PAIRS       a few steps at the paper's size: loss, time, memory
python benchmarks/recgan.py generalize        1,500 procedural objects, measured on the held-out test objects
python benchmarks/recgan.py real DATA         real meshes, split by object
PAIRS is a folder of the pairs that 3D-RecGAN++ was published with, DATA the folder of real meshes.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click
import numpy as np
from preparation import Clock, PresetSettings, prepare, real_meshes
from tables import print_figures

from components.render import RenderSettings
from components.train_depth import TrainDepthSettings
from components.train_recgan import TrainRecganSettings
from components.voxelize import VoxelizeSettings
from shapeyard.contracts.dataset import Dataset
from shapeyard.contracts.model import read_config, read_history
from shapeyard.formats.recgan_pairs import find_recgan_pairs
from shapeyard.sources.selection import Selection

CATALOGUE = "procedural://?objects={}&seed=0&classes=chair,table,sofa,shelf,lamp,bed,cup,bottle"
FOLDER = click.Path(path_type=Path)


@click.group(help=__doc__)
def main() -> None: ...


@main.command()
@click.argument("pairs", type=click.Path(exists=True, path_type=Path))
@click.option("--work", type=FOLDER, default=Path("runs/recgan/overfit"))
@click.option("--steps", default=1000)
@click.option("--learning-rate", default=1e-3)
@click.option("--adversarial", default=0.0)
@click.option("--discriminator-start", default=0)
@click.option("--floor", default=0.0)
@click.option("--width", default=16)
@click.option("--seed", default=0)
def overfit(pairs: Path, work: Path, seed: int, **settings: Any) -> None:
    """Grids of 32³ to shapes of 128³ at a quarter of the width: IoU of 0.90 in 30 minutes."""
    from components.train_recgan.train_recgan import train_recgan

    chosen = keep_pairs(pairs, work / "pairs")
    clock = Clock()
    trained_with = TrainRecganSettings(
        pairs=str(chosen), input_resolution=32, bottleneck=500, batch_size=4, mirror=False, validate_every=50,
        seed=seed, **settings,
    )  # fmt: skip
    figures: dict[str, Any] = dict(train_recgan([], None, [], work / "model", work / "made", trained_with).figures)
    minutes = clock.minutes_of_two_cores()
    found = on_training_pairs(work / "model", chosen, figures["precision"] == "bfloat16")
    say(figures)
    print_figures([
        (f"training IoU at threshold {found.threshold}", f"{found.iou:.4f}", "≥ 0.90", found.iou >= 0.9),
        ("minutes, CPU time by two cores", f"{minutes:.1f}", "≤ 30", minutes <= 30),
        ("waited for data", f"{figures['waited_for_data']:.2%}", "< 5 %", figures["waited_for_data"] < 0.05),
        ("minutes by the clock", f"{clock.seconds() / 60:.1f}", "-", True),
    ])  # fmt: skip


@main.command()
@click.argument("pairs", type=click.Path(exists=True, path_type=Path))
@click.option("--work", type=FOLDER, default=Path("runs/recgan/paper"))
@click.option("--steps", default=20)
@click.option("--batch-size", default=1)
@click.option("--accumulate", default=1)
@click.option("--recompute", is_flag=True)
def paper(pairs: Path, work: Path, steps: int, batch_size: int, accumulate: int, recompute: bool) -> None:
    """Steps at 64³ to 256³, all channels, the discriminator from the first step on."""
    from components.train_recgan.train_recgan import train_recgan

    chosen = keep_pairs(pairs, work / "pairs")
    clock = Clock()
    settings = TrainRecganSettings(
        pairs=str(chosen), steps=steps, batch_size=batch_size, accumulate=accumulate, recompute=recompute,
        mirror=False, validate_every=1,
    )  # fmt: skip
    figures: dict[str, Any] = dict(train_recgan([], None, [], work / "model", work / "made", settings).figures)
    losses = [row["train_loss"] for row in read_history(work / "model")]
    first, last = np.mean(losses[:4]), np.mean(losses[-4:])  # each of the four pairs once
    say(figures)
    print_figures([
        ("loss of the first and the last four steps", f"{first:.4f}, {last:.4f}", "falls", bool(last < first)),
        ("seconds a step", f"{batch_size / figures['samples_per_second']:.1f}", "-", True),
        ("CPU seconds a step, all else included", f"{clock.cpu_seconds() / steps:.1f}", "-", True),
        ("memory in GB", f"{figures['peak_memory_bytes'] / 1e9:.1f}", "-", True),
        ("waited for data", f"{figures['waited_for_data']:.2%}", "< 5 %", figures["waited_for_data"] < 0.05),
    ])  # fmt: skip


@main.command()
@click.option("--work", type=FOLDER, default=Path("runs/recgan/generalize"))
@click.option("--objects", default=1500)
@click.option("--steps", default=2400)
@click.option("--learning-rate", default=1e-3)
@click.option("--floor", default=0.0)
@click.option("--seed", default=0)
@click.option("--preset", "name", default="small", show_default=True)
def generalize(work: Path, objects: int, name: str, **settings: Any) -> None:
    """The pipeline's preset on more objects: IoU at least 0.10 above the better baseline."""
    preset = PresetSettings("reconstruct", name)
    source = Selection(CATALOGUE.format(objects))
    data = prepare(source, work / "data", preset.of(RenderSettings), preset.of(VoxelizeSettings))
    compare([data], work, preset, target=0.10, **settings)


@main.command()
@click.argument("data", type=click.Path(exists=True, path_type=Path))
@click.option("--work", type=FOLDER, default=Path("runs/recgan/real"))
@click.option("--steps", default=2400)
@click.option("--learning-rate", default=1e-3)
@click.option("--floor", default=0.0)
@click.option("--seed", default=0)
@click.option("--preset", "name", default="small", show_default=True)
def real(data: Path, work: Path, name: str, **settings: Any) -> None:
    """Twelve views of each object: above both baselines, the interval of the difference without 0."""
    preset = PresetSettings("reconstruct", name)
    rendering, voxelizing = preset.of(RenderSettings, views=12), preset.of(VoxelizeSettings)
    parts = [
        prepare(source, work / f"{part}-data", rendering, voxelizing)
        for part, source in real_meshes(data, work).items()
    ]
    compare(parts, work, preset, target=0.0, **settings)


def keep_pairs(pairs: Path, folder: Path) -> Path:
    """The first training pair of each category, in a folder of its own."""
    first = {file.category: file for file in reversed(find_recgan_pairs(pairs)) if file.split == "train"}
    for file in first.values():
        for path in (file.surface, file.shape):
            target = folder / path.relative_to(pairs)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    return folder


def on_training_pairs(model: Path, pairs: Path, half: bool) -> Any:
    """The generator's IoU with what it was trained on."""
    import torch
    from safetensors.torch import load_file

    from components.train_recgan.pairs import Pairs
    from components.train_recgan.published_pairs import published_pairs
    from components.train_recgan.reconstructions import best_iou
    from shapeyard.networks.recgan import Generator

    size = {name: read_config(model)[name] for name in ("input_resolution", "width", "bottleneck")}
    generator = Generator(**size)
    generator.load_state_dict(load_file(model / "model.safetensors"))
    learned = Pairs(published_pairs(pairs, size["input_resolution"])["train"])
    precision = torch.bfloat16 if half else torch.float32
    return best_iou(generator, learned, range(len(learned)), 1, precision)


def compare(
    parts: Sequence[Path], work: Path, preset: PresetSettings, target: float, steps: int, seed: int, **settings: Any
) -> None:
    """Train both networks as the preset does, and measure the test split with the baselines."""
    from components.train_depth.train_depth import train_depth
    from components.train_recgan.train_recgan import train_recgan

    renders, voxels = [part / "renders" for part in parts], [part / "voxels" for part in parts]
    checkpoints = str(work / "checkpoints")
    if not (work / "depths" / "dataset.json").is_file():
        clock = Clock()
        depth = preset.of(TrainDepthSettings, seed=seed, checkpoints=checkpoints)
        found = train_depth(renders, work / "depth_model", work / "depths", depth).figures
        print(f"depth: {clock.minutes_of_two_cores():.1f} minutes by two cores, {json.dumps(dict(found))}", flush=True)
    clock = Clock()
    recgan = preset.of(
        TrainRecganSettings, adversarial=0.0, steps=steps, validate_every=max(steps // 8, 1), seed=seed,
        checkpoints=checkpoints, **settings,
    )  # fmt: skip
    figures: dict[str, Any] = dict(
        train_recgan(renders, work / "depths", voxels, work / "model", work / "made", recgan).figures
    )
    minutes = clock.minutes_of_two_cores()
    say(figures)
    print_figures([
        depth_against_its_mean(renders, work / "depths"),
        *against_baselines(renders, voxels, work, target),
        ("minutes, CPU time by two cores", f"{minutes:.1f}", "≤ 40", minutes <= 40),
        ("waited for data", f"{figures['waited_for_data']:.2%}", "< 5 %", figures["waited_for_data"] < 0.05),
    ])  # fmt: skip


def depth_against_its_mean(renders: Sequence[Path], depths: Path) -> tuple[str, str, str, bool]:
    """RMSE on the test split compared with that of the mean depth, and the paired difference."""
    from shapeyard.evaluation.depth_maps import CONSTANT, DEPTH, mean_training_depth, measure_depth
    from shapeyard.evaluation.table import EvaluationTable

    images, predicted = Dataset(renders, "renders"), Dataset([depths], "depths")
    table = EvaluationTable(measure_depth(images, predicted, images.of_split("test"), mean_training_depth(images)))
    found = table.difference("rmse", (DEPTH, None), (CONSTANT, None))
    return (
        f"depth RMSE, mean depth {table.mean(CONSTANT, 'rmse'):.4f}, {found.objects} objects",
        f"{table.mean(DEPTH, 'rmse'):.4f}: {found.difference:+.4f} ({found.low:+.4f} to {found.high:+.4f})",
        "lower, without 0",
        found.high < 0,
    )


def against_baselines(
    renders: Sequence[Path], voxels: Sequence[Path], work: Path, target: float
) -> list[tuple[str, str, str, bool]]:
    """IoU on the test split in the camera-frame cube, and the paired differences to both baselines."""
    from components.evaluate.views import BASELINES, PARAMETERS, ViewDatasets
    from shapeyard.evaluation.measuring import compare_methods
    from shapeyard.evaluation.retrieval import ViewGallery
    from shapeyard.evaluation.table import EvaluationTable

    views = ViewDatasets(
        Dataset(renders, "renders"), Dataset(voxels, "voxels"), Dataset([work / "depths"], "depths"),
        Dataset([work / "made"], "reconstructions"),
    )  # fmt: skip
    val, test = (
        [sample for sample in views.renders.of_split(split) if sample.id in views.reconstructions]
        for split in ("val", "test")
    )
    resolution = views.resolution(val)
    assert resolution, "expected a validation split"
    methods, gallery = views.methods(resolution), ViewGallery.of_training(views.renders, views.depths, views.voxels)
    cases = partial(views.cases, resolution=resolution, gallery=gallery)
    table = EvaluationTable(compare_methods(methods, cases, val, test).rows)
    iou = {method: table.mean(method, "iou") for method in PARAMETERS if method != "occupancy"}
    figures = [(f"IoU of {method.replace('_', ' ')}", f"{value:.4f}", "-", True) for method, value in iou.items()]
    for method in BASELINES:
        found = table.difference("iou", ("recgan", None), (method, None))
        figures.append((
            f"above {method.replace('_', ' ')}, {found.objects} objects",
            f"{found.difference:+.4f} ({found.low:+.4f} to {found.high:+.4f})",
            "-" if method == "nearest_neighbour" else f"≥ {target:.2f}, without 0",
            found.difference >= target and found.low > 0,
        ))  # fmt: skip
    return figures


def say(figures: dict[str, Any]) -> None:
    print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    main()
