"""Depth from one image on objects never seen: `python benchmarks/depth.py FOLDER [--param depth_steps=9000 …]`.

Objects of the procedural catalogue are rendered, the U-Net is trained on the training split, the best weights are
chosen on the validation split, and the test split is measured as `evaluate` does. The sizes are those of the preset
`small` but for the numbers below; --param changes any of them. FOLDER keeps the renders, and a checkpoint from which an
interrupted training goes on. The promise on time is for two cores without a GPU: 40 minutes are 4,800 CPU seconds.
"""

from __future__ import annotations

import json
import resource
import time
from pathlib import Path
from typing import Any

import click
import yaml
from tables import print_figures

from components.evaluate.averages import mean_over_classes
from components.evaluate.depth import depth_rows, mean_training_depth
from components.fetch.fetch import fetch_shard
from components.plan.plan import plan_shards
from components.render.render import render_meshes
from components.train_depth.train import train_depth
from shapeyard.contracts.dataset import Dataset
from shapeyard.errors import DatasetError
from shapeyard.sources.selection import Selection

PRESET = Path(__file__).parents[1] / "pipelines" / "presets" / "reconstruct" / "small.yaml"
CLASSES = "chair,table,sofa,shelf,lamp,bed,cup,bottle"
LONGER = {"views": 6, "depth_width": 24, "depth_steps": 16000, "depth_batch_size": 8, "depth_validate_every": 2000,
          "depth_learning_rate": 0.0015}  # fmt: skip
CORES = 2


@click.command(help=__doc__)
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--objects", default=1500, show_default=True)
@click.option("--param", "changes", multiple=True, help="name=value of a parameter of the preset; several times.")
def main(folder: Path, objects: int, changes: tuple[str, ...]) -> None:
    """Print a table of figures, their promises, and whether they are kept."""
    given = {name: yaml.safe_load(value) for name, _, value in (change.partition("=") for change in changes)}
    settings: dict[str, Any] = {**yaml.safe_load(PRESET.read_text(encoding="utf-8")), **LONGER, **given}
    views, size, samples = (settings[name] for name in ("views", "image_size", "samples"))
    renders = folder / f"renders-{objects}-{views}x{size}-{samples}"
    if not (renders / "dataset.json").is_file():
        render(folder / "meshes", renders, objects, settings)

    depth = {name.removeprefix("depth_"): value for name, value in settings.items() if name.startswith("depth_")}
    before, started = cpu_seconds(), time.monotonic()
    trained = train_depth(
        [str(renders)], str(folder / "model"), str(folder / "depths"), **depth, seed=settings["seed"],
        checkpoints=str(folder / "checkpoints"),
    )  # fmt: skip
    cpu, wall = cpu_seconds() - before, time.monotonic() - started
    print(json.dumps({**depth, **trained, "cpu_seconds": round(cpu), "wall_seconds": round(wall)}))
    measure(renders, folder / "depths", trained, cpu)


def render(meshes: Path, renders: Path, objects: int, settings: dict[str, Any]) -> None:
    """Make the objects and their images."""
    source = f"procedural://?objects={objects}&seed=0&classes={CLASSES}"
    (item,) = plan_shards(Selection(source, shards=1))
    fetch_shard(item, meshes, settings["max_megabytes"], settings["max_triangles"], 0.0)
    render_meshes(
        meshes, renders, cameras=settings["cameras"], views=settings["views"], image_size=settings["image_size"],
        samples=settings["samples"], elevation_degrees=settings["elevation_degrees"],
        distance=settings["camera_distance"], light=settings["light"], background=settings["background"],
        seed=settings["seed"], workers=0, max_skipped=0.0,
    )  # fmt: skip


def measure(renders: Path, depths: Path, trained: dict[str, Any], cpu: float) -> None:
    """Print the figures of the test split."""
    images, predicted = Dataset([renders], "renders"), Dataset([depths], "depths")
    test = images.of_split("test")
    if not test:
        raise DatasetError(f"{renders}: expected samples in the test split")
    rows = depth_rows(images, predicted, test, mean_training_depth(images))
    measures = ("depth_rmse", "constant_depth_rmse", "depth_delta")
    rmse, constant, delta = (float(mean_over_classes(rows, measure)) for measure in measures)
    minutes = cpu / CORES / 60
    waited = trained["waited_for_data"]
    print_figures(
        [
            ("views of the test split", f"{len(rows)} of {len(test)} objects", "-", True),
            (
                "RMSE on the validation split",
                f"{trained['val_rmse']:.4f} (kept step {trained['kept_step']})",
                "-",
                True,
            ),
            ("RMSE, mean depth", f"{constant:.4f}", "-", True),
            ("RMSE", f"{rmse:.4f}: {constant / rmse:.2f} times less", "<= a quarter", rmse <= constant / 4),
            ("δ < 1.05", f"{delta:.4f}", ">= 0.97", delta >= 0.97),
            (
                "training, since it was last started",
                f"{cpu:.0f} CPU s: {minutes:.1f} min on {CORES} cores",
                "<= 40 min",
                minutes <= 40,
            ),
            ("share of the time waited for data", f"{waited:.2%}", "< 5 %", waited < 0.05),
        ]
    )


def cpu_seconds() -> float:
    """Of this process."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
