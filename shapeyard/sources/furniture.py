"""Sweet Home 3D's furniture as a source: `.sh3f` files, which are ZIPs with a catalogue and textured OBJ models.

    furniture://            what Debian's package sweethome3d-furniture installs: 820 pieces, CC-BY-3.0 and CC0-1.0
    FILE.sh3f               one file
    FOLDER, furniture:///FOLDER     all .sh3f files in a folder

The pieces come in ShapeNet's layout, `CLASS/FILE-NAME/models/model_normalized.obj` with materials and textures beside
it, +Y up, front to −Z, in metres, in the true size that the catalogue gives. Classes are made of names and tags by
`furniture_classes.toml`. `samples.jsonl` at the root says title, tags, category, size, licence and creator of each, so
a copy of the source keeps them. The format: https://www.sweethome3d.com/importModels.jsp#createModels,
`PluginFurnitureCatalog.properties` is described in its Furniture Library Editor.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import shutil
import tomllib
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath

import numpy as np
from javaproperties import loads

from shapeyard.boundary import reader
from shapeyard.contracts.licenses import UNKNOWN, recognize_license
from shapeyard.errors import FormatError, SourceError
from shapeyard.formats.placed_obj import place_obj
from shapeyard.sources.provenance import LICENSE_FILE, ROWS
from shapeyard.sources.source import SourceFile

INSTALLED = Path("/usr/share/sweethome3d/furniture")
PACKAGE = "sweethome3d-furniture"
CATALOG = "PluginFurnitureCatalog.properties"
MAX_TEXT_BYTES = 10_000_000
OTHER_SUFFIXES = (".mtl", ".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tga", ".tif", ".tiff")
CENTIMETRES = 0.01
FRONT = np.diag([-1.0, 1.0, -1.0])
"""Sweet Home 3D has the front at +Z."""
CLASSES_FILE = Path(__file__).with_name("furniture_classes.toml")


@dataclass(frozen=True)
class Piece:
    """A piece of furniture as its catalogue describes it."""

    id: str
    """class/name"""
    archive: Path
    model: str
    """member of the archive"""
    others: tuple[str, ...]
    """the members that may belong to the model: materials, textures"""
    title: str
    tags: tuple[str, ...]
    category: str
    size: tuple[float, ...]
    """centimetres along x, y, z"""
    rotation: tuple[float, ...]
    """9 numbers, by rows: turns the model before it is scaled"""
    license: str
    creator: str

    @property
    def folder(self) -> str:
        """Of the model in the archive; empty for the root."""
        return self.model.rpartition("/")[0] + "/" if "/" in self.model else ""

    @property
    def row(self) -> dict[str, object]:
        """Its row in `samples.jsonl`."""
        return {
            "id": self.id, "license": self.license, "creator": self.creator, "title": self.title,
            "tags": list(self.tags), "category": self.category, "size_cm": list(self.size),
            "file": f"{self.archive.name}/{self.model}",
        }  # fmt: skip


class FurnitureSource:
    """The pieces of one or several `.sh3f` files."""

    def __init__(self, uri: str) -> None:
        """Raises `SourceError` if there is no such file, or the package is not installed."""
        path = Path(uri.removeprefix("furniture://") or INSTALLED).expanduser()
        self.archives = sh3f_files(path)
        if not self.archives:
            missing = f"; on Debian: apt-get install {PACKAGE}" if path == INSTALLED else ""
            raise SourceError(f"source {uri}: expected .sh3f files at {path}, found none{missing}")
        self._pieces: dict[str, tuple[Piece, str]] = {}
        self._rows = b""

    def list_files(self) -> list[SourceFile]:
        """The model, the materials and the textures of each piece, and `samples.jsonl`; raises `SourceError`."""
        files = []
        rows = []
        for archive in self.archives:
            with _opened(archive) as opened:
                infos = {info.filename: info for info in opened.infolist()}
                pieces = _read_pieces(archive, opened)
            for piece in pieces:
                rows.append(json.dumps(piece.row, ensure_ascii=False) + "\n")
                placed = hashlib.sha256(repr((piece.size, piece.rotation)).encode()).hexdigest()[:8]
                for member in (piece.model, *piece.others):
                    inside = "model_normalized.obj" if member == piece.model else member.removeprefix(piece.folder)
                    key = f"{piece.id}/models/{inside}"
                    size, checksum = (infos[member].file_size, infos[member].CRC) if member in infos else (0, 0)
                    files.append(SourceFile(key, size, f"{checksum:08x}-{placed}"))
                    self._pieces[key] = piece, member
        self._rows = "".join(rows).encode()
        files.append(SourceFile(ROWS, len(self._rows), hashlib.sha256(self._rows).hexdigest()))
        return sorted(files, key=lambda file: file.key)

    @reader(FormatError, "file.key")
    def download(self, file: SourceFile, target: Path) -> None:
        """Unpack a listed file; a model is placed on the way.

        Raises:
            SourceError: if the archive can't be read.
            FormatError: for a member that is missing, encrypted or broken, and a model that is no OBJ or has no size.
        """
        target.parent.mkdir(parents=True, exist_ok=True)
        if file.key == ROWS:
            target.write_bytes(self._rows)
            return
        piece, member = self._pieces[file.key]
        try:
            with _opened(piece.archive) as opened, opened.open(member) as content:
                if member == piece.model:
                    target.write_bytes(_placed(piece, content.read()))
                else:
                    with target.open("wb") as copy:
                        shutil.copyfileobj(content, copy)
        except (KeyError, EOFError, RuntimeError, NotImplementedError, zipfile.BadZipFile, zlib.error) as error:
            raise FormatError(f"{member}: expected a readable member of {piece.archive.name}: {error}") from error


def sh3f_files(path: Path) -> list[Path]:
    """The `.sh3f` files of a folder, or the file itself; none if it is another one or not there."""
    if path.is_dir():
        return sorted(one for one in path.iterdir() if one.suffix.lower() == ".sh3f" and one.is_file())
    return [path] if path.suffix.lower() == ".sh3f" and path.is_file() else []


def class_of(title: str, tags: Sequence[str], category: str) -> str:
    """The class of a piece by its name, its tags, its category: see `furniture_classes.toml`."""
    table = _classes()
    words = f" {_plain(title)} "
    found = [
        (len(phrase), words.rindex(f" {phrase} "), name)
        for name, phrases in table["names"].items() for phrase in phrases if f" {phrase} " in words
    ]  # fmt: skip
    if found:
        name = max(found)[2]
    else:
        plain = {_plain(tag) for tag in tags}
        name = next((one for one, phrases in table["tags"].items() if plain & set(phrases)), "by_category")
    return name if name != "by_category" else _plain(category).replace(" ", "_") or "unsorted"


@cache
def _classes() -> dict[str, dict[str, list[str]]]:
    return tomllib.loads(CLASSES_FILE.read_text(encoding="utf-8"))


@reader(SourceError, "archive")
def _opened(archive: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(archive)
    except (OSError, zipfile.BadZipFile) as error:
        raise SourceError(f"source {archive}: expected an .sh3f file, which is a ZIP: {error}") from error


@reader(SourceError, "archive")
def _read_pieces(archive: Path, opened: zipfile.ZipFile) -> list[Piece]:
    """The pieces of a file in the order of its catalogue; raises `SourceError` for a file without any."""
    names = [info.filename for info in opened.infolist() if not info.is_dir()]
    below: dict[str, list[str]] = defaultdict(list)
    for name in names:
        for parent in PurePosixPath(name).parents[:-1]:
            below[f"{parent}/"].append(name)
    try:
        catalog = loads(_text(opened, CATALOG))
    except (KeyError, ValueError) as error:
        raise SourceError(f"source {archive}: expected an .sh3f file with {CATALOG}: {error}") from error
    of_all = _license([_text(opened, name) for name in names if LICENSE_FILE.fullmatch(name)])
    if of_all == UNKNOWN:
        of_all = recognize_license(catalog.get("license", ""))
    entries: dict[int, dict[str, str]] = defaultdict(dict)
    for key, value in catalog.items():
        if match := re.fullmatch(r"(\w+)#(\d+)", key):
            entries[int(match[2])][match[1]] = value.strip()
    pieces: dict[str, Piece] = {}
    for _, entry in sorted(entries.items()):
        if "model" in entry:
            model = entry["model"].lstrip("/")
            folder = model.rpartition("/")[0] + "/" if "/" in model else ""
            # At the root of an archive only the material that has the model's name is known to belong to it.
            inside = below[folder] if folder else [name for name in names if name == f"{model[:-4]}.mtl"]
            own = _license([_text(opened, name) for name in inside if LICENSE_FILE.fullmatch(name[len(folder) :])])
            others = tuple(
                name for name in inside if name != model and PurePosixPath(name).suffix.lower() in OTHER_SUFFIXES
            )
            # An author's own text may ask for more than the file does that the model is in, never for less.
            license = own if of_all == UNKNOWN or own not in (UNKNOWN, "CC0-1.0") else of_all
            piece = _piece(archive, entry, others, license, pieces)
            pieces[piece.id] = piece
    if not pieces:
        raise SourceError(f"source {archive}: expected pieces of furniture in {CATALOG}, found none")
    return list(pieces.values())


def _piece(
    archive: Path, entry: Mapping[str, str], others: tuple[str, ...], license: str, taken: Mapping[str, Piece]
) -> Piece:
    model, title, category = entry["model"].lstrip("/"), entry.get("name", ""), entry.get("category", "")
    tags = tuple(tag.strip() for tag in entry.get("tags", "").split(",") if tag.strip())
    named = entry.get("id", "").rpartition("#")[2] or PurePosixPath(model).stem
    slug = re.sub(r"[^A-Za-z0-9.]+", "-", f"{archive.stem}-{named}").strip("-.").lower()[:150] or "piece"
    wanted = f"{class_of(title, tags, category)}/{slug}"
    free = next(name for name in (wanted, *(f"{wanted}-{k}" for k in range(2, len(taken) + 3))) if name not in taken)
    return Piece(
        free, archive, model, others, title, tags, category,
        _numbers(" ".join(entry.get(name, "") for name in ("width", "height", "depth"))),
        _numbers(entry.get("modelRotation", "1 0 0 0 1 0 0 0 1")),
        license, entry.get("creator", ""),
    )  # fmt: skip


def _placed(piece: Piece, content: bytes) -> bytes:
    """The model in metres, in its true size, with its front at −Z."""
    if not piece.model.lower().endswith(".obj"):
        raise FormatError(f"{piece.model}: expected an OBJ model")
    if len(piece.size) != 3 or not 0 < min(piece.size) <= max(piece.size) < math.inf:
        raise FormatError(f"{piece.model}: expected width, height and depth above 0, got {piece.size}")
    rotation = np.array(piece.rotation if len(piece.rotation) == 9 else [0] * 9).reshape(3, 3)
    if not np.allclose(rotation @ rotation.T, np.eye(3), atol=0.01) or np.linalg.det(rotation) < 0:
        raise FormatError(f"{piece.model}: expected modelRotation to be a rotation, got {piece.rotation}")
    return place_obj(content, FRONT @ rotation, [CENTIMETRES * side for side in piece.size])


def _license(texts: Sequence[str]) -> str:
    """What those of some texts that are licences agree on."""
    found = {recognize_license(text) for text in texts} - {UNKNOWN}
    return found.pop() if len(found) == 1 else UNKNOWN


def _text(opened: zipfile.ZipFile, name: str) -> str:
    """A member as text, in the encoding of Java's properties; raises `KeyError` if it can't be read."""
    try:
        if opened.getinfo(name).file_size > MAX_TEXT_BYTES:
            raise KeyError(f"{name} is larger than {MAX_TEXT_BYTES} bytes")
        return opened.read(name).decode("latin-1")
    except (EOFError, RuntimeError, NotImplementedError, zipfile.BadZipFile, zlib.error) as error:
        raise KeyError(f"{name} is not readable: {error}") from error


def _numbers(text: str) -> tuple[float, ...]:
    """Numbers with blanks between; none where one is no number."""
    try:
        return tuple(float(word) for word in text.split())
    except ValueError:
        return ()


def _plain(text: str) -> str:
    """Words in small letters with one blank between."""
    return re.sub(r"[^a-z0-9]+", " ", text.lower()).strip()
