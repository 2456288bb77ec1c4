"""Render meshes to colour and depth images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from shapeyard.contracts.stage import (
    Artifact,
    LimitedSettings,
    NonNegativeInt,
    OneOf,
    Range,
    Resources,
    ShardSettings,
    Stage,
)
from shapeyard.errors import require

PASSES = ("normals", "albedo")
"""Those that are made when they are asked for."""


@dataclass(frozen=True)
class RenderSettings(ShardSettings, LimitedSettings):
    """How objects are rendered."""

    cameras: str = "orbit"
    """Where the cameras stand: orbit (a circle), r2n2 (random views as in the 3D-R2N2 data), sphere, or a JSON file's
    path or content."""
    views: Annotated[int, Range(ge=1, le=200)] = 24
    """Images of each object, 1 to 200; a file's cameras are as many as they are."""
    image_size: Annotated[int, Range(ge=16, le=1024)] = 137
    """Side of an image in pixels, 16 to 1024."""
    samples: Annotated[int, Range(ge=1, le=4096)] = 8
    """Rays per pixel, 1 to 4096; 4 will do for training, 64 for a report."""
    elevation_degrees: Annotated[float, Range(ge=-89, le=89)] = 30.0
    """How far above the object the orbit is, -89 to 89."""
    distance: Annotated[float, Range(gt=0)] = 2.1
    """From orbit's and sphere's cameras to the object's centre; its longest side is 1; 2.1 cuts nothing off."""
    lens_mm: Annotated[float, Range(ge=5, le=1000)] = 35.0
    """Focal length on a sensor 32 mm wide, 5 to 1000; 35 is a field of view of 49.1 degrees."""
    passes: str = ""
    """What to make besides colour and depth, with commas between: normals, albedo."""
    light: Annotated[str, OneOf(("studio", "random"))] = "studio"
    """studio (every view lit alike, from over the left shoulder) or random (to train for photographs)."""
    background: Annotated[str, OneOf(("transparent", "random"))] = "transparent"
    """transparent or random (opaque images, to train for photographs)."""
    device: Annotated[str, OneOf(("cpu", "gpu"))] = "cpu"
    """cpu, or gpu for one that Blender finds (OptiX, else CUDA); a GPU's pixels differ in the last digits."""
    seed: NonNegativeInt = 0
    """Of the azimuths at which orbit and sphere start, of r2n2's views, of random light and background."""

    def check(self) -> None:
        """Raise `ParameterError` for passes or cameras that there are not, or cameras that stand in the object."""
        from shapeyard.formats.camera_file import is_camera_file
        from shapeyard.geometry.cameras import check_cameras

        unknown = sorted(set(self.extra_passes) - set(PASSES))
        require(not unknown, f"passes: expected some of {', '.join(PASSES)}, got {self.passes!r}")
        if not is_camera_file(self.cameras):
            check_cameras(self.cameras, self.views, self.elevation_degrees, self.distance)

    @property
    def extra_passes(self) -> list[str]:
        """The names in `passes`."""
        return [name.strip() for name in self.passes.split(",") if name.strip()]


STAGE = Stage(
    stack="blender",
    settings=RenderSettings,
    inputs={
        "meshes": Artifact("Dataset", "Dataset of kind meshes; external renderings (layout r2n2) are kept as they are.")
    },
    outputs={"renders": Artifact("Dataset", "Dataset of kind renders.")},
    resources=Resources(hours=12),
    can_render_on_gpu=True,
)
