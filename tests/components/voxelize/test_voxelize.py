"""The stage voxelize, and the export of what it makes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import trimesh
from kfp import dsl
from PIL import Image

from components.voxelize.component import voxelize
from components.voxelize.voxelize import voxelize_meshes
from shapeyard.contracts.dataset import Dataset, DatasetWriter, Sample, Skipped, read_info, read_occupancy
from shapeyard.errors import DatasetError, ParameterError, TooManySkippedError
from shapeyard.formats.binvox import read_binvox, write_binvox
from shapeyard.formats.export import export_voxels
from shapeyard.formats.mesh import read_mesh
from shapeyard.geometry.frames import UpAxis, canonical_from_bounds, transform
from shapeyard.geometry.voxelization import solid_occupancy, surface_occupancy

Meshes = Mapping[str, trimesh.Trimesh | bytes]


def write_meshes(folder: Path, meshes: Meshes, up_axis: UpAxis = "y") -> Path:
    """A dataset of kind meshes; names are `class/name.suffix`, bytes are written as they are."""
    dataset = folder / f"meshes-{up_axis}"
    with DatasetWriter(dataset, "meshes", "fetch", {}, skipped=[Skipped("cup/gone", "earlier")]) as writer:
        for number, (name, content) in enumerate(meshes.items()):
            files = folder / "files" / str(number)
            files.mkdir(parents=True)
            path = files / Path(name).name
            canonical: tuple[tuple[float, ...], ...] = tuple(tuple(row) for row in np.eye(4).tolist())
            if isinstance(content, bytes):
                path.write_bytes(content)
                canonical = () if path.suffix == ".binvox" else canonical
            else:
                content.export(path)
                matrix = canonical_from_bounds(*np.array(content.bounds), up_axis)
                canonical = tuple(tuple(row) for row in matrix.tolist())
            sample_id = str(Path(name).with_suffix(""))
            sample = Sample(sample_id, Path(name).parent.name, "train", f"test://{name}", canonical_from_file=canonical)
            writer.add_files(sample, files, path.name)
    return dataset


def pole() -> trimesh.Trimesh:
    """Long along +Y, off the origin, with a knob at one side: no symmetry hides a wrong axis."""
    shaft = trimesh.creation.box((1, 6, 2), trimesh.transformations.translation_matrix([5, 7, -3]))
    knob = trimesh.creation.box((2, 1, 1), trimesh.transformations.translation_matrix([6, 9, -2.5]))
    return trimesh.util.concatenate([shaft, knob])


@pytest.mark.parametrize("mode", ["solid", "surface"])
def test_grids_rows_and_preview(tmp_path: Path, mode: str) -> None:
    meshes = {f"ball/{n}.ply": trimesh.creation.icosphere(2, 1 + n) for n in range(5)} | {"pole/tall.stl": pole()}
    source = write_meshes(tmp_path, meshes)
    voxelize.python_func(dsl.Dataset(uri=str(source)), dsl.Dataset(uri=str(tmp_path / "voxels")), 16, mode, 2)
    inputs, voxels = Dataset([source], "meshes"), Dataset([tmp_path / "voxels"], "voxels")
    assert [sample.id for sample in voxels.samples] == [sample.id for sample in inputs.samples]
    assert [skipped.id for skipped in voxels.skipped] == ["cup/gone"]
    assert read_info(tmp_path / "voxels")["made_by"]["parameters"] == {"resolution": 16, "mode": mode}
    for sample in voxels.samples:
        mesh = read_mesh(inputs.extract(sample.id, tmp_path / "extracted"))
        vertices = transform(np.array(sample.canonical_from_file), mesh.vertices)
        expected = (solid_occupancy if mode == "solid" else surface_occupancy)(vertices, mesh.faces, 16)
        assert (read_occupancy(voxels, sample.id) == expected).all()
    assert voxels["pole/tall"].attributes["scale"] == pytest.approx(6)
    assert voxels["pole/tall"].attributes["translate"] == pytest.approx([5.75 - 3, 7 - 3, -3 - 3])
    with Image.open(tmp_path / "voxels" / "preview.png") as preview:
        assert preview.width > 500
    inputs.close()
    voxels.close()


@pytest.mark.parametrize("up_axis", ["y", "z"])
def test_an_exported_grid_lies_over_its_mesh(tmp_path: Path, up_axis: UpAxis) -> None:
    source = write_meshes(tmp_path, {"pole/tall.ply": pole()}, up_axis)
    voxelize_meshes(source, tmp_path / "voxels", resolution=48, mode="surface")
    assert export_voxels(tmp_path / "voxels", tmp_path / "out") == 1
    occupancy, translate, scale = read_binvox(tmp_path / "out" / "pole" / "tall.binvox")
    mesh = pole()
    direct = surface_occupancy(mesh.vertices, mesh.faces, 48, translate, scale)
    assert (occupancy & direct).sum() / (occupancy | direct).sum() > 0.85  # planes between voxels may touch either
    lower, upper = (np.argwhere(occupancy) + np.array([[[0]], [[1]]]) * 1.0).reshape(2, -1, 3)
    tolerance = 1.01 * scale / 48
    assert translate + lower.min(axis=0) * scale / 48 == pytest.approx(mesh.bounds[0], abs=tolerance)
    assert translate + upper.max(axis=0) * scale / 48 == pytest.approx(mesh.bounds[1], abs=tolerance)


def test_a_binvox_file_keeps_its_grid(tmp_path: Path) -> None:
    grid = np.random.default_rng(0).random((16, 16, 16)) < 0.1
    write_binvox(tmp_path / "grid.binvox", grid, (-1, 2, 0.5), 4)
    content = (tmp_path / "grid.binvox").read_bytes()
    source = write_meshes(tmp_path, {"noise/a.binvox": content})
    voxelize_meshes(source, tmp_path / "voxels", resolution=16)
    voxels = Dataset([tmp_path / "voxels"], "voxels")
    assert (read_occupancy(voxels, "noise/a") == grid).all()
    voxels.close()
    assert export_voxels(tmp_path / "voxels", tmp_path / "out") == 1
    assert (tmp_path / "out" / "noise" / "a.binvox").read_bytes() == content
    voxelize_meshes(source, tmp_path / "coarse", resolution=8)
    voxels = Dataset([tmp_path / "coarse"], "voxels")
    assert (read_occupancy(voxels, "noise/a") == grid.reshape(8, 2, 8, 2, 8, 2).any(axis=(1, 3, 5))).all()
    voxels.close()


def test_what_cannot_be_voxelized_is_skipped_with_its_reason(tmp_path: Path) -> None:
    empty = b"#binvox 1\ndim 2 2 2\ntranslate 0 0 0\nscale 1\ndata\n" + bytes([0, 8])
    meshes: Meshes = {
        "ball/good.ply": trimesh.creation.icosphere(1), "bad/page.stl": b"<html>", "bad/empty.binvox": empty,
        "bad/cut.binvox": empty[:-2],
    }  # fmt: skip
    source = write_meshes(tmp_path, meshes)
    voxelize_meshes(source, tmp_path / "voxels", resolution=8, max_skipped=0.8)
    info = read_info(tmp_path / "voxels")
    reasons = {skipped["id"]: skipped["reason"] for skipped in info["skipped"]}
    assert reasons["bad/page"] == "page.stl: not a mesh but an HTML or XML page"
    assert "no voxel of 8³ is occupied" in reasons["bad/empty"] and "cut off" in reasons["bad/cut"]
    assert info["counts"]["samples"] == 1
    with pytest.raises(TooManySkippedError, match="3 of 4"):
        voxelize_meshes(source, tmp_path / "voxels", resolution=8, max_skipped=0.5)
    assert not (tmp_path / "voxels" / "dataset.json").exists()


def test_the_number_of_threads_changes_nothing(tmp_path: Path) -> None:
    source = write_meshes(tmp_path, {f"ball/{n}.ply": trimesh.creation.icosphere(1, 1 + n) for n in range(12)})
    for workers in (1, 3):
        voxelize_meshes(source, tmp_path / str(workers), resolution=8, workers=workers)
    assert (tmp_path / "1" / "samples.jsonl").read_bytes() == (tmp_path / "3" / "samples.jsonl").read_bytes()
    one, three = Dataset([tmp_path / "1"], "voxels"), Dataset([tmp_path / "3"], "voxels")
    assert all((read_occupancy(one, s.id) == read_occupancy(three, s.id)).all() for s in one.samples)
    one.close()
    three.close()


def test_parameters_out_of_range_and_other_datasets(tmp_path: Path) -> None:
    source = write_meshes(tmp_path, {"ball/a.ply": trimesh.creation.icosphere(1)})
    target = tmp_path / "voxels"
    with pytest.raises(ParameterError, match="resolution: expected 8 to 256, got 512"):
        voxelize_meshes(source, target, resolution=512)
    with pytest.raises(ParameterError, match="mode: expected solid or surface, got hollow"):
        voxelize_meshes(source, target, mode="hollow")
    with pytest.raises(ParameterError, match="workers"):
        voxelize_meshes(source, target, workers=-1)
    with pytest.raises(ParameterError, match="max_skipped"):
        voxelize_meshes(source, target, max_skipped=2)
    with pytest.raises(DatasetError, match=r"no dataset\.json"):
        voxelize_meshes(tmp_path, target)
    with pytest.raises(DatasetError, match="kind voxels"):
        export_voxels(source, target)
    assert not target.exists()
