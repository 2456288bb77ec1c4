"""Boxes as datasets of kind meshes and sdf, and a decoder that was trained on them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import trimesh

from components.sample_sdf import SampleSdfSettings
from components.sample_sdf.sample_sdf import sample_sdf
from components.train_deepsdf import TrainDeepsdfSettings
from components.train_deepsdf.train_deepsdf import train_deepsdf
from shapeyard.contracts.dataset import DatasetWriter, Sample, Split
from shapeyard.geometry.frames import canonical_from_bounds

SPLITS: dict[Split, int] = {"train": 6, "val": 2, "test": 3}


def write_shapes(folder: Path) -> tuple[Path, Path]:
    """Meshes and their samples: boxes of several lengths."""
    with DatasetWriter(folder / "meshes", "meshes", "fetch", {}) as writer:
        for split, count in SPLITS.items():
            for number in range(count):
                files = folder / "files" / split / str(number)
                files.mkdir(parents=True)
                mesh = trimesh.creation.box((1, 0.4 + 0.1 * number, 0.5))
                mesh.export(files / "mesh.ply")
                matrix = canonical_from_bounds(*np.array(mesh.bounds), "y")
                canonical = tuple(tuple(row) for row in matrix.tolist())
                sample = Sample(f"box/{split}{number}", "box", split, "test://box", canonical_from_file=canonical)
                writer.add_files(sample, files, "mesh.ply")
    settings = SampleSdfSettings(samples=4000, surface_points=2000, view_size=48, workers=1)
    sample_sdf(folder / "meshes", folder / "sdf", settings)
    return folder / "meshes", folder / "sdf"


def train_on_boxes(folder: Path) -> Path:
    """A small tri-plane decoder that knows what a box is; the datasets lie beside it."""
    _, sdf = write_shapes(folder)
    settings = TrainDeepsdfSettings(
        network="triplane", code_length=4, width=16, plane_features=8, plane_resolution=32, steps=250, batch_size=6,
        samples_per_scene=512, learning_rate=5e-3, code_learning_rate=1e-2, schedule="cosine", refit_steps=60,
        validate_every=250, workers=2,
    )  # fmt: skip
    train_deepsdf([sdf], folder / "model", settings)
    return folder / "model"
