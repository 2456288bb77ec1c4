"""Stages in containers on this machine: what KFP's Docker runner is given, and what became of the containers.

KFP's runner takes a container that is gone before it looks for one that succeeded. So the engine's own events are
followed here: a container that did not end with status 0 is a stage that failed.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import threading
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import docker
from botocore.exceptions import BotoCoreError
from docker.errors import APIError, DockerException, NotFound

from launch.ir import stage_of_image
from shapeyard.contracts.progress import EVENTS_VARIABLE
from shapeyard.errors import RunError, one_line

OUT_LABEL = "shapeyard.out"
RUN_LABEL = "shapeyard.run"
"""The path of the run's events: two runs in different folders may have the same name."""
SHARED_MEMORY = "2g"
"""The size that /dev/shm may grow to; Docker's own 64 MB are too few for a loader's batches."""
LOOPBACK = re.compile(r"localhost|127\.[0-9.]+|::1")
KILLED = 137  # 128 + SIGKILL


def engine() -> docker.DockerClient:
    """The container engine of this machine.

    Raises:
        RunError: if none answers.
    """
    if host := _host_of_context():
        os.environ.setdefault("DOCKER_HOST", host)  # KFP's runner looks there as well
    try:
        client = docker.from_env()
        client.ping()
    except DockerException as error:
        raise RunError(
            f"expected a container engine (Docker) that answers, found none; `make run` needs none ({one_line(error)})"
        ) from error
    return client


def check_images(client: docker.DockerClient, image_of_stage: Mapping[str, str]) -> None:
    """Raises `RunError` for the first stage whose image is not on this machine; nothing is pulled."""
    there = {tag for image in client.images.list() for tag in image.tags}
    for stage, image in image_of_stage.items():
        if image not in there:
            raise RunError(f"{stage} failed: its image {image} is not on this machine; `make images` builds it")


def run_settings(
    client: docker.DockerClient, out: Path, events: Path, arguments: Mapping[str, Any], network: str
) -> dict[str, Any]:
    """What every container of a run is started with, as arguments of docker's `containers.run` that JSON can hold.

    The caller's user; the environment and the files that lead to the object store; the folders and files outside KFP's
    own that stages read or write; the GPUs, where accelerators are asked for and the engine can hand them on.
    `network`: one of the engine's, or nothing: a store that listens on this machine's loopback interface is then
    reached through the host's network.

    Raises:
        RunError: if there is no such network, or `out` has a name that no engine can mount.
    """
    if ":" in str(out):
        raise RunError(f"--out {out}: expected a folder without a colon in its path, which no engine can mount")
    if network and not client.networks.list(names=[network]):
        raise RunError(f"--network {network}: expected a network of the container engine, found none of that name")
    environment = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    environment.pop("AWS_CA_BUNDLE", None)  # this machine's
    given = [Path(value.removeprefix("file://")) for value in arguments.values() if isinstance(value, str)]
    given += [Path(value) for name, value in environment.items() if name.endswith("_FILE")]
    read = {path for path in given if path.is_absolute() and path.exists()}
    mounts = [_mount(events, events), *(_mount(path, path, read_only=True) for path in sorted(read))]
    profile = Path.home() / ".aws"
    if profile.is_dir():
        mounts.append(_mount(profile, Path("/tmp/.aws"), read_only=True))  # noqa: S108 - the images' HOME is /tmp
    settings: dict[str, Any] = {
        "user": f"{os.getuid()}:{os.getgid()}",
        "environment": {**environment, EVENTS_VARIABLE: str(events)},
        "labels": {OUT_LABEL: str(out), RUN_LABEL: str(events)},
        "shm_size": SHARED_MEMORY,
        "mounts": mounts,
    }
    if network:
        settings["network"] = network
    elif LOOPBACK.fullmatch(_store_host()):
        settings["network_mode"] = "host"
    if int(arguments.get("accelerators", "0")) and "nvidia" in client.info().get("Runtimes", {}):
        settings["device_requests"] = [docker.types.DeviceRequest(count=-1, capabilities=[["gpu"]])]
    return settings


def _store_host() -> str:
    """Where boto3 would look for the object store, by the environment and the profile."""
    try:
        return urlsplit(boto3.session.Session().client("s3").meta.endpoint_url).hostname or ""
    except (BotoCoreError, ValueError):
        return ""  # the stage that needs it says what is wrong


def _host_of_context() -> str:
    """The engine that the `docker` command talks to; Docker's own library knows no contexts."""
    command = ["docker", "context", "inspect", "--format", "{{.Endpoints.docker.Host}}"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def _mount(source: Path, target: Path, read_only: bool = False) -> docker.types.Mount:
    return docker.types.Mount(str(target), str(source), type="bind", read_only=read_only)


def remove_containers(client: docker.DockerClient, label: str, value: str) -> int:
    """Remove the containers that carry a label, running or not; returns how many.

    Looks twice: the engine may still be starting one that was asked for just before.
    """
    removed = 0
    for attempt in range(2):
        if attempt:
            time.sleep(0.2)
        for container in client.containers.list(all=True, ignore_removed=True, filters={"label": f"{label}={value}"}):
            with contextlib.suppress(NotFound, APIError):  # gone, or on its way
                container.remove(force=True)
                removed += 1
    return removed


class Watch:
    """Follows a run's containers from a thread of its own; `failures`: status of each stage that did not end well."""

    def __init__(self, client: docker.DockerClient, events: Path, stages: Iterable[str]) -> None:
        self.failures: dict[str, int] = {}
        self._stages = set(stages)
        self._events = client.events(
            decode=True, filters={"type": "container", "event": "die", "label": f"{RUN_LABEL}={events}"}
        )
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._events.close()

    def _follow(self) -> None:
        with contextlib.suppress(DockerException, OSError, ValueError, AttributeError):  # closed while it was read
            for event in self._events:
                attributes = event["Actor"]["Attributes"]
                status, stage = int(attributes["exitCode"]), stage_of_image(attributes["image"])
                if status and stage in self._stages:
                    self.failures.setdefault(stage, status)
