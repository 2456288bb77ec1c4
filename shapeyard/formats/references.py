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


VECTORS = ("-o", "-s", "-t")
"""Options whose second and third value may be missing."""


@reader(FormatError)
def referenced_files(path: Path) -> list[str]:
    """The relative names that an OBJ, MTL or glTF file mentions; none for other files or unreadable ones."""
    suffix = path.suffix.lower()
    if suffix == ".obj":
        # Several names may follow, and a name may hold blanks: both readings are tried.
        names = [rest for keyword, rest in _statements(path) if keyword == "mtllib"]
        # Programs read the library of the mesh's name as well, mentioned or not.
        return list(dict.fromkeys([*(name for text in names for name in (text, *text.split())), f"{path.stem}.mtl"]))
    if suffix == ".mtl":
        statements = [rest for word, rest in _statements(path) if word.startswith(("map_", "bump", "disp"))]
        return [name for rest in statements if (name := split_texture_statement(rest)[1])]
    if suffix == ".gltf":
        return list(_gltf_uris(path))
    return []


def readings_of(name: str) -> list[str]:
    """What a name in a material may mean, the likeliest first.

    As it stands; with `/` for Windows' backslash; without quotes; with blanks for `_`; and, since a file that was named
    by a path of another machine may have been moved beside the mesh, its last part alone.
    """
    plain = name.replace("\\", "/")
    unquoted = plain.replace('"', "")
    last = unquoted.rpartition("/")[2]
    return list(dict.fromkeys((name, plain, unquoted, unquoted.replace("_", " "), plain.rpartition("/")[2], last)))


def split_texture_statement(rest: str) -> tuple[list[list[str]], str]:
    """What follows the keyword of a texture statement in an MTL file: each option with its values, and the name."""
    words, options = rest.split(), []
    while words and words[0] in OPTION_ARGUMENTS:
        length = 1 + OPTION_ARGUMENTS[words[0]]
        if words[0] in VECTORS:
            length = 1 + next((i for i, word in enumerate(words[1:length]) if not _is_number(word)), length - 1)
        options.append(words[:length])
        words = words[length:]
    return options, " ".join(words)


def _statements(path: Path) -> Iterator[tuple[str, str]]:
    with path.open(encoding="utf-8-sig", errors="surrogateescape") as file:
        for line in file:
            keyword, *rest = line.strip().split(None, 1) or [""]
            yield keyword.lower(), "".join(rest)


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


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
