"""How much memory an object's textures may take, by their headers: Blender decodes whatever it is shown."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import unquote

from shapeyard.boundary import foreign
from shapeyard.errors import FormatError, MeshError
from shapeyard.formats.image_files import pixels_in
from shapeyard.local_paths import is_regular_file_below

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "TGA", "DDS", "PSD", "SGI", "JPEG2000")
MAX_PIXELS = 89_000_000
"""Of all textures of an object: 0.4 GB with four bytes a pixel. ShapeNet's are 1024² at the most, 20 of them."""
GLB_HEADER = 20
"""Bytes in front of a GLB file's JSON."""


class Textures:
    """The images of one object that were looked at so far."""

    def __init__(self) -> None:
        self._pixels: dict[object, int] = {}

    def take(self, where: Path | str, content: BinaryIO | None = None) -> bool:
        """Whether it is an image of a known format; `where` is the file, or names `content`.

        Raises:
            MeshError: if all taken images together have too many pixels.
        """
        if where in self._pixels:
            return True
        try:
            with foreign(where), content or Path(where).open("rb") as file:
                self._pixels[where] = pixels_in(file, where, FORMATS)
        except FormatError as error:
            if "pixels" in str(error):  # so many that Pillow itself refuses
                raise MeshError(f"expected at most {MAX_PIXELS} pixels in all textures, got more") from error
            return False
        if sum(self._pixels.values()) > MAX_PIXELS:
            raise MeshError(f"expected at most {MAX_PIXELS} pixels in all textures, got {sum(self._pixels.values())}")
        return True


def require_small_gltf_images(path: Path, document: Any, content: bytes) -> None:
    """Raise `MeshError` if the images of a glTF file have too many pixels together, or one is of no known format.

    Args:
        path: the file; images and buffers in other files are found from there.
        document: its JSON.
        content: all of the file.
    """
    textures = Textures()
    for number, image in enumerate(_images(path, document, content)):
        known = textures.take(image) if isinstance(image, Path) else textures.take(f"image {number}", BytesIO(image))
        if not known:
            raise MeshError(f"{path.name}: expected images of the formats {', '.join(FORMATS)}, image {number} is none")


def _images(path: Path, document: Any, content: bytes) -> Iterator[Path | bytes]:
    """Each image's file or content; those in missing files are left out."""
    for image in document.get("images") or ():
        if "bufferView" in image and not image.get("uri"):
            view = document["bufferViews"][image["bufferView"]]
            buffer = _content(path, document["buffers"][view["buffer"]].get("uri") or "", content)
            start = view.get("byteOffset", 0)
            yield buffer[start : start + view["byteLength"]]
        elif uri := image.get("uri"):
            if uri.startswith("data:"):
                yield _content(path, uri, content)
            elif is_regular_file_below(Path("/"), file := path.parent / unquote(uri)):
                yield file


def _content(path: Path, uri: str, content: bytes) -> bytes:
    """Of a buffer or image: without a URI it is what stands behind a GLB file's JSON."""
    if not uri:
        return content[GLB_HEADER + int.from_bytes(content[12:16], "little") + 8 :]
    if uri.startswith("data:"):
        return base64.b64decode(uri.partition(",")[2])
    return (path.parent / unquote(uri)).read_bytes()


def gltf_json(content: bytes) -> Any:
    """The JSON of a glTF or GLB file, by its content; raises `ValueError` or `RecursionError`."""
    if content[:4] == b"glTF":
        content = content[GLB_HEADER : GLB_HEADER + int.from_bytes(content[12:16], "little")]
    return json.loads(str(content, encoding="utf-8"))
