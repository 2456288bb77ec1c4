"""A local folder as a source."""

from __future__ import annotations

import shutil
from pathlib import Path

from shapeyard.errors import SourceError
from shapeyard.sources.source import SourceFile


class FolderSource:
    """All files below a folder; hidden ones are left out."""

    license = ""

    def __init__(self, root: Path) -> None:
        """Raises `SourceError` if `root` is not a folder."""
        if not root.is_dir():
            raise SourceError(f"source {root}: expected a folder, found {'a file' if root.exists() else 'nothing'}")
        self.root = root

    def list_files(self) -> list[SourceFile]:
        """All files, sorted by key; the tag is the time of the last change with the size."""
        files = []
        for path in self.root.rglob("*"):
            inside = path.relative_to(self.root)
            if path.is_file() and not any(part.startswith(".") for part in inside.parts):
                stat = path.stat()
                files.append(SourceFile(inside.as_posix(), stat.st_size, f"{stat.st_mtime_ns}-{stat.st_size}"))
        return sorted(files, key=lambda file: file.key)

    def download(self, file: SourceFile, target: Path) -> None:
        """Copy one file."""
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            shutil.copyfile(self.root / file.key, target)
        except FileNotFoundError as error:
            raise SourceError(f"{self.root / file.key}: the file was there when listed and is gone now") from error
