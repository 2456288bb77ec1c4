"""How well 3D-R2N2 learns: by heart, a catalogue, real meshes.

python benchmarks/multiview.py overfit DATA      six objects of the 3D-R2N2 data, three views each, by heart
python benchmarks/multiview.py generalize        1,500 procedural objects, on those that nothing was learned from
python benchmarks/multiview.py real DATA         real meshes, split by object
DATA is the folder of real meshes.
"""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from components.fetch.fetch import fetch_shard
from components.plan.plan import plan_shards
from components.voxelize.voxelize import voxelize_meshes
from pipelines.ir import preset
from shapeyard.contracts.dataset import Dataset, DatasetWriter
from shapeyard.sources.selection import Selection

TRAINING = (
    "width", "encoder", "memory", "kernel", "decoder", "detach", "min_views", "max_views", "augment", "background",
    "steps", "batch_size", "learning_rate", "validate_every", "seed", "workers",
)  # fmt: skip
OVERFITTING = {
    "image_size": 137, "width": 96, "encoder": "plain", "memory": "lstm", "kernel": 3, "decoder": "plain",
    "min_views": 3, "max_views": 3, "augment": False, "background": "white", "batch_size": 6,
}  # fmt: skip


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
    from components.train_multiview.reconstruct import agreement, load_network
    from components.train_multiview.train import train_multiview
    from components.train_multiview.views import Objects

    prepare(str(data / "r2n2"), work, resolution=32)
    keep_views(work / "renders", work / "three", 3)
    clock = Clock()
    figures = train_multiview(
        [work / "three"], [work / "voxels"], work / "model", work / "made",
        **OVERFITTING, steps=steps, learning_rate=learning_rate, validate_every=50, seed=seed,
    )  # fmt: skip
    spent = clock.read()
    network = load_network(work / "model")
    renders, voxels = Dataset([work / "three"], "renders"), Dataset([work / "voxels"], "voxels")
    objects = Objects(renders, voxels, renders.samples, OVERFITTING["image_size"])
    found = agreement(network, objects, [1, 2, 3], 6, half=figures["precision"] == "bfloat16")
    print(f"{len(objects)} objects, 3 views each: training IoU {found.by_views[3]:.4f} at threshold {found.threshold} "
          f"after {steps} steps; {described(figures)}, {spent}")  # fmt: skip


@main.command()
@click.option("--work", type=click.Path(path_type=Path), default=Path("runs/multiview/generalize"))
@click.option("--name", default="small", help="of the preset")
@click.option("--set", "changed", multiple=True, help="name=value in place of the preset's")
def generalize(work: Path, name: str, changed: tuple[str, ...]) -> None:
    """The preset's catalogue and training, measured on its test objects."""
    values = with_changes(preset("multiview", name), changed)
    prepare(values["source"], work, resolution=values["voxel_resolution"], **rendering(values))
    train_and_measure(work, ([work / "meshes"], [work / "renders"], [work / "voxels"]), values)


@main.command()
@click.argument("data", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--catalogue", type=click.Path(path_type=Path), help="work of generalize: its objects are learned from, too"
)
@click.option("--work", type=click.Path(path_type=Path), default=Path("runs/multiview/real"))
@click.option("--name", default="small", help="of the preset")
@click.option("--set", "changed", multiple=True, help="name=value in place of the preset's")
@click.option("--only-prepare", is_flag=True)
def real(
    data: Path, catalogue: Path | None, work: Path, name: str, changed: tuple[str, ...], only_prepare: bool
) -> None:
    """Real meshes: nothing is measured on, or chosen on, but objects of theirs that nothing was learned from."""
    values = with_changes(preset("multiview", name), changed)
    by_axis(data / "objects_obj", work)
    parts = {"y": str(work / "files-y"), "z": str(work / "files-z"), "shapenet": str(data / "shapenet_v2")}
    for part, source in parts.items():
        up_axis = "z" if part == "z" else "auto"
        prepare(source, work / part, resolution=values["voxel_resolution"], up_axis=up_axis, **rendering(values))
    if only_prepare:
        return
    meshes, renders, voxels = ([work / part / kind for part in parts] for kind in ("meshes", "renders", "voxels"))
    also: tuple[list[Path], list[Path]] = ([], [])
    if catalogue:
        keep_views(catalogue / "renders", work / "catalogue", values["views"])
        also = [work / "catalogue"], [catalogue / "voxels"]
    train_and_measure(work, (meshes, renders, voxels), values, also)


def by_axis(objects: Path, work: Path) -> None:
    """Two folders of links: the name of a file says which way is up, _m… for +Y and _d… for +Z."""
    for path in sorted(objects.glob("*/*.obj")):
        axis = "z" if path.stem.rpartition("_")[2].startswith("d") else "y"
        link = work / f"files-{axis}" / path.parent.name / path.name
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.is_symlink():
            link.symlink_to(path.resolve())


def train_and_measure(
    work: Path, shards: tuple[list[Path], list[Path], list[Path]], values: dict[str, Any],
    also: tuple[list[Path], list[Path]] = ([], []),
) -> None:  # fmt: skip
    """Train as the preset says on meshes, renders and voxels, `also` on other renders and voxels; print the page.

    What was also learned from counts for the baselines as well, in a second table.
    """
    from components.train_multiview.train import train_multiview

    meshes, renders, voxels = shards
    clock = Clock()
    settings = {name: values[name] for name in TRAINING} | {"image_size": values["crop_size"]}
    figures = train_multiview(
        [*renders, *also[0]], [*voxels, *also[1]], work / "model", work / "made", **settings,
        checkpoints=str(work / "checkpoints"),
    )  # fmt: skip
    print(f"{figures['objects']} objects, {figures['steps']} steps; {described(figures)}, {clock.read()}; "
          f"best on val after step {figures['kept_step']}", flush=True)  # fmt: skip
    show(work, meshes, renders, voxels)
    if also[0]:
        print("the same with baselines that know the other objects as well")
        show(work, meshes, [*renders, *also[0]], [*voxels, *also[1]])


def show(work: Path, meshes: list[Path], renders: list[Path], voxels: list[Path]) -> None:
    from components.evaluate_multiview.evaluate_multiview import evaluate_multiview

    shards = meshes, renders, voxels
    evaluate_multiview(*shards, work / "made", work / "model", work / "page.html", work / "evaluation")
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


def with_changes(values: dict[str, Any], changed: tuple[str, ...]) -> dict[str, Any]:
    """The preset's values, some replaced by what was given as name=value."""
    given = dict(item.split("=", 1) for item in changed)
    return values | {name: type(values[name])(value) for name, value in given.items()}


def rendering(values: dict[str, Any]) -> dict[str, Any]:
    same = ("cameras", "views", "image_size", "samples", "elevation_degrees", "light", "seed")
    return {name: values[name] for name in same} | {
        "distance": values["camera_distance"], "background": values["render_background"],
    }  # fmt: skip


def described(figures: dict[str, Any]) -> str:
    waited = f"waited for data {figures['waited_for_data']:.1%} of the time"
    return f"{figures['parameters'] / 1e6:.1f} M parameters, {figures['precision']}, {waited}"


class Clock:
    """Wall and processor seconds since it was made; on two cores the wall's are half the processor's at the least."""

    def __init__(self) -> None:
        self.wall, self.cpu = time.perf_counter(), time.process_time()

    def read(self) -> str:
        wall, cpu = time.perf_counter() - self.wall, time.process_time() - self.cpu
        return f"{wall:.0f} s, {cpu:.0f} s of CPU (so {cpu / 2:.0f} s on two cores of one's own)"


def prepare(source: str, work: Path, *, resolution: int, up_axis: str = "auto", **rendering: Any) -> None:
    """Meshes, grids and images of a source, unless they are there."""
    from components.render.render import render_meshes

    if not (work / "renders" / "dataset.json").is_file():
        (item,) = plan_shards(Selection(source, up_axis=up_axis, shards=1))
        fetch_shard(item, work / "meshes", 256, 2_000_000, 0.5)
        voxelize_meshes(work / "meshes", work / "voxels", resolution=resolution)
        render_meshes(work / "meshes", work / "renders", **rendering)


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
