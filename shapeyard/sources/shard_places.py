"""Where the datasets of a pipeline's shards are.

A stage of the loop returns its dataset's place as text, `samples sha256 uri`; `gather` writes those of all shards into
one file of JSON; the stages behind take this file and read the datasets where they are. KFP would hand over a list of
artifacts otherwise, 600 bytes each in every task's command line and in the workflow, and the 45th shard would be one
too many (docs/scale.md).

On one machine an address is a path, written relative to the file, so that a folder of runs can be moved. On a cluster
it is the artifact's in KFP's own store, which a stage reads with the variables `SHAPEYARD_ARTIFACTS_…` of
`shapeyard.sources.s3.OWN_VARIABLES`.
"""

from __future__ import annotations

import atexit
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from shapeyard.contracts.dataset import read_info
from shapeyard.contracts.files import write_json
from shapeyard.contracts.progress import track
from shapeyard.errors import DatasetError, one_line
from shapeyard.local_paths import local_path

VARIABLES = "SHAPEYARD_ARTIFACTS"
DOWNLOADS = 8
"""Side by side."""
BUCKET = re.compile(r"(?:minio|s3)://(?P<rest>.+)")
"""KFP's own scheme for the store that it brings along, and AWS's."""


class Place(NamedTuple):
    """Where a dataset is."""

    samples: int
    sha256: str
    """of its dataset.json, which holds the hashes of its other files; the first 16 digits"""
    uri: str

    @classmethod
    def parse(cls, text: str) -> Place:
        """From `samples sha256 uri`; raises `DatasetError` for anything else."""
        match = re.fullmatch(r"(\d+) ([0-9a-f]{16}) (\S.*)", text)
        if not match:
            raise DatasetError(f"expected the place of a dataset, `samples sha256 uri`, got {text!r}")
        return cls(int(match[1]), match[2], match[3])

    def __str__(self) -> str:
        return f"{self.samples} {self.sha256} {self.uri}"


def place_of(uri: str, path: str | Path) -> str:
    """The place of a dataset that was just written at `path`, which is `uri`, or from where KFP brings it there."""
    return str(Place(int(read_info(path)["counts"]["samples"]), _hash(Path(path)), uri))


def write_places(file: Path, places: Sequence[Place]) -> None:
    """Write a file of places.

    Raises:
        DatasetError: if there are none.
    """
    if not places:
        raise DatasetError("expected the place of at least one dataset, got none")
    file.parent.mkdir(parents=True, exist_ok=True)
    rows = [
        {"uri": _relative(place.uri, file.parent), "samples": place.samples, "sha256": place.sha256} for place in places
    ]
    write_json(file, {"datasets": rows})


def datasets_of(given: Any) -> list[str]:
    """The directories of the datasets that a stage was given, brought to this machine if they are elsewhere.

    Args:
        given: KFP's artifact of `gather`, a list of artifacts that are datasets (the command line's), or None.

    Raises:
        DatasetError: if the file of places, or a dataset that was brought, is not what was written.
        SourceError: if the store can't be read.
    """
    if not given:
        return []
    if isinstance(given, list):
        return [one.path for one in given]
    file = Path(given.path)
    places = _read(file)
    elsewhere = [place for place in places if BUCKET.match(place.uri)]
    if not elsewhere:
        return [os.path.normpath(file.parent / place.uri) for place in places]
    scratch = Path(tempfile.mkdtemp(prefix="shapeyard-shards-"))
    atexit.register(shutil.rmtree, scratch, ignore_errors=True)
    return list(_bring(elsewhere, scratch))


def _bring(places: Sequence[Place], scratch: Path) -> Iterator[str]:
    from shapeyard.sources.s3 import S3Source

    with ThreadPoolExecutor(DOWNLOADS) as pool:
        for number, place in enumerate(track(places, len(places), "shards brought")):
            folder = scratch / f"{number:03d}"
            source = S3Source(f"s3://{BUCKET.fullmatch(place.uri)['rest']}", VARIABLES)  # type: ignore[index]
            jobs = [pool.submit(source.download, file, local_path(folder, file.key)) for file in source.list_files()]
            for job in jobs:
                job.result()
            read_info(folder)
            if _hash(folder) != place.sha256:
                raise DatasetError(f"{place.uri}: is not the dataset that the shard's stage wrote")
            yield str(folder)


def _read(file: Path) -> list[Place]:
    try:
        rows = json.loads(file.read_text(encoding="utf-8"))["datasets"]
        places = [Place(int(row["samples"]), row["sha256"], row["uri"]) for row in rows]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetError(
            f"{file}: expected the places of datasets, as `gather` writes them: {one_line(error)}"
        ) from error
    unknown = [place.uri for place in places if "://" in place.uri and not BUCKET.fullmatch(place.uri)]
    if unknown:
        raise DatasetError(f"{file}: expected addresses of s3:// or minio://, got {unknown[0]}")
    return places


def _relative(uri: str, folder: Path) -> str:
    return os.path.relpath(uri, folder) if uri.startswith("/") else uri


def _hash(folder: Path) -> str:
    return hashlib.sha256((folder / "dataset.json").read_bytes()).hexdigest()[:16]
