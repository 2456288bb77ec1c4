"""What a source of meshes is: something that lists files and brings them.

s3://bucket/prefix          any S3 endpoint; credentials and endpoint from the usual places (environment, profile)
folder, file:///folder      a local folder
file.npz                    voxel grids with labels, see `shapeyard.sources.npz`
procedural://?objects=480   the parametric catalogue, see `shapeyard.sources.catalogue`
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from shapeyard.errors import SourceError

NPZ = re.compile(r"\.npz(\?.*)?$", re.IGNORECASE)


@dataclass(frozen=True)
class SourceFile:
    """A file of a source."""

    key: str
    """path below the source's root, `/` between parts"""
    size: int
    """bytes; 0 where it is not known before the file is made"""
    etag: str
    """changes when the content does"""


class Source(Protocol):
    """Lists files and brings them; may be used from several threads."""

    @property
    def license(self) -> str:
        """The licence of what is in there, where it is known; else empty."""

    def list_files(self) -> Sequence[SourceFile]:
        """All files, sorted by key; raises `SourceError`."""

    def download(self, file: SourceFile, target: Path) -> None:
        """Bring one file to `target`, complete or not at all.

        Raises:
            SourceError: if the source cannot be read.
            FormatError: if this one file is not to be used.
        """


def open_source(uri: str) -> Source:
    """The source that a URI names.

    Raises:
        SourceError: for an unknown scheme or a folder that is not there.
    """
    from shapeyard.sources.catalogue import CatalogueSource
    from shapeyard.sources.folder import FolderSource
    from shapeyard.sources.npz import NpzSource
    from shapeyard.sources.s3 import S3Source

    scheme, separator, rest = uri.partition("://")
    if not uri:
        raise SourceError("source: expected s3://, file://, procedural://, a folder or an .npz file, got nothing")
    if scheme == "file" or not separator:
        path = rest or uri
        return NpzSource(path) if NPZ.search(path) else FolderSource(Path(path).expanduser())
    if scheme == "s3":
        return S3Source(uri)
    if scheme == "procedural":
        return CatalogueSource(uri)
    raise SourceError(
        f"source {uri}: expected s3://, file://, procedural://, a folder or an .npz file, got {scheme}://"
    )
