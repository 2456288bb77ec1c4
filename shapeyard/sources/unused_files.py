"""Files of a source that look like objects and are none, each with the reason: nothing is left out in silence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from shapeyard.sources.folder import FolderSource
from shapeyard.sources.layouts import OBJECT_SUFFIXES, ListedObject, is_hidden, is_mesh, stem_of, suffix_of
from shapeyard.sources.selection import Layout
from shapeyard.sources.source import Source, SourceFile

OTHER_FORMATS = {
    ".3mf": "a 3MF file", ".amf": "an AMF file", ".step": "a STEP file", ".stp": "a STEP file", ".iges": "an IGES file",
    ".igs": "an IGES file", ".wrl": "a VRML file", ".vrml": "a VRML file", ".x3d": "an X3D file", ".fbx": "an FBX file",
    ".dae": "a COLLADA file", ".blend": "a Blender file", ".usd": "a USD file", ".usda": "a USD file",
    ".usdc": "a USD file", ".usdz": "a USD file", ".3ds": "a 3DS file", ".max": "a 3ds Max file", ".ma": "a Maya file",
    ".mb": "a Maya file", ".skp": "a SketchUp file", ".scad": "an OpenSCAD file", ".ctm": "an OpenCTM file",
    ".brep": "a BREP file", ".sldprt": "a SolidWorks file", ".ipt": "an Inventor file", ".f3d": "a Fusion file",
    ".abc": "an Alembic file", ".lwo": "a LightWave file", ".c4d": "a Cinema 4D file", ".x_t": "a Parasolid file",
}  # fmt: skip
"""Formats of shapes that are not read, by their endings."""
ARCHIVES = {".zip": "a ZIP", ".rar": "a RAR", ".7z": "a 7z", ".tar": "a TAR", ".tgz": "a TAR", ".gz": "a gzip"}


class UnusedFile(NamedTuple):
    """A file that is no object."""

    key: str
    reason: str


def unused_files(files: Sequence[SourceFile], listed: Sequence[ListedObject], layout: Layout) -> list[UnusedFile]:
    """The meshes, files of other formats and archives of a listing that belong to no object, sorted by key.

    Args:
        files: the listing.
        listed: its objects, all of them.
        layout: by which they were found.
    """
    own = {file.key for item in listed for file in item.own_files}
    stems = {stem_of(item.main.key) for item in listed}
    folders = {tuple(item.main.key.split("/")[:2]) for item in listed if item.parts}
    found = []
    for file in files:
        key = file.key
        if is_hidden(key) or (is_mesh(key) and key in own):  # beside meshes all else is theirs, as textures are
            continue
        reason = _reason(suffix_of(key).lower(), layout)
        if reason and stem_of(key) not in stems and tuple(key.split("/")[:2]) not in folders:
            found.append(UnusedFile(key, reason))
    return found


def unfollowed_links(source: Source) -> list[UnusedFile]:
    """The symbolic links to folders that a listing passed over."""
    links = source.links if isinstance(source, FolderSource) else []
    return [UnusedFile(key, "a symbolic link to a folder, which is not followed") for key in links]


def _reason(suffix: str, layout: Layout) -> str:
    """Why a file with this ending is no object; empty if it does not look like one."""
    if suffix in OBJECT_SUFFIXES:
        return f"not where the layout {layout} has its objects"
    if suffix in OTHER_FORMATS:
        return f"{OTHER_FORMATS[suffix]}, which is not read: export it as STL, OBJ or GLB"
    if suffix in ARCHIVES:
        return f"{ARCHIVES[suffix]} archive, which is not opened" + (
            ": only the layout things reads it" if suffix == ".zip" else ""
        )
    return ""
