"""Views with points to ask about: where they lie around the object, and which of them it fills."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from shapeyard.contracts.dataset import Dataset, Sample, read_occupancy
from shapeyard.errors import DatasetError
from shapeyard.geometry.frames import transform
from shapeyard.geometry.lifting import enclosing_cube, unproject

MEMORY_BYTES = 2 * 2**30
"""Views and shapes beyond this much of them stay in their files and are read when their turn comes."""
NEAR_SURFACE, IN_CUBE = 0.5, 0.25
"""Shares of a view's points near the surface and in the camera's cube; the others are in the canonical cube."""
DEVIATIONS = (0.02, 0.06)
"""Of the points near the surface from it, canonical units, each for half of them."""
MIN_DEPTH = 0.1
"""What lies nearer to the camera, or behind it, is moved here: it projects to no pixel of the image."""


class Queries(NamedTuple):
    """A view and points in its camera's frame."""

    rgba: NDArray[np.uint8]
    """(H,W,4)"""
    depth: NDArray[np.float32]
    """(H,W), canonical units, inf outside the object"""
    intrinsics: NDArray[np.float32]
    """(3,3) pixels"""
    points: NDArray[np.float32]
    """(N,3) camera axes, canonical units"""
    occupied: NDArray[np.bool_]
    """(N,)"""

    def mirrored(self) -> Queries:
        """What a mirror shows: the mirror image of an object is an object."""
        intrinsics = self.intrinsics.copy()
        intrinsics[0, 2] = self.depth.shape[1] - intrinsics[0, 2]
        return Queries(
            self.rgba[:, ::-1],
            self.depth[:, ::-1],
            intrinsics,
            self.points * np.array([-1, 1, 1], np.float32),
            self.occupied,
        )


class _Shape(NamedTuple):
    occupancy: NDArray[np.bool_]
    """(D,D,D)"""
    surface: NDArray[np.float32]
    """(M,3) the middles of the voxels' faces between inside and outside, canonical frame"""


class QueryViews:
    """The views of some samples in which anything of the object is visible, in the order of the samples."""

    def __init__(self, renders: Dataset, voxels: Dataset, samples: Sequence[Sample]) -> None:
        """Look for views that show something; samples without voxels are left out.

        Raises:
            DatasetError: if the images differ in size, or a sample has no depth.
        """
        self._renders, self._voxels = renders, voxels
        self.places: list[tuple[str, int]] = []
        self._views: dict[tuple[str, int], tuple[NDArray[np.uint8], NDArray[np.float32]]] = {}
        self._shapes: dict[str, _Shape] = {}
        self._used = 0
        self._sums = np.zeros(3)  # count, sum and sum of squares of all depths
        self._size: tuple[int, ...] = ()
        self._extents: list[int] = []
        for sample in samples:
            if sample.id not in voxels:
                continue
            depth = renders.read(sample.id, "depth")
            self._size = self._size or depth.shape[1:]
            if depth.shape[1:] != self._size:
                raise DatasetError(f"expected images of {self._size} pixels, sample {sample.id} has {depth.shape[1:]}")
            for view, seen in enumerate(np.isfinite(depth)):
                if np.count_nonzero(seen) < 2:  # no extent that a cube could be put around
                    continue
                values = depth[view][seen].astype(np.float64)
                self._sums += [values.size, values.sum(), np.square(values).sum()]
                self.places.append((sample.id, view))
                self._extents.append(max(int(np.ptp(axis)) + 1 for axis in np.nonzero(seen)))

    def __len__(self) -> int:
        return len(self.places)

    def depth_moments(self) -> tuple[float, float]:
        """Mean and standard deviation over all pixels of all objects; 1 where every pixel is equally far."""
        count, total, squares = self._sums
        mean = total / count
        return float(mean), float(np.sqrt(max(squares / count - mean**2, 0))) or 1.0

    def framing(self) -> dict[str, float]:
        """How objects lie in the images, so that a photograph's can be put there: as values of config.json.

        `image_size`: of the longer side, pixels; `extent`: of an object's box along its longer side, the median of the
        views, as a share of that; `focal_length`: of the first sample's camera, as a share as well.
        """
        size = max(self._size)
        focal = float(self._renders.read(self.places[0][0], "intrinsics")[0, 0])
        extent = float(np.median(self._extents))
        return {"image_size": size, "extent": extent / size, "focal_length": focal / size}

    def draw(self, index: int, count: int, rng: np.random.Generator) -> Queries:
        """A view with as many points as a training step takes of it."""
        sample_id, view = self.places[index]
        rgba, depth = self._view(sample_id, view)
        intrinsics = self._renders.read(sample_id, "intrinsics").astype(np.float32)
        world_from_camera = self._renders.read(sample_id, "world_from_camera", view).astype(np.float64)
        shape = self._shape(sample_id)
        near, in_cube = round(NEAR_SURFACE * count), round(IN_CUBE * count)
        deviation = np.where(np.arange(near) < near // 2, *DEVIATIONS)[:, None]
        surface = shape.surface if len(shape.surface) else np.zeros((1, 3), np.float32)
        world = np.concatenate([
            surface[rng.integers(len(surface), size=near)] + deviation * rng.standard_normal((near, 3)),
            rng.uniform(-0.5, 0.5, (count - near - in_cube, 3)),
        ])  # fmt: skip
        cube = enclosing_cube(unproject(depth, intrinsics))
        points = np.concatenate([
            transform(np.linalg.inv(world_from_camera), world), cube.minimum + cube.side * rng.random((in_cube, 3)),
        ])  # fmt: skip
        return self._with_truth(rgba, depth, intrinsics, world_from_camera, shape, points)

    def draw_in_cube(self, index: int, count: int, rng: np.random.Generator) -> Queries:
        """A view with points evenly in the cube that it puts around the object: what validation counts."""
        sample_id, view = self.places[index]
        rgba, depth = self._view(sample_id, view)
        intrinsics = self._renders.read(sample_id, "intrinsics").astype(np.float32)
        world_from_camera = self._renders.read(sample_id, "world_from_camera", view).astype(np.float64)
        cube = enclosing_cube(unproject(depth, intrinsics))
        points = cube.minimum + cube.side * rng.random((count, 3))
        return self._with_truth(rgba, depth, intrinsics, world_from_camera, self._shape(sample_id), points)

    def _with_truth(
        self,
        rgba: NDArray[np.uint8],
        depth: NDArray[np.float32],
        intrinsics: NDArray[np.float32],
        world_from_camera: NDArray[np.float64],
        shape: _Shape,
        points: NDArray[np.float64],
    ) -> Queries:
        points[:, 2] = np.maximum(points[:, 2], MIN_DEPTH)
        occupied = occupied_at_points(shape.occupancy, transform(world_from_camera, points))
        return Queries(rgba, depth, intrinsics, points.astype(np.float32), occupied)

    def _view(self, sample_id: str, view: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        held = self._views.get((sample_id, view))
        if held is None:
            held = self._renders.read(sample_id, "rgba", view), self._renders.read(sample_id, "depth", view)
            if self._fits(held[0].nbytes + held[1].nbytes):
                self._views[sample_id, view] = held
        return held

    def _shape(self, sample_id: str) -> _Shape:
        held = self._shapes.get(sample_id)
        if held is None:
            occupancy = read_occupancy(self._voxels, sample_id)
            held = _Shape(occupancy, surface_of_voxels(occupancy))
            if self._fits(held.occupancy.nbytes + held.surface.nbytes):
                self._shapes[sample_id] = held
        return held

    def _fits(self, size: int) -> bool:
        self._used += size
        return self._used <= MEMORY_BYTES


def occupied_at_points(occupancy: NDArray[np.bool_], points: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which points (N,3) of the canonical frame a shape fills (N,): trilinear between voxel centres, at or above 0.5.

    As `shapeyard.geometry.lifting.resample` has it; outside the canonical cube nothing is.
    """
    places = (points + 0.5) * len(occupancy) - 0.5
    values = ndimage.map_coordinates(
        occupancy.astype(np.float32), places.T, order=1, mode="grid-constant", prefilter=False
    )
    return np.asarray(values >= 0.5)


def surface_of_voxels(occupancy: NDArray[np.bool_]) -> NDArray[np.float32]:
    """(M,3) the middles of the faces between occupied and empty voxels, canonical frame; what lies outside is empty."""
    padded = np.pad(occupancy, 1)
    middles = []
    for axis in range(3):
        low, high = (np.take(padded, range(start, padded.shape[axis] - 1 + start), axis) for start in (0, 1))
        places = np.argwhere(low != high).astype(np.float32) - 0.5  # voxel i of the padded grid has its centre at i − ½
        places[:, axis] += 0.5
        middles.append(places)
    return np.asarray(np.concatenate(middles) / len(occupancy) - 0.5, np.float32)


def as_batch(queries: Sequence[Queries]) -> tuple[Tensor, ...]:
    """rgba (B,4,H,W) in 0…1, depth (B,H,W), intrinsics (B,3,3), points (B,N,3), occupied (B,N) uint8."""
    images = torch.from_numpy(np.stack([one.rgba for one in queries])).permute(0, 3, 1, 2).float().div(255)
    others = (np.stack([one[part] for one in queries]) for part in (1, 2, 3))
    occupied = np.stack([one.occupied for one in queries]).astype(np.uint8)
    return images, *(torch.from_numpy(array) for array in others), torch.from_numpy(occupied)
