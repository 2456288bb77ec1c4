"""From photographs to a shape and its class: the networks of a run, one after the other, in one process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shapeyard.contracts.model import read_metrics
from shapeyard.errors import DatasetError, FormatError
from shapeyard.geometry.lifting import canonical_grid_from_cube
from shapeyard.inference.models import CLASSIFIER, find_models, load_torch, title_of
from shapeyard.inference.photograph import (
    DepthMap,
    complete_shape,
    estimate_depth,
    shape_from_image,
    shape_from_views,
)
from shapeyard.inference.upright import AZIMUTHS, classify_upright, upright_cube, upright_cubes


@dataclass(frozen=True)
class ReconstructedShape:
    """A reconstructed object in the canonical frame."""

    probability: NDArray[np.float32]
    """(D,D,D), 0 to 1, the cube [−½, ½]³"""
    threshold: float
    """from which a voxel is occupied"""
    classes: list[tuple[str, float]]
    """with their probabilities, the most probable first; empty without a classifier"""
    azimuth_degrees: float | None
    """rotation about the upright axis at which the classifier is surest; None where it was not searched for"""
    depth: DepthMap | None
    """None where no depth was needed"""
    networks: list[str]

    @property
    def occupancy(self) -> NDArray[np.bool_]:
        """(D,D,D)."""
        return self.probability >= self.threshold


class Reconstructor:
    """The networks of one or several runs, ready.

    Raises:
        DatasetError: if the folders hold no model, or one that is broken.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        """Find the models; each is loaded when it is needed."""
        self.folders = folders
        self.models = find_models(folders)

    def reconstruct(
        self, photographs: Sequence[NDArray[np.uint8]], fov_degrees: float | None, elevation_degrees: float
    ) -> ReconstructedShape:
        """Reconstruct one object from its photographs (H,W,4), straight alpha.

        One photograph goes through the pixel-aligned occupancy network, or where it is missing through the U-Net and
        3D-RecGAN++; several through 3D-R2N2, which also serves for one where the others are missing.

        Args:
            photographs: of one object.
            fov_degrees: the camera's horizontal field of view, for one photograph; None for the renders' lens.
            elevation_degrees: how far above the object's middle the camera stood, for one photograph.

        Raises:
            DatasetError: if a network that is needed is not there.
            FormatError: if no voxel reaches the threshold.
        """
        alone = len(photographs) == 1
        if alone and "pixel_aligned" in self.models:
            depth, probability = shape_from_image(load_torch(self.models["pixel_aligned"]), photographs[0], fov_degrees)
            return self._upright(depth, probability, elevation_degrees, ["pixel_aligned"])
        if alone and {"unet", "recgan"} <= self.models.keys():
            depth = estimate_depth(load_torch(self.models["unet"]), photographs[0], fov_degrees)
            probability = complete_shape(self.models["recgan"], depth)
            return self._upright(depth, probability, elevation_degrees, ["unet", "recgan"])
        if "r2n2" not in self.models:
            needed = "a pixel-aligned occupancy network, of U-Net and 3D-RecGAN++, or of 3D-R2N2"
            there = ", ".join(title_of(name) for name in sorted(self.models))
            raise DatasetError(
                f"{self.folders[0]}: expected models of {needed if alone else '3D-R2N2 for several images'}, "
                f"found {there}"
            )
        return self._from_views(photographs)

    def _upright(
        self, depth: DepthMap, probability: NDArray[np.uint8], elevation_degrees: float, networks: list[str]
    ) -> ReconstructedShape:
        """A shape (D,D,D) in the camera-frame cube of what is seen, turned upright; the last network's threshold."""
        threshold = _threshold(self.models[networks[-1]])
        if not (probability >= threshold * 255).any():
            raise FormatError(f"expected a shape, got no voxel that reaches the threshold {threshold}")
        cubes = upright_cubes(probability >= threshold * 255, elevation_degrees)
        classes: list[tuple[str, float]] = []
        best = 0
        if CLASSIFIER in self.models:
            classes, best = classify_upright(self.models[CLASSIFIER], probability, cubes, threshold)
        upright = canonical_grid_from_cube(probability, cubes[best], len(probability)) / 255
        azimuth = 360.0 / AZIMUTHS * best if classes else None
        return ReconstructedShape(upright, threshold, classes, azimuth, depth, self._named(*networks, CLASSIFIER))

    def _from_views(self, photographs: Sequence[NDArray[np.uint8]]) -> ReconstructedShape:
        network, threshold = load_torch(self.models["r2n2"]), _threshold(self.models["r2n2"])
        probability = shape_from_views(network, photographs)
        if not (probability >= threshold).any():
            raise FormatError(f"expected a shape, got no voxel that reaches the threshold {threshold}")
        classes: list[tuple[str, float]] = []
        if CLASSIFIER in self.models:
            whole = np.rint(probability * 255).astype(np.uint8)
            upright = upright_cube(probability >= threshold, np.eye(4))
            classes, _ = classify_upright(self.models[CLASSIFIER], whole, [upright], threshold)
        return ReconstructedShape(probability, threshold, classes, None, None, self._named("r2n2", CLASSIFIER))

    def _named(self, *names: str) -> list[str]:
        return [name for name in names if name in self.models]


def _threshold(model: Path) -> float:
    return float(read_metrics(model).get("threshold", 0.5))
