"""Build the stages' images: one a stack by its Dockerfile, and on top of it a name and a default command a stage."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence

import docker
from docker.errors import APIError, DockerException
from rich.console import Console
from rich.table import Table

from components import stages as all_stages
from launch.containers import engine
from launch.image_lock import BuiltImage
from launch.images import ROOT, content_tag, local_image, release_image
from shapeyard import __version__
from shapeyard.errors import RunError, one_line

BUILDKIT_BUILT_IN_BEFORE = 23
"""From this version on Docker's client builds with BuildKit only where its plugin buildx is installed."""
CPU_WHEELS = "https://download.pytorch.org/whl/cpu"


def build_images(
    stages: Sequence[str], *, gpu: bool = False, base: str = "", torch_index: str | None = None, registry: str = ""
) -> list[BuiltImage]:
    """Build the images of `stages`; BuildKit decides what has changed.

    `gpu`: the GPU builds of torch and TensorFlow. `base`: another base image. `torch_index`: where torch's CPU build is
    found beside the package index; by default PyTorch's own, unless docker/wheels has it. `registry`: where to push
    them, such as localhost:5000.

    Raises:
        RunError: without an engine, or if a build or a push fails.
    """
    client = engine()
    command = [_docker_with_buildkit(), "build", "--build-arg", f"VERSION={__version__}", "--build-arg",
               f"REVISION={_revision()}"]  # fmt: skip
    if base:
        command += ["--build-arg", f"BASE={base}"]
    for stack in dict.fromkeys(all_stages()[stage].stack for stage in stages):
        arguments = [f"LOCK={stack}-cuda"] if gpu and (ROOT / "requirements" / f"{stack}-cuda.txt").is_file() else []
        if stack == "torch":
            arguments.append(f"TORCH_INDEX={_torch_index(torch_index, gpu)}")
        given = [word for argument in arguments for word in ("--build-arg", argument)]
        _build([*command, *given, "--file", f"docker/{stack}.Dockerfile", "--tag", _stack_image(stack), "."], stack)
    built = []
    for stage in stages:
        name = release_image(stage)
        word = stage.replace("_", "-")
        lines = f'FROM {_stack_image(all_stages()[stage].stack)}\nCMD ["{word}", "--help"]\n'
        lines += f'LABEL org.opencontainers.image.title="shapeyard/{word}"\n'
        tags = [word for tag in (name, name.partition(":")[0], local_image(stage)) for word in ("--tag", tag)]
        _build([*command, "--quiet", *tags, "-"], stage, lines)
        built.append(push(client, stage, name, registry) if registry else _built(client, stage, name))
    return built


def _torch_index(given: str | None, gpu: bool) -> str:
    if gpu:
        return ""  # PyPI's torch is the GPU build
    if given is not None:
        return given
    return "" if any((ROOT / "docker" / "wheels").glob("torch-*.whl")) else CPU_WHEELS


def _build(command: Sequence[str], what: str, dockerfile: str = "") -> None:
    environment = {**os.environ, "DOCKER_BUILDKIT": "1"}
    quiet = subprocess.DEVNULL if dockerfile else None
    done = subprocess.run(command, cwd=ROOT, env=environment, input=dockerfile, text=True, stdout=quiet, check=False)
    if done.returncode:
        raise RunError(f"{what}: the image could not be built (status {done.returncode}; the reason stands above)")


def _built(client: docker.DockerClient, stage: str, name: str) -> BuiltImage:
    there = client.images.get(name)
    return BuiltImage(stage, content_tag(stage), name, there.attrs["Size"], str(there.id), pushed=False)


def push(client: docker.DockerClient, stage: str, name: str, registry: str) -> BuiltImage:
    """Push a stage's image to a registry, under its name there; raises `RunError` with the registry's reason."""
    repository, tag = f"{registry}/{name}".rsplit(":", 1)
    there = client.images.get(name)
    try:
        there.tag(repository, tag)
        answers = client.images.push(repository, tag, stream=True, decode=True)
        errors = [answer["error"] for answer in answers if "error" in answer]
    except (APIError, DockerException) as error:
        errors = [one_line(error)]
    if errors:
        raise RunError(f"{repository}:{tag} could not be pushed: {errors[0]}")
    there.reload()
    (digest,) = [d for d in there.attrs["RepoDigests"] if d.startswith(f"{repository}@")]
    return BuiltImage(
        stage, content_tag(stage), f"{repository}:{tag}", there.attrs["Size"], digest.partition("@")[2], pushed=True
    )


def print_images(built: Sequence[BuiltImage], console: Console) -> None:
    """The table that `make images` shows."""
    table = Table("image", "size", "digest")
    for there in built:
        table.add_row(there.name, f"{there.size_bytes / 1e9:.2f} GB", there.digest[: len("sha256:") + 12])
    console.print(table)


def _stack_image(stack: str) -> str:
    return f"shapeyard/{stack}:{__version__}"


def _revision() -> str:
    """The commit, with -dirty behind it where the tree is another; empty outside a repository."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()


def _docker_with_buildkit() -> str:
    """The first Docker client on the PATH that can build with BuildKit.

    Raises:
        RunError: if there is none.
    """
    for folder in os.get_exec_path():
        found = shutil.which("docker", path=folder)
        if found and _has_buildkit(found):
            return found
    raise RunError("expected a Docker client with BuildKit (its plugin buildx), found none on the PATH")


def _has_buildkit(client: str) -> bool:
    if subprocess.run([client, "buildx", "version"], capture_output=True, check=False).returncode == 0:
        return True
    version = subprocess.run([client, "--version"], capture_output=True, text=True, check=False).stdout
    major = re.search(r"version (\d+)\.", version)
    return major is not None and int(major[1]) < BUILDKIT_BUILT_IN_BEFORE
