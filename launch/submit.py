"""Submit a pipeline to Kubeflow Pipelines, with kfp's own client.

The client waits without end for an answer, asks a server that is not there for minutes, and prints and logs beside
what it returns. So its generated API is called here, with a timeout, and each way to fail becomes one line.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import re
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import kfp
import kfp_server_api
import urllib3
from rich.console import Console

from launch.ir import IR, compile_pipeline, task_names, with_images
from launch.parameters import arguments as checked_arguments
from shapeyard.errors import ParameterError, RunError, SubmitError, require

TIMEOUT_S = 30
"""Of every request. An integer: the generated client ignores any other number."""
OUTAGE_TIMEOUT_S = 120.0
"""How long a run is waited for while its server does not answer: a restart of the server is no failure of the run."""
SLOWEST_POLL_S = 15.0
ALWAYS_THERE = "Default"
"""The experiment that every deployment of Kubeflow Pipelines has."""


def submit(
    name: str,
    preset_name: str,
    given: Mapping[str, str],
    *,
    endpoint: str | None = None,
    token: str | None = None,
    namespace: str | None = None,
    experiment: str = ALWAYS_THERE,
    create_experiment: bool = False,
    run_name: str | None = None,
    service_account: str | None = None,
    image_of_stage: Callable[[str], str] | None = None,
) -> SubmittedRun:
    """Create a run of a pipeline on a cluster.

    `given`: parameters as text, on top of the preset's. `endpoint`: without one kfp looks for the cluster itself: in
    KF_PIPELINES_ENDPOINT, in the pod that this runs in, with kubectl's configuration. `namespace`: of the experiment,
    where the deployment has several users; none otherwise. `experiment` must exist, or `create_experiment` be true: a
    typing error would start a new one. `service_account`: which the stages run as; the deployment's own if not given.

    `image_of_stage`: the reference of each stage's image. Without it the run takes the release images, as the committed
    YAML does: a cluster pulls what was published under a name, and the tags by the hash of the code, which runs on this
    machine have, were never pushed anywhere.

    Raises:
        ParameterError: for an unknown pipeline, preset or parameter, a value of another type, a source that only this
            machine has.
        SubmitError: if the cluster cannot be reached or refuses: the token, the experiment, the run.
    """
    arguments = checked_arguments(name, preset_name, given)
    ir = compile_pipeline(name)
    _check_source(arguments.get("source"))
    if image_of_stage:
        ir = with_images(ir, image_of_stage)
    token = token.strip() if token else None
    require(not token or re.fullmatch("[!-~]+", token) is not None, "--token: expected printable ASCII without spaces")
    with _one_line_errors(endpoint or "the cluster (no --endpoint)", token):
        client = _connect(endpoint, token)
        namespace = namespace or client.get_user_namespace() or None
        wanted = kfp_server_api.V2beta1Run(
            display_name=run_name or f"{name}-{preset_name} {datetime.now():%Y-%m-%d %H-%M-%S}",
            experiment_id=_experiment_id(client, experiment, namespace, create_experiment),
            pipeline_spec=_as_one_document(ir),
            runtime_config=kfp_server_api.V2beta1RuntimeConfig(parameters=arguments),
            service_account=service_account,
        )
    try:
        with _one_line_errors(client.host, token):
            run = client.ask(client.runs.run_service_create_run, run=wanted)
    except _NoAnswerError as error:
        raise SubmitError(f"{error} (look whether there is a run before you submit again)") from error
    if not run.run_id:
        raise SubmitError(f"{client.host}: expected the id of a run, got none")
    return SubmittedRun(client, token, run.run_id, task_names(ir))


class SubmittedRun:
    """A run on a cluster: its `id`, the `url` of its page, and the way to wait for it."""

    def __init__(self, client: _Client, token: str | None, run_id: str, tasks: set[str]) -> None:
        self.id = run_id
        self.url = client.page_of_run(run_id)
        self._client = client
        self._token = token
        self._tasks = tasks

    def wait(self, console: Console) -> None:
        """Wait for the run's end; print a line whenever its state changes, or keep one up to date on a terminal.

        Raises:
            RunError: if the run does not succeed; names the task that failed first and the reason.
            SubmitError: if the server stays silent for `OUTAGE_TIMEOUT_S`, or refuses the token. The run goes on.
        """
        shown, pause_s = "", 0.5
        with console.status("submitted") as status:
            while (run := self._look()).state not in {"SUCCEEDED", "FAILED", "CANCELED", "SKIPPED"}:
                if (text := self._describe(run)) != shown:
                    shown, pause_s = text, 0.5
                    status.update(text)
                    if not console.is_terminal:
                        console.print(text, markup=False, soft_wrap=True)
                time.sleep(pause_s)
                pause_s = min(1.5 * pause_s, SLOWEST_POLL_S)
        if run.state != "SUCCEEDED":
            raise RunError(f"{self._failure(run)} ({self.url})")
        console.print("succeeded")

    def _look(self) -> Any:
        """The run as it is now."""
        give_up = time.monotonic() + OUTAGE_TIMEOUT_S
        while True:
            try:
                with _one_line_errors(self._client.host, self._token):
                    return self._client.ask(self._client.runs.run_service_get_run, run_id=self.id)
            except SubmitError as error:
                if not isinstance(error, _NoAnswerError) or time.monotonic() > give_up:
                    raise SubmitError(f"{error} (the run goes on: {self.url})") from error
            time.sleep(OUTAGE_TIMEOUT_S / 60)

    def _in_state(self, run: Any, state: str) -> list[Any]:
        """The tasks in that state that run a stage, the first to end first; a stage's driver counts as the stage."""
        tasks = [task for task in _tasks_of(run) if task.state == state and _name(task) in self._tasks]
        return sorted(tasks, key=lambda task: task.end_time or datetime.max.replace(tzinfo=UTC))

    def _describe(self, run: Any) -> str:
        running = ", ".join(sorted({_name(task) for task in self._in_state(run, "RUNNING")}))
        return f"{(run.state or 'pending').lower()}{running and ': '}{running}"

    def _failure(self, run: Any) -> str:
        failed = self._in_state(run, "FAILED")
        if run.state != "FAILED" and not failed:
            return f"the run was {run.state.lower()}"
        involved = [failed[0], *_inside(failed[0], run), run] if failed else [run]
        reasons = (_message(thing) for thing in involved)
        reason = next((text for text in reasons if text), "the server gives no reason, the stage's log will")
        return f"{_name(failed[0]) if failed else 'the run'} failed: {_short(reason)}"


class _Client(kfp.Client):  # type: ignore[misc]
    """kfp's client with requests that come to an end: each is sent once, with a timeout."""

    host: str

    def _load_config(self, host: str | None, *others: Any) -> Any:
        config = super()._load_config(host, *others)
        if not host and config.host == kfp_server_api.Configuration().host:
            raise SubmitError("no endpoint: expected --endpoint, KF_PIPELINES_ENDPOINT or a cluster that kubectl knows")
        config.retries = False  # urllib3: neither a second attempt nor a redirection, which would lead to a login page
        self.host = config.host
        return config

    def get_kfp_healthz(self, sleep_duration: int = 0) -> Any:  # noqa: ARG002
        return self.ask(self.healthzs.healthz_service_get_healthz)

    def ask(self, call: Callable[..., Any], **arguments: Any) -> Any:
        """Call a function of the generated API; refuse an answer that is not JSON, which it would take for empty."""
        answer = call(**arguments, _request_timeout=TIMEOUT_S)
        kind = self._run_api.api_client.last_response.getheader("content-type") or "nothing"
        if "json" not in kind:
            raise SubmitError(
                f"{self.host}: expected the JSON of Kubeflow Pipelines' API, got {kind.partition(';')[0]}"
            )
        return answer

    def page_of_run(self, run_id: str) -> str:
        prefix: str = self._get_url_prefix()
        return f"{prefix.rstrip('/')}/#/runs/details/{run_id}"


def _connect(endpoint: str | None, token: str | None) -> _Client:
    if endpoint:
        endpoint = endpoint.rstrip("/") if "://" in endpoint else f"https://{endpoint.rstrip('/')}"
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), _no_log():
        warnings.simplefilter("ignore")
        return _Client(host=endpoint, existing_token=token, ssl_ca_cert=os.environ.get("SSL_CERT_FILE"))


@contextlib.contextmanager
def _no_log() -> Iterator[None]:
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)


def _experiment_id(client: _Client, name: str, namespace: str | None, create: bool) -> str:
    """The experiment of that name, made if it is to be.

    Raises:
        SubmitError: if there is none; names those that there are.
    """
    of_user = {"namespace": namespace} if namespace else {}
    list_experiments = client.experiments.experiment_service_list_experiments
    same_name = {"operation": "EQUALS", "key": "display_name", "stringValue": name}
    found = client.ask(list_experiments, filter=json.dumps({"predicates": [same_name]}), **of_user).experiments
    if not found and create:
        wanted = kfp_server_api.V2beta1Experiment(display_name=name, **of_user)
        found = [client.ask(client.experiments.experiment_service_create_experiment, experiment=wanted)]
    if not found:
        others = client.ask(list_experiments, page_size=20, sort_by="last_run_created_at desc", **of_user).experiments
        there = ", ".join(other.display_name for other in others or ()) or "none"
        raise SubmitError(f"{client.host}: no experiment {name}; there are: {there} (--create-experiment makes it)")
    experiment_id: str = found[0].experiment_id
    return experiment_id


def _as_one_document(ir: IR) -> dict[str, Any]:
    """The pipeline as the API takes it: the pipeline spec, or both specs under their names."""
    return ir[0] if len(ir) == 1 else {"pipeline_spec": ir[0], "platform_spec": ir[1]}


def _check_source(source: Any) -> None:
    if isinstance(source, str) and ("://" not in source or source.startswith("file:")):
        raise ParameterError(f"source: expected a URI that the cluster can read (s3://…, procedural://…), got {source}")


class _NoAnswerError(SubmitError):
    """The server could not be reached, or had trouble of its own: it may answer later."""


@contextlib.contextmanager
def _one_line_errors(where: str, token: str | None) -> Iterator[None]:
    """What kfp's client raises as a `SubmitError` of one line, in which the token never stands."""
    try:
        yield
    except (kfp_server_api.ApiException, urllib3.exceptions.HTTPError, ValueError, AttributeError) as error:
        refusal = error
        if isinstance(error, AttributeError):  # the generated client stumbles over TLS errors, which have no body
            if not isinstance(error.__context__, kfp_server_api.ApiException):
                raise
            refusal = error.__context__
        text = f"{where}: {_explain(refusal, bool(token))}"
        kind = _NoAnswerError if _may_answer_later(refusal) else SubmitError
        raise kind(text.replace(token, "…") if token else text) from error


def _may_answer_later(error: Exception) -> bool:
    if isinstance(error, kfp_server_api.ApiException):
        return (error.status or 0) >= 500
    urllib3_errors = urllib3.exceptions
    return isinstance(
        error, urllib3_errors.TimeoutError | urllib3_errors.ProtocolError | urllib3_errors.NewConnectionError
    )


def _explain(error: Exception, with_token: bool) -> str:
    match error:
        case kfp_server_api.ApiException():
            return _refusal(error, with_token)
        case urllib3.exceptions.NewConnectionError():
            return f"cannot be reached: {_short(str(error).rpartition(': ')[2])}"
        case urllib3.exceptions.TimeoutError():
            return f"no answer within {TIMEOUT_S} s"
        case urllib3.exceptions.ProtocolError():
            return "the connection was lost before the answer came"
    return f"{type(error).__name__}: {_short(str(error))}"


def _refusal(error: kfp_server_api.ApiException, with_token: bool) -> str:
    """What the server says in its answer's `message`; never the page that a proxy may have sent in its place."""
    status = error.status or 0
    try:
        said = _short(str(json.loads(error.body)["message"]))
    except (TypeError, KeyError, ValueError):
        said = ""
    detail = f"{status or 'TLS'} {_short(error.reason or '')}{said and ': '}{said}"
    if status in {401, 403}:
        return f"the token was refused: {detail}" if with_token else f"{detail} (no --token, no KFP_EXISTING_TOKEN)"
    if 300 <= status < 400:
        target = (error.headers or {}).get("location", "").partition("?")[0]
        return f"expected the API itself, got {detail} to {target}: a login page, unless the endpoint has moved"
    if status == 404 and not said:
        return f"expected Kubeflow Pipelines' API, got {detail}"
    return detail


def _tasks_of(run: Any) -> list[Any]:
    return (run.run_details and run.run_details.task_details) or []


def _inside(task: Any, run: Any) -> list[Any]:
    """The tasks that a task is made of: a stage's task holds the one of its container."""
    children = {name for child in task.child_tasks or () for name in (child.task_id, child.pod_name) if name}
    return [inner for inner in _tasks_of(run) if children & {inner.task_id, inner.pod_name}]


def _name(task: Any) -> str:
    return (task.display_name or "").removesuffix("-driver")


def _message(thing: Any) -> str:
    """The reason that a run or a task gives for its state, empty if none."""
    errors = [thing.error, *(status.error for status in reversed(thing.state_history or ()))]
    return next((error.message for error in errors if error and error.message), "")


def _short(text: str) -> str:
    """At most 300 characters, on one line."""
    line = " ".join(text.split())
    return line if len(line) <= 300 else f"{line[:299]}…"
