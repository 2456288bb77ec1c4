"""The parameters of a pipeline: declared by its stages, changed by presets, checked before anything runs."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml
from rich.console import Console

from components import stages
from launch import parameters
from launch.parameters import EXTENDS, FOLDER, arguments, load_pipeline, pipeline_names, preset, preset_names
from launch.run import run_pipeline
from pipelines.parts import SHARED, Pipeline
from shapeyard.contracts.stage import required, settings_of
from shapeyard.errors import ParameterError

PRESETS = sorted(FOLDER.glob("presets/*/*.yaml"))


@pytest.fixture
def presets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the presets of `classify_voxels` that a test may change."""
    shutil.copytree(FOLDER / "presets", tmp_path / "presets")
    monkeypatch.setattr(parameters, "FOLDER", tmp_path)
    return tmp_path / "presets" / "classify_voxels"


@pytest.mark.parametrize("path", PRESETS, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_a_preset_gives_every_parameter_a_value_that_its_stages_take(path: Path) -> None:
    declared = load_pipeline(path.parent.name)
    values = preset(path.parent.name, path.stem)
    assert values.keys() == declared.parameters().keys()
    for name, value in values.items():
        assert type(value) is declared.parameters()[name].setting.type, f"{name}: {value!r}"
    declared.check(values)
    assert len(str(values)) < 10_000  # the API server's limit for all parameters of a run


@pytest.mark.parametrize("path", PRESETS, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_a_preset_says_only_what_differs(path: Path) -> None:
    said = yaml.safe_load(path.read_text(encoding="utf-8"))
    declared = load_pipeline(path.parent.name).parameters()
    below = {name: one.setting.default for name, one in declared.items()}
    if EXTENDS in said:
        below = preset(path.parent.name, said.pop(EXTENDS))
    assert said.keys() <= declared.keys()
    assert not {name: value for name, value in said.items() if below[name] == value}


def test_a_preset_stands_on_top_of_the_one_that_it_extends(presets: Path) -> None:
    (presets / "base.yaml").write_text("source: a\nepochs: 7\n")
    (presets / "middle.yaml").write_text("extends: base\nepochs: 8\nbatch_size: 3\n")
    (presets / "top.yaml").write_text("extends: middle\nbatch_size: 4\n")
    base, middle, top = (preset("classify_voxels", name) for name in ("base", "middle", "top"))
    declared = load_pipeline("classify_voxels").parameters()
    defaults = {name: one.setting.default for name, one in declared.items() if not required(one.setting)}
    assert base == {**defaults, "source": "a", "epochs": 7}
    assert middle == {**base, "epochs": 8, "batch_size": 3}
    assert top == {**middle, "batch_size": 4}
    assert EXTENDS not in top and {"base", "middle", "top"} < set(preset_names("classify_voxels"))


def test_a_preset_that_names_what_is_no_parameter(presets: Path) -> None:
    (presets / "wrong.yaml").write_text("extends: small\nepoch: 7\nrender_views: 2\n")
    with pytest.raises(
        ParameterError, match=r"^preset wrong: expected parameters of classify_voxels, got epoch, render_views$"
    ):
        preset("classify_voxels", "wrong")


def test_pipelines_and_presets_that_there_are_not() -> None:
    names = ", ".join(pipeline_names())
    with pytest.raises(ParameterError, match=f"^pipeline: expected one of {names}, got nonsense$"):
        load_pipeline("nonsense")
    with pytest.raises(
        ParameterError, match=r"^preset of reconstruct: expected one of paper, small, tiny, got nonsense$"
    ):
        preset("reconstruct", "nonsense")


def test_parameters_are_parsed_and_checked_by_what_the_stages_declare() -> None:
    def given(**text: str) -> dict[str, object]:
        found = arguments("reconstruct", "tiny", text)
        return {name: found[name] for name in text}

    assert given(render_views="3", max_skipped="0.1", accelerators="4", voxelize_centered="False") == {
        "render_views": 3, "max_skipped": 0.1, "accelerators": "4", "voxelize_centered": False,
    }  # fmt: skip
    for name, text, message in [
        ("render_views", "x", "--param render_views: expected a value of type int, got 'x'"),
        ("render_views", "3.0", "--param render_views: expected a value of type int, got '3.0'"),
        ("voxelize_centered", "1", "--param voxelize_centered: expected a value of type bool, got '1'"),
        ("nonsense", "1", "--param nonsense: expected one of accelerator_type, .*"),
        ("render_views", "201", "render_views: expected 1 to 200, got 201"),
        ("max_skipped", "nan", "max_skipped: expected 0 to 1, got nan"),
        ("depth_learning_rate", "inf", "depth_learning_rate: expected above 0, got inf"),
        ("voxelize_mode", "hollow", "voxelize_mode: expected solid, .* or winding, got hollow"),
        *(("accelerators", text, "accelerators: expected a whole number of 0 or more, such as 1, got .*")
          for text in ("one", "-1", "1.5", "", "½", '"1"')),
    ]:  # fmt: skip
        with pytest.raises(ParameterError, match=f"^{message}$"):
            given(**{name: text})


def test_settings_that_do_not_go_together_are_named_as_the_pipelines_parameters() -> None:
    for given, message in [
        ({"voxelize_resolution": "250", "voxelize_padding": "4"},
         "voxelize_resolution: expected 8 to 256, got 250 with a padding of 4"),
        ({"render_cameras": "spiral"}, "render_cameras: expected orbit, r2n2, sphere or a JSON file, got 'spiral'"),
        ({"render_passes": "depth"}, "render_passes: expected some of normals, albedo, got 'depth'"),
    ]:  # fmt: skip
        with pytest.raises(ParameterError, match=f"^{message}$"):
            arguments("reconstruct", "tiny", given)


def test_what_the_last_stage_refuses_is_an_error_before_anything_runs(tmp_path: Path) -> None:
    given = {"source": str(tmp_path), "recgan_bottleneck": "0"}
    with pytest.raises(ParameterError, match=r"^recgan_bottleneck: expected 1 or more, got 0$"):
        run_pipeline("reconstruct", "tiny", given, tmp_path / "runs", Console(quiet=True))
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("name", pipeline_names())
def test_the_check_reaches_every_stage(name: str) -> None:
    """Each of them is asked, down to the last, and what it refuses is named as the pipeline's parameter."""
    declared = load_pipeline(name)
    values = preset(name, "tiny")
    for stage in declared.prefixes:
        for parameter, setting in declared.exposed_settings(stage).items():
            wrong = 3 if setting.type is str else "x"
            message = f"^{parameter}: expected a value of type {setting.type.__name__}, got {wrong!r}$"
            with pytest.raises(ParameterError, match=message):
                declared.check({**values, parameter: wrong})


def test_what_the_last_stage_alone_can_refuse() -> None:
    """Its own check of settings that do not go together; each of them alone is allowed."""
    stages_with_prefixes = {"plan": "", "fetch": "", "voxelize": "grid_"}
    declared = Pipeline("grids", "To grids.", lambda stage: None, stages_with_prefixes)
    values = {name: one.setting.default for name, one in declared.parameters().items()} | {"source": "x"}
    declared.check(values)
    with pytest.raises(ParameterError, match=r"^grid_resolution: expected 8 to 256, got 64 with a padding of 97$"):
        declared.check({**values, "grid_padding": 97})


@pytest.mark.parametrize("name", pipeline_names())
def test_a_parameter_that_several_stages_share_has_one_meaning(name: str) -> None:
    """The same type and default in all of them; each checks it against its own range."""
    declared = load_pipeline(name)
    for parameter, (setting, users) in declared.parameters().items():
        for stage in users:
            theirs = declared.exposed_settings(stage)[parameter]
            assert (theirs.type, theirs.default) == (setting.type, setting.default), f"{parameter} of {stage}"


def test_shared_settings_are_settings() -> None:
    there = {name for stage in stages().values() for name in settings_of(stage.settings)}
    assert set(SHARED) <= there


@pytest.mark.parametrize("pipeline", ["reconstruct", "multiview", "implicit"])
def test_trainings_of_papers_keep_checkpoints_in_the_sources_bucket(pipeline: str) -> None:
    bucket = arguments(pipeline, "paper", {"source": "s3://meshes/of/chairs"})
    assert bucket["checkpoints"] == "s3://meshes/shapeyard-checkpoints"
    assert bucket["checkpoint_minutes"] == 5.0
    assert arguments(pipeline, "paper", {"source": "procedural://"})["checkpoints"] == ""
    mine = arguments(pipeline, "paper", {"source": "s3://meshes", "checkpoints": "s3://models/mine"})
    assert mine["checkpoints"] == "s3://models/mine"
    assert arguments(pipeline, "tiny", {})["checkpoints"] == ""
