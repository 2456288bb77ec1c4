"""Meshes for a program that opens whatever a mesh file names: it must see that object's own files and no others.

Blender's importers follow absolute paths, `..`, and several readings of a name; so do not check how they would read a
material, but hand them one that was written here, of statements that were understood, with names of files that are
there.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from shapeyard.boundary import reader
from shapeyard.errors import MeshError, one_line
from shapeyard.formats.polygons import plain_text
from shapeyard.formats.references import readings_of, split_texture_statement
from shapeyard.formats.textures import Textures, gltf_json, require_small_gltf_images
from shapeyard.local_paths import is_below, is_regular_file_below

TEXTURE_SUFFIXES = frozenset(
    (".png", ".jpg", ".jpeg", ".jpe", ".bmp", ".tga", ".tif", ".tiff", ".webp", ".dds", ".psd", ".sgi",
     ".rgb", ".rgba", ".bw", ".jp2", ".j2c", "")
)  # fmt: skip
"""Others are left out: Blender hands films to a library that follows playlists to further files, and what EXR and its
like claim cannot be looked at before."""
TEXTURE_KEYWORDS = frozenset(
    (b"map_Kd", b"map_Ks", b"map_Ns", b"map_d", b"map_Ke", b"map_refl", b"refl", b"map_Bump", b"map_bump", b"bump",
     b"map_Pr", b"map_Pm", b"map_Ps")
)  # fmt: skip
KEYWORDS = {keyword.lower(): keyword for keyword in (b"newmtl", b"Kd", *sorted(TEXTURE_KEYWORDS))}
"""As Blender wants them: others write them in capitals, or all small."""
OTHER_STATEMENT = re.compile(rb"\n(?![ \t]*(?:vn?|vt|f|usemtl)[ \t])[^\n]*")
"""What of an OBJ file is not handed on: all but corners, faces and their materials. Curves and their like crash
importers."""
LIBRARY = re.compile(rb"(?:^|\n)[ \t]*mtllib[ \t]+([^\n]+)", re.IGNORECASE)
NUMBER = re.compile(rb"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
MESSAGE_LENGTH = 200


@reader(MeshError)
def confine_mesh(path: Path, folder: Path) -> Path:
    """A mesh whose every reference is to a regular file below `folder`.

    Args:
        path: a mesh file in `folder`; nothing of it is changed.
        folder: all files of the object, and no more; of an OBJ file a copy with its materials is written into a new
            folder in it. A texture elsewhere, or none that can be read, becomes one that is missing there.

    Returns:
        The copy of an OBJ file, else `path`.

    Raises:
        MeshError: for glTF with a buffer or an image that is outside `folder`, or is no file.
    """
    suffix = path.suffix.lower()
    if suffix == ".obj":
        return _confined_obj(path, folder)
    if suffix in (".gltf", ".glb"):
        _require_confined_gltf(path, folder)
    return path


def _confined_obj(path: Path, folder: Path) -> Path:
    content = plain_text(path.read_bytes())
    for keyword in (b"USEMTL", b"Usemtl", b"UseMtl", b"MTLLIB", b"Mtllib", b"MtlLib"):
        content = content.replace(keyword, keyword.lower())
    names = dict.fromkeys(os.fsdecode(match[1].strip()) for match in LIBRARY.finditer(content))
    named = [name for text in names for name in (text, *text.split())]
    libraries = [file for name in named if (file := _find(name, path.parent, folder))]
    beside = path.with_suffix(".mtl")  # Blender reads it, mentioned or not
    if is_regular_file_below(folder, beside):
        libraries.append(beside)
    copy = Path(tempfile.mkdtemp(dir=folder)) / path.name
    textures = Textures()
    lines = [
        line for library in dict.fromkeys(libraries) for line in _materials(library, folder, copy.parent, textures)
    ]
    copy.with_name("materials.mtl").write_bytes(b"".join(line + b"\n" for line in lines))
    with copy.open("wb") as obj:
        obj.write(b"mtllib materials.mtl\n")
        obj.write(_without_libraries(_statements(content)))
    return copy


def _statements(content: bytes) -> bytes:
    """An OBJ file's statements of the kinds that were understood, a line each."""
    return OTHER_STATEMENT.sub(b"", b"\n" + content.replace(b"\\\n", b" "))[1:]


def _without_libraries(content: bytes) -> bytes:
    """Wherever the word stands, since programs differ in where they see a statement; names of materials alike."""
    return content.replace(b"mtllib", b"######")


def _materials(library: Path, folder: Path, target: Path, textures: Textures) -> Iterator[bytes]:
    """What a material's colour follows from, as statements of a library in the folder `target`."""
    content = plain_text(library.read_bytes()).replace(b"\\\n", b"  ")
    in_material = False
    for line in content.split(b"\n"):
        keyword, *rest = line.split(None, 1)[:2] or [b""]
        keyword = keyword if keyword in TEXTURE_KEYWORDS else KEYWORDS.get(keyword.lower(), keyword)
        value = rest[0].strip() if rest else b""
        if keyword == b"newmtl":
            in_material = True
            yield b"newmtl " + _without_libraries(value)
        elif not in_material or not value:
            continue
        elif keyword == b"Kd":
            yield b" ".join((b"Kd", *_numbers(value)))
        elif keyword in TEXTURE_KEYWORDS:
            options, name = split_texture_statement(os.fsdecode(value))
            if name:
                file = _find(name, library.parent, folder, textures=True)
                if file is None and keyword != b"map_Kd":
                    continue  # it would not change the colour
                # A name that is nowhere, so that the texture is known to be missing.
                known = file if file is not None and textures.take(file) else None
                shown = os.fsencode(os.path.relpath(known, target)) if known else b"no-" + os.fsencode(target.name)
                yield b" ".join((keyword, *(_placement(options) if file else ()), shown))


def _placement(options: list[list[str]]) -> list[bytes]:
    """Where on the object a texture lies; the other options do not change its colour."""
    words: list[bytes] = []
    for option, *arguments in options:
        numbers = _numbers(os.fsencode(" ".join(arguments)))
        if option in ("-o", "-s") and 0 < len(numbers) == len(arguments):
            default = b"1" if option == "-s" else b"0"  # what is left out, as the specification has it
            words += [option.encode(), *numbers, *[default] * (3 - len(numbers))]
    return words


def _numbers(value: bytes) -> list[bytes]:
    """The numbers that a value starts with."""
    words = []
    for word in value.split():
        if not NUMBER.fullmatch(word):
            break
        words.append(word)
    return words


def _find(name: str, beside: Path, folder: Path, *, textures: bool = False) -> Path | None:
    """The file that a name in a file of the folder `beside` means, if it is one below `folder`.

    The readings are Blender's (`readings_of`); a texture may also lie elsewhere in the object's folder, and its name in
    other letters.
    """
    for reading in readings_of(name):
        path = Path(f"{beside}/{reading}")
        if is_regular_file_below(folder, path) and not (textures and path.suffix.lower() not in TEXTURE_SUFFIXES):
            return path
    if textures:
        last = readings_of(name)[-1].lower()
        for path in sorted(folder.rglob("*")):
            named_so = path.name.lower() == last and path.suffix.lower() in TEXTURE_SUFFIXES
            if named_so and is_regular_file_below(folder, path):
                return path
    return None


def _require_confined_gltf(path: Path, folder: Path) -> None:
    content = path.read_bytes()
    try:
        document = gltf_json(content)
    except ValueError:
        return  # Blender reads it by the same means, and will say what is wrong
    except RecursionError as error:
        raise MeshError(f"{path.name}: expected glTF's JSON, got lists in lists without end") from error
    for kind, uri in _gltf_references(path, document):
        shown = uri if len(uri) <= MESSAGE_LENGTH else f"{uri[:MESSAGE_LENGTH]}…"
        file = path.parent / unquote(uri)
        if not is_below(folder, file):
            raise MeshError(f"{path.name}: expected {kind} among the object's own files, got {shown!r}")
        if not is_regular_file_below(folder, file) and os.path.exists(file):  # noqa: PTH110 no error for any name
            raise MeshError(f"{path.name}: expected {kind} in regular files, got {shown!r}")
        if kind == "images" and file.suffix.lower() not in TEXTURE_SUFFIXES:
            raise MeshError(f"{path.name}: expected images in a format of images, got {shown!r}")
    require_small_gltf_images(path, document, content)


def _gltf_references(path: Path, document: Any) -> Iterator[tuple[str, str]]:
    """What kind of content, and the URI, where it is a file's; the file is read as Blender reads it: by its content."""
    try:
        for kind in ("buffers", "images"):
            for entry in document.get(kind) or ():
                uri = entry.get("uri") or ""
                if uri and not (uri.startswith("data:") and ";base64," in uri):
                    yield kind, uri
    except (TypeError, AttributeError) as error:
        raise MeshError(
            f"{path.name}: expected glTF's buffers and images: {one_line(error)[:MESSAGE_LENGTH]}"
        ) from error
