"""What the stage `render` takes against Blender's own render calls, and against a process of its own for every model.

python benchmarks/rendering.py [--source FOLDER] [--views 24] [--image-size 137] [--samples 1 --samples 8]
                                [--peers 6] [--repeat 2]

All are measured in turns, since other work on the machine slows all of them down; the best round of each counts. The
stage is started as a command. Blender's render calls are those of one process that draws all models, with a thread a
core. The peer is the same command with the same settings, started once for each of some models and scaled to all of
them. Seconds include the start of Python and Blender: the fewer samples, the more of a process's time that is.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import click

from components.fetch import FetchSettings
from components.fetch.fetch import fetch
from components.plan.plan import plan
from components.render import RenderSettings
from shapeyard.contracts.dataset import Dataset, DatasetWriter
from shapeyard.sources.selection import Selection

MAX_OVER_CALLS = 1.3
MIN_UNDER_PROCESSES = 4.0


@click.command()
@click.option("--source", default="procedural://?objects=33", show_default=True, help="Where the meshes are.")
@click.option("--views", default=24, show_default=True)
@click.option("--image-size", default=137, show_default=True)
@click.option("--samples", multiple=True, default=(1, 4, 8), show_default=True, help="Several to compare several.")
@click.option("--peers", default=6, show_default=True, help="Models that get a process of their own.")
@click.option("--repeat", default=2, show_default=True, help="Rounds; the best of each is compared in the end.")
def main(source: str, views: int, image_size: int, samples: tuple[int, ...], peers: int, repeat: int) -> None:
    """Print seconds of the stage, of Blender's render calls in it, and of one process a model, with the targets."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (item,) = plan(Selection(source, shards=1))
        fetch(item, folder / "meshes", FetchSettings(max_megabytes=64))
        meshes = Dataset([folder / "meshes"], "meshes")
        singles = write_singles(meshes, folder, peers)
        count = len(meshes.samples)
        print(f"{count} objects, {count * views} views of {image_size}²; {len(singles)} peers, scaled to {count}")
        print(f"targets: stage at most {MAX_OVER_CALLS} × render calls, and at least {MIN_UNDER_PROCESSES:.0f} × "
              "less than one process a model\n")  # fmt: skip
        print(
            "| samples | stage | render calls | stage / calls | process a model | / stage | processor time | memory |"
        )
        print("| --: | --: | --: | --: | --: | --: | --: | --: |")
        for number in samples:
            parameters = {"views": views, "image_size": image_size, "samples": number}
            rounds = [measure(folder, singles, count, parameters) for _ in range(repeat)]
            best = min(rounds)
            over = min(result.stage / result.calls for result in rounds)
            processes = min(result.processes for result in rounds)
            under = processes / best.stage
            cpu = best.processes_cpu / best.cpu
            cells = [
                str(number),
                f"{best.stage:.1f} s",
                f"{best.calls:.1f} s",
                f"{over:.2f} {met(over <= MAX_OVER_CALLS)}",
                f"{processes:.1f} s",
                f"{under:.1f} {met(under >= MIN_UNDER_PROCESSES)}",
                f"{best.processes_cpu:.1f} s / {best.cpu:.1f} s = {cpu:.1f}",
                f"{best.megabytes} MB",
            ]
            print(f"| {' | '.join(cells)} |", flush=True)


class Round(NamedTuple):
    """Seconds, but for the memory at the peak of the largest process."""

    stage: float
    calls: float
    """in Blender's render calls, one after the other"""
    cpu: float
    megabytes: int
    processes: float
    """of one process a model, for all models"""
    processes_cpu: float


def met(target: bool) -> str:
    """The word for the table."""
    return "(met)" if target else "(missed)"


def write_singles(meshes: Dataset, folder: Path, count: int) -> list[Path]:
    """Datasets of one model each, evenly out of all."""
    chosen = meshes.samples[:: -(-len(meshes.samples) // count)]
    for number, sample in enumerate(chosen):
        meshes.extract(sample.id, folder / f"files-{number}")
        with DatasetWriter(folder / f"single-{number}", "meshes", "benchmark", {}) as writer:
            writer.add_files(sample, folder / f"files-{number}", str(sample.attributes["main"]))
    return [folder / f"single-{number}" for number in range(len(chosen))]


def measure(folder: Path, singles: list[Path], objects: int, parameters: dict[str, int]) -> Round:
    """The render calls for all models, the stage over all, then a process for each of some."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        calls = pool.apply(render_calls, (folder / "meshes", folder / "renders", parameters))
    stage, cpu = run_stage([folder / "meshes"], folder / "renders", parameters)
    megabytes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    processes, processes_cpu = run_stage(singles, folder / "render-of-one", parameters)
    scale = objects / len(singles)
    return Round(stage, calls, cpu, megabytes, processes * scale, processes_cpu * scale)


def run_stage(datasets: list[Path], renders: Path, parameters: dict[str, int]) -> tuple[float, float]:
    """Seconds, and seconds of processor time, of a command for each dataset, one after the other."""
    options = [text for name, value in parameters.items() for text in (f"--{name.replace('_', '-')}", str(value))]
    start, before = time.perf_counter(), os.times()
    for dataset in datasets:
        command = [sys.executable, "-m", "launch", "render", "--meshes", str(dataset), "--renders", str(renders)]
        subprocess.run([*command, *options], check=True)
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return time.perf_counter() - start, cpu


def render_calls(meshes: Path, renders: Path, parameters: dict[str, Any]) -> float:
    """Seconds in Blender's render calls, in this process: the stage forks none where Blender is loaded already."""
    import bpy

    from components.render.render import render

    calls: list[float] = []

    @bpy.app.handlers.persistent
    def begin(*_: object) -> None:
        calls.append(-time.perf_counter())

    @bpy.app.handlers.persistent
    def end(*_: object) -> None:
        calls[-1] += time.perf_counter()

    bpy.app.handlers.render_init.append(begin)
    bpy.app.handlers.render_complete.append(end)
    render(meshes, renders, RenderSettings(**parameters))
    return sum(calls)


if __name__ == "__main__":
    main()
