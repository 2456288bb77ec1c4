"""How the signed distance to a mesh is sampled unless something else is asked for, as DeepSDF does (arXiv 1901.05103).

Apart from what draws them, since a stage's declaration imports no package.
"""

NEAR_SURFACE = 0.94
"""Share of the points near the surface: 47 of 50."""
VARIANCE, FINE_VARIANCE = 0.005, 0.0005
"""Of the distance from the surface along each axis, each for half of them, in squared radii of the unit sphere."""
MAX_TWO_SIDED = 0.1
"""Share of a mesh's visible surface that may be seen from both sides."""
