"""How well 3D-RecGAN++ learns: by heart, at the paper's size, a catalogue, real meshes; its critic in `paper` alone.

python benchmarks/recgan.py overfit PAIRS     four published pairs, one of each category, by heart
python benchmarks/recgan.py paper PAIRS       a few steps at the paper's size: loss, time, memory
python benchmarks/recgan.py generalize        1,500 procedural objects, on those that nothing was learned from
python benchmarks/recgan.py real DATA         real meshes, split by object
PAIRS is a folder of the pairs that 3D-RecGAN++ was published with, DATA the folder of real meshes.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
from tables import print_figures

from components.fetch.fetch import fetch_shard
from components.plan.plan import plan_shards
from components.voxelize.voxelize import voxelize_meshes
from pipelines.ir import preset
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
@click.option("--critic-start", default=0)
@click.option("--floor", default=0.0)
@click.option("--width", default=16)
@click.option("--seed", default=0)
def overfit(pairs: Path, work: Path, seed: int, **settings: Any) -> None:
    """Grids of 32³ to shapes of 128³ at a quarter of the width: IoU of 0.90 in 30 minutes."""
    from components.train_recgan.train import train_recgan

    chosen = keep_pairs(pairs, work / "pairs")
    clock = Clock()
    figures = train_recgan(
        [], None, [], work / "model", work / "made", pairs=chosen, input_resolution=32, bottleneck=500, batch_size=4,
        mirror=False, validate_every=50, seed=seed, **settings,
    )  # fmt: skip
    minutes = clock.minutes_of_two_cores()
    found = on_training_pairs(work / "model", chosen, figures["precision"] == "bfloat16")
    say(figures)
    print_figures([
        (f"training IoU at threshold {found.threshold}", f"{found.iou:.4f}", "≥ 0.90", found.iou >= 0.9),
        ("minutes, CPU time by two cores", f"{minutes:.1f}", "≤ 30", minutes <= 30),
        ("waited for data", f"{figures['waited_for_data']:.2%}", "< 5 %", figures["waited_for_data"] < 0.05),
        ("minutes by the clock", f"{clock.minutes():.1f}", "-", True),
    ])  # fmt: skip


@main.command()
@click.argument("pairs", type=click.Path(exists=True, path_type=Path))
@click.option("--work", type=FOLDER, default=Path("runs/recgan/paper"))
@click.option("--steps", default=20)
@click.option("--batch-size", default=1)
@click.option("--accumulate", default=1)
@click.option("--recompute", is_flag=True)
def paper(pairs: Path, work: Path, steps: int, batch_size: int, accumulate: int, recompute: bool) -> None:
    """Steps at 64³ to 256³, all channels, the critic from the first step on."""
    from components.train_recgan.train import train_recgan

    chosen = keep_pairs(pairs, work / "pairs")
    clock = Clock()
    figures = train_recgan(
        [], None, [], work / "model", work / "made", pairs=chosen, steps=steps, batch_size=batch_size,
        accumulate=accumulate, recompute=recompute, mirror=False, validate_every=1,
    )  # fmt: skip
    losses = [row["train_loss"] for row in read_history(work / "model")]
    first, last = np.mean(losses[:4]), np.mean(losses[-4:])  # each of the four pairs once
    say(figures)
    print_figures([
        ("loss of the first and the last four steps", f"{first:.4f}, {last:.4f}", "falls", bool(last < first)),
        ("seconds a step", f"{batch_size / figures['samples_per_second']:.1f}", "-", True),
        ("CPU seconds a step, all else included", f"{60 * 2 * clock.minutes_of_two_cores() / steps:.1f}", "-", True),
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
def generalize(work: Path, objects: int, **settings: Any) -> None:
    """The preset `small` of the pipeline on more objects: IoU at least 0.10 above the better baseline."""
    source = Selection(CATALOGUE.format(objects), shards=1)
    compare([prepare(source, work / "data")], work, promise=0.10, **settings)


@main.command()
@click.argument("data", type=click.Path(exists=True, path_type=Path))
@click.option("--work", type=FOLDER, default=Path("runs/recgan/real"))
@click.option("--steps", default=2400)
@click.option("--learning-rate", default=1e-3)
@click.option("--floor", default=0.0)
@click.option("--seed", default=0)
def real(data: Path, work: Path, **settings: Any) -> None:
    """Twelve views of each object: above both baselines, the interval of the difference without 0."""
    for pattern, name in {"*_m*.obj": "upright", "*_d*.obj": "lying"}.items():
        for file in (data / "objects_obj").glob(f"*/{pattern}"):
            target = work / name / file.parent.name / file.name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
    sources = {
        "upright": Selection(str(work / "upright"), layout="classes", up_axis="y", shards=1),
        "lying": Selection(str(work / "lying"), layout="classes", up_axis="z", shards=1),
        "shapenet": Selection(str(data / "shapenet_v2"), shards=1),
    }
    parts = [prepare(source, work / f"{name}-data", views=12) for name, source in sources.items()]
    compare(parts, work, promise=0.0, **settings)


class Clock:
    """Wall and processor time since it was made."""

    def __init__(self) -> None:
        self.wall, self.cpu = time.perf_counter(), time.process_time()

    def minutes(self) -> float:
        return (time.perf_counter() - self.wall) / 60

    def minutes_of_two_cores(self) -> float:
        """What the wall's would be at the least, on two cores that do nothing else."""
        return (time.process_time() - self.cpu) / 2 / 60


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
    """The generator's agreement with what it was trained on."""
    import torch
    from safetensors.torch import load_file

    from components.train_recgan.model import Generator
    from components.train_recgan.pairs import Pairs
    from components.train_recgan.published_pairs import published_pairs
    from components.train_recgan.reconstruct import agreement

    size = {name: read_config(model)[name] for name in ("input_resolution", "width", "bottleneck")}
    generator = Generator(**size)
    generator.load_state_dict(load_file(model / "model.safetensors"))
    learned = Pairs(published_pairs(pairs, size["input_resolution"])["train"])
    precision = torch.bfloat16 if half else torch.float32
    return agreement(generator, learned, range(len(learned)), 1, precision)


def prepare(source: Selection, work: Path, views: int = 3) -> Path:
    """Meshes, grids and images of a source as the preset `small` has them, unless they are there."""
    from components.render.render import render_meshes

    values = preset("reconstruct", "small")
    if not (work / "renders" / "dataset.json").is_file():
        (item,) = plan_shards(source)
        fetch_shard(item, work / "meshes", 256, 2_000_000, 0.5)
        voxelize_meshes(work / "meshes", work / "voxels", resolution=values["voxel_resolution"])
        render_meshes(
            work / "meshes", work / "renders", views=views, image_size=values["image_size"], samples=values["samples"],
            distance=values["camera_distance"],
        )  # fmt: skip
    return work


def compare(parts: Sequence[Path], work: Path, promise: float, steps: int, seed: int, **settings: Any) -> None:
    """Train both networks, and measure the test split beside the baselines."""
    from components.train_depth.train import train_depth
    from components.train_recgan.train import train_recgan

    values = preset("reconstruct", "small")
    renders, voxels = [part / "renders" for part in parts], [part / "voxels" for part in parts]
    checkpoints = str(work / "checkpoints")
    of_depth = {name: values[f"depth_{name}"] for name in ("width", "steps", "batch_size", "learning_rate")}
    if not (work / "depths" / "dataset.json").is_file():
        clock = Clock()
        found = train_depth(
            renders, work / "depth_model", work / "depths", **of_depth, validate_every=600, seed=seed,
            checkpoints=checkpoints,
        )  # fmt: skip
        print(f"depth: {clock.minutes_of_two_cores():.1f} minutes by two cores, {json.dumps(found)}", flush=True)
    clock = Clock()
    figures = train_recgan(
        renders, work / "depths", voxels, work / "model", work / "made", input_resolution=values["recgan_resolution"],
        width=values["recgan_width"], bottleneck=values["recgan_bottleneck"], batch_size=values["recgan_batch_size"],
        adversarial=0.0, steps=steps, validate_every=max(steps // 8, 1), seed=seed, checkpoints=checkpoints, **settings,
    )  # fmt: skip
    minutes = clock.minutes_of_two_cores()
    say(figures)
    print_figures([
        depth_against_its_mean(renders, work / "depths"),
        *against_baselines(renders, voxels, work, promise),
        ("minutes, CPU time by two cores", f"{minutes:.1f}", "≤ 40", minutes <= 40),
        ("waited for data", f"{figures['waited_for_data']:.2%}", "< 5 %", figures["waited_for_data"] < 0.05),
    ])  # fmt: skip


def depth_against_its_mean(renders: Sequence[Path], depths: Path) -> tuple[str, str, str, bool]:
    """RMSE on the test split beside that of the mean depth, and the paired difference."""
    from components.evaluate.averages import mean_over_classes
    from components.evaluate.depth import depth_rows, mean_training_depth
    from shapeyard.metrics.paired import paired_difference

    images = Dataset(renders, "renders")
    rows = depth_rows(images, Dataset([depths], "depths"), images.of_split("test"), mean_training_depth(images))
    ours, constant = ("depth_rmse", "constant_depth_rmse")
    found = paired_difference(
        [row[ours] for row in rows], [row[constant] for row in rows], [row["id"] for row in rows],
        [row["class"] for row in rows],
    )  # fmt: skip
    return (
        f"depth RMSE, mean depth {mean_over_classes(rows, constant):.4f}, {found.objects} objects",
        f"{mean_over_classes(rows, ours):.4f}: {found.difference:+.4f} ({found.low:+.4f} to {found.high:+.4f})",
        "lower, without 0",
        found.high < 0,
    )


def against_baselines(
    renders: Sequence[Path], voxels: Sequence[Path], work: Path, promise: float
) -> list[tuple[str, str, str, bool]]:
    """IoU on the test split in the camera-frame cube, and the paired differences to both baselines."""
    from components.evaluate.averages import mean_over_classes
    from components.evaluate.reconstruction import (
        BASELINES,
        METHODS,
        Shapes,
        Training,
        at_choice,
        candidates,
        choose,
        curves,
        mean_training_shape,
    )
    from components.evaluate.retrieval import training_gallery
    from shapeyard.metrics.paired import paired_difference

    shapes = Shapes(
        Dataset(renders, "renders"), Dataset(voxels, "voxels"), Dataset([work / "depths"], "depths"),
        Dataset([work / "made"], "reconstructions"),
    )  # fmt: skip
    learned = Training(
        mean_training_shape(shapes.voxels), training_gallery(shapes.renders, shapes.depths, shapes.voxels)
    )
    val, test = (
        [sample for sample in shapes.renders.of_split(split) if sample.id in shapes.reconstructions]
        for split in ("val", "test")
    )
    val_rows = curves(shapes, val, learned, "val")
    resolution = val_rows[0]["resolution"]
    chosen = choose(val_rows, resolution)
    weight = candidates(resolution)["nearest_neighbour"][chosen["nearest_neighbour"]].item()
    rows = at_choice(curves(shapes, test, learned, "test", weights=[weight]), chosen | {"nearest_neighbour": 0})
    iou = {method: float(mean_over_classes(rows, f"{method}_iou")) for method in METHODS}
    figures = [(f"IoU of {method.replace('_', ' ')}", f"{value:.4f}", "-", True) for method, value in iou.items()]
    for method in BASELINES:
        found = paired_difference(
            [row["reconstruction_iou"] for row in rows], [row[f"{method}_iou"] for row in rows],
            [row["id"] for row in rows], [row["class"] for row in rows],
        )  # fmt: skip
        figures.append((
            f"above {method.replace('_', ' ')}, {found.objects} objects",
            f"{found.difference:+.4f} ({found.low:+.4f} to {found.high:+.4f})",
            "-" if method == "nearest_neighbour" else f"≥ {promise:.2f}, without 0",
            found.difference >= promise and found.low > 0,
        ))  # fmt: skip
    return figures


def say(figures: dict[str, Any]) -> None:
    print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    main()
