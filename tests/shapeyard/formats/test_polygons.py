"""Polygons as triangles: those that are convex as fans, those that are not without a triangle outside."""

from __future__ import annotations

import struct
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from shapeyard.formats.mesh import read_mesh
from shapeyard.formats.polygons import MAX_CLIPPED_CORNERS, Polygons, triangulate
from shapeyard.geometry.triangle_mesh import Mesh
from shapeyard.geometry.voxelization import solid_occupancy

CASES = Path(__file__).parents[2] / "cases" / "concave"
TILT = trimesh.transformations.rotation_matrix(0.8, [1, 2, 3])[:3, :3]
U = [(0, 0), (3, 0), (3, 3), (2.4, 3), (2.4, 0.6), (0.6, 0.6), (0.6, 3), (0, 3)]
DART = [(0, 0), (2, 1), (0, 2), (1, 1)]
SLIT_FRAME = [(0, 0), (4, 0), (4, 4), (0, 4), (0, 0), (1, 1), (1, 3), (3, 3), (3, 1), (1, 1)]
"""The hole is joined to the outside by a slit of no width, whose corners come twice."""
STAR = [((1 + i % 2) * np.cos(i * np.pi / 7), (1 + i % 2) * np.sin(i * np.pi / 7)) for i in range(14)]


def in_space(flat: Sequence[tuple[float, float]]) -> NDArray[np.float64]:
    return np.column_stack([np.array(flat, float), np.zeros(len(flat))]) @ TILT.T


def area(flat: Sequence[tuple[float, float]]) -> float:
    """Gauss's shoelace."""
    x, y = np.array(flat, float).T
    return float(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2


def signed_areas(vertices: NDArray[np.float64], faces: NDArray[np.int64]) -> NDArray[np.float64]:
    a, b, c = (vertices[faces] @ TILT)[..., :2].transpose(1, 2, 0)
    return np.asarray((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])) / 2


def cut(vertices: NDArray[np.float64], *sizes: int) -> NDArray[np.int64]:
    """Faces of so many corners, one after the other."""
    return triangulate(Polygons(vertices, np.arange(sum(sizes)), np.array(sizes)))


def write(path: Path, vertices: NDArray[np.float64], form: str) -> Mesh:
    """One face of all vertices, through a file."""
    rows = "".join(f"{x!r} {y!r} {z!r}\n" for x, y, z in vertices.tolist())
    count = len(vertices)
    face = " ".join(map(str, range(count)))
    header = (
        f"ply\nformat {form} 1.0\nelement vertex {count}\nproperty double x\nproperty double y\nproperty double z\n"
        "element face 1\nproperty list uchar int vertex_indices\nend_header\n"
    )
    if form == "obj":
        lines = [f"v {row}" for row in rows.splitlines()]
        content = "\n".join([*lines, "f " + " ".join(str(i + 1) for i in range(count)), ""]).encode()
    elif form == "off":
        content = f"OFF\n{count} 1 0\n{rows}{count} {face}\n".encode()
    elif form == "ascii":
        content = f"{header}{rows}{count} {face}\n".encode()
    else:
        order = "<" if form == "binary_little_endian" else ">"
        content = header.encode() + vertices.astype(f"{order}f8").tobytes()
        content += struct.pack(f"{order}B{count}i", count, *range(count))
    path = path / f"face.{form if form in ('obj', 'off') else 'ply'}"
    path.write_bytes(content)
    return read_mesh(path)


@pytest.mark.parametrize("form", ["obj", "off", "ascii", "binary_little_endian", "binary_big_endian"])
@pytest.mark.parametrize("flat", [U, DART, SLIT_FRAME, STAR], ids=["u", "dart", "slit_frame", "star"])
def test_concave_faces_of_every_format(tmp_path: Path, flat: list[tuple[float, float]], form: str) -> None:
    for turn in range(len(flat)):  # whichever corner comes first
        turned = flat[turn:] + flat[:turn]
        mesh = write(tmp_path, in_space(turned), form)
        areas = signed_areas(mesh.vertices, mesh.faces)
        assert len(areas) == len(flat) - 2
        assert areas.sum() == pytest.approx(area(flat))
        assert areas.min() > -1e-9, "the face's own side, and none outside"


def test_the_other_side_is_kept() -> None:
    for flat in (U, DART, SLIT_FRAME):
        areas = signed_areas(in_space(flat[::-1]), cut(in_space(flat[::-1]), len(flat)))
        assert areas.sum() == pytest.approx(-area(flat)) and areas.max() < 1e-9


def test_convex_faces_are_fans_to_the_last_bit() -> None:
    rng = np.random.default_rng(0)
    sizes = rng.integers(1, 9, 200)
    angles = [np.sort(rng.uniform(0, 2 * np.pi, size)) for size in sizes]
    vertices = np.concatenate([in_space([(np.cos(a) + 9, 2 * np.sin(a)) for a in around]) for around in angles])
    vertices = vertices.astype(np.float32).astype(np.float64)
    starts = np.cumsum(sizes) - sizes
    fans = [[s, s + i, s + i + 1] for s, size in zip(starts, sizes, strict=True) for i in range(1, size - 1)]
    assert cut(vertices, *sizes).tolist() == fans
    square = np.array([(0, 0, 0), (1, 0, 0), (2, 0, 0), (2, 1, 0), (2, 2, 0), (0, 2, 0)], float)  # corners on its sides
    assert cut(square, 6).tolist() == [[0, i, i + 1] for i in range(1, 5)]


def test_concave_faces_among_others() -> None:
    """Each is cut where it stands: triangles, squares, a U, a dart, lone corners and a convex pentagon."""
    pentagon = [(np.cos(a), np.sin(a)) for a in np.arange(5) * 2 * np.pi / 5]
    flats = [U[:3], pentagon, DART, U[:1], U, DART[::-1], U[:2], U[:3]]
    vertices = np.concatenate([in_space(flat) for flat in flats])
    faces = cut(vertices, *map(len, flats))
    start = row = 0
    for flat in flats:
        triangles = faces[row : row + max(len(flat) - 2, 0)]
        assert ((triangles >= start) & (triangles < start + len(flat))).all()
        if len(flat) > 2:
            areas = signed_areas(vertices, triangles)
            assert areas.sum() == pytest.approx(area(flat)) and (areas * area(flat) > 0).all()
        start, row = start + len(flat), row + len(triangles)
    assert row == len(faces)


def test_quadrilaterals_that_are_not_flat() -> None:
    saddle = np.array([(0, 0, 0.2), (1, 0, -0.2), (1, 1, 0.2), (0, 1, -0.2)])
    assert cut(saddle, 4).tolist() == [[0, 1, 2], [0, 2, 3]], "convex from above: a fan as ever"
    bent_dart = np.array([(0, 0, 0.1), (2, 1, 0), (0, 2, 0.1), (1, 1, -0.1)])
    for turn in range(4):
        turned = np.roll(bent_dart, turn, axis=0)
        a, b, c = turned[cut(turned, 4)].transpose(1, 0, 2)
        assert (np.cross(b - a, c - a)[:, 2] > 0).all()
    bow_tie = np.array([(0, 0, 0), (1, 1, 0), (1, 0, 0), (0, 1, 0)], float)
    assert cut(bow_tie, 4).shape == (2, 3)


def test_a_plate_with_a_notch_is_the_same_solid_cut_by_us_and_by_others() -> None:
    grids = []
    for name in ("u_ngon", "u_triangulated"):
        mesh = read_mesh(CASES / f"{name}.obj")
        unit = (mesh.vertices - mesh.vertices.min(axis=0)) / 3 - [0.5, 0.5, 0.0]
        grids.append(solid_occupancy(unit, mesh.faces, 32))
    assert (grids[0] == grids[1]).all()
    assert grids[0].any() and not grids[0][8:24, 10:].any()


@settings(deadline=None, max_examples=300)
@given(st.lists(st.tuples(*[st.sampled_from([0.0, 1.0, 2.0, 0.5, -1e-9, 1e30, np.nan, np.inf])] * 3), min_size=4))
def test_a_face_that_crosses_or_touches_itself_is_cut_into_as_many_triangles(corners: list[tuple[float, ...]]) -> None:
    """And each of its sides belongs to a triangle once, as in any fan: what was closed stays closed."""
    faces = cut(np.array(corners), len(corners))
    assert faces.shape == (len(corners) - 2, 3) and 0 <= faces.min() <= faces.max() < len(corners)
    sides = {(int(face[i]), int(face[i - 2])) for face in faces for i in range(3)}
    assert all((i, (i + 1) % len(corners)) in sides for i in range(len(corners)))


def test_a_face_of_very_many_corners_takes_no_minutes() -> None:
    start = time.perf_counter()
    for size in (MAX_CLIPPED_CORNERS, 300_000):
        angle = np.arange(size) * 2 * np.pi / size
        radius = np.where(np.arange(size) % 2, 0.01, 1.0)
        star = np.column_stack([radius * np.cos(angle), radius * np.sin(angle), 0 * angle])
        star = np.roll(star, 1, axis=0)
        assert len(cut(star, size)) == size - 2
    assert time.perf_counter() - start < 10
