"""Two other meanings of solid: what a flood from outside does not reach, and where the winding number is over one half.

The generalized winding number (Jacobson, Kavan, Sorkine-Hornung: "Robust inside-outside segmentation using generalized
winding numbers", 2013) closes a hole by a smooth lid; it trusts the way in which triangles face. It is evaluated by
libigl in its fast form (Barill et al.: "Fast winding numbers for soups and clouds", 2018), where it matters alone: off
the triangles it is harmonic, so a block of voxels without a triangle is all inside or all outside if its centre is
clearly one or the other.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from shapeyard.geometry.voxelization import CANONICAL_MINIMUM, in_voxels, surface_occupancy

LARGEST_BLOCK = 8
"""Voxels along the side of the blocks that are looked at first."""
CLEARLY = 0.25
"""A block whose winding number is further than this from one half is not looked at more closely."""


def flood_occupancy(
    vertices: NDArray[np.float64],
    faces: NDArray[np.int64],
    resolution: int,
    minimum: ArrayLike = CANONICAL_MINIMUM,
    side: float = 1.0,
) -> NDArray[np.bool_]:
    """All voxels that a triangle touches, and those that have no way out past their faces.

    Arguments, result and errors are those of `voxelization.solid_occupancy`.
    """
    surface = surface_occupancy(vertices, faces, resolution, minimum, side)
    air, _ = ndimage.label(np.pad(~surface, 1, constant_values=True))
    return np.asarray((air != air[0, 0, 0])[1:-1, 1:-1, 1:-1])


def winding_occupancy(
    vertices: NDArray[np.float64],
    faces: NDArray[np.int64],
    resolution: int,
    minimum: ArrayLike = CANONICAL_MINIMUM,
    side: float = 1.0,
) -> NDArray[np.bool_]:
    """All voxels at whose centre the winding number is over one half, whichever way all of the triangles face.

    Arguments, result and errors are those of `voxelization.solid_occupancy`.
    """
    import igl

    points = in_voxels(vertices, faces, resolution, minimum, side)
    surface = surface_occupancy(vertices, faces, resolution, minimum, side)
    blocks = -(-resolution // LARGEST_BLOCK)
    size = blocks * LARGEST_BLOCK
    surface = np.pad(surface, [(0, size - resolution)] * 3)
    inside = np.zeros((size,) * 3, np.bool_)
    open_blocks = np.stack(np.unravel_index(np.arange(blocks**3), (blocks,) * 3), axis=1)
    block = LARGEST_BLOCK
    while len(open_blocks) and len(faces):
        centres = (open_blocks + 0.5) * block
        number = np.abs(igl.fast_winding_number(points, np.asarray(faces, np.int64), centres))
        count = size // block
        voxels = inside.reshape(count, block, count, block, count, block)
        x, y, z = open_blocks.T
        voxels[x, :, y, :, z, :] = (number > 0.5)[:, None, None, None]
        if block == 1:
            break
        touched = surface.reshape(voxels.shape).any(axis=(1, 3, 5))[x, y, z]
        unclear = open_blocks[touched | (np.abs(number - 0.5) < CLEARLY)]
        block //= 2
        corners = np.stack(np.unravel_index(np.arange(8), (2, 2, 2)), axis=1)
        open_blocks = (2 * unclear[:, None] + corners).reshape(-1, 3)
    return np.ascontiguousarray(inside[:resolution, :resolution, :resolution])
