"""What the stage `render` takes beside Blender's own render calls, and beside a process of its own for every model.

python benchmarks/rendering.py [--source FOLDER] [--views 24] [--image-size 137] [--samples 1 --samples 8]
                                [--peers 6] [--repeat 2]

Both are measured in turns, since other work on the machine slows both down; the best round of each counts. The peer
is the same stage with the same settings, started once for each of some models and scaled to all of them. Seconds
include the start of Python and Blender: the fewer samples, the more of a process's time that is.
"""

from __future__ import annotations

import multiprocessing
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import click

from components.fetch.fetch import fetch_shard
from components.plan.plan import plan_shards
from shapeyard.contracts.dataset import Dataset, DatasetWriter
from shapeyard.sources.selection import Selection

MOST_OVER_CALLS = 1.3
LEAST_UNDER_PROCESSES = 4.0


@click.command()
@click.option("--source", default="procedural://?objects=33", show_default=True, help="Where the meshes are.")
@click.option("--views", default=24, show_default=True)
@click.option("--image-size", default=137, show_default=True)
@click.option("--samples", multiple=True, default=(1, 4, 8), show_default=True, help="Several to compare several.")
@click.option("--peers", default=6, show_default=True, help="Models that get a process of their own.")
@click.option("--repeat", default=2, show_default=True, help="Rounds; the best of each is compared in the end.")
def main(source: str, views: int, image_size: int, samples: tuple[int, ...], peers: int, repeat: int) -> None:
    """Print seconds of the stage, of Blender's render calls in it, and of one process a model, with the promises."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        fetch_shard(plan_shards(Selection(source, shards=1))[0], folder / "meshes", 64, 2_000_000, 0.5)
        meshes = Dataset([folder / "meshes"], "meshes")
        singles = write_singles(meshes, folder, peers)
        count = len(meshes.samples)
        print(f"{count} objects, {count * views} views of {image_size}²; {len(singles)} peers, scaled to {count}")
        print(f"promised: stage at most {MOST_OVER_CALLS} × render calls, and at least {LEAST_UNDER_PROCESSES:.0f} × "
              "less than one process a model\n")  # fmt: skip
        print("| samples | stage | processor | memory | render calls | stage / calls | process a model | / stage |")
        print("| --: | --: | --: | --: | --: | --: | --: | --: |")
        for number in samples:
            parameters = {"views": views, "image_size": image_size, "samples": number}
            rounds = [measure(folder, singles, count, parameters) for _ in range(repeat)]
            stage, calls, cpu, megabytes, _ = min(rounds)
            processes = min(result[-1] for result in rounds)
            over, under = min(result[0] / result[1] for result in rounds), processes / stage
            print(f"| {number} | {stage:.1f} s | {cpu:.1f} s | {megabytes} MB | {calls:.1f} s | "
                  f"{over:.2f} {kept(over <= MOST_OVER_CALLS)} | {processes:.1f} s | "
                  f"{under:.1f} {kept(under >= LEAST_UNDER_PROCESSES)} |", flush=True)  # fmt: skip


def kept(promise: bool) -> str:
    """The word for the table."""
    return "(kept)" if promise else "(not kept)"


def write_singles(meshes: Dataset, folder: Path, count: int) -> list[Path]:
    """Datasets of one model each, evenly out of all."""
    chosen = meshes.samples[:: -(-len(meshes.samples) // count)]
    for number, sample in enumerate(chosen):
        meshes.extract(sample.id, folder / f"files-{number}")
        with DatasetWriter(folder / f"single-{number}", "meshes", "benchmark", {}) as writer:
            writer.add_files(sample, folder / f"files-{number}", str(sample.attributes["main"]))
    return [folder / f"single-{number}" for number in range(len(chosen))]


def measure(
    folder: Path, singles: list[Path], objects: int, parameters: dict[str, int]
) -> tuple[float, float, float, int, float]:
    """Seconds of the stage, of its render calls and of processor time, megabytes at its peak, seconds of the peers."""
    start = time.perf_counter()
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        calls, cpu, megabytes = pool.apply(render, (folder / "meshes", folder / "renders", parameters))
    stage = time.perf_counter() - start
    options = [text for name, value in parameters.items() for text in (f"--{name.replace('_', '-')}", str(value))]
    start = time.perf_counter()
    for single in singles:
        command = [sys.executable, "-m", "components", "render", "--meshes", str(single)]
        subprocess.run([*command, "--renders", str(folder / "render-of-one"), *options], check=True)
    processes = (time.perf_counter() - start) * objects / len(singles)
    return stage, calls, cpu, megabytes, processes


def render(meshes: Path, renders: Path, parameters: dict[str, Any]) -> tuple[float, float, int]:
    """Seconds in Blender's render calls, seconds of processor time, megabytes at the peak."""
    import bpy

    from components.render.render import render_meshes

    calls: list[float] = []

    @bpy.app.handlers.persistent
    def begin(*_: object) -> None:
        calls.append(-time.perf_counter())

    @bpy.app.handlers.persistent
    def end(*_: object) -> None:
        calls[-1] += time.perf_counter()

    bpy.app.handlers.render_init.append(begin)
    bpy.app.handlers.render_complete.append(end)
    render_meshes(meshes, renders, **parameters)
    used = resource.getrusage(resource.RUSAGE_SELF)
    return sum(calls), used.ru_utime + used.ru_stime, used.ru_maxrss // 1024


if __name__ == "__main__":
    main()
