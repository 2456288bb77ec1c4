"""The compiled pipelines: committed, complete, and of the form that all runners understand."""

import re
from copy import deepcopy
from functools import cache
from typing import Any

import pytest
from google.protobuf import json_format, struct_pb2

from components import stages
from launch.images import release_image
from launch.ir import (
    COMPILED,
    IR,
    compile_pipeline,
    dump,
    on_accelerator_nodes,
    stages_of,
    task_names,
    with_images,
    without_retries,
)
from launch.parameters import arguments, load_pipeline, pipeline_names, preset
from launch.stage_commands import load_stage
from pipelines.pods import (
    ARTIFACTS_KEYS,
    ARTIFACTS_SECRET,
    ARTIFACTS_SECRET_KEYS,
    CONFIG_MAP,
    CONFIG_MAP_KEYS,
    SECRET,
    SECRET_KEYS,
)

TRAINING = {stage for stage in stages() if stage.startswith("train_")}
ACCELERATED = {name for name, stage in stages().items() if stage.uses_accelerator}
USES_BUCKET = {"plan", "fetch", *TRAINING}
QUANTITY = re.compile(r"\d+m?|\d+[MG]i")


@cache
def _compiled(name: str) -> IR:
    return compile_pipeline(name)


def compiled(name: str) -> IR:
    """A pipeline, compiled once, and a copy for every test."""
    return deepcopy(_compiled(name))


def containers(ir: IR) -> dict[str, dict[str, Any]]:
    """The container of every stage, in the first document."""
    executors = ir[0]["deploymentSpec"]["executors"].values()
    return {
        executor["container"]["image"].partition(":")[0].removeprefix("shapeyard/").replace("-", "_"): executor[
            "container"
        ]
        for executor in executors
    }


def pods(ir: IR) -> dict[str, dict[str, Any]]:
    """What KFP puts into every stage's pod, in the second document."""
    executors = ir[1]["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    return {stage_of(name.removeprefix("exec-")): pod for name, pod in executors.items()}


def stage_of(name: str) -> str:
    """A stage that is called several times has the number of the call behind its name."""
    return re.sub(r"-\d+$", "", name).replace("-", "_")


def calls(ir: IR) -> dict[str, dict[str, Any]]:
    """Every task that calls a stage, in the pipeline and in its loops."""
    components = [ir[0]["root"], *ir[0]["components"].values()]
    tasks = [task for component in components for task in component.get("dag", {}).get("tasks", {}).items()]
    return {stage_of(name): task for name, task in tasks if not name.startswith("for-loop")}


@pytest.mark.parametrize("name", pipeline_names())
def test_committed_ir_is_what_compiles(name: str) -> None:
    committed = (COMPILED / f"{name}.yaml").read_text(encoding="utf-8")
    assert dump(compile_pipeline(name)) == committed, "run `shapeyard compile` and commit what it wrote"


def parameters_of(ir: IR) -> dict[str, str]:
    """The types of the pipeline's parameters as KFP names them."""
    inputs = ir[0]["root"]["inputDefinitions"]["parameters"]
    return {name: one["parameterType"] for name, one in inputs.items()}


@pytest.mark.parametrize("name", pipeline_names())
def test_the_declared_parameters_are_those_that_are_compiled(name: str) -> None:
    types = {"STRING": str, "NUMBER_INTEGER": int, "NUMBER_DOUBLE": float, "BOOLEAN": bool}
    found = {parameter: types[kind] for parameter, kind in parameters_of(compiled(name)).items()}
    assert found == {p: one.setting.type for p, one in load_pipeline(name).parameters().items()}


@pytest.mark.parametrize("name", pipeline_names())
def test_the_defaults_are_the_preset_small_without_its_source(name: str) -> None:
    inputs = compiled(name)[0]["root"]["inputDefinitions"]["parameters"]
    optional = {parameter: spec["defaultValue"] for parameter, spec in inputs.items() if spec.get("isOptional")}
    assert "defaultValue" not in inputs["source"]
    assert {**optional, "source": preset(name, "small")["source"]} == preset(name, "small")


def test_task_names_are_those_of_the_stages() -> None:
    ir = compiled("reconstruct")
    expected = {stage.replace("_", "-") for stage in stages_of(ir)}
    assert task_names(ir) == expected | {"gather-2", "gather-3"}, "one for meshes, renders, voxels"


@pytest.mark.parametrize("name", pipeline_names())
def test_no_task_takes_a_list_from_the_loop(name: str) -> None:
    """But `gather`, which takes a line of text a shard; what is behind it takes one artifact a kind."""
    ir = compiled(name)[0]
    for component in ir["components"].values():
        inputs = component.get("inputDefinitions", {})
        assert not [key for key, one in inputs.get("artifacts", {}).items() if one.get("isArtifactList")]
    behind = {
        task["taskInfo"]["name"]: [one["taskOutputArtifact"]["producerTask"] for one in
                                   task.get("inputs", {}).get("artifacts", {}).values()]
        for task in ir["root"]["dag"]["tasks"].values()
    }  # fmt: skip
    assert not [task for task, producers in behind.items() if any(one.startswith("for-loop") for one in producers)]
    for task, producers in behind.items():
        gathered = [one for one in producers if one.startswith("gather")]
        assert len(set(gathered)) == len(gathered), task
    gathers = [task for task in ir["root"]["dag"]["tasks"].values() if task["taskInfo"]["name"].startswith("gather")]
    assert gathers
    for task in gathers:
        assert task["inputs"]["parameters"]["places"]["taskOutputParameter"]["producerTask"].startswith("for-loop")


@pytest.mark.parametrize("name", pipeline_names())
def test_every_component_parameter_is_given(name: str) -> None:
    """The API server fails on a default that a pipeline left out."""
    ir = compiled(name)[0]
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
    ir = compiled(name)[0]
    loops = {n: s for n, s in ir["root"]["dag"]["tasks"].items() if "parameterIterator" in s}
    assert loops
    for spec in loops.values():
        items = spec["parameterIterator"]["items"]["inputParameter"]
        for parameter, source in spec["inputs"].get("parameters", {}).items():
            assert "componentInputParameter" in source or parameter == items
        assert not spec["inputs"].get("artifacts")


@pytest.mark.parametrize("name", pipeline_names())
def test_accelerators_on_training_stages_and_on_no_other(name: str) -> None:
    ir = compiled(name)
    for stage, container in containers(ir).items():
        accelerator = container["resources"].get("accelerator", {})
        assert bool(accelerator) == (stage in ACCELERATED)
        tolerated = {toleration["key"] for toleration in pods(ir)[stage].get("tolerations", ())}
        assert tolerated == ({"nvidia.com/gpu", "amd.com/gpu"} if stage in ACCELERATED else set())
        if accelerator:
            assert "accelerator_type" in accelerator["resourceType"]
            assert type_of_value(ir, stage, accelerator["resourceCount"]) == ("accelerators", "STRING")


def type_of_value(ir: IR, stage: str, value: str) -> tuple[str, str]:
    """The pipeline's parameter that a placeholder in a stage's container stands for, and its type."""
    reference = re.fullmatch(r"\{\{\$\.inputs\.parameters\['(.+)'\]\}\}", value)
    assert reference
    name = calls(ir)[stage]["inputs"]["parameters"][reference[1]]["componentInputParameter"]
    return name, parameters_of(ir)[name]


PLACEHOLDER = re.compile(r"\{\{\$\.inputs\.parameters\['(.+)'\]\}\}")


def in_the_pod(task: dict[str, Any], value: str, given: dict[str, Any]) -> str:
    """What becomes of a value of a container's resources, by KFP's driver.

    It looks the placeholder's name up among the task's inputs and takes the protobuf value's string, which is empty
    for a number; an empty count leaves the limit out. An input that is a constant is looked up the same way.
    """
    while reference := PLACEHOLDER.fullmatch(value):
        source = task["inputs"]["parameters"][reference[1]]
        found = source["runtimeValue"]["constant"] if "runtimeValue" in source else given[
            source["componentInputParameter"]
        ]  # fmt: skip
        message = json_format.ParseDict(found, struct_pb2.Value())
        value = message.string_value
    return value


@pytest.mark.parametrize("name", pipeline_names())
def test_a_training_gets_the_accelerators_that_were_asked_for(name: str) -> None:
    """The way from the run's parameters to the limits of the pod, as KFP's driver goes it."""
    ir = compiled(name)
    given = arguments(name, "small", {"accelerators": "1"})
    for stage in ACCELERATED & set(pods(ir)):
        task, resources = calls(ir)[stage], containers(ir)[stage]["resources"]
        asked = resources["accelerator"]
        limit = {in_the_pod(task, asked["resourceType"], given): in_the_pod(task, asked["resourceCount"], given)}
        assert limit == {"nvidia.com/gpu": "1"}
        number = {in_the_pod(task, asked["resourceCount"], given | {"accelerators": 1})}
        assert number == {""}, "so it has to be a string"
        for bound in ("resourceCpuLimit", "resourceMemoryLimit"):
            assert in_the_pod(task, resources[bound], given)


@pytest.mark.parametrize("name", pipeline_names())
def test_requests_and_limits(name: str) -> None:
    for stage, container in containers(compiled(name)).items():
        resources = container["resources"]
        for kind in ("Cpu", "Memory"):
            request, limit = resources[f"resource{kind}Request"], resources[f"resource{kind}Limit"]
            assert QUANTITY.fullmatch(request)
            assert QUANTITY.fullmatch(limit)
            assert 0 < resources[f"{kind.lower()}Request"] <= resources[f"{kind.lower()}Limit"], stage


@pytest.mark.parametrize("name", pipeline_names())
def test_credentials_by_reference_where_a_store_is_read(name: str) -> None:
    """The source's for what reads it or writes checkpoints, that of KFP's artifacts for what reads all shards."""
    ir = compiled(name)
    for stage, pod in pods(ir).items():
        secrets, settings = {}, []
        if stage in USES_BUCKET:
            secrets[SECRET] = {key: key for key in SECRET_KEYS}
            settings += CONFIG_MAP_KEYS
        if stages()[stage].reads_shards:
            secrets[ARTIFACTS_SECRET] = ARTIFACTS_SECRET_KEYS
            settings += ARTIFACTS_KEYS
        assert {one["secretName"]: {pair["secretKey"]: pair["envVar"] for pair in one["keyToEnv"]}
                for one in pod.get("secretAsEnv", ())} == secrets  # fmt: skip
        found = [pair for one in pod.get("configMapAsEnv", ()) for pair in one["keyToEnv"]]
        assert found == [{"configMapKey": key, "envVar": key} for key in settings]
        assert all(one["optional"] for kind in ("secretAsEnv", "configMapAsEnv") for one in pod.get(kind, ()))
        assert all(one["configMapName"] == CONFIG_MAP for one in pod.get("configMapAsEnv", ()))
        assert "secretAsVolume" not in pod
    assert not any("env" in container for container in containers(ir).values()), "no value is written down"


@pytest.mark.parametrize("name", pipeline_names())
def test_shared_memory_for_training(name: str) -> None:
    ir = compiled(name)
    for stage, pod in pods(ir).items():
        mounts = pod.get("emptyDirMounts", [])
        assert len(mounts) == (stage in TRAINING)
        for mount in mounts:
            assert (mount["mountPath"], mount["medium"]) == ("/dev/shm", "Memory")
            size, memory = (
                int(text.removesuffix("Gi")) for text in (mount["sizeLimit"], stages()[stage].resources.memory[1])
            )
            assert size <= memory / 4, "it counts as the container's memory"


@pytest.mark.parametrize("name", pipeline_names())
def test_every_stage_has_a_deadline_and_tries_again_within_it(name: str) -> None:
    ir = compiled(name)
    assert set(calls(ir)) == set(pods(ir)) == set(containers(ir))
    for stage, task in calls(ir).items():
        deadline = int(pods(ir)[stage]["activeDeadlineSeconds"])
        retry = task["retryPolicy"]
        assert deadline >= 3600
        assert retry["maxRetryCount"] >= 1
        assert retry["backoffDuration"] == "60s"
        window = int(retry["backoffMaxDuration"].removesuffix("s"))
        assert window > (retry["maxRetryCount"] + 1) * deadline, "Argo would end a retry that still may run"
        assert window < 2**31


@pytest.mark.parametrize("name", pipeline_names())
def test_nothing_runs_as_root(name: str) -> None:
    for pod in pods(compiled(name)).values():
        assert pod["securityContext"] == {"runAsNonRoot": True}


@pytest.mark.parametrize("name", pipeline_names())
def test_local_runs_try_once_and_keep_both_documents(name: str) -> None:
    ir = without_retries(compiled(name))
    assert len(ir) == 2
    assert not any("retryPolicy" in task for task in calls(ir).values())


@pytest.mark.parametrize("name", pipeline_names())
def test_training_on_chosen_nodes(name: str) -> None:
    ir = on_accelerator_nodes(compiled(name), {"pool": "a100"})
    for stage, pod in pods(ir).items():
        assert pod.get("nodeSelector") == ({"labels": {"pool": "a100"}} if stage in ACCELERATED else None)


@pytest.mark.parametrize("name", pipeline_names())
def test_plan_is_never_cached(name: str) -> None:
    tasks = calls(compiled(name))
    assert not tasks["plan"]["cachingOptions"].get("enableCache")
    trainings = [task for stage, task in tasks.items() if stage in TRAINING]
    assert trainings and all(task["cachingOptions"].get("enableCache") for task in trainings)


def test_images() -> None:
    ir = compiled("reconstruct")
    called = stages_of(ir)
    assert called == list(load_pipeline("reconstruct").prefixes)
    changed = with_images(ir, lambda stage: f"registry:5000/{stage.replace('_', '-')}@sha256:0")
    assert stages_of(changed) == called
    assert release_image("train_depth").startswith("shapeyard/train-depth:")


def test_every_stage_is_part_of_a_pipeline() -> None:
    called = {stage for name in pipeline_names() for stage in stages_of(compiled(name))}
    assert called == set(stages())


@pytest.mark.parametrize("stage", stages())
def test_one_word_everywhere(stage: str) -> None:
    component = load_stage(stage)
    assert component.python_func.__name__ == stage
    assert component.component_spec.implementation.container.image == release_image(stage)
