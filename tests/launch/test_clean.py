"""`shapeyard clean`: what is old is listed and removed on demand, and what a younger run needs stays."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from launch.clean import clean
from launch.cli import shapeyard
from launch.run import _new_folder, locked
from shapeyard.contracts.model import check_model, finish_model, start_model
from shapeyard.errors import RunError

DAY = 86_400


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Three runs of 1, 10 and 20 days ago, the oldest two with a model of their own and one that all three share."""
    out = tmp_path / "runs"
    (out / ".kfp" / "cache").mkdir(parents=True)
    for name in ("shared", "ten", "twenty"):
        model = start_model(out / ".kfp" / "data" / "run" / name / "model", {})
        (model / "model.safetensors").write_bytes(b"0" * 1000)
        finish_model(model, [{"step": 1}], {}, [])
        entry = out / ".kfp" / "cache" / f"{name}.json"
        entry.write_text(json.dumps({"model": {"uri": str(model), "metadata": {}}}))
        age(entry, 20)
    for days, models in ((1, ["shared"]), (10, ["shared", "ten"]), (20, ["shared", "twenty"])):
        run = out / f"reconstruct-tiny-{days}"
        run.mkdir()
        (run / "request.json").write_text("{}")
        places = {name: f"../.kfp/data/run/{name}/model" for name in models}
        (run / "outputs.json").write_text(json.dumps(places))
        for name, place in places.items():
            (run / name).symlink_to(place)
        age(run, days)
    (out / "latest").symlink_to("reconstruct-tiny-1")
    return out


def age(path: Path, days: float) -> None:
    os.utime(path, (time.time() - days * DAY,) * 2)


def names(out: Path) -> set[str]:
    return {path.name for path in (*out.iterdir(), *(out / ".kfp" / "data" / "run").iterdir())} - {".kfp"}


def test_what_is_old_is_named_and_only_then_removed(out: Path) -> None:
    before = names(out)
    found = clean(out, 15 * DAY)
    assert [old.path.name for old in found] == ["reconstruct-tiny-20", "twenty"]
    assert found[1].size > 1000
    assert names(out) == before
    assert clean(out, 15 * DAY, remove=True) == found
    assert names(out) == before - {"reconstruct-tiny-20", "twenty"}
    assert {path.stem for path in (out / ".kfp" / "cache").iterdir()} == {"shared", "ten"}
    check_model(out / "reconstruct-tiny-10" / "ten")
    assert clean(out, 15 * DAY) == []


def test_the_latest_run_and_its_models_stay_whatever_their_age(out: Path) -> None:
    clean(out, 0, remove=True)
    assert names(out) == {"reconstruct-tiny-1", "latest", "shared"}
    check_model(out / "latest" / "shared")


def test_a_folder_of_the_users_is_none_of_it(out: Path) -> None:
    (out / "mine").mkdir()
    (out / "mine" / "model").symlink_to("../.kfp/data/run/twenty/model")
    age(out / "mine", 100)
    assert [old.path.name for old in clean(out, 15 * DAY, remove=True)] == ["reconstruct-tiny-20"]
    check_model(out / "mine" / "model")


def test_a_run_that_goes_on_is_left_alone(out: Path) -> None:
    with locked(out), pytest.raises(RunError, match="another run is using this folder"):
        clean(out, 0, remove=True)


def test_the_command(out: Path) -> None:
    asked = CliRunner().invoke(shapeyard, ["clean", "--older-than", "15", "--out", str(out)])
    assert asked.exit_code == 0
    assert asked.output.count("twenty") == 1 and "in 2 folders would be removed by --remove" in asked.output


def test_a_clock_that_was_set_back_costs_no_run(tmp_path: Path) -> None:
    assert [_new_folder(tmp_path, "run-1").name for _ in range(3)] == ["run-1", "run-1.2", "run-1.3"]
