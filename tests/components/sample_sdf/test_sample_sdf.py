"""The stage sample_sdf, and the export of what it makes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import trimesh
from click.testing import CliRunner
from kfp import dsl
from PIL import Image

from components.sample_sdf import SampleSdfSettings
from components.sample_sdf.component import sample_sdf as component
from components.sample_sdf.sample_sdf import sample_mesh, sample_sdf
from launch.cli import shapeyard
from shapeyard.contracts.dataset import Dataset, DatasetWriter, Sample, Skipped, read_info
from shapeyard.errors import DatasetError, MeshError, ParameterError, TooManySkippedError
from shapeyard.formats.export import export_sdf
from shapeyard.formats.mesh import read_mesh
from shapeyard.geometry.frames import canonical_from_bounds, transform

ROOT = Path(__file__).parents[3]
FEW = SampleSdfSettings(samples=3000, workers=1)


def write_meshes(folder: Path, meshes: Mapping[str, trimesh.Trimesh | bytes]) -> Path:
    """A dataset of kind meshes; names are `class/name.suffix`, bytes are written as they are."""
    with DatasetWriter(folder / "meshes", "meshes", "fetch", {}, skipped=[Skipped("cup/gone", "earlier")]) as writer:
        for number, (name, content) in enumerate(meshes.items()):
            files = folder / "files" / str(number)
            files.mkdir(parents=True)
            path = files / Path(name).name
            matrix = np.eye(4)
            if isinstance(content, bytes):
                path.write_bytes(content)
            else:
                content.export(path)
                matrix = canonical_from_bounds(*np.array(content.bounds), "z")
            canonical = tuple(tuple(row) for row in matrix.tolist())
            sample_id, class_name = str(Path(name).with_suffix("")), Path(name).parent.name
            sample = Sample(sample_id, class_name, "train", f"test://{name}", canonical_from_file=canonical)
            writer.add_files(sample, files, path.name)
    return folder / "meshes"


def sheet() -> trimesh.Trimesh:
    return trimesh.Trimesh([[0, 0, 0], [1, 0, 0], [1, 1, 0.2], [0, 1, 0]], [[0, 1, 2], [0, 2, 3]])


def ball(radius: float) -> trimesh.Trimesh:
    mesh = trimesh.creation.icosphere(4, radius)
    mesh.apply_translation([7, -8, 9])
    return mesh


def test_samples_rows_and_preview(tmp_path: Path) -> None:
    source = write_meshes(tmp_path, {f"ball/{n}.ply": ball(1 + n) for n in range(3)})
    target = tmp_path / "sdf"
    component.python_func(dsl.Dataset(uri=str(source)), dsl.Dataset(uri=str(target)), samples=3000, workers=2)
    inputs, sdf = Dataset([source], "meshes"), Dataset([target], "sdf")
    assert [sample.id for sample in sdf.samples] == [sample.id for sample in inputs.samples]
    assert [skipped.id for skipped in sdf.skipped] == ["cup/gone"]
    assert read_info(target)["made_by"]["parameters"] == {
        "samples": 3000, "near_surface": 0.94, "variance": 0.005, "fine_variance": 0.0005, "max_two_sided": 0.1,
        "surface_points": 30_000, "views": 1, "view_size": 128, "max_triangles": 2_000_000, "seed": 0,
    }  # fmt: skip
    for number, sample in enumerate(sdf.samples):
        positive, negative = sdf.read(sample.id, "positive"), sdf.read(sample.id, "negative")
        assert positive.dtype == negative.dtype == np.float32
        assert len(positive) + len(negative) == 3000
        assert (positive[:, 3] >= 0).all() and (negative[:, 3] < 0).all()
        both = np.concatenate([positive, negative]).astype(float)
        assert np.linalg.norm(both[:, :3], axis=1).max() <= 1 + 1e-6
        assert both[:, 3] == pytest.approx(np.linalg.norm(both[:, :3], axis=1) - 1 / 1.03, abs=1.5e-3)
        canonical = transform(np.array(sample.attributes["canonical_from_sdf"]), both[:, :3])
        in_file = transform(np.linalg.inv(np.array(sample.canonical_from_file)), canonical)
        radius = np.linalg.norm(in_file - [7, -8, 9], axis=1)
        assert both[:, 3] * 1.03 * (1 + number) == pytest.approx(radius - (1 + number), abs=5e-3 * (1 + number))
        assert sample.attributes["two_sided"] == 0
    assert not (sdf.read("ball/0", "negative")[:20] == sdf.read("ball/1", "negative")[:20]).any()
    with Image.open(target / "preview.png") as preview:
        assert preview.width == 3 * 160
    inputs.close()
    sdf.close()


def test_the_number_of_processes_changes_nothing_and_the_seed_does(tmp_path: Path) -> None:
    source = write_meshes(tmp_path, {f"ball/{n}.ply": ball(1 + n) for n in range(3)})

    def first(name: str, **settings: int) -> list[bytes]:
        sample_sdf(source, tmp_path / name, SampleSdfSettings(samples=3000, **settings))
        with h5py.File(tmp_path / name / "shard-000.h5") as shard:
            return [shard[f"ball/{n}/negative"][()].tobytes() for n in range(3)]

    one = first("one", workers=1)
    assert one == first("three", workers=3)
    assert (tmp_path / "one" / "samples.jsonl").read_bytes() == (tmp_path / "three" / "samples.jsonl").read_bytes()
    assert (tmp_path / "one" / "preview.png").read_bytes() == (tmp_path / "three" / "preview.png").read_bytes()
    assert not set(one) & set(first("other", seed=1, workers=2))


def test_it_works_from_a_script_that_guards_nothing(tmp_path: Path) -> None:
    """A new interpreter for each process would run the script again."""
    source = write_meshes(tmp_path, {"ball/a.ply": ball(1)})
    script = tmp_path / "script.py"
    script.write_text(
        "from components.sample_sdf import SampleSdfSettings\n"
        "from components.sample_sdf.sample_sdf import sample_sdf\n"
        f"sample_sdf({str(source)!r}, {str(tmp_path / 'sdf')!r}, SampleSdfSettings(samples=1000, workers=2))\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    subprocess.run([sys.executable, script], check=True, env=environment, cwd=tmp_path, timeout=120)
    assert (tmp_path / "sdf" / "dataset.json").is_file()


def test_what_cannot_be_sampled_is_skipped_with_its_reason(tmp_path: Path) -> None:
    tube = trimesh.creation.cylinder(0.4, 1, sections=32)
    tube.update_faces(np.abs(tube.face_normals[:, 2]) < 0.5)
    meshes = {
        "ball/good.ply": ball(1), "bad/page.stl": b"<html>", "bad/sheet.ply": sheet(), "bad/tube.ply": tube,
        "bad/grid.binvox": b"#binvox 1\n", "bad/large.ply": trimesh.creation.icosphere(5),
    }  # fmt: skip
    source = write_meshes(tmp_path, meshes)
    settings = SampleSdfSettings(samples=1000, max_triangles=6000, workers=1, max_skipped=0.9)
    sample_sdf(source, tmp_path / "sdf", settings)
    info = read_info(tmp_path / "sdf")
    reasons = {skipped["id"]: skipped["reason"] for skipped in info["skipped"]}
    assert reasons["bad/page"] == "page.stl: not a mesh but an HTML or XML page"
    assert reasons["bad/sheet"] == (
        "an open mesh: 100% of its visible surface can be seen from both sides, at most 10% allowed"
    )
    assert "an open mesh" in reasons["bad/tube"]
    assert "expected one of .obj" in reasons["bad/grid"]
    assert "at most 6000 triangles, got 20480" in reasons["bad/large"]
    assert info["counts"]["samples"] == 1
    with pytest.raises(TooManySkippedError, match="5 of 6"):
        sample_sdf(source, tmp_path / "sdf", replace(settings, max_skipped=0.5))
    assert not (tmp_path / "sdf" / "dataset.json").exists()


def test_an_open_mesh_that_is_let_through_may_still_have_no_inside() -> None:
    mesh = sheet()
    rng = np.random.default_rng(0)
    with pytest.raises(MeshError, match="nothing is inside: none of 3000 points"):
        sample_mesh(
            np.array(mesh.vertices), np.array(mesh.faces), SampleSdfSettings(samples=3000, max_two_sided=1), rng
        )


def test_export_as_deepsdf_reads_it(tmp_path: Path) -> None:
    source = write_meshes(tmp_path, {"ball/a.ply": ball(2), "ball/b.ply": ball(3)})
    sample_sdf(source, tmp_path / "sdf", FEW)
    done = CliRunner().invoke(shapeyard, ["export", str(tmp_path / "sdf"), str(tmp_path / "out")])
    assert done.exit_code == 0 and done.output.startswith("2 objects in ")
    sdf = Dataset([tmp_path / "sdf"], "sdf")
    with np.load(tmp_path / "out" / "ball" / "a.npz") as exported:
        assert sorted(exported.files) == ["neg", "pos"]
        assert (exported["pos"] == sdf.read("ball/a", "positive")).all()
        assert (exported["neg"] == sdf.read("ball/a", "negative")).all()
    sdf.close()
    with pytest.raises(DatasetError, match="kind sdf"):
        export_sdf(source, tmp_path / "out")
    done = CliRunner().invoke(shapeyard, ["export", str(source), str(tmp_path / "out")])
    assert isinstance(done.exception, DatasetError)
    assert "expected a dataset of kind voxels or sdf or renders, got meshes" in str(done.exception)


def test_parameters_out_of_range_and_other_datasets(tmp_path: Path) -> None:
    target = tmp_path / "sdf"
    for name, value in {
        "samples": 0, "near_surface": 1.1, "variance": -1, "fine_variance": 2, "max_two_sided": -0.1,
        "max_triangles": 0, "seed": -1, "workers": -1, "max_skipped": 2,
    }.items():  # fmt: skip
        with pytest.raises(ParameterError, match=f"^{name}: expected .*, got {value}"):
            SampleSdfSettings(**{name: value})
    with pytest.raises(DatasetError, match=r"no dataset\.json"):
        sample_sdf(tmp_path, target, FEW)
    assert not target.exists()


@pytest.mark.realdata
def test_real_meshes(realdata: Path) -> None:
    """Printable ones are closed and sampled, all of them; of ShapeNet's the open ones are left out."""
    left_out = []
    paths = [*sorted(realdata.glob("stl/*/*.stl"))[::20], *sorted(realdata.glob("shapenet_v2/*/*/models/*.obj"))[::4]]
    for path in paths:
        mesh = read_mesh(path)
        try:
            result = sample_mesh(mesh.vertices, mesh.faces, FEW, np.random.default_rng(0))
        except MeshError as error:
            assert "an open mesh" in str(error)
            left_out.append(path.suffix)
            continue
        assert len(result.positive) + len(result.negative) == 3000
        assert 0.1 < len(result.negative) / 3000 < 0.6
    assert ".stl" not in left_out and len(left_out) < 4
