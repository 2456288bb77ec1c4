"""Whole pipelines, run the way a person runs them."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from project import SOURCE, Finished, Project, wait_for_stage

from launch.processes import end_leftovers
from launch.run import without_inner_paths
from shapeyard.contracts.dataset import Dataset, read_info
from shapeyard.contracts.model import check_model
from shapeyard.formats.binvox import write_binvox
from shapeyard.formats.shapenet_rendering import write_renderings
from shapeyard.geometry.cameras import generator_for, r2n2
from shapeyard.sources.copying import copy_files
from shapeyard.sources.s3 import S3Source


@pytest.fixture(scope="module")
def project(running_store: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in running_store.items():
            patch.setenv(name, value)
        copy_files(SOURCE, "s3://tiny/meshes", lambda done, total: None)
        yield Project(tmp_path_factory.mktemp("project"), "s3://tiny/meshes", pipeline="classify_voxels")


@pytest.fixture(scope="module")
def first(project: Project) -> Finished:
    return project.run()


@pytest.mark.slow
def test_a_first_run_does_everything(first: Finished, project: Project) -> None:
    assert first.status == 0, first.said
    assert set(first.states()) == project.stages
    assert first.rerun() == project.stages - {"plan"}
    assert first.page is not None
    assert "<html" in first.page.read_text()[:500].lower()
    folder = first.page.parent
    assert (folder / "log.txt").stat().st_size > 0
    assert {"evaluation", "predictions", "classifier"} <= {path.name for path in folder.iterdir()}
    for kind in ("meshes", "voxels"):
        shards = sorted(path.name for path in (folder / kind).iterdir())
        assert shards == ["shard-0", "shard-1"]
        datasets = Dataset([folder / kind / shard for shard in shards], kind)
        assert len(datasets.samples) == 40
        datasets.close()
    assert (project.out / "latest").resolve() == folder.resolve()
    assert project.processes() == []


@pytest.mark.slow
def test_a_second_run_is_answered_by_the_cache(first: Finished, project: Project) -> None:
    second = project.run()
    assert second.status == 0, second.said
    assert second.rerun() == set()
    assert second.metrics() == first.metrics()


@pytest.mark.slow
def test_a_folder_that_was_moved_is_answered_by_its_cache(first: Finished, project: Project) -> None:
    assert first.page is not None
    runs = project.out
    elsewhere = project.code / "below" / "elsewhere"
    elsewhere.parent.mkdir()
    project.out = runs.rename(elsewhere)
    project.options = ("--out", str(elsewhere))
    try:
        moved = project.run()
        assert moved.status == 0, moved.said
        assert moved.rerun() == set()
        earlier = elsewhere / first.page.parent.name
        for name in ("classifier", "evaluation"):
            check_model(earlier / name)
            assert (earlier / name).resolve().is_relative_to(elsewhere)
        links = list((earlier / "voxels").iterdir())
        assert len(links) == 2
        for link in links:
            assert read_info(link)["kind"] == "voxels" and link.resolve().is_relative_to(elsewhere)
        assert str(runs) not in (earlier / "outputs.json").read_text()
    finally:
        project.out = elsewhere.rename(runs)
        project.options = ()


@pytest.mark.slow
def test_a_change_in_the_report_trains_nothing(first: Finished, project: Project) -> None:
    code = project.code / "components" / "report_classifier" / "report_classifier.py"
    code.write_text(code.read_text() + "\n# changed\n")
    assert project.run().rerun() == {"report_classifier"}


@pytest.mark.slow
def test_a_change_in_a_stage_runs_it_and_what_stands_behind_it(first: Finished, project: Project) -> None:
    code = project.code / "components" / "train_classifier" / "examples.py"
    code.write_text(code.read_text() + "\n# changed\n")
    assert project.run().rerun() == {"train_classifier", "report_classifier"}


@pytest.mark.slow
def test_a_broken_output_does_not_count(first: Finished, project: Project) -> None:
    weights = (project.out / "latest" / "classifier" / "model.keras").resolve()
    weights.write_bytes(weights.read_bytes()[:-100])
    assert project.run().rerun() == {"train_classifier", "report_classifier"}


@pytest.mark.slow
def test_a_new_object_is_seen(first: Finished, project: Project, store: dict[str, str], tmp_path: Path) -> None:
    mesh = tmp_path / "new.obj"
    mesh.write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\nf 1 3 2\nf 1 2 4\nf 2 3 4\nf 3 1 4\n")
    S3Source(project.source).upload(mesh, "chair/new.obj")
    changed = project.run()
    assert changed.rerun() == project.stages - {"plan"}
    fetched = re.search(r"fetch .*", changed.said)
    assert fetched
    assert "1 shard " in fetched[0]


@pytest.mark.slow
def test_a_failure_is_one_line(project: Project, tmp_path: Path) -> None:
    elsewhere = Project(tmp_path, "procedural://?objects=12&classes=chair,table")
    failed = elsewhere.run("render_views=0")
    assert (failed.status, failed.said) == (1, "shapeyard: render_views: expected 1 to 200, got 0\n")
    assert not elsewhere.out.exists()
    failed = elsewhere.run("max_skipped=0", "max_triangles=1")
    assert failed.status == 1
    last = failed.said.strip().splitlines()[-1]
    assert re.match(r"shapeyard: fetch failed: \d+ of \d+ samples skipped, .* \(log: .*/log\.txt\)$", last), last
    assert elsewhere.processes() == []


def test_an_error_names_stage_and_artifact_instead_of_inner_paths() -> None:
    root = Path("/home/a b/runs/.kfp/data")
    for path, shown in [
        ("reconstruct-2026-01-01/for-loop-1-iteration-0/fetch/meshes", "fetch/meshes"),
        ("reconstruct-2026-01-01/train-depth/model/config.json", "train_depth/model/config.json"),
    ]:
        assert without_inner_paths(f"{root}/{path}: gone ({root}/{path})", root) == f"{shown}: gone ({shown})"
    assert without_inner_paths(f"{root}x/a/b/c: gone", root) == f"{root}x/a/b/c: gone"


@pytest.mark.slow
def test_what_a_stage_says_of_its_inputs_names_them_as_a_person_would(tmp_path: Path) -> None:
    """Images that others made have no depth: there is nothing to train on."""
    rgba = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 4), np.uint8)
    cameras = r2n2(2, generator_for(0, "any"), 1.0)
    for number in range(3):
        images = tmp_path / "source" / "ShapeNetRendering" / "03001627" / str(number) / "rendering"
        write_renderings(images, rgba, cameras, 1.0)
        grid = tmp_path / "source" / "ShapeNetVox32" / "03001627" / str(number) / "model.binvox"
        grid.parent.mkdir(parents=True)
        write_binvox(grid, np.ones((32, 32, 32), bool), (-0.5, -0.5, -0.5), 1.0)
    failed = Project(tmp_path, str(tmp_path / "source"), pipeline="reconstruct").run("shards=1")
    last = failed.said.strip().splitlines()[-1]
    assert failed.status == 1 and ".kfp" not in last.partition("(log: ")[0]
    assert re.match(r"shapeyard: train_\w+ failed: .*(voxelize/voxels|render/renders)\b", last), last


@pytest.mark.slow
def test_a_stage_that_is_shot_is_named(tmp_path: Path) -> None:
    project = Project(tmp_path, SOURCE, pipeline="classify_voxels")
    run = project.start()
    wait_for_stage(project, "voxelize")
    (events, *_) = (project.out / ".kfp" / "events").glob("*/voxelize.*.jsonl")
    time.sleep(0.1)
    os.kill(json.loads(events.read_text().splitlines()[0])["pid"], signal.SIGKILL)
    _, said = run.communicate(timeout=60)
    assert run.returncode == 1
    assert "voxelize failed: the process ended without an exit status" in said.splitlines()[-1]


@pytest.mark.slow
def test_two_runs_do_not_share_a_folder(tmp_path: Path) -> None:
    project = Project(tmp_path, SOURCE)
    run = project.start()
    wait_for_stage(project, "plan")
    refused = project.run()
    assert refused.status == 1
    assert "another run is using this folder" in refused.said
    run.send_signal(signal.SIGINT)
    run.communicate(timeout=60)
    assert end_leftovers(project.out) == 0


@pytest.mark.realdata
@pytest.mark.slow
def test_one_class_alone_runs_to_its_report(tmp_path: Path) -> None:
    project = Project(tmp_path, "procedural://?objects=8&classes=chair", pipeline="reconstruct")
    done = project.run()
    assert done.status == 0 and done.page is not None, done.said
    assert "There is no classifier: expected training samples of at least two classes" in done.page.read_text()


@pytest.mark.slow
def test_all_real_models_from_a_bucket(realdata: Path, store: dict[str, str], bucket: str, tmp_path: Path) -> None:
    copy_files(str(realdata / "shapenet_v2"), f"{bucket}/shapenet", lambda done, total: None)
    run = Project(tmp_path, f"{bucket}/shapenet", pipeline="classify_voxels").run()
    assert run.status == 0, run.said
    assert run.page is not None
    count = len(list((realdata / "shapenet_v2").glob("*/*/models/model_normalized.obj")))
    assert f"{count} objects" in run.said
