"""docker/compose.yaml and compose.gpu.yaml, derived from the stages: an object store, and a service for every stage.

`docker compose -f docker/compose.yaml run --rm voxelize --help`: the project's folder is the working directory, so
paths are those that one would type outside.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from components import stages
from launch.images import ROOT, release_image

STORE_IMAGE = "chrislusf/seaweedfs:4.48"
"""SeaweedFS, which Kubeflow Pipelines deploys as its object store; the version is that of requirements/local.txt."""
STORE_PORT = 8333
CALLER = "${SHAPEYARD_USER:-1000:1000}"
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "${AWS_ACCESS_KEY_ID:-shapeyard}",
    "AWS_SECRET_ACCESS_KEY": "${AWS_SECRET_ACCESS_KEY:-shapeyard}",
}
HEADER = "# Written by `shapeyard compile` from the stages' typed specs.\n"


def write_compose_files() -> list[Path]:
    """Write both files; returns where they are."""
    written = []
    for name, content in (("compose.yaml", compose()), ("compose.gpu.yaml", gpu_overlay())):
        path = ROOT / "docker" / name
        path.write_text(dump(content), encoding="utf-8")
        written.append(path)
    return written


def dump(content: dict[str, Any]) -> str:
    """As YAML text."""
    return HEADER + yaml.safe_dump(content, sort_keys=False, width=120)


def compose() -> dict[str, Any]:
    """The store, and each stage behind the profile `stages`: they are run, not brought up."""
    return {"name": "shapeyard", "services": {"store": _store(), **{_word(s): _stage(s) for s in stages()}}}


def gpu_overlay() -> dict[str, Any]:
    """All GPUs for the stages that can use one; used as a second -f."""
    gpu = {"driver": "nvidia", "count": "all", "capabilities": ["gpu"]}
    reserved = {"deploy": {"resources": {"reservations": {"devices": [gpu]}}}}
    return {
        "services": {
            _word(name): reserved for name, one in stages().items() if one.uses_accelerator or one.can_render_on_gpu
        }
    }


def _store() -> dict[str, Any]:
    """SeaweedFS with one identity, from the environment; its files are the caller's, in runs/.compose."""
    return {
        "image": STORE_IMAGE,
        "command": ["server", "-s3", "-dir=/data", "-volume.max=0", "-master.volumeSizeLimitMB=256",
                    "-master.telemetry=false"],
        "user": CALLER,
        "environment": CREDENTIALS,
        "volumes": ["../runs/.compose:/data"],
        "healthcheck": {
            "test": ["CMD", "busybox", "wget", "-q", "-O-", f"http://127.0.0.1:{STORE_PORT}/healthz"],
            "interval": "2s",
            "timeout": "5s",
            "retries": 30,
        },
    }  # fmt: skip


def _stage(stage: str) -> dict[str, Any]:
    return {
        "profiles": ["stages"],
        "image": release_image(stage),
        "entrypoint": ["shapeyard", _word(stage)],
        "user": CALLER,
        "working_dir": "/work",
        "volumes": ["..:/work"],
        "environment": {"AWS_ENDPOINT_URL": f"http://store:{STORE_PORT}", **CREDENTIALS},
        **({"shm_size": "2g"} if stages()[stage].resources.shared_memory else {}),
    }


def _word(stage: str) -> str:
    return stage.replace("_", "-")
