"""What is rendered is what is voxelized, whatever the format and its form."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh
from gltf_forms import FACES, FORMS, POINTS

from components.fetch import FetchSettings
from components.fetch.fetch import fetch
from components.plan.plan import plan
from components.render import RenderSettings
from components.render.render import render
from components.voxelize import VoxelizeSettings
from components.voxelize.voxelize import voxelize
from shapeyard.contracts.dataset import Dataset, read_occupancy
from shapeyard.sources.selection import Selection

OTHERS = ("obj", "ply", "stl", "off", "far-obj")


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Dataset, Dataset]:
    """Renders and voxels of the shape in every form."""
    import bpy  # noqa: F401 once for all tests, not in a process for each

    folder = tmp_path_factory.mktemp("forms")
    for name, content in FORMS.items():
        (folder / "in" / name).mkdir(parents=True)
        (folder / "in" / name / "m.glb").write_bytes(content)
    for name in OTHERS:
        ending, shift = name[-3:], 5e6 if name.startswith("far") else 0.0
        (folder / "in" / name).mkdir(parents=True)
        trimesh.Trimesh(POINTS + shift, FACES, process=False).export(folder / "in" / name / f"m.{ending}")
    (item,) = plan(Selection(str(folder / "in"), shards=1, layout="classes", up_axis="y"))
    fetch(item, folder / "meshes", FetchSettings(max_skipped=0.0))
    settings = RenderSettings(cameras="r2n2", views=2, image_size=128, samples=1, workers=1, max_skipped=0.0)
    render(folder / "meshes", folder / "renders", settings)
    voxelize(folder / "meshes", folder / "voxels", VoxelizeSettings(resolution=64, mode="parity", workers=1))
    return Dataset([folder / "renders"], "renders"), Dataset([folder / "voxels"], "voxels")


@pytest.mark.parametrize("name", [*FORMS, *OTHERS])
def test_voxels_fill_the_silhouette(both: tuple[Dataset, Dataset], name: str) -> None:
    renders, voxels = both
    sample = f"{name}/m"
    offsets = (np.indices((4, 4, 4)).reshape(3, -1).T + 0.5) / 4
    points = ((np.argwhere(read_occupancy(voxels, sample))[:, None] + offsets).reshape(-1, 3)) / 64 - 0.5
    for view in range(2):
        camera, intrinsics = renders.read(sample, "world_from_camera")[view], renders.read(sample, "intrinsics")
        seen = (points - camera[:3, 3]) @ camera[:3, :3]
        pixels = (seen @ intrinsics.T)[:, :2] / seen[:, 2:]
        filled = np.zeros((128, 128), bool)
        column, row = np.floor(pixels).astype(int).T
        filled[row, column] = True
        mask = np.isfinite(renders.read(sample, "depth", view))
        assert (filled & mask).sum() / (filled | mask).sum() >= 0.9
