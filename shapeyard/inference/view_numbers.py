"""Which views of a sample are reconstructed."""

from __future__ import annotations

from shapeyard.contracts.dataset import Dataset


def views_of(renders: Dataset, sample_id: str, limit: int = 0) -> list[int]:
    """The views of a sample, or `limit` of them, spread evenly; 0 for all."""
    count = len(renders.read(sample_id, "world_from_camera"))
    limit = min(limit, count) if limit else count
    return [number * count // limit for number in range(limit)]
