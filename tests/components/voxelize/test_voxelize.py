"""The stage voxelize, and the export of what it makes."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import trimesh
from kfp import dsl
from PIL import Image

from components.voxelize import MODES as DECLARED_MODES
from components.voxelize import VoxelizeSettings
from components.voxelize.component import voxelize as component
from components.voxelize.modes import MODES
from components.voxelize.voxelize import voxelize
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
    component.python_func(dsl.Dataset(uri=str(source)), dsl.Dataset(uri=str(tmp_path / "voxels")), 16, mode)
    inputs, voxels = Dataset([source], "meshes"), Dataset([tmp_path / "voxels"], "voxels")
    assert [sample.id for sample in voxels.samples] == [sample.id for sample in inputs.samples]
    assert [skipped.id for skipped in voxels.skipped] == ["cup/gone"]
    parameters = read_info(tmp_path / "voxels")["made_by"]["parameters"]
    assert parameters["resolution"] == 16 and parameters["mode"] == mode and parameters["engine"] == "numba"
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
    voxelize(source, tmp_path / "voxels", VoxelizeSettings(resolution=48, mode="surface"))
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
    voxelize(source, tmp_path / "voxels", VoxelizeSettings(resolution=16))
    voxels = Dataset([tmp_path / "voxels"], "voxels")
    assert (read_occupancy(voxels, "noise/a") == grid).all()
    voxels.close()
    assert export_voxels(tmp_path / "voxels", tmp_path / "out") == 1
    assert (tmp_path / "out" / "noise" / "a.binvox").read_bytes() == content
    voxelize(source, tmp_path / "coarse", VoxelizeSettings(resolution=8))
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
    voxelize(source, tmp_path / "voxels", VoxelizeSettings(resolution=8, max_skipped=0.8))
    info = read_info(tmp_path / "voxels")
    reasons = {skipped["id"]: skipped["reason"] for skipped in info["skipped"]}
    assert reasons["bad/page"] == "page.stl: not a mesh but an HTML or XML page"
    assert "no voxel of 8³ is occupied" in reasons["bad/empty"] and "cut off" in reasons["bad/cut"]
    assert info["counts"]["samples"] == 1
    with pytest.raises(TooManySkippedError, match="3 of 4"):
        voxelize(source, tmp_path / "voxels", VoxelizeSettings(resolution=8, max_skipped=0.5))
    assert not (tmp_path / "voxels" / "dataset.json").exists()


def test_padding_and_the_corner_of_the_box_move_the_cube(tmp_path: Path) -> None:
    for up_axis in ("y", "z"):
        source = write_meshes(tmp_path / up_axis, {"pole/tall.ply": pole()}, up_axis)
        for padding, centered in ((3, True), (0, False), (3, False)):
            target = tmp_path / f"{up_axis}-{padding}-{centered}"
            voxelize(source, target, VoxelizeSettings(resolution=24, padding=padding, centered=centered))
            export_voxels(target, target / "out")
            occupancy, translate, scale = read_binvox(target / "out" / "pole" / "tall.binvox")
            assert occupancy.shape[0] == 24 + 2 * padding and scale == pytest.approx(6 * occupancy.shape[0] / 24)
            lower, upper = np.array(pole().bounds)
            voxel = scale / occupancy.shape[0]
            if centered:
                assert translate + scale / 2 == pytest.approx((lower + upper) / 2)
            else:
                assert translate + padding * voxel == pytest.approx(lower)
            first, last = np.argwhere(occupancy).min(axis=0), np.argwhere(occupancy).max(axis=0)
            assert (np.abs(translate + first * voxel - lower) < 1.6 * voxel).all()
            assert (np.abs(translate + (last + 1) * voxel - upper) < 1.6 * voxel).all()
            assert not padding or (first.min() == padding and last.max() == padding + 23)


def test_internal_voxels_can_be_removed_and_large_meshes_skipped(tmp_path: Path) -> None:
    source = write_meshes(tmp_path, {"box/a.ply": trimesh.creation.box(), "ball/b.ply": trimesh.creation.icosphere(3)})
    voxelize(
        source,
        tmp_path / "shell",
        VoxelizeSettings(resolution=8, mode="parity", remove_internal=True, max_triangles=100),
    )
    voxels = Dataset([tmp_path / "shell"], "voxels")
    assert [sample.id for sample in voxels.samples] == ["box/a"]
    assert "at most 100 triangles" in {s.id: s.reason for s in voxels.skipped}["ball/b"]
    expected = np.ones((8, 8, 8), bool)
    expected[1:-1, 1:-1, 1:-1] = False
    assert (read_occupancy(voxels, "box/a") == expected).all()
    voxels.close()


STAND_IN = """#!{python}
# Behaves as binvox's documented command line: options first, the model last, the grid beside it.
import sys
from pathlib import Path
import numpy as np
from shapeyard.formats.binvox import write_binvox
from shapeyard.formats.mesh import read_mesh
from shapeyard.geometry.voxelization import solid_occupancy, surface_occupancy

arguments = sys.argv[1:]
Path({log!r}).open("a").write(" ".join(arguments) + "\\n")
size = int(arguments[arguments.index("-d") + 1])
where = arguments.index("-bb")
lower, upper = np.array(arguments[where + 1 : where + 7], float).reshape(2, 3)
vertices, faces = read_mesh(arguments[-1])
if len(faces) > 1000:
    sys.exit("Error: too many faces\\nsorry")
size //= 2 if "-down" in arguments else 1
function = surface_occupancy if "-e" in arguments else solid_occupancy
grid = function(vertices, faces, size, lower, (upper - lower).max())
write_binvox(Path(arguments[-1]).with_suffix(".binvox"), grid, lower, (upper - lower).max())
"""


def test_the_original_binvox_where_there_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write_meshes(tmp_path, {"pole/tall.stl": pole(), "ball/fine.ply": trimesh.creation.icosphere(4)}, "z")
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    with pytest.raises(ParameterError, match="a program binvox on the PATH, found none") as caught:
        voxelize(source, tmp_path / "none", VoxelizeSettings(engine="binvox"))
    assert "\n" not in str(caught.value) and not (tmp_path / "none").exists()
    program = folder / "binvox"
    program.write_text(STAND_IN.format(python=sys.executable, log=str(tmp_path / "log")))
    program.chmod(0o755)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))
    for mode in ("solid", "surface"):
        for engine in ("binvox", "numba"):
            voxelize(
                source, tmp_path / engine / mode, VoxelizeSettings(resolution=16, mode=mode, engine=engine, padding=2)
            )
        one, other = (Dataset([tmp_path / engine / mode], "voxels") for engine in ("binvox", "numba"))
        skipped = {skipped.id: skipped.reason for skipped in one.skipped}
        assert skipped["ball/fine"] == "binvox ended with code 1 and no grid: Error: too many faces sorry"
        assert one["pole/tall"].canonical_from_file == other["pole/tall"].canonical_from_file
        assert (read_occupancy(one, "pole/tall") == read_occupancy(other, "pole/tall")).all()
        one.close()
        other.close()
    calls = (tmp_path / "log").read_text().splitlines()
    assert calls[0] == "-d 32 -c -aw -dc -down -bb -0.5 -0.5 -0.5 0.5 0.5 0.5 -pb mesh.off"
    assert calls[-1] == "-d 16 -e -bb -0.5 -0.5 -0.5 0.5 0.5 0.5 mesh.off"


def test_the_number_of_threads_changes_nothing(tmp_path: Path) -> None:
    source = write_meshes(tmp_path, {f"ball/{n}.ply": trimesh.creation.icosphere(1, 1 + n) for n in range(12)})
    for workers in (1, 3):
        voxelize(source, tmp_path / str(workers), VoxelizeSettings(resolution=8, workers=workers))
    assert (tmp_path / "1" / "samples.jsonl").read_bytes() == (tmp_path / "3" / "samples.jsonl").read_bytes()
    one, three = Dataset([tmp_path / "1"], "voxels"), Dataset([tmp_path / "3"], "voxels")
    assert all((read_occupancy(one, s.id) == read_occupancy(three, s.id)).all() for s in one.samples)
    one.close()
    three.close()


def test_parameters_out_of_range_and_other_datasets(tmp_path: Path) -> None:
    source = write_meshes(tmp_path, {"ball/a.ply": trimesh.creation.icosphere(1)})
    target = tmp_path / "voxels"
    refused = {
        "resolution: expected 8 to 256, got 512": {"resolution": 512},
        r"mode: expected solid, auto, surface, .* or winding, got hollow": {"mode": "hollow"},
        "resolution: expected 8 to 256, got 250 with a padding of 4": {"resolution": 250, "padding": 4},
        "engine: expected numba or binvox, got gpu": {"engine": "gpu"},
        "max_triangles: expected 1 or more, got 0": {"max_triangles": 0},
        "workers: expected 0 or more, got -1": {"workers": -1},
        "max_skipped: expected 0 to 1, got 2": {"max_skipped": 2},
    }
    for message, values in refused.items():
        with pytest.raises(ParameterError, match=f"^{message}$"):
            VoxelizeSettings(**values)
    with pytest.raises(ParameterError, match="mode: expected one that binvox has, got flood"):
        voxelize(source, target, VoxelizeSettings(engine="binvox", mode="flood"))
    with pytest.raises(DatasetError, match=r"no dataset\.json"):
        voxelize(tmp_path, target, VoxelizeSettings())
    with pytest.raises(DatasetError, match="kind voxels"):
        export_voxels(source, target)
    assert not target.exists()


def test_auto_counts_crossings_where_that_is_true(tmp_path: Path) -> None:
    board = trimesh.creation.box((1, 0.0625, 1))  # two voxels of 32 thick
    board.apply_translation((0.3, 0.2, 0.1))
    lidless = trimesh.Trimesh(board.vertices, board.faces[2:])
    source = write_meshes(tmp_path, {"board/closed.stl": board, "board/open.ply": lidless})
    component.python_func(dsl.Dataset(uri=str(source)), dsl.Dataset(uri=str(tmp_path / "voxels")), 32, "auto")
    voxels = Dataset([tmp_path / "voxels"], "voxels")
    assert {one.id: one.attributes["mode"] for one in voxels.samples} == {
        "board/closed": "parity", "board/open": "solid"
    }  # fmt: skip
    assert int(read_occupancy(voxels, "board/closed").sum()) == 32 * 32 * 2
    assert int(read_occupancy(voxels, "board/open").sum()) > 32 * 32 * 2


def test_the_declared_modes_are_those_that_there_are() -> None:
    assert set(DECLARED_MODES) == set(MODES) and len(DECLARED_MODES) == len(MODES)


@pytest.mark.parametrize(
    ("name", "vertices", "faces"),
    [
        ("a single triangle", [[0, 0, 0], [1, 0, 0], [0, 1, 0.3]], [[0, 1, 2]]),
        ("all in a plane", [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], [[0, 1, 2], [0, 2, 3]]),
        ("all on a line", [[0, 0, 0], [1, 1, 1], [0.4, 0.4, 0.4]], [[0, 1, 2]]),
        ("a line along an axis", [[0, 0, 0], [0, 1, 0], [0, 0.5, 0]], [[0, 1, 2]]),
        ("triangles that are points", [[0, 0, 0], [1, 1, 1]], [[0, 0, 0], [1, 1, 1]]),
        ("a tiny one", [[0, 0, 0], [1e-30, 0, 0], [0, 1e-30, 0]], [[0, 1, 2]]),
        ("a huge one far away", [[1e30, 0, 0], [2e30, 0, 0], [1e30, 1e30, 0]], [[0, 1, 2]]),
    ],
)
def test_meshes_without_an_inside_become_voxels_or_none(
    tmp_path: Path, name: str, vertices: list[list[float]], faces: list[list[int]]
) -> None:
    """Every mode gives a grid; what it leaves out is a skipped sample with its reason, not an error."""
    path = tmp_path / f"{name}.obj"
    lines = [*(f"v {x} {y} {z}" for x, y, z in vertices), *(f"f {a + 1} {b + 1} {c + 1}" for a, b, c in faces)]
    path.write_text("\n".join(lines) + "\n")
    mesh = read_mesh(path)
    side = float(np.ptp(mesh.vertices, axis=0).max())
    for mode in MODES:
        if mode == "winding":
            pytest.importorskip("igl")
        minimum = mesh.vertices.mean(axis=0) - side / 2
        occupancy = MODES[mode].occupancy((mesh.vertices - minimum) / side - 0.5, mesh.faces, 16, (-0.5,) * 3, 1.0)
        assert occupancy.shape == (16,) * 3
        if mode == "surface":
            assert occupancy.any()


@pytest.mark.realdata
def test_headers_are_those_of_shapenets_own_files(realdata: Path, tmp_path: Path) -> None:
    paths = sorted(realdata.glob("shapenet_v2/*/*/models/*.obj"))
    assert len(paths) == 33
    source = tmp_path / "source"
    with DatasetWriter(source, "meshes", "fetch", {}) as writer:
        for number, path in enumerate(paths):
            files = tmp_path / "files" / str(number)
            files.mkdir(parents=True)
            (files / path.name).write_bytes(path.read_bytes())
            mesh = read_mesh(path)
            matrix = canonical_from_bounds(mesh.vertices.min(axis=0), mesh.vertices.max(axis=0), "y")
            rows = tuple(tuple(row) for row in matrix.tolist())
            writer.add_files(
                Sample(f"it/{number}", "it", "train", str(path), canonical_from_file=rows), files, path.name
            )
    voxelize(source, tmp_path / "voxels", VoxelizeSettings(resolution=128, centered=False))
    export_voxels(tmp_path / "voxels", tmp_path / "out")
    overlaps = []
    for number, path in enumerate(paths):
        occupancy, translate, scale = read_binvox(tmp_path / "out" / "it" / f"{number}.binvox")
        truth, their_translate, their_scale = read_binvox(path.with_suffix(".solid.binvox"))
        assert translate == pytest.approx(their_translate, abs=1e-5) and scale == pytest.approx(their_scale, abs=1e-5)
        overlaps.append((occupancy & truth).sum() / (occupancy | truth).sum())
    assert np.median(overlaps) >= 0.97 and np.mean(overlaps) >= 0.94
