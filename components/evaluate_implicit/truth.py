"""The meshes that shapes were sampled from."""

from __future__ import annotations

import tempfile
from pathlib import Path
from threading import Lock

import numpy as np

from shapeyard.contracts.dataset import Dataset, Sample
from shapeyard.formats.mesh import read_mesh
from shapeyard.geometry.frames import transform
from shapeyard.geometry.triangle_mesh import Mesh


class TrueMeshes:
    """Meshes of a dataset of kind meshes, in the frames of their unit spheres; may be asked by several threads."""

    def __init__(self, meshes: Dataset) -> None:
        self._meshes, self._archive = meshes, Lock()

    def read(self, sample: Sample) -> Mesh:
        """The mesh of an object of kind sdf or surfaces.

        Raises:
            DatasetError: if there is none.
            MeshError: if it cannot be read.
        """
        with tempfile.TemporaryDirectory(prefix="shapeyard-mesh-") as folder:
            with self._archive:
                path = self._meshes.extract(sample.id, Path(folder))
            mesh = read_mesh(path)
        canonical_from_sdf = np.array(sample.attributes["canonical_from_sdf"])
        sdf_from_file = np.linalg.inv(canonical_from_sdf) @ np.array(sample.canonical_from_file)
        return Mesh(transform(sdf_from_file, mesh.vertices), mesh.faces)
