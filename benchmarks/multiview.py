"""How well 3D-R2N2 learns.

python benchmarks/multiview.py overfit DATA      overfitting sanity check: six objects of the 3D-R2N2 data, three views
python benchmarks/multiview.py generalize        1,500 procedural objects, measured on the held-out test objects
python benchmarks/multiview.py real DATA         real meshes, split by object
DATA is the folder of real meshes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from preparation import CORES, Clock, PresetSettings, prepare, real_meshes

from components.render import RenderSettings
from components.train_multiview import TrainMultiviewSettings
from components.voxelize import VoxelizeSettings
from shapeyard.contracts.dataset import Dataset, DatasetWriter
from shapeyard.sources.selection import Selection

OVERFITTING = TrainMultiviewSettings(
    crop_size=137, width=96, encoder="plain", recurrent_unit="lstm", kernel=3, decoder="plain", min_views=3,
    max_views=3, augment=False, background="white", batch_size=6, validate_every=50,
)  # fmt: skip


@click.group(help=__doc__)
def main() -> None: ...


@main.command()
@click.argument("data", type=click.Path(exists=True, path_type=Path))
@click.option("--work", type=click.Path(path_type=Path), default=Path("runs/multiview/overfit"))
@click.option("--steps", default=400)
@click.option("--learning-rate", default=5e-4)
@click.option("--seed", default=0)
def overfit(data: Path, work: Path, steps: int, learning_rate: float, seed: int) -> None:
    """The reimplementation's network and experiment: the same few objects and views in every step."""
    from components.train_multiview.shapes_by_views import iou_by_views
    from components.train_multiview.train_multiview import train_multiview
    from components.train_multiview.view_sequences import ViewSequences
    from shapeyard.inference.models import load_torch

    prepare(Selection(str(data / "r2n2")), work, RenderSettings(), VoxelizeSettings(resolution=32))
    keep_views(work / "renders", work / "three", 3)
    clock = Clock()
    settings = replace(OVERFITTING, steps=steps, learning_rate=learning_rate, seed=seed)
    figures = train_multiview([work / "three"], [work / "voxels"], work / "model", work / "made", settings).figures
    spent = time_of(clock)
    network: Any = load_torch(work / "model").network
    renders, voxels = Dataset([work / "three"], "renders"), Dataset([work / "voxels"], "voxels")
    objects = ViewSequences(renders, voxels, renders.samples, settings.crop_size)
    found = iou_by_views(network, objects, [1, 2, 3], 6, half=figures["precision"] == "bfloat16")
    print(f"{len(objects)} objects, 3 views each: training IoU {found.by_views[3]:.4f} at threshold {found.threshold} "
          f"after {steps} steps; {described(figures)}, {spent}")  # fmt: skip


@main.command()
@click.option("--work", type=click.Path(path_type=Path), default=Path("runs/multiview/generalize"))
@click.option("--preset", "name", default="small", show_default=True)
@click.option("--set", "changed", multiple=True, help="name=value in place of the preset's")
def generalize(work: Path, name: str, changed: tuple[str, ...]) -> None:
    """The preset's catalogue and training, measured on its test objects."""
    preset = PresetSettings("multiview", name, changed)
    prepare(preset.of(Selection), work, preset.of(RenderSettings), preset.of(VoxelizeSettings))
    train_and_measure(work, ([work / "meshes"], [work / "renders"], [work / "voxels"]), preset)


@main.command()
@click.argument("data", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--catalogue", type=click.Path(path_type=Path), help="work of generalize: its objects are trained on, too"
)
@click.option("--work", type=click.Path(path_type=Path), default=Path("runs/multiview/real"))
@click.option("--preset", "name", default="small", show_default=True)
@click.option("--set", "changed", multiple=True, help="name=value in place of the preset's")
@click.option("--only-prepare", is_flag=True)
def real(
    data: Path, catalogue: Path | None, work: Path, name: str, changed: tuple[str, ...], only_prepare: bool
) -> None:
    """Real meshes: everything is measured on, and chosen on, held-out objects of theirs."""
    preset = PresetSettings("multiview", name, changed)
    parts = real_meshes(data, work)
    for part, selection in parts.items():
        prepare(selection, work / part, preset.of(RenderSettings), preset.of(VoxelizeSettings))
    if only_prepare:
        return
    meshes, renders, voxels = ([work / part / kind for part in parts] for kind in ("meshes", "renders", "voxels"))
    also: tuple[list[Path], list[Path]] = ([], [])
    if catalogue:
        keep_views(catalogue / "renders", work / "catalogue", preset.of(RenderSettings).views)
        also = [work / "catalogue"], [catalogue / "voxels"]
    train_and_measure(work, (meshes, renders, voxels), preset, also)


def train_and_measure(
    work: Path, shards: tuple[list[Path], list[Path], list[Path]], preset: PresetSettings,
    also: tuple[list[Path], list[Path]] = ([], []),
) -> None:  # fmt: skip
    """Train as the preset says on meshes, renders and voxels, `also` on other renders and voxels; print the page.

    What else was trained on counts for the baselines as well, in a second table.
    """
    from components.train_multiview.train_multiview import train_multiview

    meshes, renders, voxels = shards
    clock = Clock()
    settings = preset.of(TrainMultiviewSettings, checkpoints=str(work / "checkpoints"))
    figures = train_multiview(
        [*renders, *also[0]], [*voxels, *also[1]], work / "model", work / "made", settings
    ).figures
    print(f"{figures['objects']} objects, {figures['steps']} steps; {described(figures)}, {time_of(clock)}; "
          f"best on val after step {figures['kept_step']}", flush=True)  # fmt: skip
    show(work, meshes, renders, voxels)
    if also[0]:
        print("the same with baselines that know the other objects as well")
        show(work, meshes, [*renders, *also[0]], [*voxels, *also[1]])


def show(work: Path, meshes: list[Path], renders: list[Path], voxels: list[Path]) -> None:
    from components.evaluate_multiview import EvaluateMultiviewSettings
    from components.evaluate_multiview.evaluate_multiview import evaluate_multiview

    shards = meshes, renders, voxels
    page, evaluation = work / "page.html", work / "evaluation"
    evaluate_multiview(*shards, work / "made", work / "model", page, evaluation, EvaluateMultiviewSettings())
    metrics = json.loads((work / "evaluation" / "metrics.json").read_text(encoding="utf-8"))
    print(f"{metrics['samples']['test']} test objects, {metrics['samples']['train']} that the baselines know")
    print(f"{'':20}" + "".join(f"{n:>8} views" for n in metrics["views"]))
    for method, found in metrics["methods"].items():
        print(f"{method:20}" + "".join(f"{found['iou'][str(n)]:14.3f}" for n in metrics["views"]))
    for baseline, by_views in metrics["over_baselines"].items():
        print(f"above {baseline:17}" + "".join(f"  {interval(by_views[str(n)])}" for n in metrics["views"]))
    ceiling = metrics["ceiling"]
    against_meshes = f"; perfect voxels against their meshes {ceiling['fscore']:.3f}" if ceiling else ""
    print(f"F-score of {metrics['surface_objects']} objects' surfaces{against_meshes}")
    for method, found in metrics["methods"].items():
        print(f"{method:20}" + "".join(f"{value:14.3f}" for value in found["fscore"].values()))
    for baseline, by_views in metrics["fscore_over_baselines"].items():
        print(f"above {baseline:17}" + "".join(f"  {interval(found)}" for found in by_views.values()))
    for pair in ("5 − 1", "12 − 5"):
        if pair in metrics["more_views"]:
            print(f"{pair} views: {interval(metrics['more_views'][pair])}")


def interval(found: dict[str, float]) -> str:
    return f"{found['difference']:+.3f} ({found['low']:+.3f} … {found['high']:+.3f})"


def described(figures: Mapping[str, Any]) -> str:
    waited = f"waited for data {figures['waited_for_data']:.1%} of the time"
    return f"{figures['parameters'] / 1e6:.1f} M parameters, {figures['precision']}, {waited}"


def time_of(clock: Clock) -> str:
    cpu = clock.cpu_seconds()
    return f"{clock.seconds():.0f} s, {cpu:.0f} s of CPU (so {cpu / CORES:.0f} s on two cores of one's own)"


def keep_views(renders: Path, target: Path, views: int) -> None:
    """The first views of each object, all objects for training."""
    images = Dataset([renders], "renders")
    with DatasetWriter(target, "renders", "render", {"views": views}) as writer:
        for sample in images.samples:
            arrays = {
                name: images.read(sample.id, name)[:views] for name in ("rgba", "world_from_camera")
            } | {"intrinsics": images.read(sample.id, "intrinsics")}  # fmt: skip
            writer.add(replace(sample, split="train"), arrays)


if __name__ == "__main__":
    main()
