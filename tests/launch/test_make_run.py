"""`make run`, killed on its way, and `make local-run`: the same data, metrics within 2 %, and nothing is left over."""

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

from shapeyard.contracts.dataset import SPLITS, Dataset, read_occupancy


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, Finished]:
    """`make run`, interrupted, terminated and killed, each at another stage, and then left alone."""
    project = Project(tmp_path_factory.mktemp("killed"), "")
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
    return project, project.to_the_end("make", "run")


@pytest.mark.slow
def test_make_run_that_is_killed_goes_on_where_it_was(killed: tuple[Project, Finished]) -> None:
    project, last = killed
    assert last.status == 0, last.said
    assert set(last.states()) == project.stages
    assert last.rerun() == {"evaluate", "report"}, last.said
    assert last.page
    models = {"evaluation", "depth_model", "recgan_model", "classifier"}
    assert models <= {path.name for path in last.page.parent.iterdir()}


@pytest.mark.slow
def test_local_run(
    engine: Any, killed: tuple[Project, Finished], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Interrupted, to its end (as without containers after all those kills), cached; nothing is left over."""
    name = f"shapeyard-{uuid4().hex[:8]}"
    monkeypatch.setenv("COMPOSE_PROJECT_NAME", name)
    project = Project(tmp_path, "")
    run = project.start("make", "local-run")
    wait_for_stage(project, "fetch")
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
    assert_same_data(first, killed[1])
    assert_close(first.metrics(), killed[1].metrics())

    second = project.to_the_end("make", "local-run")
    assert second.rerun() == set(), second.said
    assert leftovers(engine, name, project) == []
    subprocess.run(["make", "clean"], cwd=project.code, env=outside_make(), check=True)
    assert not project.out.exists()


def leftovers(engine: Any, name: str, project: Project) -> list[str]:
    of_compose, of_run = {"label": f"com.docker.compose.project={name}"}, {"label": f"shapeyard.out={project.out}"}
    containers = [
        container for filters in (of_compose, of_run)
        for container in engine.containers.list(all=True, ignore_removed=True, filters=filters)
    ]  # fmt: skip
    found = [*containers, *engine.networks.list(filters=of_compose), *engine.volumes.list(filters=of_compose)]
    return [str(thing) for thing in found]


def assert_same_data(one: Finished, other: Finished) -> None:
    """The same ids, the same voxels bit for bit, the same depth images."""
    assert one.page and other.page
    for kind in ("voxels", "renders"):
        a, b = (Dataset(sorted((run.page.parent / kind).iterdir()), kind) for run in (one, other))  # type: ignore[union-attr,arg-type]
        ids = [sample.id for split in SPLITS for sample in a.of_split(split)]
        assert ids == [sample.id for split in SPLITS for sample in b.of_split(split)]
        assert len(ids) == 40
        for sample in ids:
            if kind == "voxels":
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
