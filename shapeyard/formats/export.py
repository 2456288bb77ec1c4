"""Datasets as files that other tools read."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from shapeyard.contracts.dataset import Dataset, read_info, read_occupancy
from shapeyard.errors import DatasetError, FormatError
from shapeyard.formats.binvox import write_binvox
from shapeyard.formats.shapenet_rendering import write_renderings
from shapeyard.geometry.cameras import intrinsics
from shapeyard.geometry.file_grids import turn_into_file_axes
from shapeyard.local_paths import local_path


def export_dataset(dataset_dir: str | Path, out_dir: str | Path) -> int:
    """Write a dataset of kind voxels or renders as files that other tools read; returns how many objects.

    Raises:
        DatasetError: for a dataset of another kind.
    """
    kind = read_info(dataset_dir)["kind"]
    if kind not in EXPORTERS:
        raise DatasetError(f"{dataset_dir}: expected a dataset of kind {' or '.join(EXPORTERS)}, got {kind}")
    return EXPORTERS[kind](dataset_dir, out_dir)


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
        path = _inside(folder, f"{sample.id}.binvox")
        occupancy = read_occupancy(voxels, sample.id)
        if sample.canonical_from_file:
            occupancy = turn_into_file_axes(occupancy, sample.canonical_from_file)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_binvox(path, occupancy, sample.attributes["translate"], sample.attributes["scale"])
    voxels.close()
    return len(voxels.samples)


def export_renders(dataset_dir: str | Path, out_dir: str | Path) -> int:
    """Write the images of a renders dataset as ShapeNetRendering has them, `<out_dir>/<class>/<name>/rendering/`.

    Returns:
        How many folders were written.

    Raises:
        DatasetError: if it is no dataset of kind renders, its lens or a camera is not one of ShapeNetRendering's, or a
            sample's id leads out of `out_dir`.
    """
    renders = Dataset([dataset_dir], "renders")
    for sample in renders.samples:
        folder = _inside(Path(out_dir), f"{sample.id}/rendering")
        rgba, world_from_camera = renders.read(sample.id, "rgba"), renders.read(sample.id, "world_from_camera")
        lens, expected = renders.read(sample.id, "intrinsics"), intrinsics(rgba.shape[1])
        if np.abs(lens - expected).max() > 1e-3:
            raise DatasetError(f"{dataset_dir}: {sample.id}: expected ShapeNetRendering's lens, 35 mm on 32 mm, "
                               f"got intrinsics {lens.round(2).tolist()}")  # fmt: skip
        try:
            write_renderings(folder, rgba, world_from_camera, float(sample.attributes["diagonal"]))
        except FormatError as error:
            raise DatasetError(f"{dataset_dir}: {sample.id}: {error}") from error
    renders.close()
    return len(renders.samples)


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
    for sample in sdf.samples:
        path = _inside(Path(out_dir), f"{sample.id}.npz")
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, pos=sdf.read(sample.id, "positive"), neg=sdf.read(sample.id, "negative"))
    sdf.close()
    return len(sdf.samples)


EXPORTERS = {"voxels": export_voxels, "sdf": export_sdf, "renders": export_renders}


def _inside(folder: Path, name: str) -> Path:
    try:
        return local_path(folder, name)
    except FormatError as error:
        raise DatasetError(f"expected a sample's file below {folder}, got {error}") from error
