"""Our cameras against images that others rendered."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shapeyard.formats.binvox import read_binvox
from shapeyard.geometry.cameras import R2N2_DISTANCE, intrinsics, look_at
from shapeyard.geometry.frames import transform


@pytest.mark.realdata
def test_r2n2s_voxels_cover_its_images(realdata: Path) -> None:
    """Through its own rendering_metadata.txt: azimuth 0 on the +X side, clockwise; the grid centred on the origin."""
    within = (np.stack(np.meshgrid(*[np.arange(3)] * 3), axis=-1).reshape(-1, 3) + 0.5) / 3
    overlaps = []
    for path in sorted(realdata.glob("r2n2/ShapeNetVox32/*/*/model.binvox")):
        occupancy, _, scale = read_binvox(path)
        voxels = (np.argwhere(occupancy)[:, None] + within).reshape(-1, 3)
        points = (voxels / 32 - 0.5) * scale
        images = realdata / "r2n2" / "ShapeNetRendering" / path.parts[-3] / path.parts[-2] / "rendering"
        found = []
        for view, (azimuth, elevation, _, ratio, _) in enumerate(np.loadtxt(images / "rendering_metadata.txt")):
            around, up = np.radians([90 - azimuth, elevation])
            direction = np.array([np.cos(up) * np.sin(around), np.sin(up), np.cos(up) * np.cos(around)])
            camera = look_at(R2N2_DISTANCE * ratio * direction)
            pixels = transform(np.linalg.inv(camera), points) @ intrinsics(137).T
            columns, rows = np.floor(pixels[:, :2] / pixels[:, 2:]).astype(int).T
            covered = np.zeros((137, 137), bool)
            seen = (columns >= 0) & (columns < 137) & (rows >= 0) & (rows < 137)
            covered[rows[seen], columns[seen]] = True
            with Image.open(images / f"{view:02}.png") as image:
                alpha = np.array(image)[..., 3] > 0
            found.append((covered & alpha).sum() / (covered | alpha).sum())
        overlaps.append(float(np.mean(found)))
    assert len(overlaps) == 6
    assert np.mean(overlaps) >= 0.85 and min(overlaps) >= 0.76
