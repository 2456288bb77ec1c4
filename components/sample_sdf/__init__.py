"""Sample the signed distance to meshes, as DeepSDF does."""

from __future__ import annotations

from dataclasses import dataclass

from shapeyard.contracts.stage import (
    Artifact,
    LimitedSettings,
    MeshSettings,
    NonNegativeInt,
    PositiveInt,
    Resources,
    Share,
    Stage,
)
from shapeyard.geometry.sdf_defaults import FINE_VARIANCE, MAX_TWO_SIDED, NEAR_SURFACE, VARIANCE


@dataclass(frozen=True)
class SampleSdfSettings(MeshSettings, LimitedSettings):
    """How the signed distance is sampled."""

    samples: PositiveInt = 500_000
    """Points an object, in the unit sphere around it."""
    near_surface: Share = NEAR_SURFACE
    """Share of the points near the surface, 0 to 1; the rest is uniform."""
    variance: Share = VARIANCE  # beyond 1 hardly a point would lie in the unit sphere
    """Of the distance from the surface along each axis, for half of the points near it."""
    fine_variance: Share = FINE_VARIANCE
    """The same for the other half."""
    max_two_sided: Share = MAX_TWO_SIDED
    """Share of the visible surface that may be seen from both sides; a more open mesh is skipped."""
    surface_points: PositiveInt = 30_000
    """Points of the visible surface with their normals, evenly by area."""
    views: NonNegativeInt = 1
    """Depth maps an object, from all around."""
    view_size: PositiveInt = 128
    """Pixels along a side of each."""
    seed: NonNegativeInt = 0
    """Of all that is drawn."""


STAGE = Stage(
    stack="base",
    settings=SampleSdfSettings,
    inputs={"meshes": Artifact("Dataset", "Dataset of kind meshes.")},
    outputs={"sdf": Artifact("Dataset", "Dataset of kind sdf.")},
    resources=Resources(hours=12),
)
