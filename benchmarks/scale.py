"""How far it goes on a cluster: what KFP and Argo carry for so many shards, and the planning of a million objects.

    python benchmarks/scale.py                    # both, as docs/scale.md tells of them
    python benchmarks/scale.py --objects 1000000

The sizes are simulated: the JSON that KFP 2.17's driver and Argo 4.0.5 make of the compiled pipeline, with URIs and
identifiers of their length, as far as it grows with the number of shards or holds the stage's code.
"""

from __future__ import annotations

import argparse
import base64
import gzip
import json
import random
import resource
import time
from collections.abc import Iterator
from typing import Any, NamedTuple
from uuid import UUID

from shapeyard.sources.provenance import Provenance
from shapeyard.sources.selection import Selection
from shapeyard.sources.shard_places import Place
from shapeyard.sources.source import SourceFile
from shapeyard.sources.splits import cut_into_shards, fingerprint, select_objects, with_terms

ARGUMENT_BYTES = 128 * 1024
"""Linux's limit of one argument and of one variable, which holds Argo's template."""
WORKFLOW_BYTES = 1024 * 1024
"""Argo's limit of a workflow object, whose nodes it compresses when they are more."""
SHARDS = (1, 32, 64, 256)


class Sizes(NamedTuple):
    """Bytes, the largest of all tasks."""

    executor_input: int
    template: int
    workflow: int


def sizes(pipeline: str, shards: int, *, lists: bool = False) -> Sizes:
    """What a pipeline comes to with so many shards; `lists`: if each task took the shards' artifacts as lists."""
    from launch.ir import compile_pipeline  # KFP alone takes a quarter of what planning may

    draw = random.Random(0)
    ir = compile_pipeline(pipeline)
    run = f"minio://mlpipeline/v2/artifacts/{pipeline}/{_uuid(draw)}"
    nodes: dict[str, Any] = {}
    largest_input = largest_template = 0
    for name, task, iteration in _calls(ir, shards):
        component = ir[0]["components"][task["componentRef"]["name"]]
        given = _executor_input(draw, run, name, task, component, shards, lists=lists)
        container = ir[0]["deploymentSpec"]["executors"][component["executorLabel"]]["container"]
        patch = _pod_spec_patch(name, component, container, given)
        template = json.dumps({
            "name": "system-container-impl", "podSpecPatch": patch,
            "inputs": {"parameters": [{"name": "pod-spec-patch", "value": patch}]},
        })  # fmt: skip
        largest_input = max(largest_input, len(given))
        largest_template = max(largest_template, len(template))
        for kind, parameters in (
            ("driver", {"component": component, "task": task, "container": container, "pod-spec-patch": patch}),
            ("dag", {"pod-spec-patch": patch, "cached-decision": "false"}),
            ("retry", {"pod-spec-patch": patch}),
            ("pod", {"pod-spec-patch": patch}),
        ):
            nodes[f"{pipeline}-x7k2p-{draw.getrandbits(32)}"] = _node(draw, f"{iteration}{name}.{kind}", parameters)
    plain = json.dumps(nodes)
    # what does not grow: the templates, and the pipeline's spec as arguments of the workflow
    fixed = len(json.dumps(ir[0]["components"])) + len(json.dumps(ir[0]["deploymentSpec"])) + 60_000
    packed = len(base64.b64encode(gzip.compress(plain.encode(), 6)))
    return Sizes(largest_input, largest_template, fixed + min(packed, len(plain)))


def _calls(ir: list[dict[str, Any]], shards: int) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Every call of a stage: its name, its task, and which iteration it is in."""
    for name, task in ir[0]["root"]["dag"]["tasks"].items():
        inner = ir[0]["components"][task["componentRef"]["name"]].get("dag")
        if inner is None:
            yield name, task, ""
            continue
        for iteration in range(shards):
            for inside, call in inner["tasks"].items():
                yield inside, call, f"{name}({iteration})."


def _executor_input(
    draw: random.Random,
    run: str,
    name: str,
    task: dict[str, Any],
    component: dict[str, Any],
    shards: int,
    *,
    lists: bool,
) -> str:
    def artifact(producer: str, key: str, schema: str) -> dict[str, Any]:
        return {"name": key, "type": {"schemaTitle": schema, "schemaVersion": "0.0.1"}, "metadata": {},
                "uri": f"{run}/{producer}/{_uuid(draw)}/{key}"}  # fmt: skip

    inputs, outputs = component.get("inputDefinitions", {}), component.get("outputDefinitions", {})
    values: dict[str, Any] = dict.fromkeys(inputs.get("parameters", {}), 0.001)
    if "shard" in values:
        values["shard"] = Selection("s3://shapenet/ShapeNetCore.v2").item(12, 800, "0" * 32)
    if "places" in values:
        values["places"] = [str(Place(800, "0" * 16, f"{run}/voxelize/{_uuid(draw)}/voxels")) for _ in range(shards)]
    taken = task.get("inputs", {}).get("artifacts", {})
    gathered = {key for key, one in taken.items() if one["taskOutputArtifact"]["producerTask"].startswith("gather")} \
        if name != "gather" else set()  # fmt: skip
    return json.dumps({
        "inputs": {
            "parameterValues": values,
            "artifacts": {
                key: {"artifacts": [artifact("voxelize", key, one["artifactType"]["schemaTitle"])
                                    for _ in range(shards if lists and key in gathered else 1)]}
                for key, one in inputs.get("artifacts", {}).items()
            },
        },
        "outputs": {
            "artifacts": {key: {"artifacts": [artifact(name, key, one["artifactType"]["schemaTitle"])]}
                          for key, one in outputs.get("artifacts", {}).items()},
            "parameters": {key: {"outputFile": f"/tmp/kfp/outputs/{key}"} for key in outputs.get("parameters", {})},
            "outputFile": "/tmp/kfp_outputs/output_metadata.json",
        },
    })  # fmt: skip


def _pod_spec_patch(name: str, component: dict[str, Any], container: dict[str, Any], executor_input: str) -> str:
    launcher = ["--pipeline_name", name, "--run_id", "0" * 36, "--execution_id", "123", "--executor_input",
                executor_input, "--component_spec", json.dumps(component), "--pod_name", "$(KFP_POD_NAME)"]  # fmt: skip
    return json.dumps({"containers": [{
        "name": "main", "image": container["image"], "command": ["/kfp-launcher/launch", *launcher, "--"],
        "args": [*container["command"], *container["args"]], "resources": {"limits": {"cpu": "4", "memory": "16Gi"}},
    }]})  # fmt: skip


def _node(draw: random.Random, name: str, parameters: dict[str, Any]) -> dict[str, Any]:
    values = [
        {"name": key, "value": value if isinstance(value, str) else json.dumps(value)}
        for key, value in parameters.items()
    ]
    return {
        "id": f"x7k2p-{draw.getrandbits(32)}", "name": name, "displayName": name, "type": "Pod", "phase": "Succeeded",
        "templateName": "system-container-impl", "templateScope": "local/", "boundaryID": f"{draw.getrandbits(32)}",
        "startedAt": f"2026-01-01T00:{draw.randrange(60):02d}:{draw.randrange(60):02d}Z",
        "finishedAt": f"2026-01-01T01:{draw.randrange(60):02d}:{draw.randrange(60):02d}Z", "progress": "1/1",
        "resourcesDuration": {"cpu": draw.randrange(9999), "memory": draw.randrange(99999)},
        "children": [f"x7k2p-{draw.getrandbits(32)}"], "hostNodeName": f"node-{draw.randrange(99)}",
        "inputs": {"parameters": values},
    }  # fmt: skip


def _uuid(draw: random.Random) -> str:
    return str(UUID(int=draw.getrandbits(128)))


class _Listing:
    """A source that is but a listing, of so many printable things, a ZIP each."""

    def __init__(self, objects: int) -> None:
        self.objects = objects

    def list_files(self) -> list[SourceFile]:
        return [
            SourceFile(f"class{thing % 200:03d}/{thing:07d}.zip", 100_000 + thing, f"{thing:032x}")
            for thing in range(self.objects)
        ]

    def download(self, file: SourceFile, target: Any) -> None:
        raise AssertionError(f"planning brings no file, got {file.key} for {target}")


def plan_objects(objects: int) -> tuple[float, float, int]:
    """Plan so many objects: seconds of a core, the process's peak in GB, and the shards that are not empty."""
    selection = Selection("s3://things/all", layout="things", shards=64)
    source = _Listing(objects)
    started = time.process_time()
    files = source.list_files()
    provenance = Provenance(source, files, selection)
    selected = with_terms(select_objects(selection, files, provenance), provenance)
    shards = [fingerprint(members) for members in cut_into_shards(selected, selection.shards) if members]
    seconds = time.process_time() - started
    assert len(selected) == objects
    return seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, len(shards)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--objects", type=int, default=1_000_000, help="to plan; 0 for none")
    given = parser.parse_args()
    if given.objects:
        seconds, gigabytes, shards = plan_objects(given.objects)
        print(f"{given.objects:,} objects planned in {seconds:.0f} s, {gigabytes:.2f} GB, {shards} shards")
    print(
        f"{'shards':>7} {'executor input':>15} {'template':>10} {'workflow':>10}   as lists: input, template, workflow"
    )
    for shards in SHARDS:
        now, before = sizes("reconstruct", shards), sizes("reconstruct", shards, lists=True)
        print(f"{shards:>7} {now.executor_input:>15,} {now.template:>10,} {now.workflow:>10,}   "
              f"{before.executor_input:,} {before.template:,} {before.workflow:,}")  # fmt: skip
    print(f"limits: {ARGUMENT_BYTES:,} {ARGUMENT_BYTES:,} {WORKFLOW_BYTES:,}")


if __name__ == "__main__":
    main()
