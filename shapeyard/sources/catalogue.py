"""The procedural catalogue as a source: `procedural://?objects=480&seed=0&classes=chair,table`.

`objects` are spread evenly over the classes. An object depends on its class, its number and the seed alone.
"""

from __future__ import annotations

import shutil
import tempfile
from functools import lru_cache
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from shapeyard import __version__
from shapeyard.errors import SourceError
from shapeyard.sources.procedural import CLASSES, make_object, write_obj
from shapeyard.sources.source import SourceFile

LICENSE_FILE = "LICENSE"
LICENSE = "SPDX-License-Identifier: CC0-1.0\n"
_make_object = lru_cache(maxsize=32)(make_object)
"""An object's two files are asked for one after the other."""


class CatalogueSource:
    """Meshes that are made when they are asked for."""

    def __init__(self, uri: str) -> None:
        """Raises `SourceError` for an unknown option, class, or a number that is none."""
        options = dict(parse_qsl(urlsplit(uri).query, keep_blank_values=True))
        unknown = sorted(options.keys() - {"objects", "seed", "classes"})
        if unknown:
            raise SourceError(f"source {uri}: expected the options objects, seed and classes, got {', '.join(unknown)}")
        try:
            self.objects = int(options.get("objects", "480"))
            self.seed = int(options.get("seed", "0"))
        except ValueError as error:
            raise SourceError(f"source {uri}: expected whole numbers for objects and seed: {error}") from error
        if self.objects < 1:
            raise SourceError(f"source {uri}: expected at least 1 object, got {self.objects}")
        self.classes = [name for name in options.get("classes", "").split(",") if name] or list(CLASSES)
        for name in self.classes:
            if name not in CLASSES:
                raise SourceError(f"source {uri}: expected classes out of {', '.join(CLASSES)}, got {name}")

    def list_files(self) -> list[SourceFile]:
        """One OBJ and one MTL file an object, and the licence of all of them."""
        tag = f"procedural-{__version__}-{self.seed}"
        files = []
        for number in range(self.objects):
            index, position = divmod(number, len(self.classes))
            stem = f"{self.classes[position]}/{self.classes[position]}-{index:06d}"
            files += [SourceFile(stem + suffix, 0, f"{tag}-{index}") for suffix in (".mtl", ".obj")]
        files.append(SourceFile(LICENSE_FILE, len(LICENSE), tag))
        return sorted(files, key=lambda file: file.key)

    def download(self, file: SourceFile, target: Path) -> None:
        """Make the object and keep the file that was asked for."""
        target.parent.mkdir(parents=True, exist_ok=True)
        if file.key == LICENSE_FILE:
            target.write_text(LICENSE, encoding="utf-8")
            return
        class_name, _, name = file.key.partition("/")
        index = int(Path(name).stem.rpartition("-")[2])
        with tempfile.TemporaryDirectory() as folder:
            write_obj(_make_object(class_name, index, self.seed), Path(folder))
            shutil.move(Path(folder) / name, target)
