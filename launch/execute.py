"""Run a compiled pipeline with kfp.local: the child process of `shapeyard run`.

    python -m launch.execute REQUEST.json

kfp.local has no hooks, replaces `print`, and does not stop when it is told to. So it gets a process group of its own,
which the parent can end at any time; what it prints goes to the run's log, what came out into `outcome`, as paths
relative to that file's folder: the pipeline's outputs by their names, and those of its loop by shard.
"""

from __future__ import annotations

import json
import os
import sys
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kfp import components, dsl, local
from kfp.local import cache, config

from launch.processes import end_group_on_sigterm
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
    made = {name: value for name, value in run.outputs.items() if isinstance(value, dsl.Artifact)}
    paths: dict[str, Any] = {name: os.path.relpath(value.path, outcome.parent) for name, value in made.items()}
    for name, by_shard in cache.get_local_cache().outputs_by_shard().items():
        paths[name] = {shard: os.path.relpath(path, outcome.parent) for shard, path in sorted(by_shard.items())}
    write_json(outcome, paths)


class MovableCache(cache.LocalCache):  # type: ignore[misc]  # KFP has no types
    """KFP's cache with keys that do not tell where the pipeline root lies: it may be moved between two runs.

    It remembers the tasks of this run as well, those that it answered and those that were carried out: KFP says nothing
    of what is made in a loop.
    """

    def __init__(self, cache_root: str) -> None:
        super().__init__(cache_root)
        self._arguments: dict[str, Mapping[str, Any]] = {}
        self._outputs: dict[str, Mapping[str, Any]] = {}

    def compute_key(self, *args: Any, arguments: Mapping[str, Any], **others: Any) -> str:
        """The key of a task, as KFP calls for it."""
        root = config.LocalExecutionConfig.instance.pipeline_root
        key = str(super().compute_key(*args, arguments=_relative(arguments, root), **others))
        self._arguments[key] = arguments
        return key

    def get(self, key: str) -> dict[str, Any] | None:
        """The outputs of an earlier task with this key."""
        outputs: dict[str, Any] | None = super().get(key)
        if outputs is not None:
            self._outputs[key] = outputs
        return outputs

    def put(self, key: str, outputs: dict[str, Any]) -> None:
        """Keep the outputs of a task."""
        super().put(key, outputs)
        self._outputs[key] = outputs

    def outputs_by_shard(self) -> dict[str, dict[int, str]]:
        """What the tasks of the loop made: output → number of the shard → path.

        A task is of the shard that it was given as an item of `plan`, or of that whose artifact it takes.
        """
        found: dict[str, dict[int, str]] = defaultdict(dict)
        shard_of_path: dict[str, int] = {}
        waiting = {key: self._arguments[key] for key in self._outputs}
        while waiting:
            known = {key: _shard(arguments, shard_of_path) for key, arguments in waiting.items()}
            if all(shard is None for shard in known.values()):
                break  # only tasks outside the loop are left
            for key, shard in known.items():
                if shard is None:
                    continue
                del waiting[key]
                for name, value in self._outputs[key].items():
                    if isinstance(value, dsl.Artifact):
                        found[name][shard] = value.path
                        shard_of_path[value.path] = shard
        return found


def _shard(arguments: Mapping[str, Any], shard_of_path: Mapping[str, int]) -> int | None:
    """The number of the shard that a task's arguments belong to, as far as it is known."""
    item = arguments.get("shard")
    if isinstance(item, Mapping):
        return int(item["shard"])
    paths = (value.path for value in arguments.values() if isinstance(value, dsl.Artifact))
    return next((shard_of_path[path] for path in paths if path in shard_of_path), None)


def _relative(value: Any, root: str) -> Any:
    """A task's arguments as JSON values, the artifacts' paths relative to the pipeline root."""
    if isinstance(value, dsl.Artifact):
        uri = os.path.relpath(value.uri, root) if Path(value.uri).is_relative_to(root) else value.uri
        return {"type": value.schema_title, "name": value.name, "uri": uri, "metadata": value.metadata}
    if isinstance(value, Mapping):
        return {name: _relative(part, root) for name, part in value.items()}
    if isinstance(value, str):
        return value.replace(f"{root}/", "")  # the place of a shard's dataset
    return [_relative(part, root) for part in value] if isinstance(value, list) else value


def _runner(settings: dict[str, Any] | None) -> local.SubprocessRunner | local.DockerRunner:
    if settings is None:
        return local.SubprocessRunner(use_venv=False)
    environment = {name: os.environ[name] for name in settings["environment"]}
    return local.DockerRunner(**{**settings, "environment": environment})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
