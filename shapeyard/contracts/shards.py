"""The shard files of a dataset that others may have made: nothing outside of the dataset's folder is ever opened."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py

from shapeyard.errors import DatasetError, FormatError
from shapeyard.local_paths import is_regular_file_below, local_path

MAX_DEFLATE_RATIO = 1032
"""What gzip can do at the most; an array that claims more was never written."""
FREE_BYTES = 1_000_000
"""Arrays below this may be stored in any way."""


def shard_path(folder: Path, name: str) -> Path:
    """Where a shard lies, by the name that a sample's row gives it.

    Raises:
        DatasetError: for a name that leads out of the folder, also by a link, or is no regular file.
    """
    try:
        path = local_path(folder, name)
    except FormatError as error:
        raise DatasetError(f"{folder}: expected a shard in this folder, got {error}") from error
    if not is_regular_file_below(folder, path):
        raise DatasetError(f"{path}: expected a shard, found no regular file")
    return path


def find_array(file: Any, name: str) -> Any:
    """An array of an open HDF5 file; None where there is none.

    Args:
        file: h5py's.
        name: `/` between its parts.

    Raises:
        DatasetError: for a link to another file or place, for an array whose numbers lie in other files (external
            storage, virtual datasets), and for one that claims more numbers than can be stored in what it takes.
    """
    where = f"{file.filename}: {name}"
    found = file
    for part in name.split("/"):
        link = found.get(part, getlink=True) if isinstance(found, h5py.Group) and part else None
        if link is None:
            return None
        if not isinstance(link, h5py.HardLink):
            raise DatasetError(f"{where}: expected arrays in this file, got a link to another place")
        found = found[part]
    if not isinstance(found, h5py.Dataset):
        return None
    if found.is_virtual or found.external:
        raise DatasetError(f"{where}: expected an array in this file, got one whose numbers lie in others")
    if found.nbytes > max(FREE_BYTES, MAX_DEFLATE_RATIO * found.id.get_storage_size()):
        raise DatasetError(
            f"{where}: expected as many numbers as are stored, got a claim of {found.nbytes} bytes in "
            f"{found.id.get_storage_size()}"
        )
    return found
