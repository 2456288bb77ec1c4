"""Turn printable objects into features: a grid, sizes, and shape in numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from shapeyard.contracts.stage import (
    Artifact,
    LimitedSettings,
    MeshSettings,
    NonNegativeInt,
    OneOf,
    Range,
    Resources,
    Stage,
)


@dataclass(frozen=True)
class ExtractFeaturesSettings(MeshSettings, LimitedSettings):
    """Which features are taken."""

    feature_set: Annotated[str, OneOf(("measures", "points256"))] = "measures"
    """measures (a grid and measures), or points256 for 3D Net's picture of shuffled coordinates besides."""
    resolution: Annotated[int, Range(ge=8, le=256)] = 32
    """Voxels along the grid's side, 8 to 256."""
    seed: NonNegativeInt = 0
    """Of the order of points256's coordinates."""


STAGE = Stage(
    stack="base",
    settings=ExtractFeaturesSettings,
    inputs={"meshes": Artifact("Dataset", "Dataset of kind meshes.")},
    outputs={"features": Artifact("Dataset", "Dataset of kind features.")},
    resources=Resources(hours=12),
)
