"""Pipelines as compiled by KFP: the intermediate representation that all runners and the cluster take."""

from __future__ import annotations

import importlib
import re
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml
from kfp import compiler

from components.images import STACK_OF_STAGE
from shapeyard.errors import ParameterError

FOLDER = Path(__file__).resolve().parent
IR = list[dict[str, Any]]
"""The documents of a compiled pipeline: the pipeline spec, then, where there is one, the platform spec."""
WHOLE_NUMBER = re.compile("0|[1-9][0-9]*")
"""Of accelerators: a string in every pipeline, since KFP's driver reads no other type and leaves a number out."""


def pipeline_names() -> list[str]:
    """The pipelines, sorted."""
    return sorted(path.parent.name for path in FOLDER.glob("presets/*/tiny.yaml"))


def compile_pipeline(name: str) -> IR:
    """Compile a pipeline, with the release images and with the values of the preset `small` as defaults.

    So the committed YAML runs as it is, given a source. The defaults are the pipeline's, which the API server fills in
    itself; every stage is still given every parameter.

    Raises:
        ParameterError: if there is no such pipeline.
    """
    if name not in pipeline_names():
        raise ParameterError(f"pipeline: expected one of {', '.join(pipeline_names())}, got {name}")
    pipeline = getattr(importlib.import_module(f"pipelines.{name}"), name)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pipeline.yaml"
        compiler.Compiler().compile(pipeline, str(path))
        ir: IR = list(yaml.safe_load_all(path.read_text(encoding="utf-8")))
    inputs = ir[0]["root"]["inputDefinitions"]["parameters"]
    for parameter, value in preset(name, "small").items():
        if parameter in inputs and parameter != "source":
            inputs[parameter].update(defaultValue=value, isOptional=True)
    return ir


def preset(pipeline: str, name: str) -> dict[str, Any]:
    """The parameters of a preset.

    Raises:
        ParameterError: if there is no such preset.
    """
    there = sorted(path.stem for path in (FOLDER / "presets" / pipeline).glob("*.yaml"))
    if name not in there:
        raise ParameterError(f"preset: expected one of {', '.join(there)}, got {name}")
    text = (FOLDER / "presets" / pipeline / f"{name}.yaml").read_text(encoding="utf-8")
    values: dict[str, Any] = yaml.safe_load(text)
    return values


def parameters_of(ir: IR) -> dict[str, str]:
    """The pipeline's parameters and their KFP types (STRING, NUMBER_INTEGER, NUMBER_DOUBLE, BOOLEAN)."""
    inputs = ir[0]["root"].get("inputDefinitions", {}).get("parameters", {})
    return {name: spec["parameterType"] for name, spec in inputs.items()}


def parse_parameters(ir: IR, given: Mapping[str, str]) -> dict[str, Any]:
    """Turn `k=v` strings into values of the pipeline's types.

    Raises:
        ParameterError: for an unknown name, a value of another type, or a number of accelerators that is none.
    """
    types = parameters_of(ir)
    values: dict[str, Any] = {}
    for name, text in given.items():
        if name not in types:
            raise ParameterError(f"--param {name}: expected one of {', '.join(sorted(types))}")
        try:
            values[name] = _PARSERS[types[name]](text)
        except (ValueError, KeyError):
            kind = types[name].removeprefix("NUMBER_").lower()
            raise ParameterError(f"--param {name}: expected a value of type {kind}, got {text!r}") from None
        if name == "accelerators" and not WHOLE_NUMBER.fullmatch(text):
            raise ParameterError(f"--param {name}: expected a whole number of 0 or more, got {text!r}")
    return values


def stages_of(ir: IR) -> list[str]:
    """The stages that a pipeline calls, in the order of their names in `STACK_OF_STAGE`."""
    named = {stage_of_image(e["container"]["image"]) for e in _executors(ir).values()}
    return [stage for stage in STACK_OF_STAGE if stage in named]


def task_names(ir: IR) -> set[str]:
    """The names of the tasks that run a stage, in loops as well, as a cluster shows them."""
    components = ir[0]["components"]
    return {
        name
        for component in (ir[0]["root"], *components.values())
        for name, task in component.get("dag", {}).get("tasks", {}).items()
        if "executorLabel" in components[task["componentRef"]["name"]]
    }


def stages_in_loops(ir: IR) -> set[str]:
    """The stages that a ParallelFor calls, once a shard."""
    loops = [component for name, component in ir[0]["components"].items() if name.startswith("comp-for-loop")]
    return {_stage_of_task(task) for loop in loops for task in loop["dag"]["tasks"].values()}


def stages_behind(ir: IR) -> dict[str, set[str]]:
    """For each stage all stages that wait for it, directly or not."""
    after: dict[str, set[str]] = {stage: set() for stage in stages_of(ir)}

    def collect(tasks: Mapping[str, Any]) -> None:
        members = {name: _stages_of_call(ir, task) for name, task in tasks.items()}
        for name, task in tasks.items():
            for earlier in task.get("dependentTasks", ()):
                for stage in members[earlier]:
                    after[stage] |= members[name]
            inner = ir[0]["components"][task["componentRef"]["name"]].get("dag")
            if inner:
                collect(inner["tasks"])

    collect(ir[0]["root"]["dag"]["tasks"])
    for _ in after:  # as many rounds as the longest chain can have
        for stage in after:
            after[stage] |= {later for direct in after[stage] for later in after[direct]}
    return after


def with_images(ir: IR, image_of_stage: Callable[[str], str]) -> IR:
    """The same pipeline with other images."""
    for executor in _executors(ir).values():
        container = executor["container"]
        container["image"] = image_of_stage(stage_of_image(container["image"]))
    return ir


def without_retries(ir: IR) -> IR:
    """The same pipeline with every stage tried once: on one machine a failure is looked at, not repeated."""
    for component in (ir[0]["root"], *ir[0].get("components", {}).values()):
        for task in component.get("dag", {}).get("tasks", {}).values():
            task.pop("retryPolicy", None)
    return ir


def on_accelerator_nodes(ir: IR, labels: Mapping[str, str]) -> IR:
    """The same pipeline with its training stages on nodes with these labels: where a cluster has several kinds."""
    platform: dict[str, Any] = ir[1]["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    for name, executor in _executors(ir).items():
        if "accelerator" in executor["container"].get("resources", {}):
            platform[name]["nodeSelector"] = {"labels": dict(labels)}
    return ir


def dump(ir: IR) -> str:
    """As YAML text."""
    return yaml.safe_dump_all(ir, sort_keys=True, width=120)


def _executors(ir: IR) -> dict[str, Any]:
    executors: dict[str, Any] = ir[0]["deploymentSpec"]["executors"]
    return executors


def stage_of_image(image: str) -> str:
    """The stage whose image this is, whatever the registry, tag or digest."""
    return re.split("[:@]", image.rpartition("/")[2])[0].replace("-", "_")


def _stage_of_task(task: Mapping[str, Any]) -> str:
    name: str = task["componentRef"]["name"]
    return name.removeprefix("comp-").replace("-", "_")


def _stages_of_call(ir: IR, task: Mapping[str, Any]) -> set[str]:
    """The stage that a task calls, or those inside the loop that it is."""
    inner = ir[0]["components"][task["componentRef"]["name"]].get("dag")
    return {_stage_of_task(t) for t in inner["tasks"].values()} if inner else {_stage_of_task(task)}


def _boolean(text: str) -> bool:
    return {"true": True, "false": False}[text.lower()]


_PARSERS: dict[str, Callable[[str], Any]] = {
    "STRING": str,
    "NUMBER_INTEGER": int,
    "NUMBER_DOUBLE": float,
    "BOOLEAN": _boolean,
}
