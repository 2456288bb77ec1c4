"""List a source, give every object its id and its split, and cut the list into shards."""

from shapeyard.contracts.stage import Resources, Stage
from shapeyard.sources.selection import Selection

STAGE = Stage(
    stack="base",
    settings=Selection,
    resources=Resources(cpu=("500m", "2"), memory=("1Gi", "4Gi"), hours=1, retries=3),
    gives_items=True,
)
