"""How the files of a source make objects.

shapenet   <synset or class>/<id>/models/model_normalized.obj     +Y up     (ShapeNetCore v2)
           <synset>/<id>/model.<obj|binvox>                       +Y up     (ShapeNetCore v1)
modelnet   <class>/<train|test>/<name>.<off|binvox>               +Z up     (ModelNet10 and 40; binvox as it is)
r2n2       ShapeNetRendering/<synset or class>/<id>/rendering/ with its grid ShapeNetVox32/…/<id>/model.binvox, or
           without; either the folder that holds both, or ShapeNetRendering itself     +Y up     (3D-R2N2's data)
classes    <class>/…/<name>.<stl|obj|off|ply|glb|gltf|binvox>     +Z up for STL, else +Y; a file in no folder is
                                                                  of class "unsorted"
things     <class>/<thing>.<zip|stl|…>, <class>/<thing>/…/*.stl   +Z up for folders, STL and ZIP, else +Y; all STL files
                                                                  of a thing's folder, or OBJ files if there are no
                                                                  others, are one object; a class may be named by
                                                                  Thingiverse's id of it

Several files of one name, such as `a.off` and `a.binvox`, or `obj/a.obj` and `stl/a.stl`, are one object in several
formats: the first of `PREFERRED` is read. In the first three layouts all may lie in a folder below the source's root.
Hidden files and macOS's copies of attributes are none.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
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

SHAPENET = re.compile(
    r"(?P<root>.+/)?(?:(?P<class>[^/]+)/(?P<name>[^/]+)/models/model_normalized\.obj"
    r"|(?P<synset>\d{8})/(?P<id>[^/]+)/model\.(?:obj|binvox))"
)
MODELNET = re.compile(
    r"(?P<root>.+/)?(?P<class>[^/]+)/(?P<part>train|test)/(?P<name>[^/]+)\.(?:off|binvox)", re.IGNORECASE
)
R2N2 = re.compile(
    r"(?P<root>(?:(?!ShapeNetRendering/).)+/)?(?:ShapeNetRendering/)?"
    r"(?P<class>[^/]+)/(?P<name>[^/]+)/rendering/(?P<file>[^/]+)"
)
SHAPENET_ENDINGS = ("/model_normalized.obj", "/model.obj", "/model.binvox")
MODELNET_ENDINGS = (".off", ".binvox", ".OFF", ".BINVOX")
R2N2_METADATA = "rendering_metadata.txt"
OBJECT_SUFFIXES = (*MESH_SUFFIXES, ".binvox")
PREFERRED = (".glb", ".gltf", ".obj", ".3mf", ".ply", ".off", ".stl", ".binvox")
"""Which file of an object in several formats is read: those with materials first, a grid last."""
PREFERRED_OF_THINGS = (".zip", ".stl", ".obj")
"""The same for things, where an archive has all parts, and STL is what is printed."""
FORMAT_FOLDERS = frozenset(suffix[1:] for suffix in PREFERRED)
"""Folders of these names say nothing of an object: `chair/obj/a.obj` and `chair/stl/a.stl` are one."""
HIDDEN = re.compile(r"(?:^|/)(?:\.(?!\.)|__MACOSX/)")
SHOWN = 5
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


def is_hidden(key: str) -> bool:
    """Whether a file is none that a person put there: a name that starts with a dot, or what macOS adds to archives."""
    return (key[0] in "._" or "/." in key or "/_" in key) and HIDDEN.search(key) is not None


def _without_hidden(files: Sequence[SourceFile]) -> Sequence[SourceFile]:
    text = "\n".join(file.key for file in files)  # one search in all of them, since most sources hide nothing
    if "." not in text[:1] and "/." not in text and "\n." not in text and "__MACOSX" not in text:
        return files
    return [file for file in files if not is_hidden(file.key)]


def detect_layout(files: Sequence[SourceFile]) -> Layout:
    """The first of the layouts that any file fits; archives are things, and so is what was harvested.

    A ZIP among more meshes of its class makes no things of them.

    Raises:
        SourceError: if no file fits any, or all are in folders of one folder, which may be the root or a class.
    """
    keys = [file.key for file in _without_hidden(files)]
    if any(key.endswith(R2N2_METADATA) and R2N2.fullmatch(key) for key in keys):
        return "r2n2"
    if any(key.endswith(SHAPENET_ENDINGS) and SHAPENET.fullmatch(key) for key in keys):
        return "shapenet"
    if any(key.endswith(MODELNET_ENDINGS) and MODELNET.fullmatch(key) for key in keys):
        return "modelnet"
    if HARVEST in keys:
        return "things"
    meshes, archives = ([key for key in keys if wanted(key)] for wanted in (is_mesh, _is_archive))
    if not meshes and not archives:
        raise SourceError(f"expected meshes ({', '.join(OBJECT_SUFFIXES)}), found none in {len(files)} files")
    _require_classes_at_root([*meshes, *archives])
    return "things" if archives and _are_things(meshes, archives) else "classes"


def _are_things(meshes: Sequence[str], archives: Sequence[str]) -> bool:
    counts = [Counter(key.split("/", 1)[0] for key in keys if "/" in key) for keys in (meshes, archives)]
    categories = CLASS_OF_CATEGORY.keys() | set(CLASS_OF_CATEGORY.values())
    return not meshes or any(counts[1][name] > counts[0][name] or name in categories for name in counts[1])


def _require_classes_at_root(keys: Sequence[str]) -> None:
    """Refuse what may be a folder of classes or one class: a single folder whose folders have several files each."""
    top = keys[0].split("/", 1)[0]
    if not all(key.startswith(f"{top}/") and key.count("/") > 1 for key in keys):
        return
    inside = Counter(key.split("/", 2)[1] for key in keys)
    if max(inside.values()) > 1:
        names = ", ".join([*sorted(inside)[:SHOWN], *(["…"] if len(inside) > SHOWN else [])])
        raise SourceError(
            f"expected a folder for each class, got all meshes in folders of {top} ({names}): name {top} in the source "
            f"if these are classes, or the layout (classes, things) if {top} is the only class"
        )


def group_objects(files: Sequence[SourceFile], layout: Layout) -> list[ListedObject]:
    """The objects of a listing, sorted by id.

    Raises:
        SourceError: if two objects have the same id, or there is more than one folder with objects in this layout.
    """
    files = _without_hidden(files)
    if layout == "shapenet":
        listed = _shapenet(files)
    elif layout == "modelnet":
        listed = _modelnet(files)
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


def _matches(files: Iterable[SourceFile], pattern: re.Pattern[str]) -> list[tuple[SourceFile, re.Match[str]]]:
    """The files that fit a layout; raises `SourceError` unless they all lie below the same root."""
    found = [(file, match) for file in files if (match := pattern.fullmatch(file.key))]
    roots = sorted({match["root"] or "" for _, match in found})
    if len(roots) > 1:
        names = ", ".join(root.rstrip("/") or "the source itself" for root in roots[:SHOWN])
        raise SourceError(f"expected objects below one folder, got several to choose from: {names}")
    return found


def _one_an_object(
    listed: list[ListedObject], identity: Callable[[ListedObject], str], preferred: Sequence[str]
) -> list[ListedObject]:
    """Of those with the same identity the one in the best format; the others' files are its own as well."""
    identities = [identity(item) for item in listed]
    if len(set(identities)) == len(listed):
        return listed
    rank = {suffix: number for number, suffix in enumerate(preferred)}
    groups: dict[str, list[ListedObject]] = {}
    for item, name in zip(listed, identities, strict=True):
        groups.setdefault(name, []).append(item)
    chosen = []
    for same in groups.values():
        best = same[0]
        if len(same) > 1:
            best = min(
                same, key=lambda item: (not item.parts, rank.get(suffix_of(item.main.key).lower(), 99), item.main.key)
            )
            best = replace(best, own_files=tuple(dict.fromkeys(file for item in same for file in item.own_files)))
        chosen.append(best)
    return chosen


def _shapenet(files: Sequence[SourceFile]) -> list[ListedObject]:
    found = _matches((file for file in files if file.key.endswith(SHAPENET_ENDINGS)), SHAPENET)
    depth = (found[0][1]["root"] or "").count("/") + 2 if found else 2
    folders: dict[str, list[SourceFile]] = {}
    for file in files:
        folders.setdefault("/".join(file.key.split("/")[:depth]), []).append(file)
    listed = []
    for file, match in found:
        synset, name = match["class"] or match["synset"], match["name"] or match["id"]
        class_name = CLASS_OF_SYNSET.get(synset, synset)
        own = folders["/".join(file.key.split("/")[:depth])]
        listed.append(ListedObject(f"{class_name}/{name}", class_name, file, tuple(own), "y"))
    return _one_an_object(listed, lambda item: item.id, PREFERRED)


def _modelnet(files: Sequence[SourceFile]) -> list[ListedObject]:
    listed = [
        ListedObject(
            f"{m['class']}/{m['name']}",
            m["class"],
            file,
            (file,),
            "z",
            "train" if m["part"].lower() == "train" else "test",
        )
        for file, m in _matches(files, MODELNET)
    ]
    return _one_an_object(listed, lambda item: stem_of(item.main.key), PREFERRED)


def _r2n2(files: Sequence[SourceFile]) -> list[ListedObject]:
    """The grid is the object's main file where there is one; else it is the images' metadata."""
    grids = {file.key: file for file in files if file.key.endswith("/model.binvox")}
    folders: dict[tuple[str, str, str], list[SourceFile]] = {}
    for file, match in _matches(files, R2N2):
        folders.setdefault((match["root"] or "", match["class"], match["name"]), []).append(file)
    listed = []
    for (root, synset, name), images in folders.items():
        metadata = next((file for file in images if file.key.endswith(f"/{R2N2_METADATA}")), None)
        if metadata is not None:
            class_name = CLASS_OF_SYNSET.get(synset, synset)
            main = grids.get(f"{root}ShapeNetVox32/{synset}/{name}/model.binvox", metadata)
            own = tuple(dict.fromkeys((main, *images)))
            listed.append(ListedObject(f"{class_name}/{name}", class_name, main, own, "y", images=tuple(images)))
    return listed


def _classes(files: Sequence[SourceFile]) -> list[ListedObject]:
    meshes = [file for file in files if is_mesh(file.key)]
    companions, shared = _beside_meshes(files, meshes)
    groups: dict[str, list[SourceFile]] = {}  # the formats of each object
    for file in meshes:
        groups.setdefault("/".join(_telling_parts(stem_of(file.key))), []).append(file)
    taken: set[str] = set()
    listed = []
    for formats in groups.values():
        file = formats[0] if len(formats) == 1 else min(formats, key=_format_rank)
        folder, *parts = _telling_parts(file.key)
        synset, inside = (intern(folder), "-".join(parts)) if parts else ("unsorted", folder)
        class_name = CLASS_OF_SYNSET.get(synset, synset)
        suffix = suffix_of(file.key)
        object_id = f"{class_name}/{inside.removesuffix(suffix)}"
        if object_id in taken:
            object_id = f"{class_name}/{inside.replace('.', '-')}"
        taken.add(object_id)
        own = [file]
        for one in formats:
            own += [one, *companions.get(stem_of(one.key), ()), *shared.get(one.key.rpartition("/")[0] or ".", ())]
        up_axis: UpAxis = "z" if suffix.lower() == ".stl" else "y"
        listed.append(ListedObject(object_id, class_name, file, tuple(dict.fromkeys(own)), up_axis))
    return listed


def _format_rank(file: SourceFile) -> tuple[int, str]:
    suffix = suffix_of(file.key).lower()
    return PREFERRED.index(suffix) if suffix in PREFERRED else len(PREFERRED), file.key


def _telling_parts(key: str) -> list[str]:
    """A key's folders without those that are named by a format, and its last part."""
    parts = key.split("/")
    if FORMAT_FOLDERS.isdisjoint(key.lower().split("/")):
        return parts
    *folders, name = parts
    return [*([folder for folder in folders if folder.lower() not in FORMAT_FOLDERS] or folders), name]


def _beside_meshes(
    files: Sequence[SourceFile], meshes: Sequence[SourceFile]
) -> tuple[dict[str, list[SourceFile]], dict[str, list[SourceFile]]]:
    """The files that are no meshes: by the stem of a mesh, and by folder, where no mesh has their stem."""
    companions: dict[str, list[SourceFile]] = {}
    shared: dict[str, list[SourceFile]] = {}
    if len(meshes) == len(files):
        return companions, shared
    stems = {stem_of(file.key) for file in meshes}
    for file in files:
        if not is_mesh(file.key):
            if stem_of(file.key) in stems:
                companions.setdefault(stem_of(file.key), []).append(file)
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
        elif is_mesh(file.key) or _is_archive(file.key):
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
    return _one_an_object(listed, lambda item: item.id, PREFERRED_OF_THINGS)


def _category(folder: str) -> str:
    """The name on both levels where a folder is named by Thingiverse's id."""
    return CLASS_OF_CATEGORY.get(folder, folder)


def suffix_of(key: str) -> str:
    """As `PurePosixPath.suffix`, which takes ten times as long: a listing has a million keys."""
    name = key[key.rfind("/") + 1 :]
    dot = name.rfind(".")
    return name[dot:] if 0 < dot < len(name) - 1 else ""


def stem_of(key: str) -> str:
    """A key without its ending."""
    return key.removesuffix(suffix_of(key))


def is_mesh(key: str) -> bool:
    """Whether a file may be an object by its ending."""
    return suffix_of(key).lower() in OBJECT_SUFFIXES


def _is_archive(key: str) -> bool:
    return suffix_of(key).lower() == ".zip"
