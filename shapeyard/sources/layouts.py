"""How the files of a source make objects.

shapenet   <synset or class>/<id>/models/model_normalized.obj     +Y up     (ShapeNetCore v2)
modelnet   <class>/<train|test>/<name>.<off|binvox>               +Z up     (ModelNet10 and 40; binvox as it is)
r2n2       ShapeNetRendering/<synset or class>/<id>/rendering/ with its grid ShapeNetVox32/…/<id>/model.binvox, or
           without; either the folder that holds both, or ShapeNetRendering itself     +Y up     (3D-R2N2's data)
classes    <class>/…/<name>.<stl|obj|off|ply|glb|gltf|binvox>     +Z up for STL, else +Y; a file in no folder is
                                                                  of class "unsorted"
things     <class>/<thing>.<zip|stl|…>, <class>/<thing>/…/*.stl   +Z up for folders, STL and ZIP, else +Y; all STL files
                                                                  of a thing's folder, or OBJ files if there are no
                                                                  others, are one object; a class may be named by
                                                                  Thingiverse's id of it
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import PurePosixPath
from sys import intern
from typing import Literal

from shapeyard.errors import SourceError
from shapeyard.formats.mesh import MESH_SUFFIXES
from shapeyard.formats.things import select_parts
from shapeyard.geometry.up_axis import UpAxis, up_axis_of
from shapeyard.sources.selection import Layout
from shapeyard.sources.source import SourceFile
from shapeyard.sources.synsets import CLASS_OF_SYNSET
from shapeyard.sources.thingiverse import CLASS_OF_CATEGORY

SHAPENET = re.compile(r"([^/]+)/([^/]+)/models/model_normalized\.obj")
MODELNET = re.compile(r"([^/]+)/(train|test)/([^/]+)\.(?:off|binvox)", re.IGNORECASE)
R2N2 = re.compile(r"(?:ShapeNetRendering/)?([^/]+)/([^/]+)/rendering/([^/]+)")
R2N2_METADATA = "rendering_metadata.txt"
OBJECT_SUFFIXES = (*MESH_SUFFIXES, ".binvox")
HARVEST = "harvest.json"
"""What `shapeyard harvest` leaves at the root of a set."""


@dataclass(frozen=True, slots=True)
class ListedObject:
    """An object as a source's listing shows it."""

    id: str
    """class/name"""
    class_name: str
    main: SourceFile
    """the mesh; what it refers to (materials, textures) is brought with it"""
    own_files: tuple[SourceFile, ...]
    """all files that may belong to it: their tags make its fingerprint"""
    up_axis: UpAxis
    source_split: Literal["train", "test"] | None = None
    images: tuple[SourceFile, ...] = ()
    """what is brought with it though nothing refers to it: its renderings"""
    parts: tuple[SourceFile, ...] = ()
    """of a thing's folder: all its meshes, which together are the object"""


def detect_layout(files: Sequence[SourceFile]) -> Layout:
    """The first of the layouts that any file fits; archives are things, and so is what was harvested.

    Raises:
        SourceError: if no file fits any.
    """
    keys = [file.key for file in files]
    if any(SHAPENET.fullmatch(key) for key in keys):
        return "shapenet"
    if any(MODELNET.fullmatch(key) for key in keys):
        return "modelnet"
    if any((m := R2N2.fullmatch(key)) and m[3] == R2N2_METADATA for key in keys):
        return "r2n2"
    if HARVEST in keys or any(_is_archive(key) for key in keys):
        return "things"
    if any(_is_mesh(key) for key in keys):
        return "classes"
    raise SourceError(f"expected meshes ({', '.join(OBJECT_SUFFIXES)}), found none in {len(files)} files")


def group_objects(files: Sequence[SourceFile], layout: Layout) -> list[ListedObject]:
    """The objects of a listing, sorted by id.

    Raises:
        SourceError: if two objects have the same id.
    """
    if layout == "shapenet":
        listed = _shapenet(files)
    elif layout == "modelnet":
        listed = [
            ListedObject(f"{m[1]}/{m[3]}", m[1], file, (file,), "z", "train" if m[2].lower() == "train" else "test")
            for file in files
            if (m := MODELNET.fullmatch(file.key))
        ]
    elif layout == "r2n2":
        listed = _r2n2(files)
    elif layout == "things":
        listed = _things(files)
    else:
        listed = _classes(files)
    listed.sort(key=lambda item: item.id)
    for one, other in pairwise(listed):
        if one.id == other.id:
            raise SourceError(f"expected ids that differ, got {one.id} for both {one.main.key} and {other.main.key}")
    return listed


def _shapenet(files: Sequence[SourceFile]) -> list[ListedObject]:
    folders: dict[str, list[SourceFile]] = {}
    for file in files:
        folders.setdefault("/".join(file.key.split("/")[:2]), []).append(file)
    listed = []
    for folder, own in folders.items():
        for file in own:
            if SHAPENET.fullmatch(file.key):
                synset, name = folder.split("/")
                class_name = CLASS_OF_SYNSET.get(synset, synset)
                listed.append(ListedObject(f"{class_name}/{name}", class_name, file, tuple(own), "y"))
    return listed


def _r2n2(files: Sequence[SourceFile]) -> list[ListedObject]:
    """The grid is the object's main file where there is one; else it is the images' metadata."""
    grids = {file.key: file for file in files if file.key.endswith("/model.binvox")}
    folders: dict[tuple[str, str], list[SourceFile]] = {}
    for file in files:
        if match := R2N2.fullmatch(file.key):
            folders.setdefault((match[1], match[2]), []).append(file)
    listed = []
    for (synset, name), images in folders.items():
        metadata = next((file for file in images if file.key.endswith(f"/{R2N2_METADATA}")), None)
        if metadata is not None:
            class_name = CLASS_OF_SYNSET.get(synset, synset)
            main = grids.get(f"ShapeNetVox32/{synset}/{name}/model.binvox", metadata)
            own = tuple(dict.fromkeys((main, *images)))
            listed.append(ListedObject(f"{class_name}/{name}", class_name, main, own, "y", images=tuple(images)))
    return listed


def _classes(files: Sequence[SourceFile]) -> list[ListedObject]:
    meshes = [file for file in files if _is_mesh(file.key)]
    companions, shared = _beside_meshes(files, meshes)
    taken: set[str] = set()
    listed = []
    for file in meshes:
        folder, *parts = file.key.split("/")
        class_name, inside = (intern(folder), "-".join(parts)) if parts else ("unsorted", folder)
        suffix = _suffix(file.key)
        object_id = f"{class_name}/{inside.removesuffix(suffix)}"
        if object_id in taken:
            object_id = f"{class_name}/{inside.replace('.', '-')}"
        taken.add(object_id)
        own = [file, *companions.get(_stem(file.key), []), *shared.get(file.key.rpartition("/")[0] or ".", [])]
        listed.append(ListedObject(object_id, class_name, file, tuple(own), "z" if suffix.lower() == ".stl" else "y"))
    return listed


def _beside_meshes(
    files: Sequence[SourceFile], meshes: Sequence[SourceFile]
) -> tuple[dict[str, list[SourceFile]], dict[str, list[SourceFile]]]:
    """The files that are no meshes: by the stem of a mesh, and by folder, where no mesh has their stem."""
    companions: dict[str, list[SourceFile]] = {}
    shared: dict[str, list[SourceFile]] = {}
    if len(meshes) == len(files):
        return companions, shared
    stems = {_stem(file.key) for file in meshes}
    for file in files:
        if not _is_mesh(file.key):
            if _stem(file.key) in stems:
                companions.setdefault(_stem(file.key), []).append(file)
            else:  # a material or texture that any mesh of this folder, or of one above it, may use
                for folder in PurePosixPath(file.key).parents:
                    shared.setdefault(str(folder), []).append(file)
    return companions, shared


def _things(files: Sequence[SourceFile]) -> list[ListedObject]:
    folders: dict[str, list[SourceFile]] = {}
    listed = []
    for file in files:
        path = PurePosixPath(file.key)
        class_name = _category(path.parts[0]) if len(path.parts) > 1 else "unsorted"
        if len(path.parts) > 2:
            folders.setdefault("/".join(path.parts[:2]), []).append(file)
        elif _is_mesh(file.key) or _is_archive(file.key):
            listed.append(ListedObject(f"{class_name}/{path.stem}", class_name, file, (file,), up_axis_of(path)))
    for folder, own in folders.items():
        name, thing = folder.split("/")
        class_name = _category(name)
        chosen = set(select_parts(file.key for file in own))
        parts = [file for file in own if file.key in chosen]
        if not parts:
            continue
        listed.append(
            ListedObject(f"{class_name}/{thing}", class_name, parts[0], tuple(parts), "z", parts=tuple(parts))
        )
    return listed


def _category(folder: str) -> str:
    """The name on both levels where a folder is named by Thingiverse's id."""
    return CLASS_OF_CATEGORY.get(folder, folder)


def _suffix(key: str) -> str:
    """As `PurePosixPath.suffix`, which takes ten times as long: a listing has a million keys."""
    name = key[key.rfind("/") + 1 :]
    dot = name.rfind(".")
    return name[dot:] if 0 < dot < len(name) - 1 else ""


def _stem(key: str) -> str:
    return key.removesuffix(_suffix(key))


def _is_mesh(key: str) -> bool:
    return _suffix(key).lower() in OBJECT_SUFFIXES


def _is_archive(key: str) -> bool:
    return _suffix(key).lower() == ".zip"
