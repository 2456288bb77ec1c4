"""The arrays that a sample of each kind may hold, and the type of each: sizes stay what the contract says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from shapeyard.errors import DatasetError

DTYPES: Mapping[str, Mapping[str, str]] = {
    "renders": {
        "rgba": "uint8", "depth": "float32", "normals": "float16", "albedo": "uint8", "intrinsics": "float64",
        "world_from_camera": "float64",
    },
    "depths": {"depth": "float32"},
    "voxels": {"occupancy": "uint8"},
    "reconstructions": {"probability": "uint8", "canonical_from_cube": "float64"},
    "predictions": {"probabilities": "float32"},
    "features": {"occupancy": "uint8", "measures": "float32", "points": "uint8"},
    "sdf": {
        "positive": "float32", "negative": "float32", "surface": "float32", "depth": "float32",
        "intrinsics": "float64", "sdf_from_camera": "float64",
    },
    "surfaces": {"vertices": "float32", "faces": "int32", "counts": "int64", "codes": "float32"},
}  # fmt: skip
"""Kind → array → NumPy's name of its type; only matrices (cameras, frames) are float64. `meshes` holds files."""


def check_arrays(kind: str, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Raise `DatasetError` for an array that the kind does not have, or one of another type."""
    allowed = DTYPES.get(kind, {})
    for name, array in arrays.items():
        if name not in allowed:
            raise DatasetError(f"{name}: expected an array of kind {kind} ({', '.join(allowed) or 'none'})")
        if array.dtype != allowed[name]:
            raise DatasetError(f"{name}: expected {allowed[name]}, got {array.dtype}")
