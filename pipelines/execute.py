"""Run a compiled pipeline with kfp.local: the child process of `shapeyard run`.

    python -m pipelines.execute REQUEST.json

kfp.local has no hooks, replaces `print`, and does not stop when it is told to. So it gets a process group of its own,
which the parent can end at any time; what it prints goes to the run's log, what came out into `outcome`, as paths
relative to that file's folder.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kfp import components, dsl, local
from kfp.local import cache, config

from pipelines.processes import end_group_on_sigterm
from shapeyard.contracts.files import write_json


def main(request_path: Path) -> None:
    """Run the request.

    It holds ir (file), arguments, pipeline_root, cache_root, workspace, outcome (file to write), and for containers the
    settings that each of them gets, with the names of the environment variables to hand on.
    """
    end_group_on_sigterm()
    request: dict[str, Any] = json.loads(request_path.read_text(encoding="utf-8"))
    cache.LocalCache = MovableCache  # what KFP makes its cache of, once it is asked for one
    local.init(
        runner=_runner(request.get("settings")),
        pipeline_root=request["pipeline_root"],
        cache_root=request["cache_root"],
        workspace_root=request["workspace"],
        enable_caching=True,
    )
    pipeline = components.load_component_from_file(request["ir"])
    run = pipeline(**request["arguments"])
    outcome = Path(request["outcome"])
    artifacts = {name: value for name, value in run.outputs.items() if isinstance(value, dsl.Artifact)}
    write_json(outcome, {name: os.path.relpath(value.path, outcome.parent) for name, value in artifacts.items()})


class MovableCache(cache.LocalCache):  # type: ignore[misc]  # KFP has no types
    """KFP's cache with keys that do not tell where the pipeline root lies: it may be moved between two runs."""

    def compute_key(self, *args: Any, arguments: Mapping[str, Any], **others: Any) -> str:
        """The key of a task, as KFP calls for it."""
        root = config.LocalExecutionConfig.instance.pipeline_root
        return str(super().compute_key(*args, arguments=_relative(arguments, root), **others))


def _relative(value: Any, root: str) -> Any:
    """A task's arguments as JSON values, the artifacts' paths relative to the pipeline root."""
    if isinstance(value, dsl.Artifact):
        uri = os.path.relpath(value.uri, root) if Path(value.uri).is_relative_to(root) else value.uri
        return {"type": value.schema_title, "name": value.name, "uri": uri, "metadata": value.metadata}
    if isinstance(value, Mapping):
        return {name: _relative(part, root) for name, part in value.items()}
    return [_relative(part, root) for part in value] if isinstance(value, list) else value


def _runner(settings: dict[str, Any] | None) -> local.SubprocessRunner | local.DockerRunner:
    if settings is None:
        return local.SubprocessRunner(use_venv=False)
    environment = {name: os.environ[name] for name in settings["environment"]}
    return local.DockerRunner(**{**settings, "environment": environment})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
