"""Meshes as Hugging Face's `datasets` reads them: a file an object, a line an object, a card, and Croissant metadata.

    README.md                          the dataset card
    croissant.json                     see `formats.croissant`
    data/train/metadata.jsonl          a row an object: file_name, relative to this file, and what is known of it
    data/train/chair/chair_0001.stl    STL, PLY or self-contained GLB as it was; all else as one GLB
    data/validation/…, data/test/…

`load_dataset` takes such a folder for a MeshFolder and opens each mesh with trimesh. It knows GLB, glTF, PLY and STL,
each in one file, so OBJ with its materials and textures, OFF, and things of several parts are written as GLB
(https://huggingface.co/docs/datasets, `datasets.Mesh`).
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from shapeyard.contracts.dataset import SPLITS, Dataset, Sample, Split
from shapeyard.contracts.dataset_card import dataset_card
from shapeyard.contracts.files import describe_file, empty_output, write_json
from shapeyard.contracts.licenses import attributions, count_licenses
from shapeyard.contracts.progress import track
from shapeyard.errors import DatasetError, FormatError
from shapeyard.formats.confined import confine_mesh
from shapeyard.formats.croissant import croissant
from shapeyard.formats.things import read_thing

UNCHANGED = (".stl", ".ply", ".glb")
"""What is one file that `datasets` opens, if nothing else belongs to the object."""
WITH_MATERIALS = (".obj", ".glb", ".gltf")
FOLDER_OF_SPLIT: Mapping[Split, str] = {"train": "train", "val": "validation", "test": "test"}
"""Hugging Face's words."""
METADATA = "metadata.jsonl"
MAX_NAME = 100


@dataclass(frozen=True)
class Told:
    """What a source's own list says of an object, and a dataset does not carry."""

    title: str = ""
    url: str = ""


class MeshFolderWriter:
    """Writes such a folder from datasets of kind meshes, one after the other; use as a context manager.

    README.md is written last, on leaving the block normally.
    """

    def __init__(self, folder: Path, name: str, told: Mapping[str, Told] | None = None) -> None:
        """Args as in the class; `name`: what the card calls the set; `told`: by the id of the object."""
        self.folder, self.name = folder, name
        self._told = told or {}
        self._written: list[Sample] = []
        self._taken: set[str] = set()
        self._skipped: list[tuple[str, str]] = []
        self._metadata: dict[Split, IO[str]] = {}

    def __enter__(self) -> MeshFolderWriter:
        empty_output(self.folder)
        return self

    def add(self, dataset_dir: Path) -> None:
        """Write the meshes of a dataset.

        Raises:
            DatasetError: if it is no whole dataset of kind meshes.
        """
        meshes = Dataset([dataset_dir], "meshes")
        self._skipped += [(one.id, one.reason) for one in meshes.skipped]
        for sample in track(meshes.samples, len(meshes.samples), "objects"):
            with tempfile.TemporaryDirectory(prefix="shapeyard-export-") as scratch:
                try:
                    if not sample.canonical_from_file:
                        raise FormatError(f"{sample.id}: expected a mesh, got a grid or images")
                    self._add(sample, meshes.extract(sample.id, Path(scratch)), Path(scratch))
                except FormatError as error:
                    self._skipped.append((sample.id, str(error).replace(f"{scratch}/", "")))
        meshes.close()

    @property
    def objects(self) -> int:
        """How many were written."""
        return len(self._written)

    @property
    def skipped(self) -> Sequence[tuple[str, str]]:
        """Id and reason of what is not in the folder."""
        return self._skipped

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        for file in self._metadata.values():
            file.close()
        if kind is None:
            self._finish()

    def _finish(self) -> None:
        if not self._written:
            raise DatasetError(f"{self.folder}: expected objects to write, got none")
        counts, classes = (Counter(getattr(one, name) for one in self._written) for name in ("split", "class_name"))
        splits = {FOLDER_OF_SPLIT[split]: counts[split] for split in SPLITS if counts[split]}
        licenses = count_licenses(self._written)
        listed = {
            f"data/{split}/{METADATA}": describe_file(self.folder / "data" / split / METADATA) for split in splits
        }
        write_json(self.folder / "croissant.json", croissant(self.name, licenses, listed))
        card = dataset_card(self.name, classes, splits, licenses, attributions(self._written))
        (self.folder / "README.md").write_text(card, encoding="utf-8")

    def _add(self, sample: Sample, mesh: Path, scratch: Path) -> None:
        files = [file for file in scratch.rglob("*") if file.is_file()]
        unchanged = files == [mesh] and mesh.suffix.lower() in UNCHANGED
        split = self.folder / "data" / FOLDER_OF_SPLIT[sample.split]
        name = self._free_name(sample, mesh.suffix.lower() if unchanged else ".glb")
        canonical = np.array(sample.canonical_from_file)
        content = mesh
        if not unchanged:
            # glTF has +Y up, so what has not is turned; the rest of the way is that of the sample.
            upright = np.eye(4)
            upright[:3, :3] = canonical[:3, :3] / np.linalg.norm(canonical[0, :3])
            content = _write_glb(mesh, scratch, upright)
            canonical = canonical @ upright.T
        (split / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(content, split / name)
        described = describe_file(split / name)
        told = self._told.get(sample.id, Told())
        row: dict[str, Any] = {
            "file_name": name, "id": sample.id, "class": sample.class_name, "license": sample.license,
            "creator": sample.creator, "title": told.title, "url": told.url, "sha256": described["sha256"],
            "bytes": described["bytes"], "unchanged": unchanged, "canonical_from_file": canonical.tolist(),
        }  # fmt: skip
        if sample.split not in self._metadata:
            self._metadata[sample.split] = (split / METADATA).open("w", encoding="utf-8")
        self._metadata[sample.split].write(json.dumps(row, ensure_ascii=False) + "\n")
        self._written.append(sample)

    def _free_name(self, sample: Sample, suffix: str) -> str:
        """CLASS/NAME.SUFFIX in letters that no reader of paths, patterns or URLs takes for something else."""
        plain = "/".join(_plain(part) for part in sample.id.split("/"))
        name, number = f"{plain}{suffix}", 1
        while f"{sample.split}/{name}".lower() in self._taken:
            number += 1
            name = f"{plain}-{number}{suffix}"
        self._taken.add(f"{sample.split}/{name}".lower())
        return name


def _plain(part: str) -> str:
    """What is hidden (`.x`), or begins with `__`, `datasets` leaves out."""
    return re.sub(r"[^A-Za-z0-9.+-]+", "_", part).strip("._")[:MAX_NAME] or "object"


def _write_glb(mesh: Path, scratch: Path, upright: NDArray[np.float64]) -> Path:
    """One GLB of an object's mesh, or of all its parts, with materials and textures where they can be read.

    `upright`: (4,4), what all of it is turned by.
    """
    import trimesh
    from trimesh.resolvers import FilePathResolver

    scene: Any = None
    if mesh.suffix.lower() in WITH_MATERIALS:
        try:
            confined = confine_mesh(mesh, scratch)  # so that its textures may lie beside its folder
            resolver = FilePathResolver(str(confined), allow_anywhere=True)
            scene = trimesh.load(confined, force="scene", resolver=resolver)
        except Exception:  # noqa: BLE001 whatever a texture does to Pillow, or a material to trimesh
            scene = None
    if scene is None or not any(len(getattr(part, "faces", ())) for part in scene.geometry.values()):
        parts = read_thing(mesh)
        scene = trimesh.Scene([trimesh.Trimesh(part.vertices, part.faces, process=False) for part in parts])
    if not np.array_equal(upright, np.eye(4)):
        scene.apply_transform(upright)
    target = scratch / "exported.glb"
    target.write_bytes(scene.export(file_type="glb"))
    return target
