"""The binvox format: files read and written again, how fast, and headers compared with those of ShapeNet's own files.

python benchmarks/binvox.py FOLDER      every .binvox below it; every ShapeNet model with a .solid.binvox
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click
import numpy as np
from tables import print_figures

from components.fetch import FetchSettings
from components.fetch.fetch import fetch
from components.plan.plan import plan
from components.voxelize import VoxelizeSettings
from components.voxelize.voxelize import voxelize
from shapeyard.contracts.dataset import Dataset
from shapeyard.formats.binvox import read_binvox, write_binvox
from shapeyard.formats.export import export_voxels
from shapeyard.sources.selection import Selection

REPEATS = 5
NOISE = "a hundred shells (2.7 million runs)"
"""No shape: shown for what it costs."""
SOURCE_OF_BINVOX = ".solid.binvox"


@click.command(help=__doc__)
@click.argument("folder", type=click.Path(exists=True, path_type=Path))
def main(folder: Path) -> None:
    """Print a table of figures, their targets, and whether these are met."""
    with tempfile.TemporaryDirectory() as scratch:
        again = Path(scratch, "again.binvox")
        paths = sorted(folder.rglob("*.binvox"))
        same = 0
        for path in paths:
            write_binvox(again, *read_binvox(path))
            same += again.read_bytes() == path.read_bytes()
        figures = [("files that come back byte for byte", f"{same} of {len(paths)}", "all", same == len(paths))]
        for name, grid in grids_of_256().items():
            writing = fastest(partial(write_binvox, again, grid, (0, 0, 0), 1.0))
            reading = fastest(partial(read_binvox, again))
            target, met = ("< 60 ms", max(writing, reading) < 60) if name != NOISE else ("-", True)
            figures.append((f"write and read 256³, {name}", f"{writing:.0f} and {reading:.0f} ms", target, met))
        shapenet = folder / "shapenet_v2" if (folder / "shapenet_v2").is_dir() else folder
        figures += shapenet_figures(shapenet, Path(scratch))
    print_figures(figures)


def grids_of_256() -> dict[str, np.ndarray]:
    """Grids of few runs, and one of many."""
    along = (np.arange(256) + 0.5) / 256 - 0.5
    radius = np.linalg.norm(np.stack(np.meshgrid(along, along, along, indexing="ij")), axis=0)
    return {
        "a ball": radius < 0.45,
        "ten shells": (radius < 0.45) & (np.floor(radius * 44) % 2 == 0),
        NOISE: (radius < 0.45) & (np.floor(radius * 222) % 2 == 0),
        "empty": np.zeros((256,) * 3, bool),
    }


def fastest(call: Callable[[], Any]) -> float:
    """The best of some runs in milliseconds of this thread."""
    times = []
    for _ in range(REPEATS):
        started = time.thread_time()
        call()
        times.append((time.thread_time() - started) * 1000)
    return min(times)


def shapenet_figures(folder: Path, scratch: Path) -> list[tuple[str, str, str, bool]]:
    """The stages' own way, from the files of ShapeNet to exported .binvox, at the corner of the box."""
    (item,) = plan(Selection(str(folder), shards=1))
    fetch(item, scratch / "meshes", FetchSettings(max_megabytes=64, max_skipped=0.0))
    voxelize(scratch / "meshes", scratch / "voxels", VoxelizeSettings(resolution=128, centered=False, max_skipped=0.0))
    export_voxels(scratch / "voxels", scratch / "out")
    voxels = Dataset([scratch / "voxels"], "voxels")
    furthest, overlaps = 0.0, []
    for sample in voxels.samples:
        source = Path(sample.source.removeprefix("file://"))
        theirs = source.with_name(source.stem + SOURCE_OF_BINVOX)
        if theirs.is_file():
            truth, translate, scale = read_binvox(theirs)
            own, own_translate, own_scale = read_binvox(scratch / "out" / f"{sample.id}.binvox")
            furthest = max(furthest, *np.abs(own_translate - translate), abs(own_scale - scale))
            overlaps.append(float((own & truth).sum() / (own | truth).sum()))
    median, mean = float(np.median(overlaps)), float(np.mean(overlaps))
    count = len(overlaps)
    return [
        (f"header: furthest from ShapeNet's, {count} models", f"{furthest:.1e}", "< 1e-5 on 33", furthest < 1e-5),
        ("exported, IoU with .solid.binvox, median", f"{median:.4f}", ">= 0.97", median >= 0.97),
        ("exported, IoU with .solid.binvox, mean", f"{mean:.4f}", ">= 0.94", mean >= 0.94),
    ]


if __name__ == "__main__":
    main()
