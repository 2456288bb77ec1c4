"""Copies of meshes as collections hold them: exported anew, scaled, turned, mirrored, remeshed, several on a plate."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import trimesh
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from shapeyard.geometry.surfaces import surface_of
from shapeyard.geometry.triangle_mesh import Mesh

SUFFIXES = (".obj", ".ply", ".off", ".stl", ".glb")
KEPT_FACES = 0.5
"""Of decimated meshes."""
MIN_FACES = 100
"""Half of fewer make another shape."""
SIMPLIFIED = 0.002
"""The tolerance of a simplified mesh, of its box's diagonal."""
GAP = 0.1
"""Between copies on a plate, of the box's longest side."""


def exported(mesh: Mesh, rng: np.random.Generator) -> Mesh:
    """The same triangles in another order, welded, somewhere else."""
    surface = surface_of(mesh)
    faces = rng.permutation(surface.faces)
    turns = rng.integers(0, 3, len(faces))
    faces = np.take_along_axis(faces, (np.arange(3) + turns[:, None]) % 3, axis=1)
    order = rng.permutation(len(surface.vertices))
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    moved = rng.uniform(-2, 2, 3) * np.ptp(mesh.vertices, axis=0).max()
    return Mesh(surface.vertices[order] + moved, place[faces])


def scaled(mesh: Mesh, rng: np.random.Generator) -> Mesh:
    """Anything from a tenth to ten times as large; every third time inches for millimetres."""
    factor = 25.4 if rng.integers(3) == 0 else float(np.exp(rng.uniform(-np.log(10), np.log(10))))
    one = exported(mesh, rng)
    return Mesh(one.vertices * factor, one.faces)


def turned(mesh: Mesh, rng: np.random.Generator) -> Mesh:
    """By any rotation; every third time about an axis by right angles."""
    rotation = Rotation.random(random_state=int(rng.integers(1 << 31))).as_matrix()
    if rng.integers(3) == 0:
        rotation = np.roll(np.eye(3), 1, axis=0)
    one = exported(mesh, rng)
    return Mesh(one.vertices @ rotation.T, one.faces)


def mirrored(mesh: Mesh, rng: np.random.Generator) -> Mesh:
    """In a plane, half of them turned as well; the triangles' corners change sides, as a good exporter does."""
    one = turned(mesh, rng) if rng.integers(2) else exported(mesh, rng)
    return Mesh(one.vertices * (-1, 1, 1), one.faces[:, ::-1])


def subdivided(mesh: Mesh, rng: np.random.Generator) -> Mesh:
    """Every triangle as four."""
    vertices, faces = trimesh.remesh.subdivide(*_welded(mesh))
    return _anywhere(Mesh(vertices, faces), rng)


def decimated(mesh: Mesh, rng: np.random.Generator) -> Mesh | None:
    """With half of its faces, by quadric errors; None for what is no solid or has few faces."""
    import igl

    vertices, faces = _welded(mesh)
    if len(faces) < MIN_FACES or _solid(vertices, faces) is None:  # of other meshes libigl may take all memory
        return None
    result = igl.qslim(vertices, faces, int(KEPT_FACES * len(faces)))
    kept = np.asarray(result[1], np.int64)
    return _anywhere(Mesh(np.asarray(result[0], np.float64), kept), rng) if len(kept) else None


def simplified(mesh: Mesh, rng: np.random.Generator) -> Mesh | None:
    """Of a solid, what is left if no point may move by more than a small tolerance; None for what is no solid."""
    vertices, faces = _welded(mesh)
    solid = _solid(vertices, faces)
    if solid is None:
        return None
    diagonal = float(np.linalg.norm(np.ptp(vertices, axis=0)))
    result = solid.simplify(SIMPLIFIED * diagonal).to_mesh64()
    kept = np.asarray(result.tri_verts, np.int64)
    if not 0 < len(kept) < 0.95 * len(faces):
        return None
    return _anywhere(Mesh(np.asarray(result.vert_properties, np.float64)[:, :3], kept), rng)


def plate(mesh: Mesh, rng: np.random.Generator) -> Mesh:
    """Two to nine copies side by side, each turned about +Z."""
    count = int(rng.integers(2, 10))
    step = np.linalg.norm(np.ptp(mesh.vertices[:, :2], axis=0)) * (1 + GAP)
    parts = []
    for number in range(count):
        rotation = Rotation.from_euler("z", rng.uniform(0, 360), degrees=True).as_matrix()
        centred = mesh.vertices - (mesh.vertices.max(axis=0) + mesh.vertices.min(axis=0)) / 2
        parts.append(centred @ rotation.T + (number % 3 * step, number // 3 * step, 0))
    faces = [mesh.faces + number * len(mesh.vertices) for number in range(count)]
    return Mesh(np.concatenate(parts), np.concatenate(faces))


KINDS: dict[str, Callable[[Mesh, np.random.Generator], Mesh | None]] = {
    "re-export": exported, "scaled": scaled, "turned": turned, "mirrored": mirrored, "subdivided": subdivided,
    "decimated": decimated, "simplified": simplified, "plate": plate,
}  # fmt: skip


def write_mesh(mesh: Mesh, path: Path) -> None:
    """In the format of the file's ending, as trimesh writes it: text with 8 digits, binary in single precision."""
    content: Any = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False).export(file_type=path.suffix[1:])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)


def _solid(vertices: NDArray[np.float64], faces: NDArray[np.int64]) -> Any:
    """Of manifold3d, or None where the mesh is none."""
    import manifold3d

    solid = manifold3d.Manifold(manifold3d.Mesh64(vertices, faces.astype(np.uint64)))
    return solid if solid.status() == manifold3d.Error.NoError else None


def _welded(mesh: Mesh) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    surface = surface_of(mesh)
    return surface.vertices, surface.faces


def _anywhere(mesh: Mesh, rng: np.random.Generator) -> Mesh:
    """Turned and scaled, every second time."""
    return turned(scaled(mesh, rng), rng) if rng.integers(2) else mesh
