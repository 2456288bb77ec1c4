"""Pipelines whose stages run in containers: the same result as in processes, and every failure is one line."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from project import SOURCE, Finished, Project, wait_for_stage

from launch import containers
from launch.images import local_image
from launch.ir import COMPILED
from launch.parameters import preset
from shapeyard.errors import RunError
from shapeyard.sources.copying import copy_files

USER = 12345


def unprivileged_python(code: Path) -> list[str]:
    """An interpreter that another user may start, with this environment's packages."""
    if os.getuid() != 0:
        pytest.skip("only root can become somebody else")
    for python in (sys.executable, "/usr/bin/python3.11"):
        path = os.pathsep.join([str(code), *(p for p in sys.path if p.endswith("site-packages"))])
        command = ["env", f"PYTHONPATH={path}", "PYTHONDONTWRITEBYTECODE=1", "HOME=/tmp", python]
        try:
            tried = subprocess.run([*command, "-c", "import docker, kfp"], user=USER, capture_output=True, cwd="/")
        except OSError:
            continue
        if tried.returncode == 0:
            return command
    pytest.skip("no Python that another user may start")


@pytest.fixture(scope="module")
def project(engine: Any, running_store: dict[str, str]) -> Iterator[Project]:
    """A copy of the code that another user may read, over a bucket."""
    folder = Path(tempfile.mkdtemp(prefix="shapeyard-containers-"))
    folder.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in running_store.items():
            patch.setenv(name, value)
        copy_files(SOURCE, "s3://containers/meshes", lambda done, total: None)
        yield Project(folder, "s3://containers/meshes", "--runner", "docker", pipeline="classify_voxels")
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def first(project: Project) -> Finished:
    """A run of somebody who is not root."""
    if os.getuid() != 0:
        return project.run()
    project.out.mkdir()
    os.chown(project.out, USER, USER)
    return unprivileged(project)


def unprivileged(project: Project, *options: str) -> Finished:
    """A run of a user who may use the engine and nothing else."""
    command = [*unprivileged_python(project.code), *project.command()[1:], *options]
    group = Path("/var/run/docker.sock").stat().st_gid
    done = subprocess.run(
        command, cwd=project.code, capture_output=True, text=True, timeout=500, user=USER, group=USER,
        extra_groups=[group],
    )  # fmt: skip
    return Finished(done, project)


@pytest.mark.slow
def test_no_file_is_roots_and_no_container_stays(engine: Any, first: Finished, project: Project) -> None:
    assert first.status == 0, first.said
    assert first.rerun() == project.stages - {"plan"}
    owner = USER if os.getuid() == 0 else os.getuid()
    assert {path.lstat().st_uid for path in project.out.rglob("*")} == {owner}
    assert engine.containers.list(all=True, filters={"label": f"shapeyard.out={project.out}"}) == []
    assert first.page is not None
    request = (first.page.parent / "request.json").read_text()
    assert os.environ["AWS_SECRET_ACCESS_KEY"] not in request


@pytest.mark.slow
def test_the_committed_yaml_itself_runs(engine: Any, store: dict[str, str], tmp_path: Path) -> None:
    """With KFP's own runner and nothing of ours around it but the names of the images on this machine."""
    values = {**preset("classify_voxels", "tiny"), "source": SOURCE}
    committed = COMPILED / "classify_voxels.yaml"
    script = f"""
from kfp import components, dsl, local
local.init(local.DockerRunner(user="{os.getuid()}:{os.getgid()}"), pipeline_root={str(tmp_path / "out")!r})
run = components.load_component_from_file({str(committed)!r})(**{values!r})
print("page", run.outputs["report"].path)
"""
    (tmp_path / "out").mkdir()
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=500, cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    page = Path(done.stdout.strip().splitlines()[-1].strip().removeprefix("page "))
    assert page.read_text(encoding="utf-8").strip().endswith("</html>")


@pytest.mark.slow
def test_a_container_that_is_killed(engine: Any, project: Project, tmp_path: Path) -> None:
    copy = Project(tmp_path, project.source, "--runner", "docker", pipeline="classify_voxels")
    run = copy.start(*copy.command())
    wait_for_stage(copy, "voxelize")
    deadline = time.monotonic() + 30
    while not (found := [c for c in ours(engine, copy) if "/voxelize:" in c.attrs["Config"]["Image"]]):
        assert time.monotonic() < deadline
    found[0].kill()
    _, said = run.communicate(timeout=60)
    assert run.returncode == 1
    last = said.strip().splitlines()[-1]
    assert last.startswith("shapeyard: voxelize failed: the container was killed, or out of memory (status 137) (log: ")
    assert ours(engine, copy) == []


def ours(engine: Any, project: Project) -> list[Any]:
    found: list[Any] = engine.containers.list(
        all=True, ignore_removed=True, filters={"label": f"shapeyard.out={project.out}"}
    )
    return found


def test_an_image_that_is_missing(engine: Any, tmp_path: Path) -> None:
    copy = Project(tmp_path, SOURCE, "--runner", "docker")
    for code in (copy.code / "components" / "voxelize").glob("*.py"):
        code.write_text(code.read_text() + "\n# changed\n")
    failed = copy.run()
    assert failed.status == 1
    assert failed.said.count("\n") == 1
    image = local_image("voxelize").rpartition(":")[0]
    assert failed.said.startswith(f"shapeyard: voxelize failed: its image {image}:")
    assert failed.said.endswith(" is not on this machine; `make images` builds it\n")


def test_a_wrong_secret(engine: Any, project: Project, tmp_path: Path) -> None:
    copy = Project(tmp_path, project.source, "--runner", "docker")
    failed = copy.run(env={**os.environ, "AWS_SECRET_ACCESS_KEY": "wrong"})
    assert failed.status == 1
    last = failed.said.strip().splitlines()[-1]
    assert last.startswith(f"shapeyard: plan failed: {project.source}: the secret key is wrong (log: "), failed.said


def test_an_output_folder_that_cannot_be_written(engine: Any, project: Project) -> None:
    """By the run itself, and by a stage in its container."""
    out = project.code.parent / "read-only"
    (out / ".kfp" / "data").mkdir(parents=True)
    for folder in (out, out / ".kfp", out / ".kfp" / "data"):
        os.chown(folder, USER, USER)
    (out / ".kfp" / "data").chmod(0o555)
    failed = unprivileged(project, "--out", str(out))
    assert failed.status == 1
    last = failed.said.strip().splitlines()[-1]
    assert re.match(r"shapeyard: plan failed: the container ended with status 1: PermissionError: .*read-only", last), (
        last
    )

    failed = unprivileged(project, "--out", "/proc/runs")
    assert failed.status == 1
    assert failed.said.startswith("shapeyard: /proc/runs: cannot be written to: ")
    assert failed.said.count("\n") == 1


def test_an_engine_that_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    copy = Project(tmp_path, SOURCE, "--runner", "docker")
    failed = copy.run(env={**os.environ, "DOCKER_HOST": f"unix://{tmp_path}/nowhere.sock"})
    assert failed.status == 1
    assert failed.said.startswith(
        "shapeyard: expected a container engine (Docker) that answers, found none; `make run`"
    )
    assert failed.said.count("\n") == 1


@pytest.mark.slow
def test_a_container_that_ends_at_once_is_a_failure(engine: Any, project: Project, tmp_path: Path) -> None:
    """KFP's runner takes a container that is gone before it looks for a success."""
    stage = "fetch"
    copy = Project(tmp_path, SOURCE, "--runner", "docker")
    code = copy.code / "components" / stage / f"{stage}.py"
    code.write_text(code.read_text() + "\n# changed\n")
    name = subprocess.run(
        [sys.executable, "-c", f"from launch.images import local_image; print(local_image('{stage}'))"],
        cwd=copy.code, capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip
    dockerfile = f'FROM {local_image("plan")}\nENTRYPOINT ["false"]\n'
    subprocess.run(["docker", "build", "--quiet", "--tag", name, "-"], input=dockerfile, text=True, check=True,
                   stdout=subprocess.DEVNULL, env={**os.environ, "DOCKER_BUILDKIT": "0"})  # fmt: skip
    try:
        failed = copy.run()
    finally:
        engine.images.remove(name)
    assert failed.status == 1
    assert (
        failed.said.strip().splitlines()[-1].startswith(f"shapeyard: {stage} failed: the container ended with status 1")
    )


def test_settings(engine: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:8333")
    arguments = {"source": str(tmp_path), "render_cameras": "orbit", "render_views": 3, "accelerators": "0"}
    settings = containers.run_settings(engine, tmp_path, tmp_path / "events", arguments, "")
    assert settings["network_mode"] == "host"
    assert settings["environment"]["AWS_ENDPOINT_URL"] == "http://127.0.0.1:8333"
    assert [mount["ReadOnly"] for mount in settings["mounts"]][:2] == [False, True]
    json.dumps(settings)
    elsewhere = containers.run_settings(engine, tmp_path, tmp_path / "other" / "events", arguments, "")
    assert settings["labels"][containers.RUN_LABEL] != elsewhere["labels"][containers.RUN_LABEL]
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://store:8333")
    assert "network_mode" not in containers.run_settings(engine, tmp_path, tmp_path, {}, "")
    with pytest.raises(RunError, match="--network nowhere: expected a network of the container engine"):
        containers.run_settings(engine, tmp_path, tmp_path, {}, "nowhere")
    with pytest.raises(RunError, match="--out /a:b: expected a folder without a colon"):
        containers.run_settings(engine, Path("/a:b"), tmp_path, {}, "")
    assert containers.run_settings(engine, tmp_path, tmp_path, {}, "bridge")["network"] == "bridge"


class EngineWithGpus:
    """What the settings ask an engine that knows NVIDIA's runtime."""

    def info(self) -> dict[str, Any]:
        return {"Runtimes": {"nvidia": {}}}


def test_gpus_where_accelerators_are_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://store:8333")
    engine: Any = EngineWithGpus()
    for count, asked in {"0": False, "1": True, "4": True}.items():
        settings = containers.run_settings(engine, tmp_path, tmp_path, {"accelerators": count}, "")
        assert ("device_requests" in settings) == asked
    assert "device_requests" not in containers.run_settings(engine, tmp_path, tmp_path, {}, "")
