"""Shapeyard: what all stages share — contracts, formats, geometry, metrics, sources."""

import os

__version__ = "0.2.0"

# OpenMP's threads sleep while they wait and do not spin: beside another process on the same cores, spinning makes a
# training step several times slower. Read once, when torch is imported, so it stands here.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
