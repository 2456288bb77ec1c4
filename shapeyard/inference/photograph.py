"""What each network says of photographs of an object: its depth, its shape."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from shapeyard.errors import DatasetError
from shapeyard.geometry.framing import OPAQUE, framed
from shapeyard.geometry.lifting import enclosing_cube, occupancy_of_points, unproject
from shapeyard.inference.completion import FRAMING, predict_grid
from shapeyard.inference.depth import DepthEstimator, Standardization, Window, predict_depth
from shapeyard.inference.models import TorchNetwork, load_torch
from shapeyard.inference.multiview import composite
from shapeyard.inference.occupancy_field import OccupancyEstimator, Points, probability_in_cube, see

FOCAL_OVER_WIDTH = 35 / 32
"""The renders' lens: 35 mm before a sensor of 32 mm, a field of view of 49.1°, as in ShapeNetRendering."""
SHARE_OF_WINDOW, SHARE_OF_IMAGE = 2 / 3, 0.6
"""How much of the U-Net's window, or of 3D-R2N2's image, an object fills in one direction: the renders' median."""


@dataclass(frozen=True)
class DepthMap:
    """A photograph's object as the U-Net is given it, and its estimated depth."""

    rgba: NDArray[np.uint8]
    """(S,S,4), the photograph's object in the frame of a render"""
    depth: NDArray[np.float32]
    """(S,S), canonical units, inf outside the object"""
    intrinsics: NDArray[np.float64]
    """(3,3) pixels"""


def estimate_depth(unet: TorchNetwork, photograph: NDArray[np.uint8], fov_degrees: float | None = None) -> DepthMap:
    """The depth of a photograph's object (H,W,4), as if it had been rendered: its longest side is about 1.

    With a field of view of its own the camera stood farther away, or nearer, in the same proportion as its focal length
    is longer, or shorter, than the renders': the object would else not be as large in the picture.
    """
    window = Window(**unet.config["window"])
    size = window.left + window.right  # the window is as far from the left of the image as from the right
    centre = (size / 2, size / 2)  # renders look at the object's middle
    extent = SHARE_OF_WINDOW * max(window.bottom - window.top, window.right - window.left)
    object_image = framed(photograph, size, centre, extent)
    mask = object_image.rgba[..., 3] >= OPAQUE
    standardization = Standardization(unet.config["depth_mean"], unet.config["depth_std"])
    estimator = DepthEstimator(unet.network, standardization, window, half=False)  # type: ignore[arg-type]
    depth = predict_depth(estimator, [(object_image.rgba, np.where(mask, 1.0, np.inf).astype(np.float32))])[0]
    focal = FOCAL_OVER_WIDTH * size
    if fov_degrees is not None:
        own = _own_focal_length(object_image.scale, photograph, fov_degrees)
        depth = depth + np.float32((own / focal - 1) * float(depth[mask].mean()))
        focal = own
    return DepthMap(object_image.rgba, depth, _projection(focal, size))


def complete_shape(model: Path, seen: DepthMap) -> NDArray[np.uint8]:
    """The probabilities (4R,4R,4R), 0…255 for 0…1, in the camera-frame cube of what is seen.

    Raises:
        DatasetError: for a model whose training cubes were put around something else.
    """
    recgan = load_torch(model)
    framing = recgan.config.get("framing", FRAMING)
    if framing != FRAMING:
        raise DatasetError(f"{model}: expected a 3D-RecGAN++ trained on {FRAMING}, got one on {framing}")
    points = unproject(seen.depth, seen.intrinsics)
    grid = occupancy_of_points(points, enclosing_cube(points), int(recgan.config["input_resolution"]))
    made = predict_grid(recgan.network, torch.from_numpy(grid[None]), torch.float32)  # type: ignore[arg-type]
    probability: NDArray[np.uint8] = made[0]
    return probability


def shape_from_image(
    occupancy: TorchNetwork, photograph: NDArray[np.uint8], fov_degrees: float | None = None
) -> tuple[DepthMap, NDArray[np.uint8]]:
    """What the pixel-aligned occupancy network sees in a photograph's object (H,W,4), as if it had been rendered.

    With a field of view of its own the camera stood farther away, or nearer, as `estimate_depth` has it: what the
    training's camera sees at a pixel at some depth, this one sees at the same pixel at its own depth.

    Returns:
        The visible surface, and the probabilities (D,D,D), 0…255 for 0…1, in the camera-frame cube around it.
    """
    config = occupancy.config
    size = int(config["image_size"])
    object_image = framed(photograph, size, (size / 2, size / 2), float(config["extent"]) * size)
    focal = float(config["focal_length"]) * size
    estimator = OccupancyEstimator(occupancy.network, float(config["depth_std"]), half=False)  # type: ignore[arg-type]
    seen = see(estimator, object_image.rgba, _projection(focal, size))
    mask = object_image.rgba[..., 3] >= OPAQUE
    own, farther = focal, 0.0
    if fov_degrees is not None:
        own = _own_focal_length(object_image.scale, photograph, fov_degrees)
        farther = (own / focal - 1) * float(seen.depth[mask].mean())

    def through_training_lens(points: Points) -> Points:
        nearer = points[:, 2:] - farther
        return np.concatenate([points[:, :2] / points[:, 2:] * nearer * own / focal, nearer], axis=1)

    depth = np.where(mask, seen.depth + np.float32(farther), np.float32(np.inf))
    found = DepthMap(object_image.rgba, depth, _projection(own, size))
    cube = enclosing_cube(unproject(depth, found.intrinsics))
    lens = None if fov_degrees is None else through_training_lens
    return found, probability_in_cube(estimator, seen, cube, int(config["resolution"]), lens)


def shape_from_views(r2n2: TorchNetwork, photographs: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
    """The probabilities (32,32,32), 0 to 1, in the object's own frame, after all views, composited on white."""
    size = int(r2n2.config["image_size"])
    views = [framed(one, size, (size / 2, size / 2), SHARE_OF_IMAGE * size).rgba for one in photographs]
    images = composite(np.stack(views)[None], np.ones((1, len(views), 3), np.float32))  # (1,T,3,S,S)
    with torch.inference_mode():
        probability: NDArray[np.float32] = r2n2.network(images).sigmoid()[0].numpy()
    return probability


def _projection(focal: float, size: int) -> NDArray[np.float64]:
    """The intrinsics (3,3) of a square image whose middle the camera looks at."""
    return np.array([[focal, 0, size / 2], [0, focal, size / 2], [0, 0, 1]])


def _own_focal_length(scale: float, photograph: NDArray[np.uint8], fov_degrees: float) -> float:
    """Of a photograph's camera, in pixels of the image that its object was laid into at a scale."""
    return scale * photograph.shape[1] / 2 / math.tan(math.radians(fov_degrees) / 2)
