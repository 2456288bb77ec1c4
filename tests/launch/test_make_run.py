"""`make run` and `make local-run`: however they were ended before, they come to the same, and leave nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from project import Finished, Project, wait_for_stage
from working_copy import outside_make

from shapeyard.contracts.dataset import Dataset, read_occupancy


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, Finished]:
    """`make run` that nobody disturbs: what the others are held against."""
    project = Project(tmp_path_factory.mktemp("straight"), "")
    done = project.to_the_end("make", "run")
    assert done.status == 0, done.said
    assert set(done.states()) == project.stages
    assert done.page
    models = {"evaluation", "depth_model", "recgan_model", "classifier"}
    assert models <= {path.name for path in done.page.parent.iterdir()}
    return project, done


@pytest.mark.slow
def test_make_run_that_is_killed_goes_on_where_it_was(straight: tuple[Project, Finished], tmp_path: Path) -> None:
    """Interrupted, terminated and killed, each at another stage; the end is the same as without."""
    project = Project(tmp_path, "")
    for stage, number in (("render", signal.SIGINT), ("train_recgan", signal.SIGTERM), ("evaluate", signal.SIGKILL)):
        run = project.start("make", "run")
        wait_for_stage(project, stage)
        started = time.monotonic()
        os.killpg(run.pid, number)
        _, said = run.communicate(timeout=60)
        assert time.monotonic() - started < 15
        deadline = time.monotonic() + 15
        while project.processes():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        if number == signal.SIGINT:
            assert "interrupted; the next run goes on from the last whole stage" in said
    last = project.to_the_end("make", "run")
    assert last.status == 0, last.said
    assert last.rerun() == {"evaluate", "report"}, last.said
    assert last.metrics() == straight[1].metrics()


@pytest.mark.slow
def test_local_run(
    engine: Any, straight: tuple[Project, Finished], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Interrupted, to its end (the same as without containers), answered by the cache; nothing is left over."""
    name = f"shapeyard-{uuid4().hex[:8]}"
    monkeypatch.setenv("COMPOSE_PROJECT_NAME", name)
    project = Project(tmp_path, "")
    run = project.start("make", "local-run")
    wait_for_stage(project, "render")
    os.killpg(run.pid, signal.SIGINT)
    started = time.monotonic()
    _, said = run.communicate(timeout=60)
    assert time.monotonic() - started < 30  # other tests run beside it
    assert "interrupted; the next run goes on from the last whole stage" in said
    assert leftovers(engine, name, project) == []

    first = project.to_the_end("make", "local-run")
    assert first.status == 0, first.said
    assert first.page is not None
    assert "<html" in first.page.read_text()[:500].lower()
    assert set(first.states()) == project.stages
    assert_same_data(project, straight[0])
    assert_close(first.metrics(), straight[1].metrics())

    second = project.to_the_end("make", "local-run")
    assert second.rerun() == set(), second.said
    assert leftovers(engine, name, project) == []
    subprocess.run(["make", "clean"], cwd=project.code, env=outside_make(), check=True)
    assert not project.out.exists()


def leftovers(engine: Any, name: str, project: Project) -> list[str]:
    of_compose = {"label": f"com.docker.compose.project={name}"}
    found = [*engine.containers.list(all=True, filters=of_compose), *engine.networks.list(filters=of_compose),
             *engine.volumes.list(filters=of_compose),
             *engine.containers.list(all=True, filters={"label": f"shapeyard.out={project.out}"})]  # fmt: skip
    return [str(thing) for thing in found]


def assert_same_data(one: Project, other: Project) -> None:
    """The same ids, the same voxels bit for bit, the same depth images."""
    for stage, output in (("voxelize", "voxels"), ("render", "renders")):
        a, b = (
            Dataset(sorted((project.out / ".kfp" / "data").glob(f"**/{stage}/{output}")), output)  # type: ignore[arg-type]
            for project in (one, other)
        )
        ids = [sample.id for split in ("train", "val", "test") for sample in a.of_split(split)]  # type: ignore[arg-type]
        assert ids == [s.id for split in ("train", "val", "test") for s in b.of_split(split)]  # type: ignore[arg-type]
        assert len(ids) == 40
        for sample in ids:
            if output == "voxels":
                np.testing.assert_array_equal(read_occupancy(a, sample), read_occupancy(b, sample))
            else:
                depth, expected = a.read(sample, "depth"), b.read(sample, "depth")
                np.testing.assert_array_equal(np.isfinite(depth), np.isfinite(expected))
                seen = np.isfinite(depth)
                assert np.abs(depth[seen] - expected[seen]).max() < 1e-4


def assert_close(one: Any, other: Any, where: str = "metrics") -> None:
    """Numbers within 2 %."""
    if isinstance(one, dict):
        assert set(one) == set(other), where
        for name in one:
            assert_close(one[name], other[name], f"{where}.{name}")
    elif isinstance(one, list):
        for index, (a, b) in enumerate(zip(one, other, strict=True)):
            assert_close(a, b, f"{where}[{index}]")
    elif isinstance(one, float):
        assert one == pytest.approx(other, rel=0.02), where
    else:
        assert one == other, where
