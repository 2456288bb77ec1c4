"""How well the pixel-aligned occupancy network reconstructs from one image, beside U-Net + 3D-RecGAN++.

python benchmarks/occupancy.py WORK [--seeds 0,1,2] [--param occupancy_steps=2000 …] [--split val] [--record]

The data are those of `make run`, the sizes those of a preset. WORK keeps the data and what was trained. On the test
split everything is measured as `evaluate` does: all views, the same cubes for both networks and the baselines,
thresholds chosen on the validation split. `--split val` measures there, to choose settings by: the test split stays
unseen. With several seeds a view's figures are the means over them.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click
import numpy as np
from preparation import Clock, PresetSettings, prepare
from record import record_figures
from tables import print_figures

from components.evaluate.views import BASELINES, ViewDatasets
from components.render import RenderSettings
from components.train_depth import TrainDepthSettings
from components.train_occupancy import TrainOccupancySettings
from components.train_recgan import TrainRecganSettings
from components.voxelize import VoxelizeSettings
from shapeyard.contracts.dataset import Dataset, Split
from shapeyard.contracts.model import read_metrics
from shapeyard.evaluation.measuring import SURFACE_MEASURES, compare_methods
from shapeyard.evaluation.results import METHOD_TITLES
from shapeyard.evaluation.retrieval import ViewGallery
from shapeyard.evaluation.table import EvaluationTable, Measurement
from shapeyard.sources.selection import Selection

TARGET = 0.08
"""What the IoU at 64³ is to be above the nearest neighbour's."""
NAMES = {f"occupancy − {METHOD_TITLES['nearest_neighbour']}, {one}, *": f"occupancy-small-{one}"
         for one in ("iou", *SURFACE_MEASURES)}  # fmt: skip


@click.command(help=__doc__)
@click.argument("work", type=click.Path(path_type=Path))
@click.option("--preset", "name", default="small", show_default=True)
@click.option("--seeds", default="0", show_default=True, help="With commas between.")
@click.option("--param", "changes", multiple=True, help="name=value of a parameter of the preset; several times.")
@click.option("--split", type=click.Choice(["val", "test"]), default="test", show_default=True)
@click.option("--record", "keep", is_flag=True, help="Write the figures to benchmarks/results, too.")
def main(work: Path, name: str, seeds: str, changes: tuple[str, ...], split: Split, keep: bool) -> None:
    """Train what is not there yet, and print a table of figures and targets."""
    preset = PresetSettings("reconstruct", name, changes)
    rendering, voxelizing = preset.of(RenderSettings), preset.of(VoxelizeSettings)
    data = prepare(Selection(preset.values["source"]), work / "data", rendering, voxelizing)
    numbers = [int(seed) for seed in seeds.split(",")]
    table = mean_over_seeds([measure(data, trained(data, work, preset, seed), split) for seed in numbers])
    of_what = f"{split}, seed{'s' if len(numbers) > 1 else ''} {seeds}"
    figures = rows_of(table, of_what)
    print_figures(figures)
    if keep and split == "test":
        record_figures(figures, NAMES, "single", f"python benchmarks/occupancy.py WORK --seeds {seeds}")


def trained(data: Path, work: Path, preset: PresetSettings, seed: int) -> Path:
    """Train the three networks, those that are not there, and say what each took; returns their folder."""
    from components.train_depth.train_depth import train_depth
    from components.train_occupancy.train_occupancy import train_occupancy
    from components.train_recgan.train_recgan import train_recgan

    renders, voxels = [str(data / "renders")], [str(data / "voxels")]
    checkpoints = str(work / "checkpoints")
    folder = work / f"seed-{seed}"
    depths, recgan, occupancy = (str(folder / part) for part in ("depths", "recgan", "occupancy"))
    depth_settings = preset.of(TrainDepthSettings, seed=seed, checkpoints=checkpoints)
    recgan_settings = preset.of(TrainRecganSettings, seed=seed, checkpoints=checkpoints)
    settings = preset.of(TrainOccupancySettings, seed=seed, checkpoints=checkpoints)
    for part, train in {
        "depths": partial(train_depth, renders, str(folder / "depth_model"), depths, depth_settings),
        "recgan": partial(train_recgan, renders, depths, voxels, str(folder / "recgan_model"), recgan, recgan_settings),
        "occupancy": partial(
            train_occupancy, renders, voxels, depths, str(folder / "occupancy_model"), occupancy, settings
        ),
    }.items():
        if (folder / part / "dataset.json").is_file():
            continue
        clock = Clock()
        found = dict(train().figures)
        spent = f"{clock.seconds():.0f} s, {clock.cpu_seconds():.0f} CPU s"
        print(f"seed {seed}, {part}: {spent}, {json.dumps(found)}", flush=True)
    return folder


def measure(data: Path, folder: Path, split: Split) -> list[Measurement]:
    """The rows of `evaluate` for shapes, of both networks and the baselines, on a split."""
    views = ViewDatasets(
        Dataset([data / "renders"], "renders"),
        Dataset([data / "voxels"], "voxels"),
        Dataset([folder / "depths"], "depths"),
        Dataset([folder / "recgan"], "reconstructions"),
        Dataset([folder / "occupancy"], "reconstructions"),
    )
    val, measured = (
        [sample for sample in views.renders.of_split(one) if sample.id in views.reconstructions]
        for one in ("val", split)
    )
    resolution = views.resolution(measured)
    assert resolution, f"expected samples of the split {split}"
    gallery = ViewGallery.of_training(views.renders, views.depths, views.voxels)
    cases = partial(views.cases, resolution=resolution, gallery=gallery)
    found = compare_methods(views.methods(resolution), cases, val, measured, surface_samples=measured)
    for network in views.networks:
        told = read_metrics(folder / f"{network}_model")
        print(f"{network}: threshold {found.chosen[network]}, IoU on val {found.val_iou[network]:.4f}, "
              f"{told['steps']} steps, {told['seconds']:.0f} s")  # fmt: skip
    for dataset in views.datasets:
        dataset.close()
    return found.rows


def mean_over_seeds(tables: Sequence[Sequence[Measurement]]) -> EvaluationTable:
    """A table whose rows are the means of the same rows of several."""
    values: dict[Measurement, list[float]] = defaultdict(list)
    for rows in tables:
        for row in rows:
            values[row._replace(value=None)].append(float(row.value))
    return EvaluationTable(row._replace(value=float(np.mean(found))) for row, found in values.items())


def rows_of(table: EvaluationTable, of_what: str) -> list[tuple[str, str, str, bool]]:
    """Every method's figures, and the occupancy network's advantage over each."""
    figures: list[tuple[str, str, str, bool]] = []
    for measure in ("iou", *SURFACE_MEASURES):
        factor = 1000 if measure == "chamfer" else 1
        for method in ("occupancy", "recgan", *BASELINES):
            value = factor * table.mean(method, measure)
            figures.append((f"{measure} of {METHOD_TITLES[method]}, {of_what}", f"{value:.4f}", "-", True))
        for method in ("recgan", *BASELINES):
            found = table.difference(measure, ("occupancy", None), (method, None))
            low, high = (factor * found.low, factor * found.high)
            met = high < 0 if measure == "chamfer" else low > 0
            least = TARGET if (measure, method) == ("iou", "nearest_neighbour") else 0.0
            target = f"≥ {least}, without 0" if least else "better, without 0"
            told = f"{factor * found.difference:+.4f} [{low:+.4f}, {high:+.4f}]"
            name = f"occupancy − {METHOD_TITLES[method]}, {measure}, {of_what}, {found.objects} objects"
            figures.append((name, told, target, met and (not least or found.difference >= least)))
    per_class = {name: table.class_means(name, "iou") for name in ("occupancy", "recgan", "nearest_neighbour")}
    for name in per_class["occupancy"]:
        each: dict[str, Any] = {method: f"{of_class[name]:.2f}" for method, of_class in per_class.items()}
        figures.append((f"iou of {name}: occupancy, recgan, nearest neighbour", "/".join(each.values()), "-", True))
    return figures


if __name__ == "__main__":
    main()
