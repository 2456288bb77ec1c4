"""Every error that Shapeyard raises on purpose.

    ShapeyardError            caught by the command line: printed as one line, exit status 1
    ├── ParameterError        a parameter out of its range, or two that do not go together
    ├── SourceError           a bucket, folder or endpoint that cannot be listed or read
    ├── FormatError           a file that is not what it claims to be
    │   └── MeshError         a mesh that cannot be used: unreadable, empty, not finite, too large
    │       └── TooLargeError too many triangles or bytes: nothing is wrong with the file itself
    ├── DatasetError          a dataset or model artifact that is missing, broken or of another kind
    ├── TooManySkippedError   more samples were skipped than the stage allows
    ├── TrainingError         a training that stopped: it diverged, or was told to end
    ├── RunError              a pipeline run that failed; names the stage, the reason and the log
    └── SubmitError           a cluster that cannot be reached, or refuses; names its endpoint

A message says what was expected, what came, and where.
"""

from __future__ import annotations

import re


class ShapeyardError(Exception):
    """The root: its message is one line that a person can act on."""


class ParameterError(ShapeyardError):
    """A parameter out of its range."""


class SourceError(ShapeyardError):
    """A source that cannot be listed or read."""


class FormatError(ShapeyardError):
    """A file that is not what it claims to be."""


class MeshError(FormatError):
    """A mesh that cannot be used."""


class TooLargeError(MeshError):
    """A mesh with more triangles or bytes than are allowed."""


class DatasetError(ShapeyardError):
    """A dataset or model artifact that is missing, broken or of another kind."""


class TooManySkippedError(ShapeyardError):
    """More samples were skipped than the stage allows."""


class TrainingError(ShapeyardError):
    """A training that stopped before its end: it diverged, or was told to end."""


class RunError(ShapeyardError):
    """A pipeline run that failed."""


class SubmitError(ShapeyardError):
    """A cluster that cannot be reached, or refuses."""


def require(condition: bool, message: str) -> None:
    """Raise `ParameterError` with `message` unless `condition` holds."""
    if not condition:
        raise ParameterError(message)


def printable(text: str) -> str:
    """A text as it may be shown anywhere: control characters and bytes that are no UTF-8 are spelled out."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def one_line(error: BaseException) -> str:
    """An exception as one line, with the type's name in front where it is not one of ours.

    It is safe on a terminal, and a password in a URL is left out.
    """
    text = re.sub(r"://[^/@\s]*@", "://…@", printable(" ".join(str(error).split()))) or type(error).__name__
    return text if isinstance(error, ShapeyardError) else f"{type(error).__name__}: {text}"
