"""Points all over the surfaces of a sample's shapes, the same in every run, as `shapeyard.metrics.surface` compares."""

from __future__ import annotations

import tempfile
import zlib
from pathlib import Path
from threading import Lock

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from shapeyard.contracts.dataset import Dataset
from shapeyard.errors import FormatError
from shapeyard.formats.mesh import read_mesh
from shapeyard.geometry.frames import transform
from shapeyard.geometry.isosurface import points_on_surface
from shapeyard.geometry.triangle_mesh import Mesh
from shapeyard.metrics.surface import POINTS, SurfaceScores, surface_scores, surface_tree


def spread(mesh: Mesh, canonical_from_mesh: NDArray[np.float64], sample_id: str, of_what: str) -> cKDTree:
    """`POINTS` points, evenly over a surface.

    Args:
        mesh: in any frame; one without area has no points.
        canonical_from_mesh: (4,4), its coordinates into the canonical frame.
        sample_id: whose shape it is.
        of_what: which of that sample's shapes: two draws of the same name are the same points.

    Returns:
        Of `surface_tree`, canonical units.
    """
    rng = np.random.default_rng(zlib.crc32(f"{sample_id} {of_what}".encode()))
    canonical = Mesh(transform(canonical_from_mesh, mesh.vertices), mesh.faces)
    return surface_tree(points_on_surface(canonical, POINTS, rng))


def against_mesh(meshes: Dataset, archive: Lock, sample_id: str, grid: cKDTree) -> SurfaceScores | None:
    """What a true grid reaches against the mesh it was made from, all of it, as it is: what is inside counts as well.

    Args:
        meshes: where the sample's mesh is, whose row says how it stands in the canonical frame.
        archive: guards the dataset's file, which has one reading position, from other threads.
        sample_id: whose shape it is.
        grid: of `spread`, the true grid's surface.

    Returns:
        None where the sample has no mesh, but a grid or nothing.
    """
    if sample_id not in meshes:
        return None
    with tempfile.TemporaryDirectory(prefix="shapeyard-mesh-") as folder:
        try:
            with archive:
                path = meshes.extract(sample_id, Path(folder))
            mesh = read_mesh(path)
        except FormatError:  # a .binvox, or images that were brought
            return None
    canonical_from_file = np.array(meshes[sample_id].canonical_from_file)
    return surface_scores(grid, spread(mesh, canonical_from_file, sample_id, "mesh"))
