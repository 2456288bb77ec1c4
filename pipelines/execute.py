"""Run a compiled pipeline with kfp.local: the child process of `shapeyard run`.

    python -m pipelines.execute REQUEST.json

kfp.local has no hooks, replaces `print`, and does not stop when it is told to. So it gets a process group of its own,
which the parent can end at any time; what it prints goes to the run's log, what came out into `outcome`.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from kfp import components, dsl, local

from pipelines.processes import end_group_on_sigterm
from shapeyard.contracts.files import write_json


def main(request_path: Path) -> None:
    """Run the request.

    It holds ir (file), arguments, pipeline_root, cache_root, workspace, outcome (file to write), and for containers the
    settings that each of them gets, with the names of the environment variables to hand on.
    """
    end_group_on_sigterm()
    request: dict[str, Any] = json.loads(request_path.read_text(encoding="utf-8"))
    local.init(
        runner=_runner(request.get("settings")),
        pipeline_root=request["pipeline_root"],
        cache_root=request["cache_root"],
        workspace_root=request["workspace"],
        enable_caching=True,
    )
    pipeline = components.load_component_from_file(request["ir"])
    run = pipeline(**request["arguments"])
    outputs = {name: value.path for name, value in run.outputs.items() if isinstance(value, dsl.Artifact)}
    write_json(Path(request["outcome"]), outputs)


def _runner(settings: dict[str, Any] | None) -> local.SubprocessRunner | local.DockerRunner:
    if settings is None:
        return local.SubprocessRunner(use_venv=False)
    environment = {name: os.environ[name] for name in settings["environment"]}
    return local.DockerRunner(**{**settings, "environment": environment})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
