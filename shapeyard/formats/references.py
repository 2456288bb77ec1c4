"""Which other files a mesh file refers to: materials, textures, buffers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

from shapeyard.boundary import reader
from shapeyard.errors import FormatError

OPTION_ARGUMENTS = {"-o": 3, "-s": 3, "-t": 3, "-mm": 2, "-texres": 1, "-clamp": 1, "-bm": 1, "-blendu": 1,
                    "-blendv": 1, "-boost": 1, "-cc": 1, "-imfchan": 1, "-type": 1}  # fmt: skip
"""Options of a texture statement in an MTL file and how many values follow each (Wavefront's MTL specification)."""


@reader(FormatError)
def referenced_files(path: Path) -> list[str]:
    """The relative names that an OBJ, MTL or glTF file mentions; none for other files or unreadable ones."""
    suffix = path.suffix.lower()
    if suffix == ".obj":
        # Several names may follow, and a name may hold blanks: both readings are tried.
        names = [rest.strip() for keyword, rest in _statements(path) if keyword == "mtllib"]
        return list(dict.fromkeys(name for text in names for name in (text, *text.split())))
    if suffix == ".mtl":
        statements = [rest for word, rest in _statements(path) if word.startswith(("map_", "bump", "disp"))]
        return [name for rest in statements if (name := split_texture_statement(rest)[1])]
    if suffix == ".gltf":
        return list(_gltf_uris(path))
    return []


def split_texture_statement(rest: str) -> tuple[list[list[str]], str]:
    """What follows the keyword of a texture statement in an MTL file: each option with its values, and the name."""
    words, options = rest.split(), []
    while words and words[0] in OPTION_ARGUMENTS:
        length = 1 + OPTION_ARGUMENTS[words[0]]
        options.append(words[:length])
        words = words[length:]
    return options, " ".join(words)


def _statements(path: Path) -> Iterator[tuple[str, str]]:
    with path.open(encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            keyword, _, rest = line.strip().partition(" ")
            yield keyword.lower(), rest


def _gltf_uris(path: Path) -> Iterator[str]:
    try:
        document = json.loads(path.read_text(encoding="utf-8", errors="replace"))
        for part in ("buffers", "images"):
            for entry in document.get(part, ()):
                uri = entry.get("uri", "")
                if uri and not uri.startswith("data:"):
                    yield unquote(uri)
    except (ValueError, AttributeError, TypeError, RecursionError):
        return  # the mesh reader will say what is wrong with it
