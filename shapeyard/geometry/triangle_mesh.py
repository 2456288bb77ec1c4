"""What a mesh is once it has been read: vertices and triangles."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Mesh(NamedTuple):
    """A triangle mesh in its file's own coordinates; every vertex belongs to a triangle."""

    vertices: NDArray[np.float64]
    """(N,3), finite"""
    faces: NDArray[np.int64]
    """(M,3) vertex indices"""
