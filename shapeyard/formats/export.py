"""Datasets as files that other tools read."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from shapeyard.contracts.dataset import Dataset, read_occupancy
from shapeyard.errors import DatasetError
from shapeyard.formats.binvox import write_binvox
from shapeyard.geometry.file_grids import turn_into_file_axes


def export_voxels(dataset_dir: str | Path, out_dir: str | Path) -> int:
    """Write every grid of a voxels dataset as `<out_dir>/<class>/<name>.binvox`.

    The grids are turned into the axes of the files that they were made from, so that they lie over their meshes
    also where +Z is up.

    Returns:
        How many files were written.

    Raises:
        DatasetError: if it is no dataset of kind voxels, or a sample's id leads out of `out_dir`.
    """
    voxels = Dataset([dataset_dir], "voxels")
    folder = Path(out_dir)
    for sample in voxels.samples:
        path = folder / f"{sample.id}.binvox"
        if not path.resolve().is_relative_to(folder.resolve()):
            raise DatasetError(f"{dataset_dir}: sample {sample.id} leads out of {out_dir}")
        occupancy = read_occupancy(voxels, sample.id)
        if sample.canonical_from_file:
            occupancy = turn_into_file_axes(occupancy, sample.canonical_from_file)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_binvox(path, occupancy, sample.attributes["translate"], sample.attributes["scale"])
    voxels.close()
    return len(voxels.samples)


def export_sdf(dataset_dir: str | Path, out_dir: str | Path) -> int:
    """Write every sample of an sdf dataset as `<out_dir>/<class>/<name>.npz`, as DeepSDF's training reads them.

    Each file holds `pos` and `neg` (N,4) float32: x, y, z in the unit sphere, signed distance
    (github.com/facebookresearch/DeepSDF, `SdfSamples`).

    Returns:
        How many files were written.

    Raises:
        DatasetError: if it is no dataset of kind sdf, or a sample's id leads out of `out_dir`.
    """
    sdf = Dataset([dataset_dir], "sdf")
    folder = Path(out_dir)
    for sample in sdf.samples:
        path = folder / f"{sample.id}.npz"
        if not path.resolve().is_relative_to(folder.resolve()):
            raise DatasetError(f"{dataset_dir}: sample {sample.id} leads out of {out_dir}")
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, pos=sdf.read(sample.id, "positive"), neg=sdf.read(sample.id, "negative"))
    sdf.close()
    return len(sdf.samples)
