"""The source that a URI names.

s3://bucket/prefix          any S3 endpoint; credentials and endpoint from the usual places (environment, profile)
folder, file:///folder      a local folder
file.npz                    voxel grids with labels, see `shapeyard.sources.npz`
furniture://                Sweet Home 3D's furniture as Debian has it, see `shapeyard.sources.furniture`
file.sh3f, a folder of them more of it
procedural://?objects=480   the parametric catalogue, see `shapeyard.sources.catalogue`
"""

from __future__ import annotations

import re
from pathlib import Path

from shapeyard.errors import SourceError
from shapeyard.sources.catalogue import CatalogueSource
from shapeyard.sources.folder import FolderSource
from shapeyard.sources.furniture import FurnitureSource, sh3f_files
from shapeyard.sources.npz import NpzSource
from shapeyard.sources.s3 import S3Source
from shapeyard.sources.source import Source

KNOWN = "s3://, file://, furniture://, procedural://, a folder, an .npz or an .sh3f file"
NPZ = re.compile(r"\.npz(\?.*)?$", re.IGNORECASE)


def open_source(uri: str) -> Source:
    """The source that a URI names.

    Raises:
        SourceError: for an unknown scheme or a folder that is not there.
    """
    scheme, separator, rest = uri.partition("://")
    if not uri:
        raise SourceError(f"source: expected {KNOWN}, got nothing")
    if scheme == "file" or not separator:
        path = rest or uri
        if sh3f_files(Path(path).expanduser()) or path.lower().endswith(".sh3f"):
            return FurnitureSource(path)
        return NpzSource(path) if NPZ.search(path) else FolderSource(Path(path).expanduser())
    if scheme == "s3":
        return S3Source(uri)
    if scheme == "furniture":
        return FurnitureSource(uri)
    if scheme == "procedural":
        return CatalogueSource(uri)
    raise SourceError(f"source {uri}: expected {KNOWN}, got {scheme}://")
