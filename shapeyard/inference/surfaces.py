"""Several surfaces of one sample, one after the other in the arrays of the kind surfaces."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shapeyard.contracts.dataset import Dataset
from shapeyard.geometry.triangle_mesh import Mesh


def surface_arrays(meshes: Sequence[Mesh], codes: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
    """The arrays of a sample: V meshes and their codes (V,C)."""
    return {
        "vertices": np.concatenate([mesh.vertices for mesh in meshes]).astype(np.float32),
        "faces": np.concatenate([mesh.faces for mesh in meshes]).astype(np.int32),
        "counts": np.array([(len(mesh.vertices), len(mesh.faces)) for mesh in meshes], np.int64),
        "codes": codes.astype(np.float32),
    }


def read_surface(surfaces: Dataset, sample_id: str, number: int) -> Mesh:
    """One of a sample's surfaces, in the frame of its unit sphere."""
    counts = surfaces.read(sample_id, "counts")
    (vertex, face), (vertices, faces) = counts[:number].sum(axis=0), counts[number]
    return Mesh(
        surfaces.read(sample_id, "vertices", slice(vertex, vertex + vertices)).astype(np.float64),
        surfaces.read(sample_id, "faces", slice(face, face + faces)).astype(np.int64),
    )
