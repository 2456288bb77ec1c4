"""Fixtures that tests of several parts share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def realdata() -> Path:
    """The folder of real meshes beside the project (or where SHAPEYARD_REALDATA says)."""
    folder = Path(os.environ.get("SHAPEYARD_REALDATA", Path(__file__).parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real meshes at {folder}")
    return folder
