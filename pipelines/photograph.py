"""From photographs to a shape and its class: the networks of a run, one after the other, in one process."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipelines.networks import TITLES, TorchNetwork, find_models, load_torch
from shapeyard.contracts.model import read_config, read_metrics
from shapeyard.errors import DatasetError, FormatError
from shapeyard.formats.photographs import OPAQUE
from shapeyard.geometry.frames import canonical_from_bounds, transform
from shapeyard.geometry.framing import framed
from shapeyard.geometry.lifting import (
    canonical_grid_from_cube,
    enclosing_cube,
    occupancy_of_points,
    unproject,
)

FOCAL_OVER_WIDTH = 35 / 32
"""The renders' lens: 35 mm before a sensor of 32 mm, a field of view of 49.1°, as in ShapeNetRendering."""
SHARE_OF_WINDOW, SHARE_OF_IMAGE = 2 / 3, 0.6
"""How much of the U-Net's window, or of 3D-R2N2's image, an object fills in one direction: the renders' median."""
AZIMUTHS = 24
UPRIGHT_FROM_CAMERA = np.diag([1.0, -1.0, -1.0, 1.0])
"""Camera axes (y down, z forward) into axes with y up and z towards the camera."""


@dataclass(frozen=True)
class Depth:
    """What the U-Net saw and said."""

    rgba: NDArray[np.uint8]
    """(S,S,4), the photograph's object in the frame of a render"""
    depth: NDArray[np.float32]
    """(S,S), canonical units, inf outside the object"""
    intrinsics: NDArray[np.float64]
    """(3,3) pixels"""


@dataclass(frozen=True)
class Shape:
    """A reconstructed object in the canonical frame."""

    probability: NDArray[np.float32]
    """(D,D,D), 0 to 1, the cube [−½, ½]³"""
    threshold: float
    """from which a voxel is occupied"""
    classes: list[tuple[str, float]]
    """with their probabilities, the most probable first; empty without a classifier"""
    azimuth_degrees: float | None
    """by how much it was turned about its upright axis for the classifier to know it best; None if not at all"""
    depth: Depth | None
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
    ) -> Shape:
        """Reconstruct one object from its photographs (H,W,4), straight alpha.

        One photograph goes through the U-Net and 3D-RecGAN++; several through 3D-R2N2, which also serves for one where
        the others are missing.

        Args:
            photographs: of one object.
            fov_degrees: the camera's horizontal field of view, for one photograph; None for the renders' lens.
            elevation_degrees: how far above the object's middle the camera stood, for one photograph.

        Raises:
            DatasetError: if a network that is needed is not there.
            FormatError: if no voxel reaches the threshold.
        """
        through_depth = len(photographs) == 1 and {"unet", "recgan"} <= self.models.keys()
        if not through_depth and "r2n2" not in self.models:
            needed = "3D-R2N2 for several images" if len(photographs) > 1 else "U-Net and 3D-RecGAN++, or of 3D-R2N2"
            there = ", ".join(TITLES[name] for name in sorted(self.models))
            raise DatasetError(f"{self.folders[0]}: expected models of {needed}, found {there}")
        if through_depth:
            return self._from_depth(photographs[0], fov_degrees, elevation_degrees)
        return self._from_views(photographs)

    def _from_depth(self, photograph: NDArray[np.uint8], fov_degrees: float | None, elevation_degrees: float) -> Shape:
        depth = estimate_depth(load_torch(self.models["unet"]), photograph, fov_degrees)
        threshold = _threshold(self.models["recgan"])
        probability = complete_shape(self.models["recgan"], depth)
        if not (probability >= threshold * 255).any():
            raise FormatError(f"expected a shape, got no voxel that reaches the threshold {threshold}")
        cubes = upright_cubes(probability >= threshold * 255, elevation_degrees)
        classes: list[tuple[str, float]] = []
        best = 0
        if "classifier" in self.models:
            classes, best = classify_turned(self.models["classifier"], probability, cubes, threshold)
        upright = canonical_grid_from_cube(probability, cubes[best], len(probability)) / 255
        azimuth = 360.0 / AZIMUTHS * best if classes else None
        return Shape(upright, threshold, classes, azimuth, depth, self._named("unet", "recgan", "classifier"))

    def _from_views(self, photographs: Sequence[NDArray[np.uint8]]) -> Shape:
        network, threshold = load_torch(self.models["r2n2"]), _threshold(self.models["r2n2"])
        probability = shape_from_views(network, photographs)
        if not (probability >= threshold).any():
            raise FormatError(f"expected a shape, got no voxel that reaches the threshold {threshold}")
        classes: list[tuple[str, float]] = []
        if "classifier" in self.models:
            whole = np.rint(probability * 255).astype(np.uint8)
            upright = _upright_cube(probability >= threshold, np.eye(4))
            classes, _ = classify_turned(self.models["classifier"], whole, [upright], threshold)
        return Shape(probability, threshold, classes, None, None, self._named("r2n2", "classifier"))

    def _named(self, *names: str) -> list[str]:
        return [name for name in names if name in self.models]


def estimate_depth(unet: TorchNetwork, photograph: NDArray[np.uint8], fov_degrees: float | None = None) -> Depth:
    """The depth of a photograph's object (H,W,4), as if it had been rendered: its longest side is about 1.

    With a field of view of its own the camera stood farther away, or nearer, in the same proportion as its focal length
    is longer, or shorter, than the renders': the object would else not be as large in the picture.
    """
    from components.train_depth.predict import Estimator, predict
    from components.train_depth.views import Standardization, Window

    window = Window(**unet.config["window"])
    size = window.left + window.right  # the window is as far from the left of the image as from the right
    centre = (size / 2, size / 2)  # renders look at the object's middle
    extent = SHARE_OF_WINDOW * max(window.bottom - window.top, window.right - window.left)
    object_image = framed(photograph, size, centre, extent)
    mask = object_image.rgba[..., 3] >= OPAQUE
    standardization = Standardization(unet.config["depth_mean"], unet.config["depth_std"])
    estimator = Estimator(unet.network, standardization, window, half=False)  # type: ignore[arg-type]
    depth = predict(estimator, [(object_image.rgba, np.where(mask, 1.0, np.inf).astype(np.float32))])[0]
    focal = FOCAL_OVER_WIDTH * size
    if fov_degrees is not None:
        own = object_image.scale * photograph.shape[1] / 2 / math.tan(math.radians(fov_degrees) / 2)
        depth = depth + np.float32((own / focal - 1) * float(depth[mask].mean()))
        focal = own
    intrinsics = np.array([[focal, 0, size / 2], [0, focal, size / 2], [0, 0, 1]])
    return Depth(object_image.rgba, depth, intrinsics)


def complete_shape(model: Path, seen: Depth) -> NDArray[np.uint8]:
    """The probabilities (4R,4R,4R), 0…255 for 0…1, in the camera-frame cube of what is seen."""
    import torch

    from components.train_recgan.pairs import FRAMING
    from components.train_recgan.reconstruct import predict

    recgan = load_torch(model)
    if recgan.config.get("framing", FRAMING) != FRAMING:
        raise DatasetError(
            f"{model}: expected a 3D-RecGAN++ trained on {FRAMING}, got one on {recgan.config['framing']}"
        )
    points = unproject(seen.depth, seen.intrinsics)
    grid = occupancy_of_points(points, enclosing_cube(points), int(recgan.config["input_resolution"]))
    made = predict(recgan.network, torch.from_numpy(grid[None]), torch.float32)  # type: ignore[arg-type]
    probability: NDArray[np.uint8] = made[0]
    return probability


def shape_from_views(r2n2: TorchNetwork, photographs: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
    """The probabilities (32,32,32), 0 to 1, in the object's own frame, after all views, before white."""
    import torch

    from components.train_multiview.views import before

    size = int(r2n2.config["image_size"])
    views = [framed(one, size, (size / 2, size / 2), SHARE_OF_IMAGE * size).rgba for one in photographs]
    images = before(np.stack(views)[None], np.ones((1, len(views), 3), np.float32))  # (1,T,3,S,S)
    with torch.inference_mode():
        probability: NDArray[np.float32] = r2n2.network(images).sigmoid()[0].numpy()
    return probability


def upright_cubes(occupancy: NDArray[np.bool_], elevation_degrees: float) -> list[NDArray[np.float64]]:
    """For each azimuth the matrix (4,4) of the camera-frame cube's unit coordinates into the canonical frame.

    The camera's elevation is given, its azimuth unknown, and the canonical frame's box that of the occupied voxels.
    """
    elevation = math.radians(elevation_degrees)
    tilt = rotation(1, 2, -elevation) @ UPRIGHT_FROM_CAMERA
    return [_upright_cube(occupancy, rotation(2, 0, 2 * math.pi * step / AZIMUTHS) @ tilt) for step in range(AZIMUTHS)]


def classify_turned(
    model: Path, probability: NDArray[np.uint8], cubes: Sequence[NDArray[np.float64]], threshold: float
) -> tuple[list[tuple[str, float]], int]:
    """The classes with their probabilities as the classifier is surest, and at which of the cubes it is.

    Nothing else tells how the object stands before the camera: a wrong angle looks like nothing that was learned.
    """
    from components.recognize.canonical import occupied, turn_back
    from components.recognize.classifier import load_classifier

    if read_config(model).get("features"):
        raise DatasetError(f"{model}: expected a classifier of voxels, got one of other features")
    classifier = load_classifier(model)
    turned = np.stack([turn_back(probability, cube, classifier.resolution) for cube in cubes])
    probabilities = classifier.predict(occupied(turned, threshold))
    best = int(probabilities.max(axis=1).argmax())
    named = zip(classifier.classes, probabilities[best].tolist(), strict=True)
    return sorted(named, key=lambda one: -one[1]), best


def rotation(first: int, second: int, angle: float) -> NDArray[np.float64]:
    """(4,4): turns the axis `first` towards the axis `second`."""
    matrix = np.eye(4)
    matrix[first, first] = matrix[second, second] = math.cos(angle)
    matrix[second, first], matrix[first, second] = math.sin(angle), -math.sin(angle)
    return matrix


def _upright_cube(occupancy: NDArray[np.bool_], upright_from_unit: NDArray[np.float64]) -> NDArray[np.float64]:
    half = 0.5 / len(occupancy)
    centres = transform(upright_from_unit, (np.argwhere(occupancy) + 0.5) / len(occupancy))
    canonical = canonical_from_bounds(centres.min(axis=0) - half, centres.max(axis=0) + half, "y")
    return canonical @ upright_from_unit


def _threshold(model: Path) -> float:
    return float(read_metrics(model).get("threshold", 0.5))
