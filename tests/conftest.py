"""Fixtures that tests of several parts share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from components import stages
from launch import containers
from launch.images import local_image
from launch.object_store import object_store
from shapeyard.errors import RunError


@pytest.fixture(scope="session")
def realdata() -> Path:
    """The folder of real meshes beside the project (or where SHAPEYARD_REALDATA says)."""
    folder = Path(os.environ.get("SHAPEYARD_REALDATA", Path(__file__).parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real meshes at {folder}")
    return folder


@pytest.fixture(scope="session")
def running_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A real object store for the whole session: the variables that lead to it."""
    with object_store(tmp_path_factory.mktemp("store")) as environment:
        yield environment


@pytest.fixture
def store(running_store: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The store, with boto3 and child processes led to it for this test."""
    for name, value in running_store.items():
        monkeypatch.setenv(name, value)
    return running_store


@pytest.fixture
def bucket(store: dict[str, str]) -> str:
    """The URI of a bucket that nobody else uses, not made yet."""
    return f"s3://test-{uuid4().hex[:12]}"


@pytest.fixture(scope="session")
def engine() -> Any:
    """The container engine, with the images of this code; skips without them, unless the caller says they are there."""
    try:
        client = containers.engine()
        containers.check_images(client, {stage: local_image(stage) for stage in stages()})
    except RunError as error:
        if os.environ.get("SHAPEYARD_IMAGES"):
            pytest.fail(str(error))
        pytest.skip(str(error))
    return client
