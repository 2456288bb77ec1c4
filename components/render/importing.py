"""Mesh files into Blender's scene, in the canonical frame."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix
from numpy.typing import NDArray

from shapeyard.errors import MeshError, one_line
from shapeyard.formats.mesh import MESSAGE_LENGTH, read_gltf, read_mesh
from shapeyard.formats.plain_glb import plain_glb
from shapeyard.formats.ply import parse_colored_ply
from shapeyard.formats.polygons import moved_obj, triangulate

GLTF_FROM_BLENDER = np.array([[1.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]])
"""Blender's glTF importer turns +Y up into +Z up; all others are told to leave the axes as they are."""
AGREEING = 0.5
"""How long the mean of unit normals is at least, if they are those of one sheet; the three of a cube's corner: 0.58."""
FAR = 100
"""Canonical units from the origin to an object's centre: in single precision its corners are off by 1e-5 there."""
OUTERMOST = 1e3
"""Canonical units: any mesh should end at 0.5."""
SHEET_DISTANCE = 1e-4
"""Canonical units. Faces that lie on each other are moved apart by this (all of ShapeNet's come twice, with a material
for either side): else their colours mix at random, and each shades the other. Depth is wrong by as much."""
WELD_DISTANCE = 1e-5
"""Corners that are no farther apart are one, when faces that lie on each other are looked for."""


def import_mesh(path: Path, canonical_from_file: NDArray[np.float64]) -> list[Any]:
    """Import a file's meshes, its materials and textures with them, into the current scene.

    Args:
        path: an OBJ, STL, PLY, OFF, GLB or glTF file.
        canonical_from_file: (4,4).

    Returns:
        The bpy objects; their vertices are in the canonical frame, their faces flat.

    Raises:
        MeshError: if the file cannot be imported, has no faces, or has coordinates that are not finite.
    """
    importer = _IMPORTERS.get(path.suffix.lower())
    if importer is None:
        raise MeshError(f"{path.name}: expected one of {', '.join(_IMPORTERS)}, got {path.suffix or 'no ending'}")
    file_from_moved = np.eye(4)
    file_from_moved[:3, 3] = _far_centre(canonical_from_file)
    try:
        importer(path, file_from_moved[:3, 3])
    except RuntimeError as error:  # Blender's way to say that an operator failed
        reason = str(error).removeprefix("Error: ")
        raise MeshError(f"{path.name}: Blender cannot import it: {reason}") from error
    except MeshError as error:
        raise MeshError(str(error).replace(str(path), path.name)) from error
    bpy.context.view_layer.update()
    imported = [item for item in bpy.context.scene.objects if item.select_get()]
    meshes = [item for item in imported if item.type == "MESH" and len(item.data.polygons)]
    if not meshes:
        raise MeshError(f"{path.name}: no faces in it")
    axes = GLTF_FROM_BLENDER if importer is _import_gltf else np.eye(4)
    placed = [(item, canonical_from_file @ file_from_moved @ axes @ np.array(item.matrix_world)) for item in meshes]
    for item, canonical_from_object in placed:
        _place(item, canonical_from_object)
        if not (np.abs(_positions(item.data)) < OUTERMOST).all():
            raise MeshError(f"{path.name}: coordinates that are not finite, or far outside the canonical frame")
        _separate_sheets(item.data)
        item.data.validate()  # drops the second of two equal faces, so not before they are apart
    return meshes


def bounds(objects: list[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The lower and the upper corner (3,), (3,) of the box around all faces."""
    corners = np.concatenate([_positions(item.data)[_corners(item.data)] for item in objects])
    return corners.min(axis=0), corners.max(axis=0)


def _far_centre(canonical_from_file: NDArray[np.float64]) -> NDArray[np.float64]:
    """(3,): the object's centre in its file, if it is so far from the origin that Blender's numbers would blur it."""
    centre = np.linalg.solve(canonical_from_file[:3, :3], -canonical_from_file[:3, 3])
    far = np.abs(canonical_from_file[:3, 3]).max() > FAR
    return np.asarray(centre if far else np.zeros(3))


def _import_obj(path: Path, centre: NDArray[np.float64]) -> None:
    if centre.any():
        path.write_bytes(moved_obj(path.read_bytes(), -centre))  # a copy, by `confine_mesh`
    bpy.ops.wm.obj_import(
        filepath=str(path), forward_axis="Y", up_axis="Z", use_split_objects=False, validate_meshes=False
    )


def _import_gltf(path: Path, centre: NDArray[np.float64]) -> None:
    """The scene as our own reader has it, with the file's materials: Blender has another opinion of some forms."""
    plain = path.with_name(f".plain-{path.stem[:100]}.glb")  # beside it, where its images are
    try:
        plain.write_bytes(plain_glb(read_gltf(path), -centre))
    except MeshError as error:
        raise MeshError(f"{path.name}: {error}") from error
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise MeshError(f"{path.name}: not readable as glTF: {one_line(error)[:MESSAGE_LENGTH]}") from error
    bpy.ops.import_scene.gltf(filepath=str(plain), import_shading="FLAT")


def _import_ply(path: Path, centre: NDArray[np.float64]) -> None:
    """With our own reader, since elements and lists that Blender does not know of make it write outside its memory."""
    try:
        polygons, colors = parse_colored_ply(path.read_bytes())
        faces = triangulate(polygons)
    except (ValueError, OverflowError, MeshError) as error:
        raise MeshError(f"{path.name}: not readable as PLY: {one_line(error)[:MESSAGE_LENGTH]}") from error
    mesh = _add_geometry(path, polygons.vertices - centre, faces)
    if colors is not None:
        linear = np.where(colors <= 0.04045, colors / 12.92, ((colors + 0.055) / 1.055) ** 2.4)  # IEC 61966-2-1
        values = np.ones((len(colors), 4), np.float32)
        values[:, :3] = linear
        mesh.color_attributes.new("Col", "FLOAT_COLOR", "POINT").data.foreach_set("color", values.ravel())


def _import_geometry(path: Path, centre: NDArray[np.float64]) -> None:
    vertices, faces = read_mesh(path)
    _add_geometry(path, vertices - centre, faces)


def _add_geometry(path: Path, vertices: NDArray[np.float64], faces: NDArray[np.int64]) -> Any:
    mesh = bpy.data.meshes.new(path.stem)
    mesh.from_pydata(vertices, (), faces)
    item = bpy.data.objects.new(path.stem, mesh)
    bpy.context.scene.collection.objects.link(item)
    item.select_set(True)
    return mesh


_IMPORTERS: dict[str, Callable[[Path, NDArray[np.float64]], None]] = {
    ".obj": _import_obj, ".stl": _import_geometry, ".ply": _import_ply, ".off": _import_geometry,
    ".glb": _import_gltf, ".gltf": _import_gltf,
}  # fmt: skip


def _place(item: Any, canonical_from_object: NDArray[np.float64]) -> None:
    """Bake the transform into the object's own copy of its mesh, and shade it flat."""
    if item.data.users > 1:
        item.data = item.data.copy()
    item.parent = None
    item.matrix_world = Matrix.Identity(4)
    mesh = item.data
    mesh.transform(Matrix(canonical_from_object.tolist()))
    normals = mesh.attributes.get("custom_normal")
    if normals is not None:
        mesh.attributes.remove(normals)
    mesh.shade_flat()


def _separate_sheets(mesh: Any) -> None:
    """Move faces that lie on each other apart, each along its normal: the first by one step, the second by two, …"""
    corners, sizes, positions = _corners(mesh), _sizes(mesh), _positions(mesh)
    welded = _weld(positions)
    rank = _rank_among_equals(welded[corners], sizes)
    if not rank.any():
        return
    normals = np.empty((len(mesh.polygons), 3), np.float32)
    mesh.polygons.foreach_get("normal", normals.ravel())
    face = np.repeat(np.arange(len(sizes)), sizes)
    chosen = np.flatnonzero(rank[face])
    directions = _shared_directions(welded[corners[chosen]], rank[face[chosen]], normals[face[chosen]])
    shifts = SHEET_DISTANCE * rank[face[chosen], None] * directions
    first = len(positions)
    mesh.vertices.add(len(chosen))
    shifted = np.concatenate([positions, positions[corners[chosen]] + shifts]).astype(np.float32)
    corners[chosen] = first + np.arange(len(chosen))
    mesh.vertices.foreach_set("co", shifted.ravel())
    mesh.loops.foreach_set("vertex_index", corners.astype(np.int32))
    mesh.update(calc_edges=True)


def _weld(positions: NDArray[np.float64]) -> NDArray[np.int64]:
    """(N,): one number for all vertices that lie in one place."""
    grid = np.round(positions / WELD_DISTANCE).astype(np.int64)
    return np.asarray(np.unique(grid @ np.array([1 << 42, 1 << 21, 1]), return_inverse=True)[1])


def _rank_among_equals(corners: NDArray[np.int64], sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """(F,): 0 for a face that shares its corners with no other, else 1, 2, … among those that have the same corners."""
    starts = np.cumsum(sizes) - sizes
    scrambled = _scramble(corners)  # a sum of scrambled numbers is a key that knows no order
    key = np.add.reduceat(scrambled, starts) if len(starts) else scrambled
    order = np.argsort(key, kind="stable")
    _, first, count = np.unique(key[order], return_index=True, return_counts=True)
    rank = np.empty(len(key), np.int64)
    rank[order] = np.arange(len(key)) - np.repeat(first, count) + 1
    shared = np.empty(len(key), bool)
    shared[order] = np.repeat(count > 1, count)
    return np.where(shared, rank, 0)


def _shared_directions(
    places: NDArray[np.int64], rank: NDArray[np.int64], normals: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Where each corner goes: with those of its sheet that lie in the same place, so that no cracks open between them.

    That is along the mean of their normals; along its own, where the others face elsewhere.
    """
    _, group = np.unique(places * (int(rank.max()) + 1) + rank, return_inverse=True)
    sums = np.stack([np.bincount(group, normals[:, axis]) for axis in range(3)], axis=1)
    lengths = np.linalg.norm(sums, axis=1)
    agree = lengths > AGREEING * np.bincount(group)
    directions = (sums / np.maximum(lengths, 1e-9)[:, None])[group]
    together = agree[group] & ((directions * normals).sum(axis=1) > 0)
    return np.asarray(np.where(together[:, None], directions, normals), np.float64)


def _scramble(numbers: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Numbers that look random, one for each (the finalizer of splitmix64, Steele et al. 2014)."""
    mixed = numbers.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(mixed ^ (mixed >> np.uint64(31)))


def _positions(mesh: Any) -> NDArray[np.float64]:
    values = np.empty(3 * len(mesh.vertices), np.float32)
    mesh.vertices.foreach_get("co", values)
    return values.reshape(-1, 3).astype(np.float64)


def _corners(mesh: Any) -> NDArray[np.int64]:
    values = np.empty(len(mesh.loops), np.int32)
    mesh.loops.foreach_get("vertex_index", values)
    return values.astype(np.int64)


def _sizes(mesh: Any) -> NDArray[np.int64]:
    values = np.empty(len(mesh.polygons), np.int32)
    mesh.polygons.foreach_get("loop_total", values)
    return values.astype(np.int64)
