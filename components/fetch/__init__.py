"""Bring the meshes of one shard with their materials and textures, and leave out what cannot be used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from shapeyard.contracts.stage import NO_EFFECT, Artifact, PositiveInt, Range, Resources, Settings, Stage


@dataclass(frozen=True)
class FetchSettings(Settings):
    """What is too large."""

    max_megabytes: PositiveInt = 256
    """Objects whose files are larger than this together are skipped."""
    max_triangles: PositiveInt = 2_000_000
    """Triangles of an object above which it is skipped."""
    max_skipped: Annotated[float, Range(ge=0, le=1), NO_EFFECT] = 0.5
    """Share of the objects that may be skipped before the stage fails, 0 to 1."""


STAGE = Stage(
    stack="base",
    settings=FetchSettings,
    inputs={"shard": Artifact("dict", "An item of plan.")},
    outputs={"meshes": Artifact("Dataset", "Dataset of kind meshes.")},
    resources=Resources(cpu=("500m", "2"), memory=("1Gi", "4Gi"), hours=4, retries=3),
)
