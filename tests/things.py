"""Printed things of three classes, made on the spot: what a classifier of features learns in seconds."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import trimesh


def write_things(folder: Path, each: int = 10) -> Path:
    """Boxes in single files, rings in ZIPs of two parts, balls in folders of two parts."""
    rng = np.random.default_rng(0)
    for number in range(each):
        size = rng.uniform(10, 30)
        box = trimesh.creation.box(size * rng.uniform(0.5, 1, 3))
        ring = trimesh.creation.torus(size, size / rng.uniform(4, 6))
        ball = trimesh.creation.icosphere(2, radius=size)
        ball.apply_scale(rng.uniform(0.8, 1, 3))
        (folder / "toys__box").mkdir(parents=True, exist_ok=True)
        box.export(folder / "toys__box" / f"{number}.stl")
        (folder / "toys__ring").mkdir(exist_ok=True)
        with zipfile.ZipFile(folder / "toys__ring" / f"{number}.zip", "w") as archive:
            for part in ("left", "right"):
                archive.writestr(f"files/{part}.STL", ring.export(file_type="stl"))
        (folder / "art__ball" / str(number) / "files").mkdir(parents=True)
        for part in ("a", "b"):
            ball.export(folder / "art__ball" / str(number) / "files" / f"{part}.stl")
    return folder
