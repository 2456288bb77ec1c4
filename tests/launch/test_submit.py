"""Submission with kfp's real client, and with kfp's own command line, over HTTP."""

from __future__ import annotations

import json
import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.protobuf import json_format
from kfp.kubernetes import kubernetes_executor_config_pb2
from kfp.pipeline_spec import pipeline_spec_pb2
from kfp_api import KfpApi, answers, drops, hangs, kfp_api, refuses

from launch import cli
from launch import submit as submission
from launch.images import ROOT, release_image
from launch.ir import COMPILED, compile_pipeline, dump, stages_of, with_images
from launch.parameters import preset

COMMITTED = COMPILED / "reconstruct.yaml"
TOKEN = "s3cret-t0ken"
RUN_IN_LESS_TIME = """
import sys
from launch import cli, submit
submit.TIMEOUT_S, submit.OUTAGE_TIMEOUT_S = 1, 1
cli.main()
"""


@pytest.fixture
def api() -> Iterator[KfpApi]:
    with kfp_api() as server:
        yield server


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of the machine's own kfp and kubectl leads anywhere."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in [name for name in os.environ if name.startswith(("KF_PIPELINES", "KFP_", "KUBE"))]:
        monkeypatch.delenv(name)


def submit(*words: str, api: KfpApi | None = None, code: str = RUN_IN_LESS_TIME, **variables: str) -> Any:
    """`shapeyard submit reconstruct` the way a person runs it, with less patience."""
    where = ["--endpoint", api.endpoint] if api else []
    return subprocess.run(
        [sys.executable, "-c", code, "submit", "reconstruct", *where, *words],
        env={**os.environ, **variables}, cwd=ROOT, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


Submit = Callable[..., Any]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Submit:
    """The same in this process: nothing is imported again."""
    monkeypatch.setattr(submission, "TIMEOUT_S", 1)
    monkeypatch.setattr(submission, "OUTAGE_TIMEOUT_S", 1)

    def submit(*words: str, api: KfpApi) -> Any:
        command = ["shapeyard", "submit", "reconstruct", "--endpoint", api.endpoint, *words]
        monkeypatch.setattr(sys, "argv", command)
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capfd.readouterr()
        return subprocess.CompletedProcess(command, ended.value.code, out, err)

    return submit


def kfp_command(*words: str) -> Any:
    """kfp's own command."""
    return subprocess.run(
        [sys.executable, "-c", "from kfp.cli.__main__ import main; main()", *words],
        cwd=ROOT, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def fails(done: Any, *said: str) -> None:
    """Exit status 1 and one line on stderr, which says all of `said`; nothing anywhere tells the token."""
    assert done.returncode == 1, done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("shapeyard: ")
    for text in said:
        assert text in line
    assert TOKEN not in done.stdout + done.stderr


def as_message(spec: dict[str, Any]) -> pipeline_spec_pb2.PipelineSpec:
    return json_format.ParseDict(spec, pipeline_spec_pb2.PipelineSpec())


def test_a_run_is_created(api: KfpApi) -> None:
    words = "--param render_views=2 -p max_skipped=1 -p classifier_shift=3 -p title=7"
    done = submit(*words.split(), api=api)
    assert (done.returncode, done.stderr) == (0, "")
    run = api.run
    assert done.stdout == f"{run['run_id']} {api.endpoint}/#/runs/details/{run['run_id']}\n"
    both, expected = run["pipeline_spec"], compile_pipeline("reconstruct")
    assert as_message(both["pipeline_spec"]) == as_message(expected[0])
    assert both["platform_spec"] == expected[1]
    changed = {"render_views": 2, "max_skipped": 1.0, "classifier_shift": 3, "title": "7"}
    wanted = preset("reconstruct", "small") | changed
    given = run["runtime_config"]["parameters"]
    assert given == wanted
    assert {name: type(value) for name, value in given.items()} == {name: type(value) for name, value in wanted.items()}
    assert run["experiment_id"] == "exp-0"
    assert run["display_name"].startswith("reconstruct-small 20")
    assert "service_account" not in run


def test_it_takes_the_release_images(api: KfpApi) -> None:
    assert submit(api=api).returncode == 0
    spec = api.run["pipeline_spec"]["pipeline_spec"]
    executors, stages = spec["deploymentSpec"]["executors"].values(), stages_of([spec])
    assert {executor["container"]["image"] for executor in executors} == {release_image(stage) for stage in stages}


def test_it_takes_other_images(api: KfpApi) -> None:
    def locked(stage: str) -> str:
        return f"registry.example/{stage.replace('_', '-')}@sha256:{'0' * 64}"

    run = submission.submit("reconstruct", "tiny", {}, endpoint=api.endpoint, image_of_stage=locked)
    assert run.id == api.run["run_id"]
    expected = with_images(compile_pipeline("reconstruct"), locked)
    assert as_message(api.run["pipeline_spec"]["pipeline_spec"]) == as_message(expected[0])


def test_token_namespace_experiment_and_names() -> None:
    with kfp_api(token=TOKEN, namespace="team") as api:
        api.experiments.append({"experiment_id": "exp-1", "display_name": "meshes"})
        words = ["--preset", "tiny", "--namespace", "team", "--experiment", "meshes", "--run-name", "first",
                 "--service-account", "trainer"]  # fmt: skip
        variables = {"KFP_EXISTING_TOKEN": f"{TOKEN}\n", "KF_PIPELINES_ENDPOINT": f"{api.endpoint}/"}
        done = submit(*words, **variables)
        assert (done.returncode, done.stderr) == (0, "")
        assert TOKEN not in done.stdout
        assert f" {api.endpoint}/#/runs" in done.stdout
        assert (api.run["experiment_id"], api.run["display_name"]) == ("exp-1", "first")
        assert api.run["service_account"] == "trainer"
        assert submit(*words, "--token", TOKEN, api=api).returncode == 0


def test_a_platform_spec_goes_along(api: KfpApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same body as from kfp's own command, with both specs in it."""
    ir = compile_pipeline("reconstruct")[:1]
    secret = {"secretAsEnv": [{"secretName": "s3", "keyToEnv": [{"secretKey": "id", "envVar": "AWS_ACCESS_KEY_ID"}]}]}
    ir.append({"platforms": {"kubernetes": {"deploymentSpec": {"executors": {"exec-fetch": secret}}}}})
    json_format.ParseDict(secret, kubernetes_executor_config_pb2.KubernetesExecutorConfig())
    monkeypatch.setattr(submission, "compile_pipeline", lambda _: ir)
    submission.submit("reconstruct", "tiny", {}, endpoint=api.endpoint)
    ours = api.run["pipeline_spec"]
    assert ours["platform_spec"] == ir[1]
    api.runs.clear()
    path = tmp_path / "both.yaml"
    path.write_text(dump(ir))
    done = kfp_command("--endpoint", api.endpoint, "run", "create", "-e", "x", "-f", str(path), "source=procedural://")
    assert done.returncode == 0, done.stderr
    theirs = api.run["pipeline_spec"]
    assert as_message(ours["pipeline_spec"]) == as_message(theirs["pipeline_spec"])
    assert ours["platform_spec"] == theirs["platform_spec"]


@pytest.mark.parametrize("word", ["create", "submit"])
def test_kfp_runs_the_committed_yaml(api: KfpApi, word: str) -> None:
    api.token = TOKEN
    done = kfp_command("--endpoint", api.endpoint, "--existing-token", TOKEN, "run", word, "-e", "meshes", "-r", "mine",
                       "-f", str(COMMITTED), "source=s3://bucket/meshes", "render_views=2",
                       "max_skipped=0.25")  # fmt: skip
    assert done.returncode == 0, done.stderr
    run = api.run
    given = {"source": "s3://bucket/meshes", "render_views": 2, "max_skipped": 0.25}
    assert run["runtime_config"]["parameters"] == given
    first = next(yaml.safe_load_all(COMMITTED.read_text()))
    assert as_message(run["pipeline_spec"].get("pipeline_spec", run["pipeline_spec"])) == as_message(first)
    assert run["display_name"] == "mine"
    assert api.experiments[-1]["display_name"] == "meshes"
    assert run["run_id"] in done.stdout


def test_kfp_needs_the_source_and_knows_the_parameters(api: KfpApi) -> None:
    words = ["--endpoint", api.endpoint, "run", "create", "-e", "Default", "-f", str(COMMITTED)]
    assert "parameter source is not optional" in kfp_command(*words).stderr
    assert "requires type NUMBER_INTEGER" in kfp_command(*words, "source=s3://b", "render_views=many").stderr
    assert "not required by pipeline: wiews" in kfp_command(*words, "source=s3://b", "wiews=2").stderr
    assert not api.runs


def test_kfp_uploads_the_committed_yaml(api: KfpApi) -> None:
    done = kfp_command("--endpoint", api.endpoint, "pipeline", "create", "-p", "reconstruct", str(COMMITTED))
    assert done.returncode == 0, done.stderr
    upload = api.uploads[-1]
    assert upload["documents"] == list(yaml.safe_load_all(COMMITTED.read_text()))
    again = ["pipeline", "create-version", "-v", "2", "-p", upload["pipeline_id"], str(COMMITTED)]
    done = kfp_command("--endpoint", api.endpoint, *again)
    assert done.returncode == 0, done.stderr
    assert api.uploads[-1]["pipeline_id"] == upload["pipeline_id"]


def task(name: str, state: str, **more: Any) -> dict[str, Any]:
    return {"task_id": name, "display_name": name, "state": state, **more}


def test_waiting_says_what_happens(api: KfpApi) -> None:
    running = [task("root", "RUNNING"), task("plan", "SUCCEEDED"), task("render", "RUNNING"), task("render", "RUNNING"),
               task("voxelize-driver", "RUNNING"), task("executor", "RUNNING")]  # fmt: skip
    api.progress = [
        {"state": "PENDING"},
        {"state": "PENDING"},
        {"state": "RUNNING"},
        {"state": "RUNNING", "run_details": {"task_details": running}},
        {"state": "SUCCEEDED"},
    ]
    done = submit("--wait", api=api)
    assert done.returncode == 0
    assert done.stderr.splitlines() == ["pending", "running", "running: render, voxelize", "succeeded"]
    assert done.stdout.startswith(api.run["run_id"])


def test_a_failed_run(quick: Submit, api: KfpApi) -> None:
    """The task that failed first, with its own reason or that of the container in it, never another task's."""

    def fail(*tasks: dict[str, Any], state: str = "FAILED", **more: Any) -> None:
        api.runs.clear()
        api.progress = [{"state": state, "run_details": {"task_details": tasks}, **more}]

    killed = [{"state": "RUNNING"}, {"state": "FAILED", "error": {"message": "OOMKilled\n(137)"}}]
    later = task("voxelize", "FAILED", end_time="2026-01-01T00:05:00Z", error={"code": 2, "message": "no space"})
    first = task("train-depth", "FAILED", end_time="2026-01-01T00:04:00Z", child_tasks=[{"pod_name": "pod-7"}])
    inner = task("executor", "FAILED", pod_name="pod-7", state_history=killed)
    fail(task("root", "FAILED"), later, inner, first)
    fails(quick("--wait", api=api), "train-depth failed: OOMKilled (137) (http", f"{api.run['run_id']})")
    fail(later, task("plan", "SUCCEEDED"))
    fails(quick("--wait", api=api), "voxelize failed: no space (http")
    fail(later, first)
    fails(quick("--wait", api=api), "train-depth failed: the server gives no reason")
    fail(task("plan-driver", "FAILED"), error={"code": 2, "message": "quota exceeded"})
    fails(submit("--wait", api=api), "plan failed: quota exceeded (http")
    fail(error={"code": 2, "message": "no such service account"})
    fails(quick("--wait", api=api), "the run failed: no such service account (http")
    fail(state="CANCELED")
    fails(quick("--wait", api=api), "the run was canceled (http")


def test_a_server_that_is_away_for_a_moment_is_waited_for(api: KfpApi) -> None:
    def once(handler: Any) -> None:
        del api.faults["GET /runs"]
        drops(handler)

    api.faults["GET /runs"] = once
    done = submit("--wait", api=api)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (drops, "the connection was lost"),
        (hangs, "no answer within 1 s"),
        (answers(502), "502 Bad Gateway"),
        (answers(200), "got text/html"),
        (refuses(HTTPStatus.UNAUTHORIZED, "token expired"), "401 Unauthorized"),
    ],
)
def test_a_server_that_is_lost_while_waiting(quick: Submit, api: KfpApi, fault: Any, said: str) -> None:
    api.faults["GET /runs"] = fault
    done = quick("--wait", api=api)
    fails(done, said, f"(the run goes on: {api.endpoint}/#/runs/details/{api.run['run_id']})")
    assert done.stdout.startswith(api.run["run_id"])


def test_ctrl_c_leaves_the_run(api: KfpApi) -> None:
    api.progress = [{"state": "RUNNING"}]
    waiting = subprocess.Popen(
        [sys.executable, "-m", "launch.cli", "submit", "reconstruct", "--endpoint", api.endpoint, "--wait"],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    while not any(request.startswith("GET /apis/v2beta1/runs/") for request in api.seen):
        time.sleep(0.05)
    waiting.send_signal(signal.SIGINT)
    _, said = waiting.communicate(timeout=20)
    assert waiting.returncode == 130
    assert said.splitlines()[-1] == "shapeyard: interrupted; the run goes on"


def test_a_refused_token() -> None:
    with kfp_api(token="another") as api:
        fails(submit("--token", TOKEN, api=api), f"{api.endpoint}: the token was refused: 401 Unauthorized: ")
        fails(submit(api=api), "401 Unauthorized", "no --token, no KFP_EXISTING_TOKEN")
        api.faults["GET /experiments"] = refuses(HTTPStatus.FORBIDDEN, f"Bearer {TOKEN} may not list")
        fails(submit("--token", TOKEN, api=api), "the token was refused: 403 Forbidden: Bearer … may not list")
        fails(submit("--token", f"{TOKEN}\n{TOKEN}", api=api), "--token: expected printable ASCII")
        assert not api.runs


def test_an_unknown_experiment(quick: Submit, api: KfpApi) -> None:
    api.experiments.append({"experiment_id": "exp-1", "display_name": "meshes"})
    fails(quick("--experiment", "mehses", api=api), "no experiment mehses; there are: Default, meshes",
          "--create-experiment")  # fmt: skip
    assert len(api.experiments) == 2
    assert quick("--experiment", "new", "--create-experiment", api=api).returncode == 0
    assert (api.experiments[-1]["display_name"], api.run["experiment_id"]) == ("new", "exp-2")
    assert quick("--experiment", "new", "--create-experiment", api=api).returncode == 0
    assert len(api.experiments) == 3


def test_a_namespace_that_is_missing_or_too_much(quick: Submit, api: KfpApi) -> None:
    fails(quick("--namespace", "team", api=api), "400 Bad Request: In single-user mode")
    api.namespace = "team"
    fails(quick(api=api), "400 Bad Request: Invalid input error: a namespace is needed")
    fails(quick("--namespace", "others", api=api), "403 Forbidden: User is not authorized in namespace others")


def test_nothing_listens() -> None:
    with kfp_api() as api:
        pass
    started = time.monotonic()
    fails(submit(api=api), f"{api.endpoint}: cannot be reached: ", "Connection refused")
    assert time.monotonic() - started < 15
    fails(submit("--endpoint", "http://no-such-host.invalid"), "http://no-such-host.invalid: cannot be reached: ")
    fails(submit(), "no endpoint: expected --endpoint, KF_PIPELINES_ENDPOINT or")
    fails(submit("--token", TOKEN), "no endpoint: expected --endpoint")


@pytest.mark.parametrize("call", ["GET /healthz", "GET /experiments", "POST /runs"])
@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (drops, "the connection was lost before the answer came"),
        (hangs, "no answer within 1 s"),
        (answers(200), "expected the JSON of Kubeflow Pipelines' API, got text/html"),
        (answers(404), "expected Kubeflow Pipelines' API, got 404 Not Found"),
        (
            answers(302, location="https://login.example/auth?state=1"),
            "302 Found to https://login.example/auth: a login",
        ),
        (answers(500, text="<html>oops</html>"), "500 Internal Server Error"),
        (
            refuses(HTTPStatus.INTERNAL_SERVER_ERROR, "database\nis locked"),
            "500 Internal Server Error: database is lock",
        ),
    ],
)
def test_answers_of_another_kind(quick: Submit, api: KfpApi, call: str, fault: Any, said: str) -> None:
    api.faults[call] = fault
    done = quick("--token", TOKEN, api=api)
    fails(done, f"{api.endpoint}: ", said)
    assert "<html>" not in done.stderr
    assert sum(request.partition("?")[0].endswith(call.partition(" ")[2]) for request in api.seen) == 1  # sent once
    assert not api.runs


def test_a_run_that_the_server_refuses(quick: Submit, api: KfpApi) -> None:
    api.faults["POST /runs"] = refuses(HTTPStatus.BAD_REQUEST, "invalid " + 1000 * "x")
    done = quick(api=api)
    fails(done, "400 Bad Request: invalid xxx")
    assert len(done.stderr) < 400
    api.faults["POST /runs"] = answers(200, "application/json", "{}")
    fails(quick(api=api), "expected the id of a run, got none")


def test_wrong_values_never_reach_the_server(quick: Submit, api: KfpApi) -> None:
    fails(quick("-p", "render_views=many", api=api), "--param render_views: expected a value of type int, got 'many'")
    fails(quick("-p", "voxelize_padding=97", api=api), "voxelize_resolution: expected 8 to 256, got")
    fails(quick("--param", "wiews=2", api=api), "--param wiews: expected one of")
    fails(quick("--preset", "huge", api=api), "preset of reconstruct: expected one of")
    fails(quick("--param", "source=./meshes", api=api), "source: expected a URI that the cluster can read", "./meshes")
    fails(quick("--param", "source=file:///meshes", api=api), "source: expected a URI that the cluster can read")
    assert not api.seen


def test_a_server_with_an_authority_of_its_own(api: KfpApi, tmp_path: Path) -> None:
    """TLS: refused by default, accepted with SSL_CERT_FILE."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate, "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with kfp_api(tls=context) as secure:
        fails(submit(api=secure), f"{secure.endpoint}: TLS ", "certificate")
        done = submit("--endpoint", secure.endpoint.removeprefix("https://"), SSL_CERT_FILE=str(certificate))
        assert done.returncode == 0, done.stderr
        assert json.dumps(f"{secure.endpoint}/#/runs")[1:-1] in done.stdout
