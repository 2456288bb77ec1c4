"""Which axis of a file points up."""

from __future__ import annotations

from pathlib import PurePath
from typing import Literal

UpAxis = Literal["y", "z"]
UP_CHOICES = ("auto", "y", "z")
"""What may be said of a file; auto: z in STL and ZIP, as printers have it, else y."""
Z_UP_SUFFIXES = (".stl", ".zip")


def up_axis_of(path: PurePath, up: str = "auto") -> UpAxis:
    """The axis of a file that points up, by one of `UP_CHOICES`."""
    return "z" if up == "z" or (up == "auto" and path.suffix.lower() in Z_UP_SUFFIXES) else "y"
