"""The work of `gather`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from shapeyard.contracts.progress import report
from shapeyard.sources.shard_places import Place, write_places


def gather(places: Sequence[str], datasets: str | Path) -> None:
    """Write the file that `datasets_of` reads.

    Args:
        places: one a shard, as `place_of` writes them.
        datasets: the file to write.

    Raises:
        DatasetError: if there are none, or one is no place.
    """
    found = [Place.parse(text) for text in places]
    write_places(Path(datasets), found)
    report(1, 1, f"{len(found)} datasets, {sum(place.samples for place in found)} samples")
