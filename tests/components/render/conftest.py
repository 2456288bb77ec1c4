"""The stage `render`, ready to draw objects that a test makes up."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scenes import Files, write_meshes

from components.render import RenderSettings
from components.render.render import render
from shapeyard.contracts.dataset import Dataset


@pytest.fixture
def draw(tmp_path: Path) -> Callable[..., Dataset]:
    """Render objects given as {id: (main file, files, canonical_from_file)}; the parameters are the stage's."""
    import bpy  # noqa: F401 once for all tests, not in a process for each; here, since not all who collect run them

    def draw(
        objects: dict[str, tuple[str, Files, NDArray[np.float64]]], folder: str = "renders", **parameters: object
    ) -> Dataset:
        meshes = write_meshes(tmp_path / f"{folder}-meshes", objects)
        chosen = {"views": 2, "image_size": 64, "samples": 1, "workers": 1, **parameters}
        render(meshes, tmp_path / folder, RenderSettings(**chosen))
        return Dataset([tmp_path / folder], "renders")

    return draw
