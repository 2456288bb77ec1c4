"""Shapeyard: what all stages share — contracts, formats, geometry, metrics, sources."""

__version__ = "0.2.0"
