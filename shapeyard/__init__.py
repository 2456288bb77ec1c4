"""Shapeyard: what all stages share — contracts, formats, geometry, metrics, sources."""

import os

__version__ = "0.2.0"

# OpenMP's threads sleep while they wait and do not spin: beside other work, spinning makes a training step five times
# slower, and even alone it gains nothing. Read once, when torch is imported, so it stands here.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
