"""From the coloured parts of an object to one watertight mesh."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from manifold3d import Manifold, Mesh64, OpType
from numpy.typing import NDArray

from shapeyard.sources.procedural.materials import Material
from shapeyard.sources.procedural.solids import Solid

THINNEST = 0.029
"""A part's smallest thickness as a share of the object's longest side: nearly two voxels of 64³, so it stays."""
_GRID = 1e-7
"""Metres that vertices are rounded to, so that text holds them exactly."""
_SHORTEST = 2e-5
"""Edges below this share of the longest side are collapsed: slivers that a union leaves behind."""
_GROWTHS = (0.0, 4e-4, 8e-4, -4e-4)
"""By how much parts grow about their middles before they are united. The first is used unless it leaves a surface that
touches itself (1 object in 1000), which readers that merge vertices would break."""
_MAX_MATERIALS = 64


@dataclass(frozen=True)
class Part:
    """A solid of one material; with `carve` it is taken away from all parts before it, and colours the hollow."""

    solid: Solid
    material: Material
    carve: bool = False


@dataclass(frozen=True)
class ProceduralMesh:
    """One object: a single watertight surface, +Y up, standing on y=0, front to −Z, in metres."""

    class_name: str
    name: str
    """class-index, unique for a seed"""
    vertices: NDArray[np.float64]
    """(N,3)"""
    faces: NDArray[np.int32]
    """(M,3), wound outwards, sorted by material"""
    face_materials: NDArray[np.int32]
    """(M,) indices into `materials`"""
    materials: tuple[Material, ...]


def parts_of(solids: Iterable[Solid], material: Material) -> list[Part]:
    """Several solids of one material."""
    return [Part(solid, material) for solid in solids]


def placed(parts: Iterable[Part], change: Callable[[Solid], Solid]) -> list[Part]:
    """The parts with `change` (a move, a turn) applied to their solids."""
    return [replace(part, solid=change(part.solid)) for part in parts]


def stout(value: float, longest: float) -> float:
    """`value`, but at least as thick as `THINNEST` asks for in an object of that longest side."""
    return max(value, THINNEST * longest)


def assemble(class_name: str, name: str, parts: Sequence[Part]) -> ProceduralMesh:
    """Unite the parts in their order into one mesh whose faces remember their materials."""
    materials = tuple(dict.fromkeys(part.material for part in parts))
    slot = {material: index for index, material in enumerate(materials)}
    for growth in _GROWTHS:
        mesh = _united([(_manifold(part.solid, slot[part.material], growth), part.carve) for part in parts])
        vertices = np.array(mesh.vert_properties, dtype=np.float64)[:, :3]
        points, faces, kept = _welded(
            np.round((vertices - (0, vertices[:, 1].min(), 0)) / _GRID).astype(np.int64),
            np.array(mesh.tri_verts, dtype=np.int32),
        )
        if len(points) == len(vertices) or _is_closed(faces):
            break
    of_face = np.repeat(np.array(mesh.run_original_id, dtype=np.int64), np.diff(mesh.run_index) // 3) - _first_id()
    order = np.argsort(of_face[kept], kind="stable")
    return ProceduralMesh(
        class_name,
        name,
        points * _GRID,
        faces[order],
        of_face[kept][order].astype(np.int32),
        _with_unique_names(materials),
    )


def _manifold(solid: Solid, slot: int, growth: float) -> Manifold:
    middle = solid.vertices.mean(axis=0)
    return Manifold(
        Mesh64(
            middle + (1 + growth) * (solid.vertices - middle),
            solid.faces,
            run_index=np.array([0, solid.faces.size], dtype=np.uint64),
            run_original_id=np.array([_first_id() + slot], dtype=np.uint32),
        )
    )


@lru_cache
def _first_id() -> int:
    """The manifold library's ids that stand for materials 0, 1, …: it carries them through every union."""
    return int(Manifold.reserve_ids(_MAX_MATERIALS))


def _united(solids: Sequence[tuple[Manifold, bool]]) -> Mesh64:
    """Add and carve in order, as few batches as possible; then clear away the slivers."""
    pending: list[Manifold] = []
    for solid, carve in solids:
        if carve:
            pending = [Manifold.batch_boolean(pending, OpType.Add) - solid]
        else:
            pending.append(solid)
    united = Manifold.batch_boolean(pending, OpType.Add)
    box = np.array(united.bounding_box())
    return united.simplify(_SHORTEST * float(np.max(box[3:] - box[:3]))).to_mesh64()


def _welded(
    points: NDArray[np.int64], faces: NDArray[np.int32]
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.intp]]:
    """Points (N,3) that are alike made one; the faces that are left, and their old indices."""
    hashes = points @ np.array((1, 1_000_000_007, 998_244_353_000_003))
    if len(np.unique(hashes)) == len(points):
        return points, faces, np.arange(len(faces))
    points, place = np.unique(points, axis=0, return_inverse=True)
    faces = place.reshape(-1)[faces].astype(np.int32)
    a, b, c = faces.T
    kept = np.flatnonzero((a != b) & (b != c) & (c != a))
    return points, faces[kept], kept


def _is_closed(faces: NDArray[np.int32]) -> bool:
    """Whether every edge has exactly two faces."""
    edges = np.sort(faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    return bool(np.all(np.unique(edges, axis=0, return_counts=True)[1] == 2))


def _with_unique_names(materials: tuple[Material, ...]) -> tuple[Material, ...]:
    seen: dict[str, int] = {}
    named = []
    for material in materials:
        seen[material.name] = seen.get(material.name, 0) + 1
        count = seen[material.name]
        named.append(material if count == 1 else replace(material, name=f"{material.name}_{count}"))
    return tuple(named)
