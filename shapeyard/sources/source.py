"""What a source of meshes is: something that lists files and brings them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file of a source."""

    key: str
    """path below the source's root, `/` between parts"""
    size: int
    """bytes; 0 where it is not known before the file is made"""
    etag: str
    """changes when the content does"""


class Source(Protocol):
    """Lists files and brings them; may be used from several threads.

    What it knows of licences and creators it lists as a file: see `shapeyard.sources.provenance`.
    """

    def list_files(self) -> Sequence[SourceFile]:
        """All files, sorted by key; raises `SourceError`."""

    def download(self, file: SourceFile, target: Path) -> None:
        """Bring one file to `target`, complete or not at all.

        Raises:
            SourceError: if the source cannot be read.
            FormatError: if this one file is not to be used.
        """
