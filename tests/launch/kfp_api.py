"""A stand-in for the API server of Kubeflow Pipelines: the calls that submission makes, over real HTTP.

It refuses what the real one refuses: a wrong token, a namespace where there is one user, none where there are several,
an unknown experiment, a pipeline that is not whole, parameters that are unknown, missing or of another type, and a body
with a field that KFP's own models of the API do not have, or of another type than theirs.
"""

from __future__ import annotations

import email
import email.policy
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import kfp_server_api
import yaml
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2

BASE = "/apis/v2beta1"
MAX_PARAMETER_BYTES = 10_000
NOW = "2026-01-01T00:00:00Z"
PYTHON_TYPE = {"STRING": str, "NUMBER_INTEGER": int | float, "NUMBER_DOUBLE": int | float, "BOOLEAN": bool}

Json = dict[str, Any]
Fault = Callable[["_Handler"], None]


class RefusedError(Exception):
    """An answer other than 200, with the server's message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass
class KfpApi:
    """The server's state, which a test sets up and looks at."""

    endpoint: str = ""
    token: str | None = None
    namespace: str | None = None
    """With one, the server has several users, and this is the namespace of the one who asks."""
    experiments: list[Json] = field(default_factory=lambda: [{"experiment_id": "exp-0", "display_name": "Default"}])
    runs: dict[str, Json] = field(default_factory=dict)
    uploads: list[Json] = field(default_factory=list)
    progress: list[Json] = field(default_factory=lambda: [{"state": "SUCCEEDED"}])
    """What a run says when it is looked at: the first time, the second, …; the last for ever."""
    faults: dict[str, Fault] = field(default_factory=dict)
    """What happens in place of the answer to, for example, `GET /experiments`."""
    seen: list[str] = field(default_factory=list)

    @property
    def run(self) -> Json:
        """The only run."""
        (run,) = self.runs.values()
        return run

    def answer(self, method: str, path: str, query: dict[str, str], headers: Any, body: bytes) -> Json:
        """The answer to a request."""
        if path == "/healthz":
            return {"multi_user": self.namespace is not None}
        if self.token and headers.get("authorization") != f"Bearer {self.token}":
            raise RefusedError(401, "Request header error: there is no user identity header")
        match method, path.split("/")[1:]:
            case "GET", ["experiments"]:
                return self._list_experiments(query)
            case "POST", ["experiments"]:
                return self._create_experiment(json.loads(body))
            case "POST", ["runs"]:
                return self._create_run(json.loads(body))
            case "GET", ["runs", run_id]:
                return self._look_at_run(run_id)
            case "POST", ["pipelines", "upload" | "upload_version"]:
                return self._upload(query, headers, body)
        raise RefusedError(404, f"no such call: {method} {path}")

    def _list_experiments(self, query: dict[str, str]) -> Json:
        self._check_namespace(query.get("namespace"))
        found = self.experiments
        if query.get("filter"):
            (predicate,) = json.loads(query["filter"])["predicates"]
            assert predicate["key"] == "display_name"
            assert predicate["operation"] in {1, "EQUALS"}
            found = [experiment for experiment in found if experiment["display_name"] == predicate["stringValue"]]
        return {"experiments": found, "total_size": len(found)} if found else {}

    def _create_experiment(self, experiment: Json) -> Json:
        _check_model(experiment, kfp_server_api.V2beta1Experiment)
        self._check_namespace(experiment.get("namespace"))
        made = {**experiment, "experiment_id": f"exp-{len(self.experiments)}", "created_at": NOW}
        self.experiments.append(made)
        return made

    def _check_namespace(self, namespace: str | None) -> None:
        if not self.namespace and namespace:
            raise RefusedError(400, "In single-user mode, experiments cannot be filtered by namespace")
        if self.namespace and not namespace:
            raise RefusedError(400, "Invalid input error: a namespace is needed in multi-user mode")
        if (namespace or None) != self.namespace:
            raise RefusedError(403, f"User is not authorized in namespace {namespace}")

    def _create_run(self, run: Json) -> Json:
        _check_model(run, kfp_server_api.V2beta1Run)
        if run["experiment_id"] not in {experiment["experiment_id"] for experiment in self.experiments}:
            raise RefusedError(404, f"Experiment {run['experiment_id']} not found")
        spec = _whole_pipeline(run["pipeline_spec"])
        _check_parameters(spec, run["runtime_config"]["parameters"])
        made = {**run, "run_id": str(uuid4()), "created_at": NOW, "state": "PENDING", "looked_at": 0}
        self.runs[made["run_id"]] = made
        return {name: value for name, value in made.items() if name != "looked_at"}

    def _look_at_run(self, run_id: str) -> Json:
        if run_id not in self.runs:
            raise RefusedError(404, f"Run {run_id} not found")
        run = self.runs[run_id]
        run |= self.progress[min(run["looked_at"], len(self.progress) - 1)]
        run["looked_at"] += 1
        return {name: value for name, value in run.items() if name != "looked_at"}

    def _upload(self, query: dict[str, str], headers: Any, body: bytes) -> Json:
        head = f"Content-Type: {headers['content-type']}\r\n\r\n".encode()
        (part,) = email.message_from_bytes(head + body, policy=email.policy.default).iter_parts()
        documents = list(yaml.safe_load_all(part.get_content()))
        _whole_pipeline(dict(zip(["pipeline_spec", "platform_spec"], documents, strict=False)))
        made = {
            "pipeline_id": query.get("pipelineid") or str(uuid4()),
            "display_name": query["name"],
            "created_at": NOW,
        }
        if "pipelineid" in query:
            made["pipeline_version_id"] = str(uuid4())
        self.uploads.append({**made, "documents": documents})
        return made


def _check_model(body: Json, model: Any) -> None:
    """Refuse what the server's parser would: a field that the message has not, or text where there is another type."""
    types = {model.attribute_map[name]: kind for name, kind in model.openapi_types.items()}
    for name, value in body.items():
        kind = types.get(name)
        if kind is None:
            raise RefusedError(400, f'unknown field "{name}" in {model.__name__}')
        if inner := getattr(kfp_server_api, kind, None):
            if hasattr(inner, "openapi_types") and inner.openapi_types:
                _check_model(value, inner)
        elif not isinstance(value, {"str": str, "bool": bool, "int": int, "datetime": str}.get(kind, object)):
            raise RefusedError(400, f"{model.__name__}.{name}: expected {kind}, got {value!r}")


def _whole_pipeline(given: Json) -> pipeline_spec_pb2.PipelineSpec:
    """Both specs as KFP's own messages; everything that they refer to must be in them."""
    both = given if "pipeline_spec" in given else {"pipeline_spec": given}
    try:
        spec = json_format.ParseDict(both["pipeline_spec"], pipeline_spec_pb2.PipelineSpec())
        platform = json_format.ParseDict(both.get("platform_spec", {}), pipeline_spec_pb2.PlatformSpec())
    except json_format.ParseError as error:
        raise RefusedError(400, f"invalid pipeline spec: {error}") from error
    executors = json_format.MessageToDict(spec.deployment_spec).get("executors", {})
    missing = {
        task.component_ref.name
        for component in (spec.root, *spec.components.values())
        for task in component.dag.tasks.values()
    } - set(spec.components)
    missing |= {c.executor_label for c in spec.components.values() if c.executor_label} - set(executors)
    missing |= set(platform.platforms["kubernetes"].deployment_spec.executors) - set(executors)
    missing |= {label for label, executor in executors.items() if not executor["container"].get("image")}
    if missing or not spec.pipeline_info.name or not spec.root.dag.tasks:
        raise RefusedError(400, f"the pipeline spec is not whole: {sorted(missing)}")
    return spec


def _check_parameters(spec: pipeline_spec_pb2.PipelineSpec, given: Json) -> None:
    wanted = spec.root.input_definitions.parameters
    if extra := set(given) - set(wanted):
        raise RefusedError(400, f"parameter(s) provided are not required by pipeline: {', '.join(sorted(extra))}")
    for name, parameter in wanted.items():
        kind = pipeline_spec_pb2.ParameterType.ParameterTypeEnum.Name(parameter.parameter_type)
        if name not in given:
            if not parameter.HasField("default_value"):
                raise RefusedError(400, f"parameter {name} is not optional, yet has neither default value nor user's")
        elif not isinstance(given[name], PYTHON_TYPE[kind]) or (isinstance(given[name], bool) and kind != "BOOLEAN"):
            raise RefusedError(400, f"input parameter {name} requires type {kind}")
    if len(json.dumps(given)) > MAX_PARAMETER_BYTES:
        raise RefusedError(400, "the parameters are too large")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    api: KfpApi

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        path = url.path.removeprefix(BASE)
        call = f"{self.command} /{path.split('/')[1]}"
        self.api.seen.append(f"{self.command} {self.path}")
        if call in self.api.faults:
            self.api.faults[call](self)
            return
        query = {name: values[0] for name, values in parse_qs(url.query, keep_blank_values=True).items()}
        try:
            self.send(
                200, "application/json", json.dumps(self.api.answer(self.command, path, query, self.headers, body))
            )
        except RefusedError as error:
            said = {"error": str(error), "code": 3, "message": str(error), "details": []}
            self.send(error.status, "application/json", json.dumps(said))

    do_POST = do_GET  # noqa: N815

    def send(self, status: int, kind: str, text: str, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"content-type": kind, "content-length": str(len(text.encode())), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        pass


def answers(status: int, kind: str = "text/html", text: str = "<html>Sign in</html>", **headers: str) -> Fault:
    """Something else than KFP answers: a proxy, a login page."""
    return lambda handler: handler.send(status, kind, text, **headers)


def refuses(status: HTTPStatus, message: str) -> Fault:
    """KFP itself says no."""
    return answers(status, "application/json", json.dumps({"message": message}))


def drops(handler: _Handler) -> None:
    """The connection ends without an answer."""
    handler.connection.shutdown(socket.SHUT_RDWR)
    handler.close_connection = True


def hangs(handler: _Handler) -> None:
    """No answer for longer than a test waits."""
    time.sleep(5)
    handler.close_connection = True


@contextmanager
def kfp_api(tls: ssl.SSLContext | None = None, **state: Any) -> Iterator[KfpApi]:
    """Serve until the block ends, with `tls` over HTTPS."""
    api = KfpApi(**state)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"api": api}))
    server.daemon_threads = True
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    api.endpoint = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield api
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
