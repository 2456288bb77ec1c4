"""TAR files for tests."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path


def write_tar(path: Path, *infos: tarfile.TarInfo, **members: bytes) -> Path:
    """A TAR of some files, and of members that have no content."""
    with tarfile.open(path, "w") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        for info in infos:
            archive.addfile(info)
    return path
