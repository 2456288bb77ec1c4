"""Shapeyard: what all stages share — contracts, formats, geometry, metrics, sources."""

__version__ = "0.1.0"
