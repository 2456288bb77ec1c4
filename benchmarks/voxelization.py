"""How near `solid_occupancy` comes to ShapeNet's own files, and how long it takes on one core.

python benchmarks/voxelization.py FOLDER      every model_normalized.obj below it that has a .solid.binvox
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from shapeyard.formats.binvox import read_binvox
from shapeyard.formats.mesh import read_mesh
from shapeyard.geometry.voxelization import solid_occupancy, surface_occupancy

REPEATS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description="IoU and milliseconds of the voxelizer over ShapeNet models.")
    parser.add_argument("folder", type=Path, help="a folder of ShapeNetCore v2 models with their binvox files")
    folder = parser.parse_args().folder
    paths = [path for path in sorted(folder.rglob("*.obj")) if path.with_suffix(".solid.binvox").is_file()]
    if not paths:
        parser.error(f"{folder}: no .obj with a .solid.binvox beside it")
    started = time.perf_counter()
    solid_occupancy(np.eye(3) * 0.3, np.array([[0, 1, 2]]), 8)
    surface_occupancy(np.eye(3) * 0.3, np.array([[0, 1, 2]]), 8)
    print(f"first calls (compiling, or loading what was compiled): {time.perf_counter() - started:.2f} s")

    overlaps: dict[str, list[float]] = {"solid": [], "as binvox": []}
    milliseconds: dict[str, list[float]] = {}
    for path in paths:
        truth, minimum, side = read_binvox(path.with_suffix(".solid.binvox"))
        milliseconds.setdefault("read OBJ", []).append(measure(partial(read_mesh, path)))
        vertices, faces = read_mesh(path)
        for name, keep_sheets in (("solid", True), ("as binvox", False)):
            grid = solid_occupancy(vertices, faces, truth.shape[0], minimum, side, keep_sheets=keep_sheets)
            overlaps[name].append(float((grid & truth).sum() / (grid | truth).sum()))
        for resolution in (64, 128, 256):
            for function in (solid_occupancy, surface_occupancy):
                name = f"{function.__name__} {resolution}³"
                call = partial(function, vertices, faces, resolution, minimum, side)
                milliseconds.setdefault(name, []).append(measure(call))

    print(f"\n{len(paths)} models\n{'IoU with .solid.binvox':28}{'median':>9}{'mean':>9}{'worst':>9}")
    for name, values in overlaps.items():
        print(f"{name:28}{np.median(values):9.4f}{np.mean(values):9.4f}{min(values):9.4f}")
    print(f"\n{'ms a model on one core':28}{'median':>9}{'mean':>9}{'worst':>9}")
    for name, values in milliseconds.items():
        print(f"{name:28}{np.median(values):9.1f}{np.mean(values):9.1f}{max(values):9.1f}")


def measure(call: Callable[[], Any]) -> float:
    """The best of some runs in milliseconds of this thread, so that what else runs on the machine counts little."""
    best = float("inf")
    for _ in range(REPEATS):
        started = time.thread_time()
        call()
        best = min(best, time.thread_time() - started)
    return best * 1000


if __name__ == "__main__":
    main()
