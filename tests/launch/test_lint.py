"""`shapeyard compile --check`: nothing is found in the pipelines, and each mistake is found."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from launch import cli, lint
from launch.ir import IR, compile_pipeline
from launch.lint import findings
from launch.parameters import pipeline_names
from shapeyard import __version__


@cache
def reconstruct() -> IR:
    return compile_pipeline("reconstruct")


@pytest.mark.parametrize("name", pipeline_names())
def test_nothing_is_wrong_with_the_pipelines(name: str) -> None:
    assert findings(compile_pipeline(name)) == []


def container(ir: IR, stage: str) -> Any:
    return ir[0]["deploymentSpec"]["executors"][f"exec-{stage}"]["container"]


def pod(ir: IR, stage: str) -> Any:
    return ir[1]["platforms"]["kubernetes"]["deploymentSpec"]["executors"][f"exec-{stage}"]


def call(ir: IR, stage: str) -> Any:
    return ir[0]["root"]["dag"]["tasks"][stage]


def a_number_of_accelerators(ir: IR) -> None:
    ir[0]["root"]["inputDefinitions"]["parameters"]["accelerators"]["parameterType"] = "NUMBER_INTEGER"


def a_constant_number_for_the_pod(ir: IR) -> None:
    container(ir, "report")["resources"]["resourceMemoryLimit"] = "{{$.inputs.parameters['memory']}}"
    call(ir, "report")["inputs"]["parameters"]["memory"] = {"runtimeValue": {"constant": 4.0}}


def a_number_in_a_loop(ir: IR) -> None:
    name = "pipelinechannel--render_views"
    container(ir, "render")["resources"]["resourceCpuLimit"] = f"{{{{$.inputs.parameters['{name}']}}}}"
    task = ir[0]["components"]["comp-for-loop-1"]["dag"]["tasks"]["render"]
    task["inputs"]["parameters"][name] = {"componentInputParameter": name}


def a_default_that_is_not_passed(ir: IR) -> None:
    del call(ir, "train-depth")["inputs"]["parameters"]["width"]


def a_limit_without_a_type(ir: IR) -> None:
    del container(ir, "train-depth")["resources"]["accelerator"]["resourceType"]


def an_accelerator_for_nothing(ir: IR) -> None:
    container(ir, "report")["resources"]["accelerator"] = {"resourceType": "nvidia.com/gpu", "resourceCount": "1"}


def a_moving_tag(ir: IR) -> None:
    container(ir, "report")["image"] = "registry:5000/team/report:latest"


def no_tag(ir: IR) -> None:
    container(ir, "report")["image"] = "registry:5000/team/report"


def a_secret_in_plain_text(ir: IR) -> None:
    container(ir, "fetch")["env"] = [{"name": "AWS_SECRET_ACCESS_KEY", "value": "swordfish"}]


def a_key_in_a_parameter(ir: IR) -> None:
    call(ir, "report")["inputs"]["parameters"]["title"] = {"runtimeValue": {"constant": f"AKIA{'A' * 16}"}}


def the_sources_address_for_the_launcher(ir: IR) -> None:
    pod(ir, "fetch")["configMapAsEnv"][0]["keyToEnv"][0]["envVar"] = "AWS_ENDPOINT_URL"


def no_shared_memory(ir: IR) -> None:
    del pod(ir, "train-depth")["emptyDirMounts"]


def no_limit(ir: IR) -> None:
    del container(ir, "report")["resources"]["resourceMemoryLimit"]


def no_deadline(ir: IR) -> None:
    del pod(ir, "report")["activeDeadlineSeconds"]


def no_retry(ir: IR) -> None:
    del call(ir, "report")["retryPolicy"]


def too_little_time(ir: IR) -> None:
    call(ir, "report")["retryPolicy"]["backoffMaxDuration"] = "3600s"


def as_root(ir: IR) -> None:
    del pod(ir, "report")["securityContext"]


MISTAKES: dict[Callable[[IR], None], str] = {
    a_number_of_accelerators: "train-depth: accelerators: expected the type STRING, got NUMBER_INTEGER",
    a_constant_number_for_the_pod: "report: memory: expected a string, got 4.0",
    a_number_in_a_loop: "render: render_views: expected the type STRING, got NUMBER_INTEGER",
    a_default_that_is_not_passed: "train-depth: width: expected a value from the pipeline, got none",
    a_limit_without_a_type: "train-depth: accelerator: expected a type and a limit, got no type",
    an_accelerator_for_nothing: "report: accelerator: expected none on a stage that runs no network",
    a_moving_tag: "report: image: expected a digest or a version's tag, got registry:5000/team/report:latest",
    no_tag: "report: image: expected a digest or a version's tag, got registry:5000/team/report",
    a_secret_in_plain_text: "fetch: AWS_SECRET_ACCESS_KEY: expected a reference to a secret",
    a_key_in_a_parameter: "report: expected a reference to a secret, got what looks like a key",
    the_sources_address_for_the_launcher: "fetch: AWS_ENDPOINT_URL: expected a variable that KFP's launcher",
    no_shared_memory: "train-depth: expected shared memory at /dev/shm",
    no_limit: "report: memory limit: expected a quantity",
    no_deadline: "report: expected a deadline, got none",
    no_retry: "report: expected a retry policy, got none",
    too_little_time: "report: expected more time for all attempts together",
    as_root: "report: expected runAsNonRoot, got none",
}


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.__name__)
def test_a_mistake_is_found(mistake: Callable[[IR], None]) -> None:
    ir = deepcopy(reconstruct())
    mistake(ir)
    assert any(line.startswith(MISTAKES[mistake]) for line in findings(ir)), findings(ir)


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It writes nothing, and ends with 1 where there is something."""
    good = CliRunner().invoke(cli.shapeyard, ["compile", "classify_stl", "--check", "--out", str(tmp_path / "out")])
    assert (good.exit_code, good.output) == (0, "")
    monkeypatch.setattr(lint, "MUTABLE_TAGS", {__version__})
    bad = CliRunner().invoke(cli.shapeyard, ["compile", "classify_stl", "--check"])
    assert bad.exit_code == 1, bad.output
    assert "classify_stl: plan: image: expected a digest" in bad.output
    assert not (tmp_path / "out").exists()
