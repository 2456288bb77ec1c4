"""Pipelines as compiled by KFP: the intermediate representation that all runners and the cluster take."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from kfp import compiler

from launch.parameters import FOLDER, load_pipeline, preset

IR = list[dict[str, Any]]
"""The documents of a compiled pipeline: the pipeline spec, then, where there is one, the platform spec."""
COMPILED = FOLDER / "compiled"


def compile_pipeline(name: str) -> IR:
    """Compile a pipeline, with the release images and with the values of the preset `small` as defaults.

    So the committed YAML runs as it is, given a source. The defaults are the pipeline's, which the API server fills in
    itself; every stage is still given every parameter.

    Raises:
        ParameterError: if there is no such pipeline.
    """
    ir: IR = list(yaml.load_all(_compiled(name), yaml.CSafeLoader))
    inputs = ir[0]["root"]["inputDefinitions"]["parameters"]
    for parameter, value in preset(name, "small").items():
        if parameter in inputs and parameter != "source":
            inputs[parameter].update(defaultValue=value, isOptional=True)
    return ir


@cache
def _compiled(name: str) -> str:
    """What KFP's compiler makes of a pipeline; it looks through the whole call stack for every resource of a task."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pipeline.yaml"
        compiler.Compiler().compile(load_pipeline(name).compiled(), str(path))
        return path.read_text(encoding="utf-8")


def stages_of(ir: IR) -> list[str]:
    """The stages that a pipeline calls, in the order in which it declares them."""
    named = {stage_of_image(e["container"]["image"]) for e in _executors(ir).values()}
    declared = load_pipeline(ir[0]["pipelineInfo"]["name"].replace("-", "_")).prefixes
    return [stage for stage in declared if stage in named]


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
    return {_stage_of_task(ir, task) for loop in loops for task in loop["dag"]["tasks"].values()}


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


def _stage_of_task(ir: IR, task: Mapping[str, Any]) -> str:
    """A stage that is called several times has a component for each call, so it goes by the image."""
    label: str = ir[0]["components"][task["componentRef"]["name"]]["executorLabel"]
    return stage_of_image(_executors(ir)[label]["container"]["image"])


def _stages_of_call(ir: IR, task: Mapping[str, Any]) -> set[str]:
    """The stage that a task calls, or those inside the loop that it is."""
    inner = ir[0]["components"][task["componentRef"]["name"]].get("dag")
    return {_stage_of_task(ir, one) for one in inner["tasks"].values()} if inner else {_stage_of_task(ir, task)}
