"""The catalogue behind procedural://: every object whole, coloured, thick enough, and the same again."""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import trimesh
from manifold3d import Manifold, Mesh64
from numpy.typing import NDArray

from shapeyard.errors import ParameterError
from shapeyard.sources.procedural import CLASSES, Material, ProceduralMesh, make_object, write_obj
from shapeyard.sources.procedural import solids as s
from shapeyard.sources.procedural.assembly import Part, assemble

SAMPLE = range(8)
LARGEST = {"cup": 0.25, "bottle": 0.5, "vase": 0.6, "teapot": 0.5, "clock": 0.8, "monitor": 1.0}
made = cache(make_object)
RED, BLUE = Material("red", (1.0, 0.0, 0.0)), Material("blue", (0.0, 0.0, 1.0))


@pytest.mark.parametrize("class_name", CLASSES)
def test_objects_are_watertight_and_stand_on_the_floor(class_name: str) -> None:
    for index in SAMPLE:
        mesh = made(class_name, index)
        solid = trimesh.Trimesh(mesh.vertices, mesh.faces)  # merges vertices, as readers do
        assert solid.is_watertight and solid.is_winding_consistent and solid.volume > 0, mesh.name
        assert mesh.vertices.dtype == np.float64 and mesh.faces.dtype == np.int32
        assert mesh.vertices[:, 1].min() == 0
        assert 0.05 < solid.extents.max() < LARGEST.get(class_name, 2.7)


@pytest.mark.parametrize("class_name", CLASSES)
def test_materials_cover_the_faces_with_colours_in_range(class_name: str) -> None:
    for index in SAMPLE:
        mesh = made(class_name, index)
        assert mesh.face_materials.shape == (len(mesh.faces),)
        assert np.all(np.diff(mesh.face_materials) >= 0) and mesh.face_materials[-1] < len(mesh.materials)
        names = [material.name for material in mesh.materials]
        assert len(set(names)) == len(names) and all(name.isidentifier() for name in names)
        assert all(0 <= value <= 1 for material in mesh.materials for value in (*material.rgb, material.roughness))
    used = {len(np.unique(made(class_name, index).face_materials)) for index in SAMPLE}
    assert max(used) >= 2


@pytest.mark.parametrize("class_name", CLASSES)
def test_no_two_objects_are_alike(class_name: str) -> None:
    meshes = [made(class_name, index, seed) for seed in (0, 1) for index in SAMPLE]
    assert len({mesh.vertices.tobytes() for mesh in meshes}) == len(meshes)
    proportions = np.array([np.ptp(mesh.vertices, axis=0) / np.ptp(mesh.vertices, axis=0).max() for mesh in meshes])
    assert proportions.std(axis=0).max() > 0.02
    assert len({material.rgb for mesh in meshes for material in mesh.materials}) > len(meshes)


@pytest.mark.parametrize("class_name", CLASSES)
def test_parts_are_thick_enough_to_be_voxelized(class_name: str) -> None:
    """Reliefs and tips apart, a ray that enters the surface stays inside for 1/42 of the longest side."""
    thickness = np.concatenate([_thickness(made(class_name, index), 150) for index in SAMPLE])
    assert np.mean(thickness < 0.024) < 0.08
    assert np.median(thickness) > 0.028


def test_the_same_index_gives_the_same_object_whatever_was_made_before() -> None:
    script = (
        "from shapeyard.sources.procedural import *; import hashlib\n"
        "print(hashlib.sha256(b''.join(make_object(c, 3, 7).vertices.tobytes() + make_object(c, 3, 7).faces.tobytes()"
        " for c in {order})).hexdigest())"
    )
    alone = [
        subprocess.run([sys.executable, "-c", script.format(order=order)], capture_output=True, text=True, check=True)
        for order in ("CLASSES", "[make_object(c, 0) and c for c in CLASSES]")
    ]
    assert alone[0].stdout == alone[1].stdout


def test_objects_of_two_seeds_differ_and_names_tell_class_and_index() -> None:
    first, second = make_object("chair", 123), make_object("chair", 123, seed=1)
    assert first.name == second.name == "chair-000123" and first.class_name == "chair"
    assert first.vertices.shape != second.vertices.shape or not np.allclose(first.vertices, second.vertices)


@pytest.mark.parametrize(
    ("class_name", "index", "seed", "message"),
    [("spoon", 0, 0, "expected a class of bathtub, .*; got 'spoon'"),
     ("chair", -1, 0, "expected an index and a seed of at least 0, got -1 and 0"),
     ("chair", 0, -1, "expected an index and a seed of at least 0, got 0 and -1")],
)  # fmt: skip
def test_wrong_calls_are_refused(class_name: str, index: int, seed: int, message: str) -> None:
    with pytest.raises(ParameterError, match=f"^{message}$"):
        make_object(class_name, index, seed)


@pytest.mark.parametrize("class_name", CLASSES)
def test_obj_round_trip_keeps_shape_and_materials(class_name: str, tmp_path: Path) -> None:
    mesh = made(class_name, 5)
    path = write_obj(mesh, tmp_path)
    assert path.name == f"{class_name}-000005.obj" and path.with_suffix(".mtl").is_file()
    scene = trimesh.load_scene(path, process=False, group_material=True)
    read = {name: geometry.visual.material for name, geometry in scene.geometry.items()}
    drawn = np.unique(mesh.face_materials)
    assert sorted(material.name for material in read.values()) == sorted(mesh.materials[i].name for i in drawn)
    for material in mesh.materials:
        for other in (m for m in read.values() if m.name == material.name):
            np.testing.assert_allclose(other.main_color[:3] / 255, material.rgb, atol=1 / 255)
    whole = trimesh.util.concatenate([trimesh.Trimesh(g.vertices, g.faces) for g in scene.geometry.values()])
    whole.merge_vertices()
    assert whole.is_watertight and whole.volume == pytest.approx(trimesh.Trimesh(mesh.vertices, mesh.faces).volume)


def test_obj_bytes_are_the_same_again(tmp_path: Path) -> None:
    (tmp_path / "again").mkdir()
    for suffix in (".obj", ".mtl"):
        first = write_obj(make_object("cup", 2), tmp_path).with_suffix(suffix)
        second = write_obj(make_object("cup", 2), tmp_path / "again").with_suffix(suffix)
        assert first.read_bytes() == second.read_bytes()


def test_vertices_are_written_without_loss(tmp_path: Path) -> None:
    mesh = make_object("teapot", 1)
    lines = write_obj(mesh, tmp_path).read_text().splitlines()
    written = np.array([line.split()[1:] for line in lines if line.startswith("v ")], dtype=np.float64)
    np.testing.assert_allclose(written, mesh.vertices, atol=1e-12)


@pytest.mark.parametrize(
    ("solid", "volume", "size"),
    [
        (s.block((1, 2, 3), bevel=1e-4), 6.0, (1, 2, 3)),
        (s.cushion((1, 1, 1), softness=1.0), np.pi / 6, (1, 1, 1)),
        (s.ball(1.0, columns=48), 4 / 3 * np.pi, (2, 2, 2)),
        (s.lathe([(0, 0), (1, 0), (1, 2), (0, 2)], 64), 2 * np.pi, (2, 2, 2)),
        (s.lathe([(0, 0), (1, 0), (1, 2), (0.5, 2), (0.5, 1), (0, 1)], 64), 1.75 * np.pi, (2, 2, 2)),
        (s.prism(s.superellipse(2, 4, 2, 64), 0, 3), 6 * np.pi, (2, 3, 4)),
        (s.rod((0, 0, 0), (0, 3, 0), 0.5, sides=4), 3.0, (1, 3, 1)),
        (s.rod((0, 0, 0), (0, 0, -3), 0.5, 1.0, sides=64), 1.75 * np.pi, (2, 2, 3)),
        (s.tube([(0, 0, 0), (2, 0, 0)], (0.5, 0.5), sides=64), 0.5 * np.pi, (2, 1, 1)),
        (s.ring(s.circle(2, columns=64), 0.5, sides=48), np.pi**2, (5, 1, 5)),
    ],
)
def test_solids_have_the_volume_of_the_textbook(solid: s.Solid, volume: float, size: tuple[float, ...]) -> None:
    mesh = trimesh.Trimesh(solid.vertices, solid.faces)
    assert mesh.is_volume
    assert mesh.volume == pytest.approx(volume, rel=0.2 if volume == np.pi / 6 else 0.02)
    np.testing.assert_allclose(mesh.extents, size, rtol=0.01)


def test_moves_and_turns() -> None:
    point = s.Solid(np.array([[1.0, 0.0, 0.0]]), np.empty((0, 3), np.uint64))
    np.testing.assert_allclose(point.turned("z", 90).vertices, [[0, 1, 0]], atol=1e-12)
    np.testing.assert_allclose(point.turned("y", 90).vertices, [[0, 0, -1]], atol=1e-12)
    np.testing.assert_allclose(point.moved(0, 1, 0).turned("x", 90).vertices, [[1, 0, 1]], atol=1e-12)
    np.testing.assert_allclose(point.scaled(x=3).vertices, [[3, 0, 0]])


def test_curves_pass_through_their_points_and_fillets_do_not() -> None:
    points = np.array([(0.0, 0.0, 0.0), (1.0, 0.0, 0.0), (1.0, 1.0, 0.0)])
    np.testing.assert_allclose(s.curve(points, 5)[[0, 5, 10]], points)
    rounded = s.filleted(points, 0.2)
    np.testing.assert_allclose(rounded[[0, -1]], points[[0, -1]])
    assert np.linalg.norm(rounded - points[1], axis=1).min() == pytest.approx(0.05 * np.sqrt(2))


def test_inset_leaves_the_wall_across_the_slope() -> None:
    np.testing.assert_allclose(s.inset([(1, 0), (1, 1), (1, 2)], 0.1)[:, 0], 0.9)
    np.testing.assert_allclose(s.inset([(1, 0), (2, 1), (3, 2)], 0.1)[:, 0], [1, 2, 3] - 0.1 * np.sqrt(2))


def test_union_keeps_the_colour_of_each_part() -> None:
    parts = [Part(s.block((1, 1, 1), bevel=1e-4), RED), Part(s.block((1, 1, 1), (0.5, 0, 0), 1e-4), BLUE)]
    mesh = assemble("thing", "thing-000000", parts)
    assert mesh.materials == (RED, BLUE)
    middle = mesh.vertices[mesh.faces].mean(axis=1)[:, 0]
    assert middle[mesh.face_materials == 0].min() == pytest.approx(-0.5, abs=1e-3)
    assert middle[mesh.face_materials == 1].max() == pytest.approx(1.0, abs=1e-3)
    assert trimesh.Trimesh(mesh.vertices, mesh.faces).volume == pytest.approx(1.5, rel=1e-3)


def test_carving_colours_the_hollow_and_spares_what_comes_later() -> None:
    box, hole = s.block((2, 2, 2), bevel=1e-4), s.block((1, 3, 1), bevel=1e-4)
    mesh = assemble("thing", "thing-000000", [Part(box, RED), Part(hole, BLUE, carve=True)])
    assert trimesh.Trimesh(mesh.vertices, mesh.faces).volume == pytest.approx(6, rel=1e-3)
    hollow = mesh.vertices[mesh.faces[mesh.face_materials == 1]]
    assert np.abs(hollow[..., [0, 2]]).max() == pytest.approx(0.5, abs=1e-3)
    filled = assemble("thing", "thing-000000", [Part(box, RED), Part(hole, BLUE, carve=True), Part(hole, RED)])
    assert trimesh.Trimesh(filled.vertices, filled.faces).volume == pytest.approx(9, rel=1e-3)


def test_materials_of_one_name_are_told_apart() -> None:
    other = Material("red", (0.5, 0.0, 0.0))
    mesh = assemble("thing", "t-0", [Part(s.ball(1.0), RED), Part(s.ball(1.0, (1, 0, 0)), other)])
    assert [material.name for material in mesh.materials] == ["red", "red_2"]


def _thickness(mesh: ProceduralMesh, count: int) -> NDArray[np.float64]:
    """How long rays from random surface points, straight inwards, stay inside; shares of the longest side."""
    rng = np.random.default_rng(0)
    solid = Manifold(Mesh64(mesh.vertices, mesh.faces.astype(np.uint64)))
    corners = mesh.vertices[mesh.faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    doubled_area = np.linalg.norm(normals, axis=1)
    chosen = rng.choice(len(normals), count, p=doubled_area / doubled_area.sum())
    points = np.einsum("nk,nkx->nx", rng.dirichlet((1, 1, 1), count), corners[chosen])
    inwards = -normals[chosen] / doubled_area[chosen, None]
    longest = np.ptp(mesh.vertices, axis=0).max()
    hits = [solid.ray_cast(p + 1e-5 * longest * d, p + 2 * longest * d) for p, d in zip(points, inwards, strict=True)]
    return np.array([2 * min(hit.distance for hit in found) for found in hits if found])
