"""Points on a sample's surfaces: where they are, that they come again, and which samples have no mesh."""

from __future__ import annotations

from pathlib import Path
from threading import Lock

import numpy as np
import pytest
import trimesh

from shapeyard.contracts.dataset import Dataset, DatasetWriter, Sample
from shapeyard.formats.binvox import write_binvox
from shapeyard.geometry.isosurface import isosurface
from shapeyard.geometry.lifting import CANONICAL_FROM_UNIT
from shapeyard.metrics.sample_surfaces import against_mesh, spread
from shapeyard.metrics.surface import POINTS

HALF_AS_LARGE = np.diag([0.5, 0.5, 0.5, 1.0])


def test_points_are_in_the_canonical_frame_and_the_same_every_time() -> None:
    mesh = isosurface(np.ones((2, 2, 2), bool))
    points = spread(mesh, HALF_AS_LARGE, "a/0", "true").data
    assert points.shape == (POINTS, 3)
    np.testing.assert_allclose([points.min(axis=0), points.max(axis=0)], [[0] * 3, [0.5] * 3], atol=0.13)
    np.testing.assert_array_equal(points, spread(mesh, HALF_AS_LARGE, "a/0", "true").data)
    for other in (("a/1", "true"), ("a/0", "mesh")):
        assert not np.array_equal(points, spread(mesh, HALF_AS_LARGE, *other).data)
    assert spread(isosurface(np.zeros((2, 2, 2))), HALF_AS_LARGE, "a/0", "true").n == 0


def test_a_mesh_and_what_is_none(tmp_path: Path) -> None:
    """A box of half a side whose grid is the same box: what is missing to 1 is due to the drawing of points."""
    box, grid, nothing, missing = (
        Sample(f"a/{name}", "a", "test", "", canonical_from_file=tuple(map(tuple, HALF_AS_LARGE.tolist())))
        for name in ("box", "grid", "nothing", "missing")
    )
    full = np.zeros((64, 64, 64), bool)
    full[16:48, 16:48, 16:48] = True
    source = tmp_path / "source"
    source.mkdir()
    with DatasetWriter(tmp_path / "meshes", "meshes", "fetch", {}) as writer:
        trimesh.creation.box((1, 1, 1)).export(source / "model.stl")
        writer.add_files(box, source, "model.stl")
        write_binvox(source / "model.binvox", full, (-0.5, -0.5, -0.5), 1.0)
        (source / "metadata.txt").write_text("no mesh")
        writer.add_files(grid, source, "model.binvox")
        writer.add_files(nothing, source, "metadata.txt")
    meshes = Dataset([tmp_path / "meshes"], "meshes")
    true = spread(isosurface(full), CANONICAL_FROM_UNIT, "a/box", "true")
    found = against_mesh(meshes, Lock(), box.id, true)
    assert found is not None
    assert found.fscore == pytest.approx(1 - np.exp(-np.pi / 1.5), rel=0.02) and found.chamfer < 2e-4
    assert all(against_mesh(meshes, Lock(), sample.id, true) is None for sample in (grid, nothing, missing))
    meshes.close()
