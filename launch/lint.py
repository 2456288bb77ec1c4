"""What is wrong with a compiled pipeline before a cluster sees it: `shapeyard compile --check`.

KFP's compiler accepts all of it, and its backend (2.17) fails late or says nothing at all. Each finding is one line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from components import stages as all_stages
from launch.ir import IR, stage_of_image
from shapeyard.contracts.stage import Stage, settings_of

PLACEHOLDER = re.compile(r"\{\{\$\.inputs\.parameters\['(.+?)'\]\}\}")
DIGEST = re.compile(r"@sha256:[0-9a-f]{64}$")
MUTABLE_TAGS = frozenset({"latest", "main", "master", "dev", "edge", "nightly", "stable"})
SECRET_NAME = re.compile(r"SECRET|TOKEN|PASSWORD|PASSWD|CREDENTIAL|ACCESS_KEY", re.IGNORECASE)
SECRET_VALUE = re.compile(r"\b(AKIA|ASIA)[0-9A-Z]{16}\b|-----BEGIN [A-Z ]*PRIVATE KEY-----|\bhf_\w{30,}|\bghp_\w{36}\b")
LAUNCHERS = re.compile(r"(AWS|GOOGLE|AZURE)_")
"""What KFP's launcher reads as well, which runs in the stage's container and uploads its artifacts."""
QUANTITY = re.compile(r"\d+(\.\d+)?(m|[KMGT]i?)?")


def findings(ir: IR) -> list[str]:
    """What is wrong with a pipeline.

    Args:
        ir: both documents, as `launch.ir.compile_pipeline` gives them.

    Returns:
        A line each, `task: expected …, got …`; none if nothing is wrong.
    """
    spec, platform = ir[0], _platform(ir)
    found = []
    for place, task in _tasks(spec):
        name = task["taskInfo"]["name"]
        component = spec["components"][task["componentRef"]["name"]]
        found += [f"{name}: {line}" for line in _not_passed(task, component)]
        if "executorLabel" not in component:
            continue
        label = component["executorLabel"]
        container, pod = spec["deploymentSpec"]["executors"][label]["container"], platform.get(label, {})
        image = container["image"]
        stage = all_stages().get(stage_of_image(image))
        lines = [*_image(image), *_resources(container), *_secrets(task, container, pod), *_attempts(task, pod)]
        lines += [line for value in _strings([container.get("resources"), image, pod])
                  for line in _not_a_string(spec, place, task, value)]  # fmt: skip
        lines += _stage(stage, container, pod) if stage else []
        found += [f"{name}: {line}" for line in lines]
    return list(dict.fromkeys(found))


def _origin(spec: Mapping[str, Any], place: str, task: Mapping[str, Any], name: str) -> tuple[str, Any]:
    """Where a task's input comes from: constant and the value, parameter and the pipeline's name of it, or output."""
    given = task.get("inputs", {}).get("parameters", {}).get(name, {})
    if "runtimeValue" in given:
        return "constant", given["runtimeValue"].get("constant")
    if "componentInputParameter" not in given:
        return "output", given.get("taskOutputParameter", {}).get("producerTask")
    outer: str = given["componentInputParameter"]
    if place == "root":
        return "parameter", outer
    for above, caller in _tasks(spec):
        if caller["componentRef"]["name"] == place:
            return _origin(spec, above, caller, outer)
    return "output", outer


def _tasks(spec: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every task with the component that holds it."""
    for place, component in (("root", spec["root"]), *spec["components"].items()):
        for task in component.get("dag", {}).get("tasks", {}).values():
            yield place, task


def _platform(ir: IR) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for document in ir[1:]:
        found |= document["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    return found


def _not_passed(task: Mapping[str, Any], component: Mapping[str, Any]) -> Iterator[str]:
    """The API server fails on a default of a component that the pipeline left out."""
    wanted = set(component.get("inputDefinitions", {}).get("parameters", {}))
    given = set(task.get("inputs", {}).get("parameters", {}))
    for name in sorted(wanted - given - {task.get("parameterIterator", {}).get("itemInput")}):
        yield f"{name}: expected a value from the pipeline, got none: its default is not one for KFP's server"


def _image(image: str) -> Iterator[str]:
    if DIGEST.search(image):
        return
    _, separator, tag = image.rpartition("/")[2].partition(":")
    if not separator or tag in MUTABLE_TAGS:
        yield f"image: expected a digest or a version's tag, got {image}: KFP's cache goes by the name"


def _resources(container: Mapping[str, Any]) -> Iterator[str]:
    resources = container.get("resources", {})
    for kind in ("Cpu", "Memory"):
        for bound in ("Request", "Limit"):
            value = resources.get(f"resource{kind}{bound}", "")
            if not (QUANTITY.fullmatch(value) or PLACEHOLDER.fullmatch(value)):
                yield f"{kind.lower()} {bound.lower()}: expected a quantity such as 500m or 4Gi, got {value or 'none'}"
    accelerator = resources.get("accelerator")
    if accelerator is not None:
        for field, what in (("resourceType", "type"), ("resourceCount", "limit")):
            if not accelerator.get(field):
                yield f"accelerator: expected a type and a limit, got no {what}: KFP then asks for none, silently"


def _not_a_string(spec: Mapping[str, Any], place: str, task: Mapping[str, Any], value: str) -> Iterator[str]:
    """The driver takes the string value of what reaches the pod; that of a number is empty."""
    for name in PLACEHOLDER.findall(value):
        source, origin = _origin(spec, place, task, name)
        if source == "constant":
            if isinstance(origin, str):
                yield from _not_a_string(spec, place, task, origin)
            else:
                yield f"{name}: expected a string, got {origin!r}: KFP's driver would leave it out of the pod"
        elif source == "parameter":
            kind = spec["root"]["inputDefinitions"]["parameters"][origin]["parameterType"]
            if kind != "STRING":
                yield f"{origin}: expected the type STRING, got {kind}: KFP's driver would leave it out of the pod"


def _secrets(task: Mapping[str, Any], container: Mapping[str, Any], pod: Mapping[str, Any]) -> Iterator[str]:
    for variable in container.get("env", ()):
        if SECRET_NAME.search(variable["name"]) and variable.get("value"):
            yield f"{variable['name']}: expected a reference to a secret, got its value in plain text"
    references = [
        pair for kind in ("secretAsEnv", "configMapAsEnv") for one in pod.get(kind, ()) for pair in one["keyToEnv"]
    ]
    for name in (*(one["envVar"] for one in references), *(one["name"] for one in container.get("env", ()))):
        if LAUNCHERS.match(name):
            yield f"{name}: expected a variable that KFP's launcher does not read: it would store artifacts with it"
    for value in _strings([container.get("env"), container.get("args"), task.get("inputs"), pod]):
        if SECRET_VALUE.search(value):
            yield "expected a reference to a secret, got what looks like a key in plain text"


def _attempts(task: Mapping[str, Any], pod: Mapping[str, Any]) -> Iterator[str]:
    """Argo's `maxDuration` ends all attempts together."""
    retry, deadline = task.get("retryPolicy"), int(pod.get("activeDeadlineSeconds", 0))
    if not deadline:
        yield "expected a deadline, got none"
    if not retry:
        yield "expected a retry policy, got none"
    elif int(retry.get("backoffMaxDuration", "0s").rstrip("s")) <= (retry["maxRetryCount"] + 1) * deadline:
        yield "expected more time for all attempts together than their deadlines: Argo would end the last one"


def _stage(stage: Stage, container: Mapping[str, Any], pod: Mapping[str, Any]) -> Iterator[str]:
    """What holds for a stage of ours, by what it declares."""
    if "accelerator" in container.get("resources", {}) and not stage.uses_accelerator:
        yield "accelerator: expected none on a stage that runs no network, got one"
    if "checkpoints" in settings_of(stage.settings):
        mounts = {mount["mountPath"]: mount.get("medium") for mount in pod.get("emptyDirMounts", ())}
        if mounts.get("/dev/shm") != "Memory":  # noqa: S108 - where shared memory is mounted
            yield "expected shared memory at /dev/shm for a training, got none: its loader would find 64 MB"
    if not pod.get("securityContext", {}).get("runAsNonRoot"):
        yield "expected runAsNonRoot, got none"


def _strings(value: Any) -> Iterator[str]:
    """All strings in JSON values."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _strings(part)
    elif isinstance(value, list):
        for part in value:
            yield from _strings(part)
