"""The compiled pipelines: committed, complete, and of the form that all runners understand."""

from pathlib import Path

import pytest

from components.cli import load_stage
from components.images import STACK_OF_STAGE, image
from pipelines.ir import (
    FOLDER,
    compile_pipeline,
    dump,
    parameters_of,
    parse_parameters,
    pipeline_names,
    preset,
    stages_of,
    with_images,
)
from shapeyard.errors import ParameterError

TRAINING = {"train_depth", "train_recgan", "train_classifier"}


@pytest.mark.parametrize("name", pipeline_names())
def test_committed_ir_is_what_compiles(name: str) -> None:
    committed = (FOLDER / "compiled" / f"{name}.yaml").read_text(encoding="utf-8")
    assert dump(compile_pipeline(name)) == committed, "run `shapeyard compile` and commit what it wrote"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("presets/*/*.yaml")), ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_a_preset_gives_every_parameter_and_no_other(path: Path) -> None:
    types = parameters_of(compile_pipeline(path.parent.name))
    values = preset(path.parent.name, path.stem)
    assert set(values) == set(types)
    python = {"STRING": str, "NUMBER_INTEGER": int, "NUMBER_DOUBLE": float, "BOOLEAN": bool}
    for parameter, value in values.items():
        assert type(value) is python[types[parameter]], f"{parameter}: {value!r}"
    assert len(str(values)) < 10_000  # the API server's limit for all parameters of a run


@pytest.mark.parametrize("name", pipeline_names())
def test_every_component_parameter_is_given(name: str) -> None:
    """The API server fails on a default that a pipeline left out."""
    ir = compile_pipeline(name)[0]
    for component in (ir["root"], *ir["components"].values()):
        for task, spec in component.get("dag", {}).get("tasks", {}).items():
            called = ir["components"][spec["componentRef"]["name"]]
            wanted = set(called.get("inputDefinitions", {}).get("parameters", {}))
            given = set(spec.get("inputs", {}).get("parameters", {}))
            iterated = {spec.get("parameterIterator", {}).get("itemInput")}
            assert wanted - given <= iterated, task


@pytest.mark.parametrize("name", pipeline_names())
def test_nothing_in_a_loop_takes_an_output_from_outside(name: str) -> None:
    """Local runs would silently put the loop's item in its place."""
    ir = compile_pipeline(name)[0]
    loops = {n: s for n, s in ir["root"]["dag"]["tasks"].items() if "parameterIterator" in s}
    assert loops
    for spec in loops.values():
        items = spec["parameterIterator"]["items"]["inputParameter"]
        for parameter, source in spec["inputs"].get("parameters", {}).items():
            assert "componentInputParameter" in source or parameter == items
        assert not spec["inputs"].get("artifacts")


@pytest.mark.parametrize("name", pipeline_names())
def test_accelerators_on_training_stages_and_on_no_other(name: str) -> None:
    for executor in compile_pipeline(name)[0]["deploymentSpec"]["executors"].values():
        container = executor["container"]
        accelerator = container.get("resources", {}).get("accelerator", {})
        stage = container["image"].partition(":")[0].removeprefix("shapeyard/").replace("-", "_")
        assert bool(accelerator) == (stage in TRAINING)
        if accelerator:
            assert "accelerator_type" in accelerator["resourceType"]
            assert "accelerators" in accelerator["resourceCount"]


@pytest.mark.parametrize("name", pipeline_names())
def test_plan_is_never_cached(name: str) -> None:
    tasks = compile_pipeline(name)[0]["root"]["dag"]["tasks"]
    assert not tasks["plan"]["cachingOptions"].get("enableCache")
    assert all(spec["cachingOptions"].get("enableCache") for task, spec in tasks.items() if task in TRAINING)


def test_images() -> None:
    ir = compile_pipeline("reconstruct")
    stages = stages_of(ir)
    assert stages == [stage for stage in STACK_OF_STAGE if stage in stages] and "train_recgan" in stages
    changed = with_images(ir, lambda stage: f"registry:5000/{stage.replace('_', '-')}@sha256:0")
    assert stages_of(changed) == stages
    assert image("train_depth").startswith("shapeyard/train-depth:")


def test_every_stage_is_part_of_a_pipeline() -> None:
    called = {stage for name in pipeline_names() for stage in stages_of(compile_pipeline(name))}
    assert called == set(STACK_OF_STAGE)


@pytest.mark.parametrize("stage", STACK_OF_STAGE)
def test_one_word_everywhere(stage: str) -> None:
    component = load_stage(stage)
    assert component.python_func.__name__ == stage
    assert component.component_spec.implementation.container.image == image(stage)


def test_parameters_are_parsed() -> None:
    ir = compile_pipeline("reconstruct")
    assert parse_parameters(ir, {"views": "3", "max_skipped": "0.1"}) == {"views": 3, "max_skipped": 0.1}
    with pytest.raises(ParameterError, match="--param views: expected a value of type integer, got 'x'"):
        parse_parameters(ir, {"views": "x"})
    with pytest.raises(ParameterError, match="--param nonsense: expected one of"):
        parse_parameters(ir, {"nonsense": "1"})
    with pytest.raises(ParameterError, match="pipeline: expected one of"):
        compile_pipeline("nonsense")
    with pytest.raises(ParameterError, match="preset: expected one of"):
        preset("reconstruct", "nonsense")
