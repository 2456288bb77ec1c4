"""The stages, the runtime stack that each one needs, and the name of its container image."""

from shapeyard import __version__

STACK_OF_STAGE = {
    "plan": "base",
    "fetch": "base",
    "render": "blender",
    "voxelize": "base",
    "sample_sdf": "base",
    "describe": "base",
    "train_depth": "torch",
    "train_recgan": "torch",
    "train_multiview": "torch",
    "train_classifier": "tensorflow",
    "recognize": "tensorflow",
    "evaluate": "base",
    "evaluate_multiview": "base",
    "report": "base",
    "report_classifier": "base",
}
"""In the order in which a pipeline calls them; a stack is a lock file in requirements/ and a Dockerfile in docker/."""


def image(stage: str) -> str:
    """The release image of a stage; runs and submissions replace the tag by a hash of the stage's code."""
    return f"shapeyard/{stage.replace('_', '-')}:{__version__}"
