"""How many views a second `render` makes, beside the time that Blender's own render calls take of it.

python benchmarks/rendering.py [--meshes DATASET …] [--objects 84] [--processes 2] [--views 24] [--samples 4]
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import tempfile
import time
from pathlib import Path

import click

from components.fetch.fetch import fetch_shard
from components.plan.plan import plan_shards
from shapeyard.contracts.dataset import Dataset
from shapeyard.sources.selection import Selection


@click.command()
@click.option("--meshes", multiple=True, type=click.Path(exists=True), help="Datasets of meshes, one a process.")
@click.option("--objects", default=84, show_default=True, help="Procedural objects, where no dataset is given.")
@click.option("--processes", default=2, show_default=True, help="That render side by side and share the cores.")
@click.option("--views", default=24, show_default=True)
@click.option("--image-size", default=96, show_default=True)
@click.option("--samples", default=4, show_default=True)
def main(meshes: tuple[str, ...], objects: int, processes: int, views: int, image_size: int, samples: int) -> None:
    """Print seconds and views a second of rendering datasets of meshes, start of the processes included."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [str(path) for path in meshes or procedural_meshes(Path(folder), objects, processes)]
        cores = len(os.sched_getaffinity(0))
        parameters = {
            "views": views, "image_size": image_size, "samples": samples, "workers": max(1, cores // len(paths))
        }  # fmt: skip
        start = time.perf_counter()
        with multiprocessing.get_context("spawn").Pool(len(paths)) as pool:
            done = pool.starmap(render, [(path, f"{folder}/renders-{n}", parameters) for n, path in enumerate(paths)])
        seconds = time.perf_counter() - start
        count = sum(len(Dataset([f"{folder}/renders-{n}"], "renders").samples) for n in range(len(paths)))
    blender = sum(calls for calls, _, _ in done) / len(done)
    print(f"{count} objects, {count * views} views of {image_size}² with {samples} samples, {len(paths)} processes")
    print(f"{seconds:.1f} s, {count * views / seconds:.1f} views/s, start of Python and Blender included")
    print(f"{blender:.1f} s of it in Blender's render calls ({blender / seconds:.0%})")
    print(f"{sum(cpu for _, cpu, _ in done):.1f} s on {cores} cores, {max(peak for _, _, peak in done)} MB at the peak")


def procedural_meshes(folder: Path, objects: int, shards: int) -> list[Path]:
    """Datasets of meshes from the catalogue, made before the clock starts."""
    items = plan_shards(Selection(f"procedural://?objects={objects}", shards=shards))
    for number, item in enumerate(items):
        fetch_shard(item, folder / f"meshes-{number}", 64, 2_000_000, 0.5)
    return [folder / f"meshes-{number}" for number in range(len(items))]


def render(meshes: str, renders: str, parameters: dict[str, int]) -> tuple[float, float, int]:
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
