"""The name of each stage's container image."""

from shapeyard import __version__


def image(stage: str) -> str:
    """The release image of a stage; runs and submissions replace the tag by a hash of the stage's code."""
    return f"shapeyard/{stage}:{__version__}"
