"""The images: small, without root, without what builds them, and each stage runs in its own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import click
import numpy as np
import pytest
import trimesh
import yaml
from docker.errors import ImageNotFound

from components import stages
from launch.build import push
from launch.image_lock import BuiltImage, locked_images, write_lock
from launch.images import local_image, release_image
from launch.stage_commands import stage_command
from shapeyard import __version__
from shapeyard.contracts.dataset import Dataset, read_occupancy
from shapeyard.errors import ParameterError

ROOT = Path(__file__).parents[2]
LARGEST_BYTES = {"base": 1.0e9, "blender": 1.7e9, "torch": 2.0e9, "tensorflow": 2.6e9}


def docker(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["docker", *words], capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("stack", LARGEST_BYTES)
def test_size(engine: Any, stack: str) -> None:
    assert engine.images.get(f"shapeyard/{stack}:{__version__}").attrs["Size"] <= LARGEST_BYTES[stack]


@pytest.mark.parametrize("stack", LARGEST_BYTES)
def test_what_is_inside(engine: Any, stack: str) -> None:
    """No root, no compiler, no installer, no cache, no health check; labels that say what it is."""
    config = engine.images.get(f"shapeyard/{stack}:{__version__}").attrs["Config"]
    assert config["User"] == "65532:65532"
    assert not config.get("Healthcheck")
    assert config["Labels"]["org.opencontainers.image.version"] == __version__
    assert {"org.opencontainers.image.source", "org.opencontainers.image.revision"} <= set(config["Labels"])
    places = "/root/.cache /requirements /wheels /context /var/cache/apt /var/lib/apt/lists"
    look = f"command -v gcc cc g++ ld; ls -d /opt/shapeyard/bin/pip*; find {places} -type f"
    command = ("sh", "-c", f"({look}) 2>/dev/null; true")
    found = docker("run", "--rm", "--user", "0", f"shapeyard/{stack}:{__version__}", *command)
    assert found.stdout == ""


@pytest.mark.parametrize("stage", stages())
def test_a_stage_without_rights_shows_its_help(engine: Any, stage: str) -> None:
    done = docker("run", "--rm", "--user", "12345", "--read-only", "--tmpfs", "/tmp", release_image(stage))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"Usage: shapeyard {stage.replace('_', '-')} ")
    options = stage_command(stage).get_params(click.Context(stage_command(stage)))
    assert len(options) > 1
    for option in options:
        assert option.opts[0] in done.stdout


@pytest.mark.parametrize("stack", LARGEST_BYTES)
def test_a_stage_finds_all_that_it_imports(engine: Any, stack: str) -> None:
    """A stack's lock holds what the stages of the stack need."""
    members = [name for name, stage in stages().items() if stage.stack == stack]
    modules = [f"components.{m}.{path.stem}" for m in members for path in (ROOT / "components" / m).glob("[a-z]*.py")]
    code = f"import importlib\nfor module in {modules!r}: importlib.import_module(module)"
    unprivileged = ("--rm", "--user", "12345", "--read-only", "--tmpfs", "/tmp")
    done = docker("run", *unprivileged, local_image(members[0]), "python3", "-c", code)
    assert done.returncode == 0, done.stderr


def test_a_stage_does_what_the_command_line_does(engine: Any, tmp_path: Path) -> None:
    source = tmp_path / "meshes" / "ball"
    source.mkdir(parents=True)
    for number in range(3):
        trimesh.creation.icosphere(radius=1 + number).export(source / f"{number}.stl")
    tmp_path.chmod(0o777)
    mount = ("--rm", "--user", "12345", "--read-only", "--tmpfs", "/tmp", "--volume", f"{tmp_path}:/data")

    def both(stage: str, *words: str) -> str:
        """The stage by its image and by the command line, which finds /data elsewhere."""
        inside = docker("run", *mount, f"shapeyard/{stage}:{__version__}", stage, *words)
        given = [word.replace("/data/", f"{tmp_path}/").replace("/in/", "/out/") for word in words]
        command = [sys.executable, "-m", "launch.cli", stage, *given]
        outside = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=120)
        assert (inside.returncode, outside.returncode) == (0, 0), inside.stderr + outside.stderr
        return inside.stdout.strip()

    shard = both("plan", "--source", "/data/meshes", "--shards", "1")
    both("fetch", "--shard", shard, "--meshes", "/data/in/meshes")
    both("voxelize", "--meshes", "/data/in/meshes", "--voxels", "/data/in/voxels", "--resolution", "32")
    inside, outside = (Dataset([tmp_path / word / "voxels"], "voxels") for word in ("in", "out"))
    for number in range(3):
        sample = f"ball/{number}"
        np.testing.assert_array_equal(read_occupancy(inside, sample), read_occupancy(outside, sample))


def test_another_command_runs_as_it_is(engine: Any) -> None:
    assert docker("run", "--rm", release_image("plan"), "python3", "-c", "print(1 + 1)").stdout.strip() == "2"
    assert "reconstruct" in docker("run", "--rm", release_image("plan"), "list").stdout


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[str]:
    """A registry of images on this machine."""
    program = shutil.which("docker-registry")
    if not program:
        pytest.skip("no docker-registry on this machine")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = {"version": 0.1, "storage": {"filesystem": {"rootdirectory": str(tmp_path / "registry")}},
              "http": {"addr": f"127.0.0.1:{port}"}}  # fmt: skip
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    with subprocess.Popen([program, "serve", str(tmp_path / "config.yaml")], stderr=subprocess.DEVNULL) as server:
        for _ in range(100):
            with socket.socket() as client:
                if client.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield f"localhost:{port}"
        server.terminate()


def test_pushed_images_get_into_the_ir_by_their_digests(engine: Any, registry: str, tmp_path: Path) -> None:
    """With an image of one file, since to compress those of the stages takes most of a minute."""
    lock, name = tmp_path / "lock.yaml", f"test-{uuid4().hex[:8]}/voxelize:1"
    dockerfile = "FROM scratch\nCOPY config.yaml /\n"
    context = ("docker", "build", "--quiet", "--tag", name, "--file", "-", str(tmp_path))
    subprocess.run(context, input=dockerfile, text=True, check=True, env={**os.environ, "DOCKER_BUILDKIT": "0"},
                   stdout=subprocess.DEVNULL)  # fmt: skip
    built = push(engine, "voxelize", name, registry)
    write_lock(lock, [built])
    reference = locked_images(lock)("voxelize")
    assert reference == f"{registry}/{name.partition(':')[0]}@{built.digest}"
    assert built.digest.startswith("sha256:")
    there = engine.images.get(name).id
    for known in (name, built.name):
        engine.images.remove(known)
    with pytest.raises(ImageNotFound):
        engine.images.get(reference)
    assert engine.images.pull(reference).id == there
    engine.images.remove(reference)
    with pytest.raises(ParameterError, match="render is not in it; push with `make images REGISTRY=…`"):
        locked_images(lock)("render")


def test_a_digest_stays_until_the_code_changes(tmp_path: Path) -> None:
    lock = tmp_path / "lock.yaml"
    pushed = BuiltImage("render", "0123", "registry:5000/shapeyard/render:0.1.0", 1, "sha256:1", pushed=True)
    again = replace(pushed, name="shapeyard/render:0.1.0", digest="sha256:2", pushed=False)
    for built in (pushed, again):
        write_lock(lock, [built])
        assert locked_images(lock)("render") == "registry:5000/shapeyard/render@sha256:1"
    write_lock(lock, [replace(again, content="4567")])
    with pytest.raises(ParameterError, match="render was not pushed"):
        locked_images(lock)("render")


def test_an_image_that_was_not_pushed_has_no_digest_for_a_cluster(tmp_path: Path) -> None:
    lock = tmp_path / "lock.yaml"
    entry = {"image": "shapeyard/render:0.1.0", "digest": "sha256:0", "pushed": False}
    lock.write_text(yaml.safe_dump({"render": entry}))
    with pytest.raises(ParameterError, match="render was not pushed, so no cluster can find it by its digest"):
        locked_images(lock)("render")
    for broken in ("", "- 1", "render: 1", "{", "\x00"):
        lock.write_text(broken)
        with pytest.raises(ParameterError, match="expected what `make images` wrote"):
            locked_images(lock)
