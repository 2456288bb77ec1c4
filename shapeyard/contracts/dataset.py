"""The dataset contract: a directory that one stage writes and others read.

    dataset.json      kind, contract version, counts, whom to name, what made it, the other files with sizes and hashes,
                      skipped samples with their reasons, what was planned (`contracts.planned`); written last and
                      atomically: where it is, the dataset is whole
    samples.jsonl     one row a sample (see `Sample`)
    shard-000.h5      arrays, one group per sample id     (kinds other than meshes)
    shard-000.zip     files, one folder per sample id     (kind meshes)
    preview.png       a contact sheet

What a sample of each kind holds: `shapeyard.contracts.arrays`.

Splits are made once, by `plan`; every later dataset carries them on.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import time
import zipfile
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

import h5py
import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from shapeyard import __version__
from shapeyard.boundary import foreign, reader
from shapeyard.contracts.arrays import check_arrays
from shapeyard.contracts.files import (
    MARK,
    check_file,
    describe_file,
    empty_output,
    is_as_left,
    leave_stamps,
    require_space,
    write_json,
)
from shapeyard.contracts.licenses import UNKNOWN, attributions, check_license, count_licenses
from shapeyard.contracts.packed_occupancy import unpack_occupancy
from shapeyard.contracts.planned import Planned, require_enough, require_enough_of_run
from shapeyard.contracts.shards import find_array, shard_path
from shapeyard.errors import DatasetError, one_line, printable
from shapeyard.local_paths import local_path

CONTRACT_VERSION = 1
Kind = Literal["meshes", "renders", "depths", "voxels", "reconstructions", "predictions", "features", "sdf", "surfaces"]
Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)
PER_VIEW = frozenset({"rgba", "depth", "normals", "albedo", "probability"})
"""Read one view at a time, so chunked by view."""
READ_BY_ROWS = frozenset({"positive", "negative"})
"""Some rows are read at a time, and random numbers hardly shrink: in one piece, not compressed."""


@dataclass(frozen=True)
class Sample:
    """One object as a row of samples.jsonl."""

    id: str
    """class/name, never with a bucket or prefix"""
    class_name: str
    split: Split
    source: str
    """URI of the object in its source"""
    license: str = UNKNOWN
    """one of `contracts.licenses`"""
    creator: str = ""
    """whom to name for it"""
    sha256: str = ""
    """of the source's main file"""
    shard: str = ""
    """the file of this dataset that holds it"""
    canonical_from_file: tuple[tuple[float, ...], ...] = ()
    """4×4: the file's coordinates into the canonical frame (+Y up, centred on the box, longest side 1)"""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    """what a kind adds, JSON values"""


@dataclass(frozen=True)
class Skipped:
    """A sample that could not be used, and why."""

    id: str
    reason: str


class DatasetWriter:
    """Writes one dataset directory; use as a context manager.

    The directory is emptied first. Leaving the block normally makes the dataset whole; leaving it by an error leaves
    a directory without dataset.json, which nobody takes for a dataset.

    Raises:
        TooManySkippedError: on leaving, if more than `max_skipped` (a share, 0 to 1) of the samples, those of the whole
            run where this is a shard, were skipped, or nothing is left.
        DatasetError: for a directory with files that are no earlier output.
    """

    def __init__(
        self,
        path: str | Path,
        kind: Kind,
        stage: str,
        parameters: Mapping[str, Any],
        *,
        max_skipped: float = 0.5,
        skipped: Sequence[Skipped] = (),
        attributes: Mapping[str, Any] | None = None,
        planned: Planned | None = None,
    ) -> None:
        """`skipped`: by earlier stages, carried on, not counted; `attributes`: JSON values; `planned`: of a shard."""
        self.path, self.kind = Path(path), kind
        self.made_by = {"stage": stage, "version": __version__, "parameters": dict(parameters)}
        self.max_skipped = max_skipped
        self.planned = planned and planned._replace(max_skipped=max_skipped)
        self.attributes = dict(attributes or {})
        self._inherited = list(skipped)
        self._skipped: list[Skipped] = []
        self._samples: dict[str, Sample] = {}
        self._preview: Image.Image | None = None
        self._shard = "shard-000.zip" if kind == "meshes" else "shard-000.h5"
        self._store: Any = None
        self._started = time.monotonic()

    def __enter__(self) -> DatasetWriter:
        empty_output(self.path)
        shard = self.path / self._shard
        if self.kind == "meshes":
            # Level 1: an OBJ file in a sixth of the time, a fifth larger than at the default.
            self._store = zipfile.ZipFile(shard, "w", zipfile.ZIP_DEFLATED, compresslevel=1)
        else:
            self._store = h5py.File(shard, "w")
        return self

    def add(self, sample: Sample, arrays: Mapping[str, ArrayLike], attributes: Mapping[str, Any] | None = None) -> None:
        """Write a sample's arrays, each of the type that `contracts.arrays.DTYPES` says.

        Raises:
            DatasetError: for an array that the kind does not have, or of another type; for a sample that is there.
        """
        self._claim(sample)
        made = {name: np.asarray(values) for name, values in arrays.items()}
        check_arrays(self.kind, made)
        require_space(self.path / self._shard, sum(array.nbytes for array in made.values()))
        group = self._store.create_group(sample.id)
        for name, array in made.items():
            big = array.size >= 1024 and name not in READ_BY_ROWS
            chunks = (1, *array.shape[1:]) if name in PER_VIEW else big or None
            group.create_dataset(name, data=array, chunks=chunks, compression="gzip" if big else None,
                                 compression_opts=1 if big else None, shuffle=big)  # fmt: skip
        self._samples[sample.id] = replace(sample, shard=self._shard, attributes=dict(attributes or {}))

    def add_files(self, sample: Sample, folder: Path, main: str, attributes: Mapping[str, Any] | None = None) -> None:
        """Write a mesh sample: all files below `folder`, unchanged; `main` is the mesh's path inside it."""
        self._claim(sample)
        for file in sorted(p for p in folder.rglob("*") if p.is_file()):
            inside = file.relative_to(folder).as_posix()
            member = f"{sample.id}/{inside}"  # by its name, so without a date: the same meshes give the same bytes
            with file.open("rb") as source, self._store.open(member, "w", force_zip64=True) as target:
                shutil.copyfileobj(source, target)
        self._samples[sample.id] = replace(sample, shard=self._shard, attributes={"main": main, **(attributes or {})})

    def skip(self, sample_id: str, reason: str) -> None:
        """Leave a sample out, with the reason in one line; what is not UTF-8 in them is escaped."""
        name, line = (printable(text) for text in (sample_id, " ".join(reason.split())))
        self._skipped.append(Skipped(name, line))

    def preview(self, image: NDArray[np.uint8] | Image.Image) -> None:
        """Give the dataset its contact sheet: (H,W,3) or (H,W,4) uint8, or a Pillow image."""
        self._preview = image if isinstance(image, Image.Image) else Image.fromarray(image)

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        self._store.close()
        if kind is None:
            self._finish()

    def _claim(self, sample: Sample) -> None:
        if sample.id in self._samples:
            raise DatasetError(f"{self.path}: sample {sample.id} was written twice")
        check_license(sample.id, sample.license)

    def _finish(self) -> None:
        require_enough(len(self._samples), self._skipped, self.max_skipped, self.planned)
        rows = "".join(json.dumps(_row(s), ensure_ascii=False) + "\n" for s in self._samples.values())
        (self.path / "samples.jsonl").write_text(rows, encoding="utf-8")
        if self._preview is not None:
            self._preview.save(self.path / "preview.png")
        samples = list(self._samples.values())
        files = {file.name: describe_file(file) for file in sorted(self.path.iterdir()) if file.name != MARK}
        info = {
            "kind": self.kind,
            "contract_version": CONTRACT_VERSION,
            "made_by": {**self.made_by, "seconds": round(time.monotonic() - self._started, 2)},
            "counts": {
                "samples": len(samples),
                "classes": dict(sorted(Counter(s.class_name for s in samples).items())),
                "splits": {split: sum(s.split == split for s in samples) for split in SPLITS},
                "licenses": count_licenses(samples),
            },
            "attributions": [one._asdict() for one in attributions(samples)],
            "files": files,
            "attributes": self.attributes,
            "planned": self.planned and self.planned._asdict(),
            "skipped": [asdict(s) for s in (*self._inherited, *self._skipped)],
        }
        leave_stamps(self.path, files)
        write_json(self.path / "dataset.json", info)


class Dataset:
    """One or several dataset directories of a kind, read as one.

    Attributes:
        samples: all rows; those of several directories by id, so that nothing depends on how shards were cut.
        skipped: what was left out on the way.
        attributes: those of the first directory that is not empty.
        planned: of a shard of a run, what it was given.
        fingerprint: a hash of all that the directories hold.
    """

    @reader(DatasetError, "paths")
    def __init__(self, paths: Sequence[str | Path], kind: Kind) -> None:
        """Open; raises `DatasetError` for what is missing or broken, and as `require_enough_of_run` does."""
        if not paths:
            raise DatasetError(f"no {kind} dataset given: expected at least one directory")
        self.kind = kind
        self.paths = [Path(path) for path in paths]
        self.samples: list[Sample] = []
        self.skipped: list[Skipped] = []
        self._folder: dict[str, Path] = {}
        self._open: dict[Path, Any] = {}
        self._names: dict[Path, list[str]] = {}
        infos = [_read_checked(path) for path in self.paths]
        full = next((info for info in infos if info["counts"]["samples"]), infos[0])
        self.attributes: dict[str, Any] = full["attributes"]
        shards = [Planned(**info["planned"]) for info in infos if info.get("planned")]
        self.planned = shards[0] if shards else None
        self.fingerprint = hashlib.sha256(json.dumps([info["files"] for info in infos]).encode()).hexdigest()
        for path, info in zip(self.paths, infos, strict=True):
            if info["kind"] != kind:
                raise DatasetError(f"{path}: expected a dataset of kind {kind}, got {info['kind']}")
            self.skipped += [Skipped(**s) for s in info["skipped"]]
            for sample in read_samples(path):
                if sample.id in self._folder:
                    raise DatasetError(f"{path}: sample {sample.id} is in {self._folder[sample.id]} as well")
                self._folder[sample.id] = path
                self.samples.append(sample)
        self.samples.sort(key=lambda sample: sample.id if len(self.paths) > 1 else "")
        self._by_id = {sample.id: sample for sample in self.samples}
        if len(paths) > 1 and len(shards) == len(paths):
            require_enough_of_run(len(self.samples), self.skipped, shards)

    def __contains__(self, sample_id: str) -> bool:
        return sample_id in self._by_id

    def __getitem__(self, sample_id: str) -> Sample:
        return self._by_id[sample_id]

    @property
    def classes(self) -> list[str]:
        """The class names, sorted."""
        return sorted({sample.class_name for sample in self.samples})

    def of_split(self, split: Split) -> list[Sample]:
        """The samples of one split."""
        return [sample for sample in self.samples if sample.split == split]

    @reader(DatasetError, "sample_id")
    def read(self, sample_id: str, name: str, view: int | slice | None = None) -> NDArray[Any]:
        """An array of a sample, or one view or some rows of it."""
        array = self._array(sample_id, name)
        with foreign(f"{self._shard_of(sample_id)}: {name} of sample {sample_id}", DatasetError):
            return np.asarray(array[() if view is None else view])

    @reader(DatasetError, "sample_id")
    def shape(self, sample_id: str, name: str) -> tuple[int, ...]:
        """Of an array, without reading it."""
        return tuple(self._array(sample_id, name).shape)

    @reader(DatasetError, "sample_id")
    def has(self, sample_id: str, name: str) -> bool:
        """Whether a sample holds an array: some are optional."""
        return find_array(self._arrays(self._shard_of(sample_id)), f"{sample_id}/{name}") is not None

    @reader(DatasetError, "sample_id")
    def extract(self, sample_id: str, folder: Path) -> Path:
        """Unpack a mesh sample's files below `folder`; returns the path of the mesh itself.

        Raises:
            DatasetError: if the shard cannot be read.
            FormatError: for a member whose name leads out of `folder`, or is no name of a file.
        """
        shard, prefix = self._shard_of(sample_id), f"{sample_id}/"
        with foreign(shard, DatasetError):
            if shard not in self._open:
                self._open[shard] = zipfile.ZipFile(shard)
                self._names[shard] = sorted(self._open[shard].namelist())
            archive, names = self._open[shard], self._names[shard]
            # A shard may hold ten thousand samples; "0" is the character after "/".
            for name in names[bisect_left(names, prefix) : bisect_left(names, f"{sample_id}0")]:
                target = local_path(folder, name[len(prefix) :])
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(archive.read(name))
        main = str(self[sample_id].attributes["main"])
        return folder if main == "." else local_path(folder, main)

    def close(self) -> None:
        """Close the shard files."""
        for store in self._open.values():
            store.close()
        self._open.clear()

    def _array(self, sample_id: str, name: str) -> Any:
        shard = self._shard_of(sample_id)
        found = find_array(self._arrays(shard), f"{sample_id}/{name}")
        if found is None:
            raise DatasetError(f"{shard}: sample {sample_id} has no {name}")
        return found

    def _arrays(self, shard: Path) -> Any:
        if shard not in self._open:
            with foreign(shard, DatasetError):
                self._open[shard] = h5py.File(shard, "r")
        return self._open[shard]

    def _shard_of(self, sample_id: str) -> Path:
        return shard_path(self._folder[sample_id], self[sample_id].shard)


@reader(DatasetError)
def read_info(path: str | Path, *, content: bool = False) -> dict[str, Any]:
    """The dataset.json of a directory, after checking that the dataset is whole; with `content`, to the last byte.

    Raises:
        DatasetError: if it is missing, cannot be read, is of another contract version, or a file is not as long (with
            `content`: not the same) as it was when it was written.
    """
    path = Path(path)
    try:
        info: dict[str, Any] = json.loads((path / "dataset.json").read_text(encoding="utf-8"))
        version, files = info["contract_version"], info["files"]
    except FileNotFoundError:
        raise DatasetError(f"{path}: expected a dataset, found no dataset.json (missing or never finished)") from None
    except (ValueError, KeyError, TypeError) as error:
        raise DatasetError(f"{path / 'dataset.json'}: not a valid dataset.json: {one_line(error)}") from error
    if version != CONTRACT_VERSION:
        raise DatasetError(f"{path}: expected contract version {CONTRACT_VERSION}, got {version}")
    for name, described in files.items():
        check_file(shard_path(path, name), described, content=content)
    return info


def _read_checked(path: Path) -> dict[str, Any]:
    """The dataset.json of a directory: of one that was not written here, after its whole content was checked once."""
    info = read_info(path)
    if not is_as_left(path, info["files"]):
        read_info(path, content=True)
        with contextlib.suppress(OSError):  # a folder that is only to be read is checked each time
            leave_stamps(path, info["files"])
    return info


@reader(DatasetError)
def read_samples(path: Path) -> list[Sample]:
    """The rows of samples.jsonl."""
    file = path / "samples.jsonl"
    try:
        lines = file.read_text(encoding="utf-8").split("\n")  # `splitlines` also breaks where a name has U+2028
        return [_sample(json.loads(line)) for line in lines if line]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetError(f"{file}: not readable as samples: {one_line(error)}") from error


def read_occupancy(voxels: Dataset, sample_id: str) -> NDArray[np.bool_]:
    """(D,D,D) bool grid of a sample of kind voxels."""
    return unpack_occupancy(voxels.read(sample_id, "occupancy"), int(voxels[sample_id].attributes["resolution"]))


def _row(sample: Sample) -> dict[str, Any]:
    row = asdict(sample)
    return {"id": row.pop("id"), "class": row.pop("class_name"), **row}


def _sample(row: dict[str, Any]) -> Sample:
    row["class_name"], row["license"] = row.pop("class"), row["license"] or UNKNOWN
    row["canonical_from_file"] = tuple(tuple(float(x) for x in line) for line in row["canonical_from_file"])
    return Sample(**row)
