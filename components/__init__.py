"""The stages, a package each: it declares the stage, holds its work, and the typed spec that follows from it."""

from __future__ import annotations

import importlib
from functools import cache
from pathlib import Path

from shapeyard.contracts.stage import Stage

FOLDER = Path(__file__).resolve().parent


@cache
def stages() -> dict[str, Stage]:
    """Every stage by its name, sorted: the packages beside this file, each with its `STAGE`."""
    names = sorted(path.parent.name for path in FOLDER.glob("*/__init__.py"))
    return {name: importlib.import_module(f"components.{name}").STAGE for name in names}


def what_it_does(stage: str) -> str:
    """A stage's docstring: a sentence, and perhaps a paragraph."""
    return " ".join((importlib.import_module(f"components.{stage}").__doc__ or "").split())
