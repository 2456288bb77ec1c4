"""`component.py` of every stage is what its declaration derives, and is the declaration as KFP reads it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from components import FOLDER, stages, what_it_does
from launch import component_files
from launch.component_files import FIGURES, VALUES, component_source, write_component_files
from launch.images import release_image
from launch.stage_commands import load_stage
from shapeyard.contracts.stage import required, settings_of

KINDS = {str: "String", int: "Integer", float: "Float", bool: "Boolean"}
"""What KFP calls Python's types."""


@pytest.mark.parametrize("name", stages())
def test_the_committed_file_is_what_the_declaration_derives(name: str) -> None:
    committed = (FOLDER / name / "component.py").read_text(encoding="utf-8")
    assert component_source(name, stages()[name]) == committed, "run `shapeyard compile` and commit what it wrote"


def test_files_are_written_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(component_files, "FOLDER", tmp_path)
    for name in stages():
        (tmp_path / name).mkdir()
    assert write_component_files() == [tmp_path / name / "component.py" for name in stages()]
    assert write_component_files() == []
    (tmp_path / "fetch" / "component.py").write_text("# by hand\n")
    (tmp_path / "plan" / "component.py").unlink()
    assert write_component_files() == [tmp_path / name / "component.py" for name in ("fetch", "plan")]
    for name in stages():
        written = (tmp_path / name / "component.py").read_text(encoding="utf-8")
        assert written == (FOLDER / name / "component.py").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", stages())
def test_kfp_reads_what_is_declared(name: str) -> None:
    declared, component = stages()[name], load_stage(name)
    spec = component.component_spec
    settings = settings_of(declared.settings)
    assert component.python_func.__name__ == name
    assert spec.implementation.container.image == release_image(name)
    assert spec.description.split() == what_it_does(name).split()
    assert set(spec.inputs or {}) == {*declared.inputs, *settings}
    assert set(spec.outputs or {}) - {"Output"} == set(declared.outputs)
    assert ("Output" in (spec.outputs or {})) is (declared.gives_items or declared.in_loop)
    for parameter, setting in settings.items():
        given = spec.inputs[parameter]
        assert given.optional is not required(setting)
        assert required(setting) or given.default == setting.default
        assert type(given.default) is setting.type or required(setting)
        assert given.type == KINDS[setting.type]
    for artifact, one in declared.inputs.items():
        assert not spec.inputs[artifact].is_artifact_list, "KFP would hand a list over in a command line"
        assert spec.inputs[artifact].optional is one.optional
        assert one.schema in spec.inputs[artifact].type.title() or one.schema in VALUES


@pytest.mark.parametrize("name", stages())
def test_lines_are_short_and_figures_are_logged(name: str) -> None:
    source = component_source(name, stages()[name])
    ast.parse(source)
    assert all(len(line) <= component_files.WIDTH for line in source.splitlines())
    for schema, function in zip(FIGURES, ("log_metrics(", "log_confusion("), strict=True):
        has = any(output.schema == schema for output in stages()[name].outputs.values())
        assert (function in source) is has
