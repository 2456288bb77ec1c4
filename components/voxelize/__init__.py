"""Turn meshes into occupancy grids."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from shapeyard.contracts.stage import Artifact, MeshSettings, NonNegativeInt, OneOf, Range, Stage
from shapeyard.errors import require

MAX_SIDE = 256
"""Voxels along a grid's side, its padding included."""
MODES = ("solid", "auto", "surface", "carving", "dilated-carving", "parity", "carving-parity", "flood", "winding")


@dataclass(frozen=True)
class VoxelizeSettings(MeshSettings):
    """How meshes become grids."""

    resolution: Annotated[int, Range(ge=8, le=MAX_SIDE)] = 64
    """Voxels along the object's longest side (binvox -d); with the padding 8 to 256."""
    mode: Annotated[str, OneOf(MODES)] = "solid"
    """solid (as ShapeNet's files: binvox -c -aw -dc -down, oblique sheets kept), auto (parity where the mesh bounds a
    volume, else solid; each sample's attribute mode says which), surface (what triangles touch: -e),
    carving (what cannot be seen from six sides: -c), dilated-carving (-c -dc), parity (odd crossings, exact volumes:
    -v), carving-parity (both, as ModelNet's grids: binvox without -c and -v), flood (what a flood from outside does not
    reach) or winding (winding number over one half)."""
    padding: NonNegativeInt = 0
    """Empty voxels on each side; ModelNet's 30 are a resolution of 24 and a padding of 3."""
    centered: bool = True
    """Centre the object in the cube (binvox -cb), as everything here expects it; false: start the cube at the bounding
    box's minimum corner, as ShapeNet's files do, for other tools."""
    remove_internal: bool = False
    """Keep only voxels with an empty neighbour (binvox -ri)."""
    engine: Annotated[str, OneOf(("numba", "binvox"))] = "numba"
    """numba (ours) or binvox (the program of that name on the PATH, off screen: -pb)."""

    @property
    def size(self) -> int:
        """Voxels along the grid's side."""
        return self.resolution + 2 * self.padding

    def check(self) -> None:
        """Raise `ParameterError` if the padding makes a grid too large."""
        require(
            self.size <= MAX_SIDE,
            f"resolution: expected 8 to {MAX_SIDE}, got {self.resolution} with a padding of {self.padding}",
        )


STAGE = Stage(
    stack="base",
    settings=VoxelizeSettings,
    inputs={"meshes": Artifact("Dataset", "Dataset of kind meshes.")},
    outputs={"voxels": Artifact("Dataset", "Dataset of kind voxels.")},
)
